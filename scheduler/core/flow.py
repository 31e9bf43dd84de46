"""Which steps of a run may go on, now that others have ended?

A task waits for those whose results it takes and for the decisions of the roads it is on. It is skipped when its road
was not taken, or when what it takes is not there; of a choice only the road that was taken counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from riparian.assets.tasks import Ref, TaskSpec
from riparian.scheduler.core.pinned import StepSpec


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
    """A blocked task becomes ``ready``, ``skipped``, or ``succeeded`` because there was nothing to go through.
    ``items`` is set for a mapped task that is ready: so many steps it becomes."""

    task: str
    to: str
    items: int | None = None
    reason: str | None = None


def moves(
    blocked: Iterable[StepSpec], ended: Mapping[str, Ended], lengths: Mapping[str, int | None]
) -> tuple[Move, ...]:
    """Returns what becomes of the blocked tasks, given in the order of the workflow; others stay blocked.

    ``ended`` has an entry for each other task that they look at; ``lengths`` says how many items an input of the
    workflow has, where it is mapped over.
    """
    known = dict(ended)
    found: list[Move] = []
    for spec in blocked:
        move = _move(spec, known, lengths)
        if move is None:
            known[spec.task] = Ended(state=State.OPEN)
            continue
        found.append(move)
        after = {"ready": State.OPEN, "skipped": State.EMPTY, "succeeded": State.DONE}[move.to]
        known[spec.task] = Ended(state=after, items=0 if move.to == "succeeded" else None)
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
    # Where the length is not known it is no list, which reading it will say.
    items = 1 if (length := _length(over, known, lengths)) is None else length
    if items == 0:
        return Move(task=spec.task, to="succeeded", reason="there are no items")
    return Move(task=spec.task, to="ready", items=items)


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


def _length(ref: Ref, known: Mapping[str, Ended], lengths: Mapping[str, int | None]) -> int | None:
    match ref.kind:
        case "value":
            return len(ref.value) if isinstance(ref.value, list) else None
        case "input":
            return lengths.get(ref.name)
        case "choice":
            road = taken(ref, known[ref.name].label)
            return None if road is None else _length(road, known, lengths)
        case _:
            return known[ref.name].items


def decisions(specs: Iterable[StepSpec]) -> frozenset[str]:
    """Returns the tasks whose result decides something for these."""
    roads = {road.decision for spec in specs for road in spec.roads}
    refs = (ref for spec in specs for argument in spec.arguments for ref in argument.ref.walk())
    return frozenset(roads | {ref.name for ref in refs if ref.kind == "choice"})


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
