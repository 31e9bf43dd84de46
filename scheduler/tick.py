"""What has to run now? Decides on everything that is marked dirty and writes the runs, in the caller's transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import OperationalError

from riparian.assets.partitions import EVERYTHING, Interval
from riparian.scheduler import clock
from riparian.scheduler.core import planner
from riparian.scheduler.core.facts import ANY, PLANNER, Action, Blocker, Cause, Decision, Facts, Target, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.plan import Plan, plan_ingest
from riparian.scheduler.refill import refill
from riparian.storage.metadata import backfills, blockers, levels, planning, runnable, runs, staleness, timers
from riparian.storage.metadata.among import BATCH
from riparian.storage.metadata.database import Tx

log = logging.getLogger(__name__)

MOST_MARKS = 5_000
"""Marks that one transaction looks at."""

MOST_TARGETS = 5_000
"""Workflow partitions that one transaction looks at, but for those of the last mark."""

PAUSE_SECONDS = 5
"""How long the planner waits after a fault before it looks at the same again."""

SLICE = 500
"""Runs that one transaction may plan; what is left stays dirty for the next."""

MOST_STEPS = 20_000
"""Steps that the runs of one transaction may have, but for those of its last run: mapped tasks have many."""


@dataclass(slots=True)
class Ticked:
    """What a tick did: the planned runs and how many ``steps`` they have, how many workflow partitions it looked at,
    and whether something is left for the next one, or for a later try. ``sooner``: the next timer is another now."""

    planned: list[str] = field(default_factory=list)
    steps: int = 0
    looked: int = 0
    more: bool = False
    failed: bool = False
    sooner: bool = False


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
    if not marks:
        return done
    found = _targets(tx, graph, marks)
    if found.faulty:
        staleness.put_hold(tx, found.faulty)
        _try_again_later(tx)
        done.failed = True
    done.looked = len(found.asks)
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
    staleness.clear(tx, [mark for mark, of in found.settled.items() if decided.issuperset(of)])
    staleness.mark(tx, found.left)
    # What is left of a slice, and what deciding itself has marked.
    done.more = done.more or staleness.is_dirty(tx)
    return done


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
    except Exception:
        # A fault of the planner, or of what was stored: an operator reads this, and the others go on.
        if len(batch) == 1:
            log.exception("planning %s[%s] failed; it is tried again in %s s", *batch[0], PAUSE_SECONDS)
            return batch, batch
    apart = [_decide_apart(tx, graph, [one], asks, done) for one in batch]
    return [target for settled, _ in apart for target in settled], [target for _, faulty in apart for target in faulty]


def _put_aside(tx: Tx, graph: Graph, faulty: Sequence[Target], asks: Mapping[Target, list[Cause]]) -> None:
    """Holds what can not be decided on, with all that was asked of it, until the planner's timer or an apply."""
    if faulty:
        words = f"the planner failed at it, which the server's log tells; it is tried again every {PAUSE_SECONDS} s"
        # Of sources nothing is decided, so nothing would ever say that it is over.
        staleness.note_reasons(tx, [(t, "planner_failed", words) for t in faulty if t[0] in graph.workflows])
        blocker = Blocker(PLANNER, "", failed=True)
        staleness.put_hold(tx, [_hold(t, blocker, ask) for t in faulty for ask in (None, *asks[t])])
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


def _targets(tx: Tx, graph: Graph, marks: Sequence[Any]) -> _Targets:
    found = _Targets()
    for m in marks:
        if len(found.asks) >= MOST_TARGETS:
            break
        try:
            keys, asked = _meant(tx, graph, m)
        except OperationalError:
            raise  # the database itself
        except Exception:
            # As below: one workflow must not keep all others from being planned.
            log.exception("a mark of %s can not be read; it is tried again in %s s", m.workflow, PAUSE_SECONDS)
            # Two marks may begin at the same: the later one must not make the other shorter.
            end = "" if m.lo == m.hi else EVERYTHING.hi
            hold = {"workflow": m.workflow, "partition": m.lo, "blocker": PLANNER, "blocker_partition": end}
            found.faulty.append({**hold, "ask": m.ask})
            found.settled[m.id] = []
            continue
        if len(keys) > SLICE:
            found.left.append((m.workflow, Interval(keys[SLICE], m.hi), m.ask))
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
        keys = runnable.partitions(tx, graph, mark.workflow, Interval(mark.lo, mark.hi), SLICE + 1)
    if not keys:
        _let_go(tx, mark.lo, asked)
    return keys, asked


def _decide(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, list[Cause]], done: Ticked
) -> Sequence[Target]:
    """Decides on targets in the order of their depths, and writes the outcome. Returns those that are settled.

    Only a run matters to what lies below: what is deeper than the first is left, for when it can be seen. Of those that
    would run, as many do as there is room for.
    """
    asks = _unanswered(tx, targets, asks)
    facts = planning.load_many(tx, graph, targets, {t: a[0] for t, a in asks.items() if a})
    decisions = {target: planner.decide(found) for target, found in facts.items()}
    first = min((_depth(graph, t) for t, d in decisions.items() if d.action is Action.RUN), default=None)
    if first is not None:
        targets = [t for t in targets if _depth(graph, t) <= first]
        decisions = {t: decisions[t] for t in targets if t in decisions}
    # Most that is touched has no need to run; only for the rest does anybody ask what is still going on above.
    eager = [t for t, d in decisions.items() if d.action is Action.RUN and not _is_urgent(asks[t])]
    for late in {decisions[t].late for t in eager}:
        of_class = [t for t in eager if decisions[t].late == late]
        for target, blocker in blockers.of_targets(tx, graph, of_class, late=late).items():
            decisions[target] = planner.decide(replace(facts[target], blocker=blocker))
    for target, blocker in _in_turn(graph, decisions, asks).items():
        decisions[target] = planner.decide(replace(facts[target], blocker=blocker))
    plan = Plan(tx, graph)
    reasons, holds, unheld, advances, wakes = [], [], [], [], []
    passed: set[Target] = set()
    own = {key for key, _ in decisions if _is_made_from_itself(graph, key)}
    turns: dict[Target, str] = {}
    for target, decision in decisions.items():
        if decision.action is Action.RUN and done.steps + plan.steps >= MOST_STEPS:
            passed.add(target)
            continue
        reasons.append((target, decision.code, decision.words))
        if decision.wake_at is not None:
            wakes.append((target, decision.wake_at))
        # One run at a time: what else was asked waits for the end of the run that is planned or going on now.
        later = asks[target][1:] if decision.action in (Action.RUN, Action.HOLD) else []
        holds += [_hold(target, Blocker(*target, failed=False), _behind(tx, target, ask)) for ask in later]
        if decision.action not in (Action.RUN, Action.HOLD):
            _settle(tx, target, decision, asks[target])
        if decision.code == "waiting_for_input":
            awaited = _awaited(graph, facts[target])
            holds += [_hold(target, awaited, ask) for ask in asks[target] if ask.kind == "fingerprint"]
        match decision.action:
            case Action.RUN:
                turns[target] = plan.add(facts[target], decision)
                if (going := facts[target].unfinished) is not None and going.backfill:
                    holds.append(_hold(target, Blocker(*target, failed=False), _behind(tx, target, going.backfill)))
            case Action.HOLD:
                assert decision.blocker is not None  # noqa: S101 - the planner's promise for HOLD
                ask = facts[target].ask
                after_own = (decision.blocker.workflow, decision.blocker.partition) == target
                holds.append(_hold(target, decision.blocker, _behind(tx, target, ask) if after_own and ask else ask))
            case Action.ADVANCE:
                found = [(i.edge.name, i.now) for i in facts[target].inputs if i.now is not None]
                ticks = {**facts[target].consumed_ticks, **decision.ticks}
                advances.append((target, plan.as_of, levels.to_json(found), ticks))
                if facts[target].attempted is not None:
                    # What failed on the way is as it was before: nobody below has to wait for a repair.
                    staleness.repair(tx, *target)
        if decision.action is not Action.HOLD:
            unheld.append(target)
    planned = plan.write()
    staleness.forget_holds(tx, unheld)
    staleness.put_hold(tx, holds)
    for target in unheld:
        if target[0] in own and turns.get(target) not in planned:
            # The next partition may have been held for a run of this one, of which there is none.
            staleness.release(tx, *target)
    staleness.advance(tx, advances)
    staleness.note_reasons(tx, reasons)
    done.sooner = clock.wake_at(tx, wakes) or done.sooner
    plan.finish()
    done.planned += planned
    done.steps += plan.steps
    return [t for t in targets if t not in passed]


def _awaited(graph: Graph, facts: Facts) -> Blocker:
    """Returns whose end may bring the first input that is not there, for what a rebuild asked of the workflow
    partition: updates need not run it for that input, so it would never be made anew."""
    absent = next(i for i in facts.inputs if i.now is None and i.edge.input is not None)
    named = absent.lack.some if absent.lack is not None and absent.lack.need == absent.lack.of else ()
    one = named or [i.lo for i in absent.keys if i.lo == i.hi]
    return Blocker(graph.maker(absent.edge.asset), one[0] if one else ANY, failed=False)


def _in_turn(
    graph: Graph, decisions: Mapping[Target, Decision], asks: Mapping[Target, list[Cause]]
) -> dict[Target, Blocker]:
    """Returns what has to wait because an earlier partition of the same workflow, which it is made from, is to run
    now, or waits for one that is: each is planned when the one before it has ended."""
    found: dict[Target, Blocker] = {}
    turn: dict[str, str] = {}
    for target in sorted(decisions):
        if decisions[target].action is not Action.RUN or not _is_made_from_itself(graph, target[0]):
            continue
        if target[0] in turn and not _is_urgent(asks[target]):
            found[target] = Blocker(target[0], turn[target[0]], failed=False)
        turn[target[0]] = target[1]
    return found


def _is_made_from_itself(graph: Graph, key: str) -> bool:
    return any(edge.is_own and edge.input is not None for edge in graph.inputs(key))


def _unanswered(tx: Tx, targets: Sequence[Target], asks: Mapping[Target, list[Cause]]) -> dict[Target, list[Cause]]:
    """Returns what was asked of each target and has not had its run: to ask for the same twice is to ask once, and a
    rebuild is also what the rebuilds before it asked for."""
    keys = {(t, n): trigger_key(*t, ask) for t in targets for n, ask in enumerate(asks[t])}
    known = runs.known_causes(tx, list(keys.values())) if keys else set()
    left = {t: _but_older_rebuilds([a for n, a in enumerate(asks[t]) if keys[t, n] not in known]) for t in targets}
    # What else was asked goes before a backfill.
    return {t: sorted(found, key=lambda ask: ask.kind == "backfill") for t, found in left.items()}


def _but_older_rebuilds(asks: list[Cause]) -> list[Cause]:
    definitions = [ask.body["definition"] for ask in asks if ask.kind == "fingerprint"]
    return [ask for ask in asks if ask.kind != "fingerprint" or ask.body["definition"] == max(definitions)]


def _behind(tx: Tx, target: Target, ask: Cause) -> Cause:
    """Returns what is still asked for once another run of the same partition has ended."""
    return backfills.ask_again(tx, ask, target[1]) if ask.kind == "backfill" else ask


def _settle(tx: Tx, target: Target, decision: Decision, asks: Sequence[Cause]) -> None:
    """Notes of backfills that no run comes of what they asked; where there were several, each is looked at."""
    first = asks if decision.code == "waiting_for_input" else asks[:1]
    _let_go(tx, target[1], first)
    for ask in asks[len(first) :]:
        if ask.kind == "backfill":
            staleness.mark_one(tx, *target, backfills.ask_again(tx, ask, target[1], ask.body["only"]).to_json())


def _let_go(tx: Tx, partition: str, asks: Sequence[Cause]) -> None:
    for ask in asks:
        if ask.kind == "backfill":
            backfills.settle(tx, ask, partition, "skipped")


def _is_urgent(asks: Sequence[Cause]) -> bool:
    """Whether a person asked: then nothing above is waited for. What time, a rebuild or a backfill asks for goes in the
    order of the data."""
    return bool(asks) and asks[0].kind not in ("fingerprint", "tick", "backfill")


def _hold(target: Target, blocker: Blocker, ask: Cause | None) -> dict[str, str]:
    return {
        "workflow": target[0],
        "partition": target[1],
        "blocker": blocker.workflow,
        "blocker_partition": blocker.partition,
        "ask": ask.to_json() if ask else "",
    }


def _ingest(tx: Tx, graph: Graph, targets: Sequence[Target]) -> list[str]:
    """Plans the taking in of the next ready file of each source partition that has no unfinished run."""
    return [run for target in targets if (run := plan_ingest(tx, graph, *target)) is not None]
