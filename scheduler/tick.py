"""What has to run now? Decides on everything that is marked dirty and writes the runs, in the caller's transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import OperationalError

from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.partitions.boxes import cut_off
from riparian.scheduler import decisions, outcomes
from riparian.scheduler.core.facts import PLANNER, Blocker, Cause, Target
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.outcomes import held, let_go
from riparian.scheduler.plan import plan_ingest
from riparian.scheduler.refill import refill
from riparian.storage.metadata import backfills, catalogue, runnable, staleness, timers
from riparian.storage.metadata.among import BATCH
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.intervals import read

log = logging.getLogger(__name__)

MOST_MARKS = 5_000
"""Marks that one transaction looks at."""

MOST_TARGETS = 5_000
"""Workflow partitions that one transaction looks at, but for those of the last mark."""

FAULTY = "planner_failed"
"""The reason of what the planner failed at."""

PAUSE_SECONDS = 5
"""How long the planner waits after a fault before it looks at the same again."""

SLICE = 500
"""Runs that one transaction may plan; what is left stays dirty for the next."""

MOST_STEPS = 20_000
"""Steps that the runs of one transaction may have, but for those of its last run: mapped tasks have many."""


@dataclass(slots=True)
class Ticked:
    """What a tick did: the planned runs and how many ``steps`` they have, how many workflow partitions it looked at,
    and whether something is left for the next one, or for a later try. ``sooner``: the next timer is another now.
    ``causes`` are those of faults that the log tells in full."""

    planned: list[str] = field(default_factory=list)
    steps: int = 0
    looked: int = 0
    more: bool = False
    failed: bool = False
    sooner: bool = False
    causes: set[str] = field(default_factory=set)


def tick(tx: Tx, graph: Graph) -> Ticked:
    """Decides on what is dirty, makers before their users, and writes at most about SLICE runs."""
    marks = staleness.oldest(tx, MOST_MARKS)
    done = Ticked(more=len(marks) == MOST_MARKS)
    if any(mark.workflow == backfills.CALL for mark in marks):
        refill(tx, graph)
        called = staleness.oldest(tx, MOST_MARKS)
        # What is to be looked at further is for the next one.
        marks = [mark for mark in called if mark.workflow != backfills.CALL]
        done.more = len(called) == MOST_MARKS or len(marks) < len(called)
    of_today = [mark for mark in marks if not staleness.is_late(mark)]
    for some in (of_today, marks[len(of_today) :]):
        # What is made up for waits until nothing of today is left.
        if some and not _work_off(tx, graph, some, done):
            break
    if marks:
        # What is left of a slice, and what deciding itself has marked.
        done.more = done.more or staleness.is_dirty(tx)
    return done


def _work_off(tx: Tx, graph: Graph, marks: Sequence[Any], done: Ticked) -> bool:
    """Decides on what the marks are about; returns whether that was all of it."""
    found = _targets(tx, graph, marks, done)
    if found.faulty:
        staleness.put_hold(tx, found.faulty)
        _try_again_later(tx)
        done.failed = True
    done.looked += len(found.asks)
    # What lies below a mark that is not finished waits for the next transaction, or it would run before its inputs.
    lowest = min((_depth(graph, target) for target in found.left), default=None)
    waiting = [t for t in found.asks if lowest is None or _depth(graph, t) <= lowest]
    waiting.sort(key=lambda target: _depth(graph, target))
    decided: set[Target] = set()
    spans = True
    while waiting and len(done.planned) < SLICE and done.steps < MOST_STEPS:
        before = len(done.planned)
        batch = _batch(graph, waiting, spans=spans)
        settled, faulty = _decide_apart(tx, graph, batch, found.asks, done)
        _put_aside(tx, graph, faulty, found.asks)
        done.failed = done.failed or bool(faulty)
        decided.update(settled)
        waiting = waiting[len(settled) :]
        # Where runs are planned, what lies below them is looked at too early; elsewhere depths need not be told apart.
        spans = len(done.planned) == before
    done.more = done.more or bool(waiting)
    through = [mark for mark, of in found.settled.items() if decided.issuperset(of)]
    staleness.clear(tx, through)
    staleness.mark(tx, found.left)
    return len(through) == len(marks) and not found.left


def _depth(graph: Graph, target: Sequence[Any]) -> int:
    return graph.depth.get(target[0], 0)


def _batch(graph: Graph, waiting: Sequence[Target], *, spans: bool) -> Sequence[Target]:
    """Returns the first of ``waiting``, which are in the order of their depths: of one depth unless it ``spans``."""
    batch = waiting[:BATCH]
    first = _depth(graph, batch[0])
    # Sources are at depth 0, and theirs is another kind of deciding.
    return batch if first and spans else [target for target in batch if _depth(graph, target) == first]


def _decide_apart(
    tx: Tx, graph: Graph, batch: Sequence[Target], asks: Mapping[Target, list[Cause]], done: Ticked
) -> tuple[Sequence[Target], Sequence[Target]]:
    """Decides on targets under a savepoint; when that fails, on each by itself.

    Returns those that are settled now, the first of them unless there was no room, and which of these could not be
    decided on: nobody else has to wait for them.
    """
    try:
        with tx.conn.begin_nested():
            if _depth(graph, batch[0]):
                return _decide(tx, graph, batch, asks, done), []
            done.planned += _ingest(tx, graph, batch)
            return batch, []
    except OperationalError:
        raise  # the database itself is away or full: that is nobody's fault here
    except Exception as exc:  # noqa: BLE001 - a fault of the planner, or of what was stored: an operator reads of it
        if len(batch) == 1:
            reason = catalogue.standing_reason(tx, *batch[0])
            is_known = reason is not None and reason.code == FAULTY
            _tell("planning {}[{}] failed".format(*batch[0]), exc, done, is_known=is_known)
            return batch, batch
    apart = [_decide_apart(tx, graph, [one], asks, done) for one in batch]
    return [target for settled, _ in apart for target in settled], [target for _, faulty in apart for target in faulty]


def _tell(words: str, exc: Exception, done: Ticked, *, is_known: bool = False) -> None:
    """Tells an operator of a fault: in full the first time, and in a line where the same cause was told before, of
    something else or when it ``is_known`` since an earlier try."""
    cause = f"{type(exc).__name__}: {exc}"
    in_full = None if is_known or cause in done.causes else exc
    done.causes.add(cause)
    log.error("%s; it is tried again in %s s: %s", words, PAUSE_SECONDS, cause, exc_info=in_full)


def _put_aside(tx: Tx, graph: Graph, faulty: Sequence[Target], asks: Mapping[Target, list[Cause]]) -> None:
    """Holds what can not be decided on, with all that was asked of it, until the planner's timer or an apply."""
    if faulty:
        words = f"the planner failed at it, which the server's log tells; it is tried again every {PAUSE_SECONDS} s"
        # Of sources nothing is decided, so nothing would ever say that it is over.
        staleness.note_reasons(tx, [(t, FAULTY, words) for t in faulty if t[0] in graph.workflows])
        blocker = Blocker(PLANNER, "", failed=True)
        staleness.put_hold(tx, [held(t, blocker, ask) for t in faulty for ask in (None, *asks[t])])
        _try_again_later(tx)


def _try_again_later(tx: Tx) -> None:
    timers.put(tx, "plan", "", tx.now + PAUSE_SECONDS * 1_000_000)


def look_again(tx: Tx) -> None:
    """Marks what was put aside: its time has come."""
    staleness.release_faulty(tx)


def tick_safely(tx: Tx, graph: Graph) -> Ticked:
    """Like ``tick``, under a savepoint: what the planner can not do must not undo the commit that asked for it.
    The marks stay, and a timer has them looked at again."""
    try:
        with tx.conn.begin_nested():
            return tick(tx, graph)
    except OperationalError:
        raise  # the database itself is away or full: the commit can not stand either
    except Exception:
        # A fault of the planner: the facts are safe, and an operator reads this.
        log.exception("planning failed; what is dirty stays so and is planned again in %s s", PAUSE_SECONDS)
        _try_again_later(tx)
        return Ticked(failed=True)


@dataclass(slots=True)
class _Targets:
    """The marked workflow partitions with what was asked of each, which mark each settles, what a large mark leaves;
    and as rows of holds those marks of which it can not be told what they mean."""

    asks: dict[Target, list[Cause]] = field(default_factory=dict)
    settled: dict[str, list[Target]] = field(default_factory=dict)
    left: list[tuple[str, Interval, str]] = field(default_factory=list)
    faulty: list[dict[str, str]] = field(default_factory=list)


def _targets(tx: Tx, graph: Graph, marks: Sequence[Any], done: Ticked) -> _Targets:
    found = _Targets()
    for m in marks:
        if len(found.asks) >= MOST_TARGETS:
            break
        try:
            keys, asked = _meant(tx, graph, m)
        except OperationalError:
            raise  # the database itself
        except Exception as exc:  # noqa: BLE001 - as above: one must not keep all others from being planned
            _tell(f"a mark of {m.workflow} can not be read", exc, done)
            # Two marks may begin at the same: the later one must not make the other shorter.
            end = "" if m.lo == m.hi else EVERYTHING.hi
            hold = {"workflow": m.workflow, "partition": m.lo, "blocker": PLANNER, "blocker_partition": end}
            found.faulty.append({**hold, "ask": m.ask})
            found.settled[m.id] = []
            continue
        if len(keys) > SLICE:
            found.left.append((m.workflow, cut_off(read(m.lo, m.hi), keys[SLICE]), m.ask))
            keys = keys[:SLICE]
        found.settled[m.id] = [(m.workflow, p) for p in keys]
        for target in found.settled[m.id]:
            found.asks.setdefault(target, []).extend(asked)
    return found


def _meant(tx: Tx, graph: Graph, mark: Any) -> tuple[list[str], list[Cause]]:
    """Returns the partitions that a mark is about, one more than a slice at most, and what was asked of them."""
    asked = [Cause.from_json(mark.ask)] if mark.ask else []
    keys: list[str] = []
    if mark.workflow in graph.workflows or mark.workflow in graph.assets:
        keys = runnable.partitions(tx, graph, mark.workflow, read(mark.lo, mark.hi), SLICE + 1)
    if not keys:
        let_go(tx, mark.lo, asked, "skipped" if mark.workflow in graph.workflows else "left")
        if mark.lo == mark.hi and mark.workflow in graph.workflows and graph.dimensions.of(mark.workflow):
            # It was taken out while it ran: that it failed then is nothing that others wait for.
            staleness.repair(tx, mark.workflow, mark.lo)
    return keys, asked


def _decide(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, list[Cause]], done: Ticked
) -> Sequence[Target]:
    """Decides on targets in the order of their depths, and writes the outcome. Returns those that are settled."""
    found = decisions.decide(tx, graph, targets, asks)
    written = outcomes.write(tx, graph, found, MOST_STEPS - done.steps)
    done.planned += written.planned
    done.steps += written.steps
    done.sooner = written.sooner or done.sooner
    return [t for t in found.targets if t not in written.passed]


def _ingest(tx: Tx, graph: Graph, targets: Sequence[Target]) -> list[str]:
    """Plans the taking in of the next ready file of each source partition that has no unfinished run."""
    return [run for target in targets if (run := plan_ingest(tx, graph, *target)) is not None]
