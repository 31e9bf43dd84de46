"""Which steps of a run may go on, now that others have ended?

A task waits for those whose results it takes and for the decisions of the roads it is on. It is skipped when its road
was not taken, or when what it takes is not there; of a choice only the road that was taken counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from riparian.assets.tasks import Ref, TaskSpec
from riparian.scheduler.core.pinned import StepSpec

MOST_ITEMS = 10_000
"""Items that one task may be mapped over: each is a step, and the rows of all of them are written at once."""


class State(Enum):
    """How a task of a run stands: OPEN may yet give a result, DONE has one, EMPTY has ended without one."""

    OPEN = "open"
    DONE = "done"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task of a run as it stands. ``label`` is what it decided, None where nothing branches on it. ``items`` is how
    long its result is, or of a mapped task how many results it has; None where that is not known."""

    state: State
    label: str | None = None
    items: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A blocked task becomes ``ready``, ``skipped``, or ``succeeded`` because there was nothing to go through; or
    ``failed``, which ends its run. ``items`` is set for a mapped task that is ready: so many steps it becomes; ``over``
    is then what they go through, on the road that was taken."""

    task: str
    to: str
    items: int | None = None
    over: Ref | None = None
    reason: str | None = None


def moves(
    blocked: Iterable[StepSpec], ended: Mapping[str, Ended], lengths: Mapping[str, int | None]
) -> tuple[Move, ...]:
    """Returns what becomes of the blocked tasks, in whatever order they are given; others stay blocked.

    ``ended`` has an entry for each other task that they look at; ``lengths`` says how many items an input of the
    workflow has, where it is mapped over.
    """
    left = {spec.task: spec for spec in blocked}
    known = {**ended, **{task: Ended(state=State.OPEN) for task in left}}
    waiting: dict[str, list[str]] = defaultdict(list)
    for spec in left.values():
        for task in looked_at([spec]):
            waiting[task].append(spec.task)
    found: list[Move] = []
    turns = list(left)
    for task in turns:  # it grows: what is settled here may settle others, also such as were looked at before it
        move = _move(left[task], known, lengths) if task in left else None
        if move is None:
            continue
        del left[task]
        found.append(move)
        if move.to in ("skipped", "succeeded"):
            state = State.EMPTY if move.to == "skipped" else State.DONE
            known[task] = Ended(state=state, items=0 if move.to == "succeeded" else None)
            turns += waiting[task]
    return tuple(found)


def _move(spec: StepSpec, known: Mapping[str, Ended], lengths: Mapping[str, int | None]) -> Move | None:
    waits = False
    for road in spec.roads:
        decision = known[road.decision]
        if decision.state is State.EMPTY:
            return _skip(spec, f"{road.decision} decided nothing")
        if decision.state is State.OPEN:
            waits = True
        elif decision.label != road.label:
            return _skip(spec, f"{road.decision} took the road {decision.label!r}, this is on the road {road.label!r}")
    for argument in spec.arguments:
        state = _state(argument.ref, known)
        if state is State.EMPTY:
            return _skip(spec, f"{argument.parameter!r} was not made")
        waits = waits or state is State.OPEN
    if waits:
        return None
    if not spec.mapped:
        return Move(task=spec.task, to="ready")
    over = next(a.ref for a in spec.arguments if a.parameter == spec.mapped)
    return _map(spec, _resolved(over, known), known, lengths)


def _map(spec: StepSpec, over: Ref, known: Mapping[str, Ended], lengths: Mapping[str, int | None]) -> Move:
    items = _length(over, known, lengths)
    name = over.name or repr(spec.mapped)
    if items is None or items < 0:
        why = (
            f"{spec.task} is mapped over {name}, and how many items that has is not known: it must be a JSON list; "
            "let a task return it as a list"
        )
        return Move(task=spec.task, to="failed", reason=why)
    if items > MOST_ITEMS:
        has = "returned" if over.kind == "task" else "has"
        why = f"{name} {has} {items} items; a task is mapped over at most {MOST_ITEMS}; let each item hold more"
        return Move(task=spec.task, to="failed", reason=why)
    if items == 0:
        return Move(task=spec.task, to="succeeded", reason="there are no items")
    return Move(task=spec.task, to="ready", items=items, over=over)


def of_item(spec: StepSpec, over: Ref, item: int) -> StepSpec:
    """Returns what the step of one item of a constant list runs: that item and no more of the list."""
    own = Ref(kind="value", value=over.value[item])
    arguments = tuple(replace(a, ref=own) if a.parameter == spec.mapped else a for a in spec.arguments)
    return replace(spec, arguments=arguments, mapped="")


def with_parameters(ref: Ref, params: Mapping[str, Any]) -> Ref:
    """Returns the reference with the values of the run's parameters in their place."""
    if ref.kind == "param":
        return Ref(kind="value", value=params[ref.name])
    return replace(ref, items=tuple(with_parameters(i, params) for i in ref.items)) if ref.items else ref


def _skip(spec: StepSpec, reason: str) -> Move:
    return Move(task=spec.task, to="skipped", reason=reason)


def _state(ref: Ref, known: Mapping[str, Ended]) -> State:
    match ref.kind:
        case "task" | "results":
            return known[ref.name].state
        case "list":
            states = {_state(item, known) for item in ref.items}
            # A join runs with what there is, and is skipped when there is nothing.
            return next((s for s in (State.OPEN, State.DONE) if s in states), State.EMPTY)
        case "choice":
            decision = known[ref.name]
            if decision.state is not State.DONE:
                return decision.state
            road = taken(ref, decision.label)
            return State.EMPTY if road is None else _state(road, known)
        case _:
            return State.DONE


def taken(choice: Ref, label: str | None) -> Ref | None:
    """Returns the item of a choice that stands on the road of that label; None when no item does."""
    return next((item for at, item in zip(choice.labels, choice.items, strict=True) if at == label), None)


def _resolved(ref: Ref, known: Mapping[str, Ended]) -> Ref:
    """Returns what a choice stands for, whose road was taken and leads somewhere."""
    while ref.kind == "choice" and (road := taken(ref, known[ref.name].label)) is not None:
        ref = road
    return ref


def _length(ref: Ref, known: Mapping[str, Ended], lengths: Mapping[str, int | None]) -> int | None:
    match ref.kind:
        case "value":
            return len(ref.value) if isinstance(ref.value, list) else None
        case "input":
            return lengths.get(ref.name)
        case "task" | "results":
            return known[ref.name].items
        case _:
            return None


def decisions(specs: Sequence[StepSpec]) -> frozenset[str]:
    """Returns the tasks whose result decides something for these."""
    roads = {road.decision for spec in specs for road in spec.roads}
    refs = (ref for spec in specs for argument in spec.arguments for ref in argument.ref.walk())
    return frozenset(roads | {ref.name for ref in refs if ref.kind == "choice"})


def looked_at(specs: Sequence[StepSpec]) -> frozenset[str]:
    """Returns the tasks of which it has to be known how they stand before it can be said what becomes of these."""
    refs = [ref for spec in specs for argument in spec.arguments for ref in argument.ref.walk()]
    return decisions(specs) | {ref.name for ref in refs if ref.kind in ("task", "results")}


def mapped_inputs(specs: Iterable[StepSpec]) -> frozenset[str]:
    """Returns the workflow's inputs that tasks go through item by item."""
    over = (a.ref for spec in specs for a in spec.arguments if a.parameter == spec.mapped)
    return frozenset(ref.name for argument in over for ref in argument.walk() if ref.kind == "input")


def made_from(tasks: Sequence[TaskSpec]) -> dict[str, frozenset[str]]:
    """Returns for each task the workflow's inputs that it takes itself or through the tasks before it."""
    found: dict[str, frozenset[str]] = {}
    for task in tasks:
        found[task.name] = task.inputs().union(*(found[name] for name in task.before()))
    return found
