"""What does time do to workflows? Their schedules begin with an apply, and when they tick, whoever waited is marked."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row

from riparian.assets.catchup import MOST_CAUGHT_UP, windows_of
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import WHOLE, Interval, Windows
from riparian.assets.partitions.latest import by_time, in_window, of_window, ticked
from riparian.assets.schedules import following, latest
from riparian.assets.triggers import OnCron
from riparian.scheduler.core.facts import CLOCK, Cause, Target
from riparian.scheduler.core.graph import Graph, follows_clock
from riparian.storage.metadata import counters, schedules, staleness, timers
from riparian.storage.metadata.database import Tx

_BETWEEN = "/"
"""What stands between a workflow, whose key has none of it, and the partition in the subject of a timer."""

log = logging.getLogger(__name__)

MOST_DUE = 500
"""Timers that one transaction takes: ten thousand workflows may have the same schedule."""

MOST_MISSED = 2_000
"""Windows to make up for after which one transaction takes no further workflow: while they are found and noted nobody
else writes."""

PAUSE_SECONDS = 60
"""How long a schedule that is due and can not be rung is left alone."""


def declare(
    tx: Tx, project: str, workflows: Collection[WorkflowSpec], added: Collection[str], back: Collection[str] = ()
) -> None:
    """Begins the schedules that the project's triggers name now and did not before; from now on their ticks count.

    One that stays keeps what it knows, and so do those of a removed workflow, which do not ring, until it comes
    ``back`` (then the ticks that it missed count as one) or is ``added`` like a new one (then all begin anew).
    """
    before = {(r.workflow, r.cron): r for r in schedules.of_project(tx, project)}
    named = {(w.key, c.name): c for w in workflows for c in w.trigger.schedules}
    declared = {w.key for w in workflows}
    schedules.end(tx, [p for p in before if (p[0] in declared and p not in named) or p[0] in added])
    seq = counters.value(tx, "change_seq")
    new = [
        {"workflow": key, "cron": name, "since": tx.now, "seq": seq, "next_at": _following(cron, tx.now)}
        for (key, name), cron in named.items()
        if (key, name) not in before or key in added
    ]
    schedules.begin(tx, new)
    # Of all: the timers of those that stay may have been taken while the project could not be read.
    _set_timers(tx, declared & {key for key, _ in (*before, *named)})
    timers.drop(tx, "cron", sorted({key for key, _ in before} - declared))


def ring(tx: Tx, graph: Graph, keys: Sequence[str]) -> None:
    """Notes the latest tick of each schedule of these workflows that is due, and marks what it is about: a workflow in
    one piece, the partitions that are held until a tick, and those that only a tick asks for.

    Ringing again, or elsewhere at the same time, changes nothing. A schedule that can not be read now, or that of a
    project that can not, stands still for a while; the others ring.
    """
    crons = {(k, c.name): c for k in keys if k in graph.workflows for c in graph.workflows[k].trigger.schedules}
    rows = [(r, crons[r.workflow, r.cron]) for r in schedules.of_workflows(tx, keys) if (r.workflow, r.cron) in crons]
    due = [
        _Due(r, c, *at) for r, c in rows if r.next_at is not None and r.next_at <= tx.now if (at := _read(c, tx.now))
    ]
    missed, later = _missed(graph, due)
    due = [d for d in due if d.row.workflow not in later]
    ticked = [(d.row.workflow, d.cron, d.tick) for d in due if d.tick is not None and d.tick > d.row.tick]
    if ticked:
        # A number of its own: what was pinned before the tick is told from what was pinned because of it.
        schedules.ring(tx, [(key, c.name, tick) for key, c, tick in ticked], counters.advance(tx, "change_seq"))
    schedules.aim(tx, [(d.row.workflow, d.row.cron, d.next_at) for d in due])
    for key in dict.fromkeys(key for key, _, _ in ticked):
        staleness.release(tx, CLOCK, key)
    staleness.mark(tx, list(dict.fromkeys((key, i, "") for key, c, t in ticked for i in _about(graph, key, c, t))))
    staleness.mark(tx, _overtaken(tx, graph, due))
    staleness.mark(tx, missed, late=True)
    # What is still due could not be rung: its timer must not stay the earliest, or all others would wait behind it.
    _set_timers(tx, [key for key in keys if key not in later], missed=tx.now + PAUSE_SECONDS * 1_000_000)
    timers.put_many(tx, "cron", [(key, tx.now) for key in later])


class _Due(NamedTuple):
    row: Row[Any]
    cron: OnCron
    tick: int | None
    next_at: int | None


def _read(cron: OnCron, at: int) -> tuple[int | None, int | None] | None:
    """Returns the schedule's latest tick and its next one; None when it can not be read."""
    try:
        return latest(cron.expression, cron.timezone, at), _following(cron, at)
    except Exception:
        # One schedule, whose timezone may be gone from the system, must not stop the clock of all others.
        log.exception("the schedule %s can not be read now; it is tried again in %s s", cron.name, PAUSE_SECONDS)
        return None


def wake_at(tx: Tx, wakes: Sequence[tuple[Target, int]]) -> bool:
    """Has workflow partitions looked at again at their instants, and returns whether the next timer of all is one of
    these. One that is looked at before is looked at then too, which changes nothing."""
    timers.put_many(tx, "trigger", [(f"{key}{_BETWEEN}{partition}", at) for (key, partition), at in wakes])
    return bool(wakes) and timers.earliest(tx) in {at for _, at in wakes}


def wake(tx: Tx, subjects: Iterable[str]) -> None:
    """Marks the workflow partitions whose time has come."""
    found = [subject.partition(_BETWEEN) for subject in subjects]
    staleness.mark(tx, [(key, Interval(partition, partition), "") for key, _, partition in found])


def _about(graph: Graph, key: str, cron: OnCron, tick: int) -> Iterator[Interval]:
    """The partitions that a tick asks for, whether or not anything was held for it."""
    partitions = graph.workflows[key].partitions
    if partitions is None:
        yield Interval(WHOLE, WHOLE)
    elif follows_clock(graph, key):
        yield from ticked(partitions, tick, cron.timezone)


def _missed(graph: Graph, due: Sequence[_Due]) -> tuple[list[tuple[str, Interval, str]], list[str]]:
    """Returns the marks of earlier windows that these workflows make up for: those whose ticks rang since the last one
    that was heard, each with its latest ticks. Also the workflows that were not looked at, for there are very many
    already."""
    found: dict[Target, dict[str, int]] = {}
    later: list[str] = []
    for key, of in groupby(sorted(due, key=lambda d: d.row.workflow), key=lambda d: d.row.workflow):
        spec = graph.workflows[key]
        cut, most = spec.partitions, windows_of(spec.catch_up)
        windows, left = by_time(cut), MOST_CAUGHT_UP
        if most == 1 or windows is None or not follows_clock(graph, key):
            continue
        if len(found) >= MOST_MISSED:
            later.append(key)
            continue
        for d in of:
            for window, tick in _before(windows, d, most - 1):
                for partition in in_window(cut, window, left):
                    found.setdefault((key, partition), {})[d.cron.name] = tick
                    left -= 1
    # The latest window of all was marked before: today's is not kept waiting by what is made up for.
    return [_asked(target, {"ticks": ticks, "late": True}) for target, ticks in sorted(found.items())], later


def _overtaken(tx: Tx, graph: Graph, due: Sequence[_Due]) -> list[tuple[str, Interval, str]]:
    """Returns the marks of windows whose tick was heard and that are still held as that of the next one rings: they
    keep their own."""
    found: dict[Target, dict[str, int]] = {}
    for d in due:
        key, cut = d.row.workflow, graph.workflows[d.row.workflow].partitions
        windows = by_time(cut)
        if d.row.tick > d.row.since and d.tick is not None and windows is not None and follows_clock(graph, key):
            window = windows.ticked(d.row.tick, d.cron.timezone)
            if window != windows.ticked(d.tick, d.cron.timezone):
                for partition in (p for i in of_window(cut, window) for p in staleness.held_in(tx, key, i)):
                    found.setdefault((key, partition), {})[d.cron.name] = d.row.tick
    return [_asked(target, {"ticks": ticks}) for target, ticks in sorted(found.items())]


def _asked(target: Target, body: dict[str, Any]) -> tuple[str, Interval, str]:
    return target[0], Interval(target[1], target[1]), Cause(kind="tick", body=body).to_json()


def _before(cut: Windows, d: _Due, most: int) -> Iterator[tuple[str, int]]:
    """Yields the latest windows before that of the tick, at most so many, with the last tick of each."""
    at = d.tick
    while at is not None and most:
        window = cut.ticked(at, d.cron.timezone)
        before = latest(d.cron.expression, d.cron.timezone, min(at, cut.began(window, d.cron.timezone)) - 1)
        if before is None or before <= d.row.tick:
            return
        if (earlier := cut.ticked(before, d.cron.timezone)) != window:
            yield earlier, before
            most -= 1
        at = before


def _set_timers(tx: Tx, keys: Collection[str], missed: int | None = None) -> None:
    """One timer a workflow: when the first of its schedules is due; ``missed`` for those that are due already."""
    dues: dict[str, int] = {}
    for r in schedules.of_workflows(tx, keys):
        if r.next_at is not None:
            at = missed if missed is not None and r.next_at <= tx.now else r.next_at
            dues[r.workflow] = min(at, dues.get(r.workflow, at))
    timers.put_many(tx, "cron", sorted(dues.items()))
    timers.drop(tx, "cron", sorted(set(keys) - set(dues)))


def _following(cron: OnCron, after: int) -> int | None:
    return following(cron.expression, cron.timezone, after)
