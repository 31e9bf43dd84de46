"""What has to run now? Decides on everything that is marked dirty and writes the runs, in the caller's transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from riparian.assets.partitions import Interval
from riparian.scheduler.core import planner
from riparian.scheduler.core.blockers import Blockers
from riparian.scheduler.core.facts import Action, Blocker, Cause, Decision
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.plan import Plan, plan_ingest
from riparian.storage.metadata import planning, staleness
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.planning import Target

log = logging.getLogger(__name__)

SLICE = 500
"""Runs that one transaction may plan; what is left stays dirty for the next."""


@dataclass(slots=True)
class Ticked:
    """What a tick did: the planned runs, and whether something is left for the next one."""

    planned: list[str] = field(default_factory=list)
    more: bool = False


def tick(tx: Tx, graph: Graph) -> Ticked:
    """Decides on all that is dirty, makers before their users, and writes at most about SLICE runs."""
    marks = staleness.all_dirty(tx)
    done = Ticked()
    if not marks:
        return done
    targets, settled, asks, left = _targets(tx, graph, marks)
    levels: dict[int, list[Target]] = defaultdict(list)
    for target in targets:
        levels[_depth(graph, target[0])].append(target)
    blockers = _Lazily(tx, graph, max(levels))
    decided: set[Target] = set()
    for depth in sorted(levels):
        if depth == 0:
            done.planned += _ingest(tx, graph, levels[0])
            decided.update(levels[0])
            continue
        for start in range(0, len(levels[depth]), planning.BATCH):
            if len(done.planned) >= SLICE:
                done.more = True
                break
            batch = levels[depth][start : start + planning.BATCH]
            done.planned += _decide(tx, graph, batch, asks, blockers)
            decided.update(batch)
    staleness.clear(tx, [mark for mark, of in settled.items() if decided.issuperset(of)])
    staleness.mark(tx, left)
    done.more = done.more or bool(left)
    return done


def tick_safely(tx: Tx, graph: Graph) -> Ticked:
    """Like ``tick``, under a savepoint: what the planner can not do must not undo the commit that asked for it.
    The marks stay, and the daemon's next round tries again."""
    try:
        with tx.conn.begin_nested():
            return tick(tx, graph)
    except SQLAlchemyError:
        raise
    except Exception:
        log.exception("planning failed; what is dirty stays so and is planned again at the next change or timer")
        return Ticked(more=False)


def _depth(graph: Graph, key: str) -> int:
    return graph.depth.get(key, 0)


def _targets(
    tx: Tx, graph: Graph, marks: Sequence[Any]
) -> tuple[list[Target], dict[str, list[Target]], dict[Target, Cause | None], list[tuple[str, Interval, str]]]:
    """Returns the marked workflow partitions, which mark each settles, what was asked, and what a large mark leaves."""
    found: dict[Target, None] = {}
    settled: dict[str, list[Target]] = {}
    asks: dict[Target, Cause | None] = {}
    left = []
    for m in marks:
        interval = Interval(m.lo, m.hi)
        declared = m.workflow in graph.workflows or m.workflow in graph.assets
        keys = planning.partitions(tx, graph, m.workflow, interval, SLICE + 1) if declared else []
        if len(keys) > SLICE:
            left.append((m.workflow, Interval(keys[SLICE], m.hi), m.ask))
            keys = keys[:SLICE]
        settled[m.id] = [(m.workflow, p) for p in keys]
        for target in settled[m.id]:
            found[target] = None
            if m.ask:
                asks[target] = Cause.from_json(m.ask)
    return list(found), settled, asks, left


def _decide(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, Cause | None], blockers: _Lazily
) -> list[str]:
    """Decides on targets of one depth, which can not depend on each other, and writes the outcome."""
    facts = planning.load_many(tx, graph, targets, asks)
    plan = Plan(tx, graph)
    reasons, holds, unheld, advances = [], [], [], []
    for target, found in facts.items():
        decision = planner.decide(found)
        # Most that is touched has no need to run; only for the rest does anybody ask what is still going on above.
        if decision.action is Action.RUN and found.ask is None and (blocker := blockers.find(*target)):
            decision = planner.decide(replace(found, blocker=blocker))
        reasons.append((target, decision.code, decision.words))
        match decision.action:
            case Action.RUN:
                plan.add(found, decision)
                blockers.add(Blocker(*target, failed=False))
                unheld.append(target)
            case Action.HOLD:
                holds.append(_hold(target, decision, found.ask))
            case Action.ADVANCE:
                levels = [(i.edge.asset, i.now) for i in found.inputs if i.now is not None]
                advances.append((target, plan.as_of, planning.consumed_json(levels)))
                unheld.append(target)
            case Action.NONE:
                unheld.append(target)
    plan.write()
    staleness.forget_holds(tx, unheld)
    staleness.put_hold(tx, holds)
    staleness.advance(tx, advances)
    staleness.note_reasons(tx, reasons)
    return [r["id"] for r in plan.runs]


class _Lazily:
    """The blockers of one tick, loaded when the first decision depends on them."""

    def __init__(self, tx: Tx, graph: Graph, depth: int) -> None:
        self._tx = tx
        self._graph = graph
        self._depth = depth
        self._loaded: Blockers | None = None
        self._planned: list[Blocker] = []

    def find(self, workflow: str, partition: str) -> Blocker | None:
        if self._loaded is None:
            seeds = [*planning.unfinished(self._tx), *self._planned]
            self._loaded = Blockers(self._graph, self._depth, seeds)
        return self._loaded.find(workflow, partition)

    def add(self, planned: Blocker) -> None:
        if self._loaded is None:
            self._planned.append(planned)
        else:
            self._loaded.add(planned)


def _hold(target: Target, decision: Decision, ask: Cause | None) -> dict[str, str]:
    assert decision.blocker is not None  # noqa: S101 - the planner's promise for HOLD
    return {
        "workflow": target[0],
        "partition": target[1],
        "blocker": decision.blocker.workflow,
        "blocker_partition": decision.blocker.partition,
        "ask": ask.to_json() if ask else "",
    }


def _ingest(tx: Tx, graph: Graph, targets: Sequence[Target]) -> list[str]:
    """Plans the taking in of the next ready file of each source partition that has no unfinished run."""
    return [run for target in targets if (run := plan_ingest(tx, graph, *target)) is not None]
