"""What is wrong with a project's declarations, seen as a whole?

Every rule is a function from the declarations to problems; ``check`` runs them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass

from riparian.assets.annotations import TYPES
from riparian.assets.check_rules import check_problems
from riparian.assets.errors import DeclarationError, Location, Problem
from riparian.assets.keys import AssetKey, parse_key
from riparian.assets.manifest import AssetSpec, InputSpec, WorkflowSpec
from riparian.assets.partitions import Windows, dimensions_of
from riparian.assets.partitions.latest import by_time
from riparian.assets.patterns import parse_pattern
from riparian.assets.task_rules import task_problems

FORMATS = frozenset(TYPES.values()) | {"csv"}
"""The formats that need no extension."""

SUGGESTIONS = 20
"""How many unknown names get a "did you mean": each costs a look at every key."""

CYCLES = 20
"""How many circles are told: a graph can have more of them than anything could hold."""


@dataclass(frozen=True, slots=True)
class _Project:
    assets: Sequence[AssetSpec]
    workflows: Sequence[WorkflowSpec]
    formats: Collection[str]
    by_key: Dict[AssetKey, AssetSpec]


def check(
    assets: Sequence[AssetSpec], workflows: Sequence[WorkflowSpec], *, formats: Collection[str] = FORMATS
) -> tuple[Problem, ...]:
    """Returns every problem, in the order of files and lines; none when the declarations can be meant."""
    by_key: dict[AssetKey, AssetSpec] = {}
    for asset in assets:
        by_key.setdefault(asset.key, asset)
    project = _Project(assets, workflows, formats, by_key)
    return in_order(problem for rule in RULES for problem in rule(project))


def in_order(problems: Collection[Problem] | Iterator[Problem]) -> tuple[Problem, ...]:
    """Returns each different problem once, in the order of files and lines."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.location is None, _place(p.location), p.code)))


def _place(location: Location | None) -> tuple[str, int]:
    return (location.file, location.line) if location else ("", 0)


def _keys(project: _Project) -> Iterator[Problem]:
    named = [(asset.key, asset.location) for asset in project.assets]
    good: set[str] = set()
    for key, location in named + [(w.key, w.location) for w in project.workflows]:
        try:
            if key not in good:
                good.add(parse_key(key))
        except DeclarationError as exc:
            yield _problem("bad_key", exc, location)


def _producers(project: _Project) -> Iterator[Problem]:
    makers: dict[AssetKey, Location | None] = {}
    for kind in (project.assets, project.workflows):
        for key in (k for k, count in Counter(d.key for d in kind).items() if count > 1):
            places = [d.location for d in kind if d.key == key]
            if len(set(places)) == 1:
                yield Problem(
                    code="two_producers",
                    message=f"{key} is declared {len(places)} times at one place, but an asset has one producer",
                    remedy="Declare it once, or give each another key",
                    location=places[0],
                )
    # One declaration gives an asset and the workflow that makes it, at one location; a second one lies elsewhere.
    declared = [(a.key, a.location) for a in project.assets]
    declared += [(key, w.location) for w in project.workflows for key in w.produces]
    for key, location in declared:
        first = makers.setdefault(key, location)
        if first is not location and first != location:
            yield Problem(
                code="two_producers",
                message=f"{key} is declared here and at {makers[key]}, but an asset has one producer",
                remedy="Give one of them another key",
                location=location,
            )


def _workflow_keys(project: _Project) -> Iterator[Problem]:
    seen: set[str] = set()
    for workflow in project.workflows:
        # One that bears the key of what it makes is judged with its asset.
        if workflow.key not in workflow.produces and (workflow.key in seen or workflow.key in project.by_key):
            yield Problem(
                code="two_workflows",
                message=f"{workflow.key} is the key of another workflow, or of an asset that this one does not make",
                remedy="Give the workflow another key",
                location=workflow.location,
            )
        seen.add(workflow.key)


def _sources(project: _Project) -> Iterator[Problem]:
    patterns: dict[str, AssetSpec] = {}
    for asset in project.assets:
        if asset.kind == "source" and asset.format not in project.formats:
            yield Problem(
                code="unknown_format",
                message=f"{asset.key} has the format {asset.format!r}, which no installed package provides",
                remedy=f"Write one of: {', '.join(sorted(project.formats))}",
                location=asset.location,
            )
        if asset.arrives is None:
            continue
        yield from _pattern(asset, asset.arrives.pattern)
        other = patterns.setdefault(asset.arrives.pattern, asset)
        if other.key != asset.key:
            yield Problem(
                code="same_files",
                message=f"{asset.key} and {other.key} wait for the same files, {asset.arrives.pattern!r}",
                remedy="Declare one source and consume it twice, or name other files",
                location=asset.location,
            )


def _pattern(asset: AssetSpec, text: str) -> Iterator[Problem]:
    try:
        pattern = parse_pattern(text)
    except DeclarationError as exc:
        yield _problem("bad_pattern", exc, asset.location)
        return
    dimensions = [d.name for d in dimensions_of(asset.partitions)]
    foreign = sorted({p.name for p in pattern.placeholders} - {*dimensions})
    for name in foreign:
        has = f"partitions by {', '.join(dimensions)}" if dimensions else "no partitions"
        yield Problem(
            code="unknown_placeholder",
            message=f"the pattern {text!r} names {name!r}, but {asset.key} has {has}",
            remedy=(
                f"Declare partitions=Daily({name!r}, start='2013-01-01'), Static({name!r}, […]) or "
                f"Dynamic({name!r}), "
                f"or take {{{name}}} out of the pattern"
            ),
            location=asset.location,
        )
    if not foreign:
        try:
            pattern.check(asset.partitions)
        except DeclarationError as exc:
            yield _problem("missing_placeholder", exc, asset.location)


def _policies(project: _Project) -> Iterator[Problem]:
    for asset in project.assets:
        if asset.policy is not None and asset.policy.isolation >= 2:
            yield Problem(
                code="isolation_unavailable",
                message=f"{asset.key} asks for isolation 2, but no worker pool offers isolation 2 yet",
                remedy="Ask for isolation=1, or keep the data out of this project",
                location=asset.location,
            )


def _names(project: _Project) -> Iterator[Problem]:
    import difflib  # only here: a project without problems has no use for it

    left = SUGGESTIONS
    for workflow in project.workflows:
        inputs = [i.asset for i in workflow.inputs if i.asset not in project.by_key]
        watched = [key for key in workflow.trigger.assets if key not in project.by_key]
        named = [("unknown_input", f"{workflow.key} consumes", key) for key in inputs]
        named += [("unknown_asset", f"the trigger of {workflow.key} watches", key) for key in watched]
        for code, what, key in named:
            left -= 1
            close = difflib.get_close_matches(key, project.by_key, n=1) if left >= 0 else []
            yield Problem(
                code=code,
                message=f"{what} {key}, which nothing declares",
                remedy=f"Did you mean {close[0]!r}?" if close else "Declare it by source() or @asset",
                location=workflow.location,
            )


def _inputs(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        for spec in workflow.inputs:
            asset = project.by_key.get(spec.asset)
            if asset is None:
                continue
            if why := spec.mapping.unfit(workflow.partitions, asset.partitions):
                message, remedy = why
                yield Problem(
                    code="impossible_mapping",
                    message=f"{workflow.key} can never match {spec.asset}: {message}",
                    remedy=remedy,
                    location=workflow.location,
                )


def _tasks(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        yield from task_problems(workflow, project.by_key)


def _checks(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        if workflow.checks:
            yield from check_problems(workflow, project.by_key)


def _triggers(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        # That it is missing it may well wait for.
        watched = [a for a in workflow.trigger.assets if workflow.trigger.watches(a, consumed=False)]
        for key in set(workflow.produces).intersection(watched) if watched else ():
            yield Problem(
                code="self_trigger",
                message=f"the trigger of {workflow.key} watches {key}, which the workflow itself makes",
                remedy="Watch what it consumes: on_update()",
                location=workflow.location,
            )


def _asked_checks(project: _Project) -> Iterator[Problem]:
    checked = {c.asset for w in project.workflows for c in w.checks}
    for workflow in project.workflows:
        if not (asked := workflow.trigger.checked(i.asset for i in workflow.inputs)):
            continue
        named = workflow.trigger.checked(())
        for key in sorted(asked):
            asset = project.by_key.get(key)
            if asset is None:
                continue  # told by a rule of its own
            if key in named and key not in checked:
                yield Problem(
                    code="no_checks",
                    message=f"the trigger of {workflow.key} asks for the checks of {key}, which has none",
                    remedy=f"Declare one by @check({key!r}), or take checks_passed(…) out",
                    location=workflow.location,
                )
            elif key in checked and asset.partitions is not None and asset.partitions != workflow.partitions:
                yield Problem(
                    code="impossible_trigger",
                    message=f"the trigger of {workflow.key} asks for the checks of {key}, which has other partitions",
                    remedy="Let a workflow of the same partitions wait for them, or name what is meant in "
                    "checks_passed(…)",
                    location=workflow.location,
                )


def _caught_up(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        if workflow.catch_up == "latest":
            continue
        if by_time(workflow.partitions) is None:
            why = "it has no partitions by time, or several dimensions of it"
        elif not workflow.trigger.schedules:
            why = "its trigger names no schedule"
        elif any(_says_which(project, workflow, i) for i in workflow.inputs if i.asset not in workflow.produces):
            why = "its inputs say for which partitions it runs, and none that they call for is left out"
        else:
            continue
        yield Problem(
            code="nothing_to_catch_up",
            message=f"{workflow.key} has catch_up={workflow.catch_up!r} and runs for the window of no tick: {why}",
            remedy="Leave catch_up out",
            location=workflow.location,
        )


def _dimensions_by_time(project: _Project) -> Iterator[Problem]:
    for workflow in project.workflows:
        named = [d.name for d in dimensions_of(workflow.partitions) if isinstance(d, Windows)]
        inputs = (i for i in workflow.inputs if i.asset not in workflow.produces)
        if len(named) < 2 or not workflow.trigger.schedules:
            continue
        if any(_says_which(project, workflow, i) for i in inputs):
            continue
        yield Problem(
            code="ambiguous_tick",
            message=f"the trigger of {workflow.key} names a schedule, but of its dimensions {' and '.join(named)} are "
            "by time, so it can not be told which partitions a tick is about",
            remedy="Consume what says for which partitions to run, or leave one of them out",
            location=workflow.location,
        )


def _says_which(project: _Project, workflow: WorkflowSpec, spec: InputSpec) -> bool:
    asset = project.by_key.get(spec.asset)
    return spec.mapping.says_which(workflow.partitions, asset.partitions if asset else None)


def _cycles(project: _Project) -> Iterator[Problem]:
    makers = {key: workflow for workflow in project.workflows for key in workflow.produces}
    before = {key: [up for up in _before(workflow) if up in makers] for key, workflow in makers.items()}
    done: set[AssetKey] = set()
    left = CYCLES
    for start in makers:
        if done.issuperset(before[start]):
            done.add(start)  # mostly things are declared in their order
        # Depth first without recursion: a chain may be longer than Python's stack.
        path: dict[AssetKey, Iterator[AssetKey]] = {}
        turn: AssetKey | None = start if start not in done else None
        while turn is not None:
            path[turn] = iter(before[turn])
            turn = None
            while path and turn is None:
                here = next(reversed(path))
                for up in path[here]:
                    if up in path:
                        if left == 0:
                            return
                        left -= 1
                        yield _cycle([*path][[*path].index(up) :], makers)
                    elif up not in done:
                        turn = up
                        break
                else:
                    done.add(here)
                    del path[here]


def _before(workflow: WorkflowSpec) -> list[AssetKey]:
    """Returns what comes before the workflow: what it consumes, and what it waits for updates of."""
    # To be made from one's own earlier partitions is no circle.
    made = workflow.produces
    found = [i.asset for i in workflow.inputs if i.asset not in made or not i.mapping.looks_back]
    # What it makes itself is told by a rule of its own.
    named = [a for a in workflow.trigger.assets if a not in made]
    return found + [a for a in named if workflow.trigger.watches(a, consumed=False)] if named else found


def _cycle(upstream: list[AssetKey], makers: Dict[AssetKey, WorkflowSpec]) -> Problem:
    ring = upstream[::-1]  # as the data flows
    first = ring.index(min(ring))
    ring = ring[first:] + ring[:first]
    return Problem(
        code="cycle",
        message=f"these assets are made from themselves: {' -> '.join([*ring, ring[0]])}",
        remedy="Take one of these out of what is consumed, or out of an on_update(…)",
        location=makers[ring[0]].location,
    )


def _problem(code: str, error: DeclarationError, location: Location | None) -> Problem:
    message, _, remedy = str(error).partition("; ")
    return Problem(code=code, message=message, remedy=remedy[:1].upper() + remedy[1:], location=location)


RULES: tuple[Callable[[_Project], Iterator[Problem]], ...] = (
    _keys,
    _producers,
    _workflow_keys,
    _sources,
    _policies,
    _names,
    _inputs,
    _tasks,
    _checks,
    _triggers,
    _asked_checks,
    _caught_up,
    _dimensions_by_time,
    _cycles,
)
