"""How do things stand for the planner? Loads its facts, many workflow partitions with a few statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, select, tuple_

from riparian.assets.partitions import Interval
from riparian.scheduler.core.blockers import Blockers
from riparian.scheduler.core.facts import Blocker, Cause, Facts, InputFacts, Level, Unfinished
from riparian.scheduler.core.graph import Edge, Graph, identity_inputs, is_set
from riparian.scheduler.core.lifecycle import UNFINISHED
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import asset, asset_origins, attempted, consumed, head, run, workflow

Target = tuple[str, str]
"""A workflow's key and a partition."""

BATCH = 400
"""Pairs in one IN: SQLite allows 32,766 variables, and a plan's size must stay bounded."""

_HEADS = select(head).where(tuple_(head.c.asset, head.c.partition).in_(bindparam("pairs", expanding=True)))
_SETS = select(asset.c.key, asset.c.seq, asset.c.digest).where(
    asset.c.key.in_(bindparam("keys", expanding=True)), asset.c.heads > 0
)
_SET_ORIGINS = select(asset_origins.c.asset, asset_origins.c.origins).where(
    asset_origins.c.asset.in_(bindparam("keys", expanding=True))
)
_WORKFLOWS = select(workflow).where(workflow.c.key.in_(bindparam("keys", expanding=True)))
_CONSUMED = select(consumed).where(
    tuple_(consumed.c.workflow, consumed.c.partition).in_(bindparam("pairs", expanding=True))
)
_ATTEMPTED = select(attempted).where(
    tuple_(attempted.c.workflow, attempted.c.partition).in_(bindparam("pairs", expanding=True))
)
_UNFINISHED = select(run.c.workflow, run.c.partition, run.c.id, run.c.trigger_key, run.c.state).where(
    tuple_(run.c.workflow, run.c.partition).in_(bindparam("pairs", expanding=True)), run.c.state.in_(UNFINISHED)
)
_MADE_BY = select(consumed.c.workflow, consumed.c.partition, consumed.c.fingerprint)
_TRIED_BY = select(attempted.c.workflow, attempted.c.partition, run.c.fingerprint).join(
    run, run.c.id == attempted.c.run
)
_ALL_UNFINISHED = select(run.c.workflow, run.c.partition).where(run.c.state.in_(UNFINISHED))
_ALL_ATTEMPTED = select(attempted.c.workflow, attempted.c.partition)
_CONSUMED_PARTITIONS = select(consumed.c.partition).where(
    consumed.c.workflow == bindparam("workflow"), consumed.c.partition.between(bindparam("lo"), bindparam("hi"))
)
_HEAD_PARTITIONS = select(head.c.partition).where(
    head.c.asset == bindparam("asset"), head.c.partition.between(bindparam("lo"), bindparam("hi"))
)


def load(tx: Tx, graph: Graph, key: str, partition: str, ask: Cause | None = None) -> Facts | None:
    """Returns the facts of one workflow partition as they stand now, or None when the workflow is not declared."""
    found = load_many(tx, graph, [(key, partition)], {(key, partition): ask})
    if not found:
        return None
    facts = found[key, partition]
    blocker = Blockers(graph, graph.depth[key], unfinished(tx)).find(key, partition)
    return replace(facts, blocker=blocker)


def load_many(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, Cause | None] | None = None
) -> dict[Target, Facts]:
    """Returns the facts of each target whose workflow is declared; ``blocker`` is left for the caller to fill in."""
    targets = [t for t in targets if t[0] in graph.workflows]
    levels = _levels(tx, graph, targets)
    known = {w.key: w for w in _in(tx, _WORKFLOWS, "keys", {t[0] for t in targets})}
    last = {(r.workflow, r.partition): r for r in _in(tx, _CONSUMED, "pairs", targets)}
    failed = {(r.workflow, r.partition): r.as_of for r in _in(tx, _ATTEMPTED, "pairs", targets)}
    going = {
        (r.workflow, r.partition): Unfinished(run=r.id, trigger_key=r.trigger_key, granted=r.state == "running")
        for r in _in(tx, _UNFINISHED, "pairs", targets)
    }
    result = {}
    for target in targets:
        key, partition = target
        row = last.get(target)
        then = {a: _level(v) for a, v in json.loads(row.inputs).items()} if row else {}
        result[target] = Facts(
            workflow=graph.workflows[key],
            partition=partition,
            inputs=tuple(
                InputFacts(edge=e, now=levels.of(e, partition), then=then.get(e.asset)) for e in graph.inputs(key)
            ),
            baseline=row.as_of if row else _baseline(known.get(key), partition),
            consumed_fingerprint=row.fingerprint if row else None,
            consumed_inputs=frozenset(then),
            attempted=failed.get(target),
            unfinished=going.get(target),
            ask=(asks or {}).get(target),
        )
    return result


def unfinished(tx: Tx) -> Iterator[Blocker]:
    """Yields every workflow partition with an unfinished run, and those whose last run failed."""
    for r in tx.conn.execute(_ALL_UNFINISHED):
        yield Blocker(r.workflow, r.partition, failed=False)
    for r in tx.conn.execute(_ALL_ATTEMPTED):
        yield Blocker(r.workflow, r.partition, failed=True)


def partitions(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` partitions in ``interval`` that ``key`` could run for: those it ran for, and
    those of its inputs that share its partitions. An interval of one partition is that partition."""
    if interval.lo == interval.hi:
        return [interval.lo]
    bounds = {"lo": interval.lo, "hi": interval.hi}
    statements: list[tuple[Select[Any], dict[str, str]]] = [(_CONSUMED_PARTITIONS, {"workflow": key, **bounds})]
    statements += [(_HEAD_PARTITIONS, {"asset": e.asset, **bounds}) for e in identity_inputs(graph, key)]
    found: set[str] = set()
    for statement, params in statements:
        ordered = statement.order_by(statement.selected_columns[0]).limit(limit)
        found.update(tx.conn.execute(ordered, params).scalars())
    return sorted(found)[:limit]


def latest_partition(tx: Tx, graph: Graph, key: str) -> str | None:
    """Returns the newest partition that all inputs which share the workflow's partitions have, or None."""
    newest = None
    for edge in identity_inputs(graph, key):
        top = tx.conn.execute(
            select(head.c.partition).where(head.c.asset == edge.asset).order_by(head.c.partition.desc()).limit(1)
        ).scalar()
        if top is None:
            return None
        newest = top if newest is None else min(newest, top)
    return newest


def last_fingerprints(tx: Tx) -> list[tuple[str, str, str]]:
    """Returns (workflow, partition, fingerprint) of the last run of each workflow partition, failed or not."""
    made = {(r.workflow, r.partition): r.fingerprint for r in tx.conn.execute(_MADE_BY)}
    made.update({(r.workflow, r.partition): r.fingerprint for r in tx.conn.execute(_TRIED_BY)})
    return [(w, p, f) for (w, p), f in made.items()]


def consumed_json(inputs: Iterable[tuple[str, Level]]) -> str:
    """Returns the text of ``consumed.inputs``."""
    return json.dumps({a: [v.seq, v.digest, list(v.origins)] for a, v in inputs}, sort_keys=True, separators=(",", ":"))


def _level(value: list[Any]) -> Level:
    return Level(value[0], value[1], tuple(value[2]))


def _baseline(row: Any, partition: str) -> int:
    """News before the workflow was adopted is history, but for the one partition that a new workflow runs for."""
    return 0 if row is None or row.first_partition == partition else int(row.adopted_seq)


@dataclass(frozen=True, slots=True)
class _Levels:
    heads: Mapping[tuple[str, str], Level]
    sets: Mapping[str, Level]

    def of(self, edge: Edge, partition: str) -> Level | None:
        if is_set(edge):
            return self.sets.get(edge.asset)
        return self.heads.get((edge.asset, edge.up(partition).lo))


def _levels(tx: Tx, graph: Graph, targets: Sequence[Target]) -> _Levels:
    pairs: set[tuple[str, str]] = set()
    keys: set[str] = set()
    for key, partition in targets:
        for edge in graph.inputs(key):
            if is_set(edge):
                keys.add(edge.asset)
            else:
                pairs.add((edge.asset, edge.up(partition).lo))
    heads = {
        (h.asset, h.partition): Level(h.seq, h.digest, (h.origins,), h.version)
        for h in _in(tx, _HEADS, "pairs", sorted(pairs))
    }
    members: dict[str, list[str]] = defaultdict(list)
    for r in _in(tx, _SET_ORIGINS, "keys", keys):
        members[r.asset].append(r.origins)
    sets = {r.key: Level(r.seq, r.digest, tuple(sorted(members[r.key]))) for r in _in(tx, _SETS, "keys", keys)}
    return _Levels(heads, sets)


def _in(tx: Tx, statement: Select[Any], name: str, values: Iterable[Any]) -> Iterator[Any]:
    values = list(values)
    for start in range(0, len(values), BATCH):
        yield from tx.conn.execute(statement, {name: values[start : start + BATCH]})
