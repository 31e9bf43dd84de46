"""What does an edit of the declarations change? Compares what is in force with what is to come, class by class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.partitions import Partitions
from riparian.assets.policy import Policy
from riparian.assets.tasks import Argument, TaskSpec

MOST_UNITS = 5
"""So many changed functions of one workflow are named; more are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that an edit changes, of the class ``what``, in words. ``stale``: what was made before is not what
    would be made now.

    The classes are code (a function or a value that it names), composition (which task takes what), parameters (values
    that tasks are given, or a person may give), inputs, output (which assets, in which format), checks, partitions,
    trigger, retry, timeout, policy and arrival (of a source's files); what has no class of its own goes by the name of
    its field.
    """

    what: str
    words: str
    stale: bool = False


def is_edited(before: WorkflowSpec, after: WorkflowSpec) -> bool:
    """Whether they differ in anything but the place where they are written."""
    return before != after and replace(before, location=None) != replace(after, location=None)


def edits(before: Manifest, after: Manifest) -> dict[str, tuple[Change, ...]]:
    """Returns what changes of each workflow, and of each source, that both declare; nothing of those that stay."""
    old_assets = {a.key: a for a in before.assets}
    new_assets = {a.key: a for a in after.assets}
    old = {w.key: w for w in before.workflows}
    found: dict[str, list[Change]] = {}
    for asset in after.assets:
        if asset.producer is None and (was := old_assets.get(asset.key)) is not None and was.producer is None:
            found[asset.key] = [*_source(was, asset)]
    for workflow in after.workflows:
        if (known := old.get(workflow.key)) is None:
            continue
        made = [(old_assets[a], new_assets[a]) for a in workflow.produces if a in old_assets and a in new_assets]
        changes = [*_workflow(known, workflow, before, after)] if is_edited(known, workflow) else []
        stale = known.fingerprint != workflow.fingerprint
        changes += [c for was, now in made for c in _format(was, now, stale=stale)]
        changes += [c for was, now in made for c in _policy(was.policy, now.policy, str(now.key))]
        found[workflow.key] = changes
    return {key: tuple(changes) for key, changes in found.items() if changes}


def changed_units(before: Manifest, after: Manifest, roots: Iterable[str]) -> list[str]:
    """Returns the functions and values, below ``roots`` in either, that say something else or refer to others now."""
    reached = _reach(before.units, roots) | _reach(after.units, roots)
    return sorted(name for name in reached if before.units.get(name) != after.units.get(name))


def _reach(units: Mapping[str, tuple[str, tuple[str, ...]]], roots: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        if (name := waiting.pop()) in units and name not in found:
            found.add(name)
            waiting += units[name][1]
    return found


def _workflow(before: WorkflowSpec, after: WorkflowSpec, old: Manifest, new: Manifest) -> Iterator[Change]:
    stale = before.fingerprint != after.fingerprint
    told = [*_tasks(before.tasks, after.tasks, stale=stale)]
    inputs = [*_inputs(before.inputs, after.inputs)]
    if stale:
        roots = {f"{t.module}.{t.qualname}" for t in (*before.tasks, *after.tasks)}
        if units := changed_units(old, new, roots):
            yield Change(what="code", words=f"{_some(units)} changed", stale=True)
        elif not any(c.stale for c in told):
            yield Change(what="code", words=f"{_own(after, old, new)} changed", stale=True)
    yield from told
    yield from inputs
    if before.produces != after.produces:
        yield from _named("output", "makes", before.produces, after.produces, stale=stale)
    if before.partitions != after.partitions:
        words = f"was {_cut(before.partitions)}, is {_cut(after.partitions)}"
        yield Change(what="partitions", words=words, stale=True)
    yield from _parameters(before, after, stale=stale)
    yield from _checks(before, after)
    if before.trigger != after.trigger:
        yield Change(what="trigger", words=f"was {before.trigger}, is {after.trigger}")
    if before.run_timeout_seconds != after.run_timeout_seconds:
        words = f"of the run: {_seconds(after.run_timeout_seconds)}, was {_seconds(before.run_timeout_seconds)}"
        yield Change(what="timeout", words=words)
    for field in fields(WorkflowSpec):
        if field.name not in _TOLD and (was := getattr(before, field.name)) != (now := getattr(after, field.name)):
            yield Change(what=field.name, words=f"was {_said(was)}, is {_said(now)}")


_TOLD = {
    *("key", "inputs", "produces", "tasks", "trigger", "partitions", "fingerprint", "location"),
    *("run_timeout_seconds", "parameters", "checks"),
}


def _own(workflow: WorkflowSpec, old: Manifest, new: Manifest) -> str:
    """What must have changed where no unit that has a name did."""
    if len(workflow.tasks) > 1:
        return "its body, or one of its functions"
    name = f"{workflow.tasks[0].module}.{workflow.tasks[0].qualname}"
    # Known to be as it was, so that it is something around it.
    return f"what is wrapped around {name}" if name in old.units and name in new.units else name


def _parameters(before: WorkflowSpec, after: WorkflowSpec, *, stale: bool) -> Iterator[Change]:
    was, now = ({p.name: p for p in w.parameters} for w in (before, after))
    yield from _named("parameters", "takes", was, now, stale=stale)
    for name in sorted(now.keys() & was.keys()):
        if (old := was[name]) != (new := now[name]):
            words = f"{name} is {_said(new.default)} by default, was {_said(old.default)}"
            yield Change(what="parameters", words=words, stale=stale)


def _checks(before: WorkflowSpec, after: WorkflowSpec) -> Iterator[Change]:
    was, now = ({c.full_name: c for c in w.checks} for w in (before, after))
    yield from _named("checks", "runs the check", was, now, stale=False)
    for name in sorted(now.keys() & was.keys()):
        if (old := was[name]) != (new := now[name]):
            words = (
                f"{'blocks' if new.blocking else 'warns'} now"
                if old.blocking != new.blocking
                else "is declared otherwise"
            )
            yield Change(what="checks", words=f"the check {name} {words}")


def _inputs(before: Iterable[InputSpec], after: Iterable[InputSpec]) -> Iterator[Change]:
    was = {(i.asset, i.mapping): i.parameter for i in before}
    now = {(i.asset, i.mapping): i.parameter for i in after}
    gone, new = was.keys() - now.keys(), now.keys() - was.keys()
    for asset in sorted({a for a, _ in gone} | {a for a, _ in new}):
        old_mappings, new_mappings = ([m.kind for a, m in each if a == asset] for each in (gone, new))
        match old_mappings, new_mappings:
            case [], _:
                words = f"also reads {asset}"
            case _, []:
                words = f"reads {asset} no more"
            case _:
                words = f"reads {asset} by the mapping {', '.join(new_mappings)}, not {', '.join(old_mappings)}"
        yield Change(what="inputs", words=words, stale=True)
    for place in sorted(was.keys() & now.keys(), key=str):
        if was[place] != now[place]:
            yield Change(what="inputs", words=f"calls {place[0]} {now[place]}, not {was[place]}")


def _tasks(before: tuple[TaskSpec, ...], after: tuple[TaskSpec, ...], *, stale: bool) -> Iterator[Change]:
    if len(before) == len(after) == 1:
        pairs = [(before[0], after[0])]
    else:
        was, now = {t.name: t for t in before}, {t.name: t for t in after}
        if was.keys() != now.keys():
            yield from _named("composition", "calls", was, now, stale=stale)
        pairs = [(was[name], now[name]) for name in now if name in was]
    for old, new in pairs:
        if old != new:
            yield from _task(old, new, f"{new.name}: " if len(after) > 1 else "", stale=stale)


def _task(before: TaskSpec, after: TaskSpec, of: str, *, stale: bool) -> Iterator[Change]:
    was, now = ({a.parameter: a for a in t.arguments} for t in (before, after))
    for parameter in sorted(now):
        if (old := was.get(parameter)) == (new := now[parameter]):
            continue
        if old is not None and (old.ref.kind, new.ref.kind) == ("value", "value"):
            words = f"{of}{parameter} is {_said(new.ref.value)}, was {_said(old.ref.value)}"
            yield Change(what="parameters", words=words, stale=stale)
        elif old is not None and old.type != new.type:
            words = f"{of}{parameter} is given as {new.type}, was {old.type}"
            yield Change(what="inputs", words=words, stale=stale)
        elif _is_composed(new) or (old is not None and _is_composed(old)):
            yield Change(what="composition", words=f"{of}{parameter} is taken from elsewhere", stale=stale)
    if (before.mapped, before.roads, before.labels) != (after.mapped, after.roads, after.labels):
        yield Change(what="composition", words=f"{of}its roads or its map changed", stale=stale)
    if before.retry != after.retry:
        tries = after.retry.attempts, before.retry.attempts
        words = f"{tries[0]} attempts, were {tries[1]}" if tries[0] != tries[1] else "when it is tried again changed"
        yield Change(what="retry", words=f"{of}{words}")
    if before.timeout_seconds != after.timeout_seconds:
        words = f"{of}{_seconds(after.timeout_seconds)}, was {_seconds(before.timeout_seconds)}"
        yield Change(what="timeout", words=words)
    for field in fields(TaskSpec):
        if field.name not in _TOLD_OF_TASKS and (old := getattr(before, field.name)) != getattr(after, field.name):
            yield Change(what=field.name, words=f"{of}was {_said(old)}, is {_said(getattr(after, field.name))}")


_TOLD_OF_TASKS = {
    *("name", "module", "qualname", "context", "returns", "arguments", "output", "mapped", "roads", "labels"),
    *("retry", "timeout_seconds"),
}


def _is_composed(argument: Argument) -> bool:
    return any(ref.kind not in ("input", "value") for ref in argument.ref.walk())


def _source(before: AssetSpec, after: AssetSpec) -> Iterator[Change]:
    yield from _format(before, after)
    if before.partitions != after.partitions:
        yield Change(what="partitions", words=f"was {_cut(before.partitions)}, is {_cut(after.partitions)}")
    if before.arrives != after.arrives:
        was, now = (a.arrives.pattern if a.arrives else "nothing" for a in (before, after))
        words = f"waits for {now}, was {was}" if was != now else "files count as complete after another time"
        yield Change(what="arrival", words=words)
    yield from _policy(before.policy, after.policy, "")


def _format(before: AssetSpec, after: AssetSpec, *, stale: bool = False) -> Iterator[Change]:
    if before.format != after.format:
        yield Change(what="output", words=f"{after.key} is {after.format}, was {before.format}", stale=stale)


def _policy(before: Policy | None, after: Policy | None, asset: str) -> Iterator[Change]:
    if before != after:
        of = f" of {asset}" if asset else ""
        yield Change(what="policy", words=f"who may read{of}: {said_policy(after)}; was: {said_policy(before)}")


def said_policy(policy: Policy | None) -> str:
    """Returns in words whom a policy lets read; None: what it is made from says it."""
    if policy is None:
        return "nothing said"
    # Who passes the narrower of two clauses passes the wider.
    clauses = [sorted(c) for c in policy.readers if not any(other < c for other in policy.readers)]
    groups = [" or ".join(c) if len(c) < 2 or len(clauses) == 1 else f"({' or '.join(c)})" for c in sorted(clauses)]
    said = [" and ".join(g or "nobody" for g in groups) or "everyone"]
    said += [f"cleared for {', '.join(sorted(policy.tags))}"] if policy.tags else []
    said += [f"until {policy.expires.isoformat()}"] if policy.expires else []
    said += [f"isolation {policy.isolation}"] if policy.isolation else []
    return ", ".join(said)


def _named(what: str, verb: str, before: Iterable[str], after: Iterable[str], *, stale: bool) -> Iterator[Change]:
    was, now = set(before), set(after)
    for name in sorted(now - was):
        yield Change(what=what, words=f"also {verb} {name}", stale=stale)
    for name in sorted(was - now):
        yield Change(what=what, words=f"{verb} {name} no more", stale=stale)


def _cut(partitions: Partitions | None) -> str:
    return "in one piece" if partitions is None else _said(partitions)


def _some(names: list[str]) -> str:
    more = len(names) - MOST_UNITS
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:MOST_UNITS])} and {more} more"


def _seconds(seconds: float | None) -> str:
    return "no time-out" if seconds is None else f"{seconds:g} s"


def _said(value: Any) -> str:
    text = str(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
