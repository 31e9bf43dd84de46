"""How do things stand for the planner? Loads its facts, many workflow partitions with a few statements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import Partitions
from riparian.assets.partitions.latest import moment
from riparian.scheduler.core.facts import Cause, Facts, Schedule, Target, Unfinished
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import blockers, levels, moments, schedules
from riparian.storage.metadata.among import among, in_keys, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import consumed, workflow

_WORKFLOWS = select(workflow).where(among(workflow.c.key, "keys"))
_CONSUMED = select(consumed).where(
    among(consumed.c.workflow, "firsts"),
    among(consumed.c.partition, "seconds"),
)


def load(tx: Tx, graph: Graph, key: str, partition: str, ask: Cause | None = None) -> Facts | None:
    """Returns the facts of one workflow partition as they stand now, or None when the workflow is not declared."""
    found = load_many(tx, graph, [(key, partition)], {(key, partition): ask})
    if not found:
        return None
    target = (key, partition)
    return replace(found[target], blocker=blockers.of_targets(tx, graph, [target]).get(target))


def load_many(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, Cause | None] | None = None
) -> dict[Target, Facts]:
    """Returns the facts of each target whose workflow is declared; ``blocker`` is left for the caller to fill in."""
    targets = [t for t in targets if t[0] in graph.workflows]
    found = levels.load(tx, graph, targets)
    known = {w.key: w for w in in_keys(tx, _WORKFLOWS, {t[0] for t in targets})}
    last = {(r.workflow, r.partition): r for r in in_pairs(tx, _CONSUMED, targets)}
    tried = blockers.tried(tx, targets)
    scheduled = schedules.standing(tx, graph, {t[0] for t in targets})
    going = {target: _unfinished(row) for target, row in blockers.going(tx, targets).items()}
    stopped = blockers.stopped(tx, tried)
    unchecked = found.unchecked(tx, graph, targets)
    asks = asks or {}
    result = {}
    for target in targets:
        key, partition = target
        row, attempt = last.get(target), tried.get(target)
        spec = graph.workflows[key]
        then = {name: levels.from_json(v) for name, v in json.loads(row.inputs).items()} if row else {}
        result[target] = Facts(
            workflow=spec,
            partition=partition,
            inputs=tuple(found.facts(e, partition, then.get(e.name)) for e in graph.inputs(key)),
            baseline=row.as_of if row else _baseline(spec, known.get(key), partition),
            adopted=int(known[key].adopted_seq) if key in known else 0,
            schedules=_as_asked(scheduled.get(key, ()), asks.get(target)),
            missing=found.missing(graph, spec, partition),
            unchecked=unchecked.get(target, {}),
            stopped_by=stopped.get(target, ""),
            consumed_fingerprint=row.fingerprint if row else None,
            consumed_inputs=frozenset(then),
            consumed_params=row.params if row else "{}",
            consumed_ticks=json.loads(row.ticks) if row else {},
            attempted=attempt.as_of if attempt else None,
            attempted_ticks=json.loads(attempt.ticks) if attempt else {},
            cancelled=attempt is not None and attempt.outcome == "cancelled",
            timed_out=attempt is not None and attempt.outcome == "timed_out",
            unfinished=going.get(target),
            ask=asks.get(target),
            now=tx.now,
        )
    result.update(moments.added(tx, {t: f for t, f in result.items() if f.workflow.trigger.is_timed}))
    return result


def _unfinished(row: Any) -> Unfinished:
    cause = Cause.from_json(row.cause)
    return Unfinished(
        run=row.id,
        trigger_key=row.trigger_key,
        granted=row.state == "running",
        asked=cause.is_asked,
        backfill=cause if cause.kind == "backfill" else None,
    )


def _baseline(spec: WorkflowSpec, row: Any, partition: str) -> int:
    """What moved before the workflow was adopted is history, but for what a new one runs for: one partition, or each
    that is there from the start."""
    cut = spec.partitions
    own = row is None or row.first_partition == partition or _is_alike(cut, row.first_partition, partition)
    return 0 if own else int(row.news_seq)


def _is_alike(cut: Partitions | None, first: str, partition: str) -> bool:
    return cut is not None and moment(cut, first) == moment(cut, partition)


def _as_asked(schedules: tuple[Schedule, ...], ask: Cause | None) -> tuple[Schedule, ...]:
    """Returns the schedules as a partition sees them that is to make up for ticks: those rang last."""
    if ask is None or ask.kind != "tick":
        return schedules
    ticks = ask.body["ticks"]
    return tuple(replace(s, tick=ticks[s.cron.name]) if s.cron.name in ticks else s for s in schedules)
