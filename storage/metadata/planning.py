"""How do things stand for the planner? Loads its facts, many workflow partitions with a few statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Boolean, Select, bindparam, func, literal_column, select

from riparian.assets.partitions import Interval, fits
from riparian.scheduler.core.blockers import Reach, above, holds
from riparian.scheduler.core.facts import Blocker, Cause, Facts, InputFacts, Level, Unfinished
from riparian.scheduler.core.graph import Edge, Graph, identity_inputs, is_set
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import asset, asset_origins, attempted, consumed, head, run, workflow

Target = tuple[str, str]
"""A workflow's key and a partition."""

BATCH = 400
"""Values in one IN: SQLite allows 32,766 variables, and a plan's size must stay bounded."""

_HEADS = select(head).where(
    head.c.asset.in_(bindparam("firsts", expanding=True)), head.c.partition.in_(bindparam("seconds", expanding=True))
)
_SETS = select(asset.c.key, asset.c.seq, asset.c.digest).where(
    asset.c.key.in_(bindparam("keys", expanding=True)), asset.c.heads > 0
)
_SET_ORIGINS = select(asset_origins.c.asset, asset_origins.c.origins).where(
    asset_origins.c.asset.in_(bindparam("keys", expanding=True))
)
_WORKFLOWS = select(workflow).where(workflow.c.key.in_(bindparam("keys", expanding=True)))
_CONSUMED = select(consumed).where(
    consumed.c.workflow.in_(bindparam("firsts", expanding=True)),
    consumed.c.partition.in_(bindparam("seconds", expanding=True)),
)
_ATTEMPTED = select(attempted).where(
    attempted.c.workflow.in_(bindparam("firsts", expanding=True)),
    attempted.c.partition.in_(bindparam("seconds", expanding=True)),
)
# Written out and not bound: only then does a database see that the partial index of unfinished runs serves.
_GOING = literal_column("run.state IN ('queued', 'running')", Boolean)
_UNFINISHED = select(run.c.workflow, run.c.partition, run.c.id, run.c.trigger_key, run.c.state, run.c.cause).where(
    run.c.workflow.in_(bindparam("firsts", expanding=True)),
    run.c.partition.in_(bindparam("seconds", expanding=True)),
    _GOING,
)
_ANY_UNFINISHED = (
    select(run.c.workflow, func.min(run.c.partition).label("partition"))
    .where(run.c.workflow.in_(bindparam("keys", expanding=True)), _GOING)
    .group_by(run.c.workflow)
)
_ANY_ATTEMPTED = (
    select(attempted.c.workflow, func.min(attempted.c.partition).label("partition"))
    .where(attempted.c.workflow.in_(bindparam("keys", expanding=True)))
    .group_by(attempted.c.workflow)
)
_MADE_BY = select(consumed.c.workflow, consumed.c.partition, consumed.c.fingerprint)
_TRIED_BY = select(attempted.c.workflow, attempted.c.partition, run.c.fingerprint).join(
    run, run.c.id == attempted.c.run
)
_ALL_FAILED = select(attempted.c.workflow, attempted.c.partition)
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
    target = (key, partition)
    return replace(found[target], blocker=blockers(tx, graph, [target]).get(target))


def load_many(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, Cause | None] | None = None
) -> dict[Target, Facts]:
    """Returns the facts of each target whose workflow is declared; ``blocker`` is left for the caller to fill in."""
    targets = [t for t in targets if t[0] in graph.workflows]
    levels = _levels(tx, graph, targets)
    known = {w.key: w for w in in_keys(tx, _WORKFLOWS, {t[0] for t in targets})}
    last = {(r.workflow, r.partition): r for r in in_pairs(tx, _CONSUMED, targets)}
    failed = {(r.workflow, r.partition): r.as_of for r in in_pairs(tx, _ATTEMPTED, targets)}
    going = {(r.workflow, r.partition): _unfinished(r) for r in in_pairs(tx, _UNFINISHED, targets)}
    result = {}
    for target in targets:
        key, partition = target
        row = last.get(target)
        then = {name: _level(v) for name, v in json.loads(row.inputs).items()} if row else {}
        result[target] = Facts(
            workflow=graph.workflows[key],
            partition=partition,
            inputs=tuple(
                InputFacts(edge=e, now=levels.of(e, partition), then=then.get(e.name)) for e in graph.inputs(key)
            ),
            baseline=row.as_of if row else _baseline(known.get(key), partition),
            adopted=int(known[key].adopted_seq) if key in known else 0,
            consumed_fingerprint=row.fingerprint if row else None,
            consumed_inputs=frozenset(then),
            consumed_params=row.params if row else "{}",
            attempted=failed.get(target),
            unfinished=going.get(target),
            ask=(asks or {}).get(target),
        )
    return result


def blockers(tx: Tx, graph: Graph, targets: Sequence[Target]) -> dict[Target, Blocker]:
    """Returns for each target that has to wait what it waits for: something above it that is going on or, if nothing
    is, that failed. Costs what lies above the targets, not what is unfinished elsewhere."""
    paths = {key: above(graph, key) for key in {t[0] for t in targets}}
    exact = {
        (maker, "" if reach is Reach.WHOLE else partition)
        for key, partition in targets
        for maker, reach in paths[key].items()
        if reach is not Reach.EVERY
    }
    every = {maker for path in paths.values() for maker, reach in path.items() if reach is Reach.EVERY}
    found = (
        _Waits(in_pairs(tx, _UNFINISHED, exact), in_keys(tx, _ANY_UNFINISHED, every), failed=False),
        _Waits(in_pairs(tx, _ATTEMPTED, exact), in_keys(tx, _ANY_ATTEMPTED, every), failed=True),
    )
    result = {}
    for key, partition in targets:
        candidates = (w.of(maker, reach, partition) for w in found for maker, reach in paths[key].items())
        if blocker := next((c for c in candidates if c is not None and holds(graph, c)), None):
            result[key, partition] = blocker
    return result


class _Waits:
    """What is unfinished, or what failed, looked up by workflow partition or by workflow alone."""

    def __init__(self, exact: Iterable[Any], every: Iterable[Any], *, failed: bool) -> None:
        self._exact = {(r.workflow, r.partition) for r in exact}
        self._every = {r.workflow: r.partition for r in every}
        self._failed = failed

    def of(self, maker: str, reach: Reach, partition: str) -> Blocker | None:
        if reach is Reach.EVERY:
            return Blocker(maker, self._every[maker], self._failed) if maker in self._every else None
        own = "" if reach is Reach.WHOLE else partition
        return Blocker(maker, own, self._failed) if (maker, own) in self._exact else None


def partitions(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` partitions in ``interval`` that ``key`` could run for: those it ran for, and
    those of its inputs that share its partitions. An interval of one partition is that partition."""
    spec = graph.workflows.get(key)
    if interval.lo == interval.hi:
        return [interval.lo] if spec is None or fits(spec.partitions, interval.lo) else []
    bounds = {"lo": interval.lo, "hi": interval.hi}
    statements: list[tuple[Select[Any], dict[str, str]]] = [(_CONSUMED_PARTITIONS, {"workflow": key, **bounds})]
    statements += [(_HEAD_PARTITIONS, {"asset": e.asset, **bounds}) for e in identity_inputs(graph, key)]
    found: set[str] = set()
    for statement, params in statements:
        ordered = statement.order_by(statement.selected_columns[0]).limit(limit)
        found.update(tx.conn.execute(ordered, params).scalars())
    # What was made before the partitions were declared otherwise is there, but not to be made again.
    return sorted(p for p in found if spec is None or fits(spec.partitions, p))[:limit]


def failed(tx: Tx) -> list[Target]:
    """Returns every workflow partition whose last run failed."""
    return [(r.workflow, r.partition) for r in tx.conn.execute(_ALL_FAILED)]


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


def _unfinished(row: Any) -> Unfinished:
    asked = Cause.from_json(row.cause).kind == "request"
    return Unfinished(run=row.id, trigger_key=row.trigger_key, granted=row.state == "running", asked=asked)


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
        (h.asset, h.partition): Level(h.seq, h.digest, (h.origins,), h.version) for h in in_pairs(tx, _HEADS, pairs)
    }
    members: dict[str, list[str]] = defaultdict(list)
    for r in in_keys(tx, _SET_ORIGINS, keys):
        members[r.asset].append(r.origins)
    sets = {r.key: Level(r.seq, r.digest, tuple(sorted(members[r.key]))) for r in in_keys(tx, _SETS, keys)}
    return _Levels(heads, sets)


def in_keys(tx: Tx, statement: Select[Any], keys: Iterable[str]) -> Iterator[Any]:
    """Yields the statement's rows for all ``keys``, few statements for many of them."""
    for chunk in _chunks(sorted(set(keys))):
        yield from tx.conn.execute(statement, {"keys": chunk})


def in_pairs(tx: Tx, statement: Select[Any], pairs: Iterable[tuple[str, str]]) -> Iterator[Any]:
    """Yields the statement's rows for exactly these pairs of its ``firsts`` and ``seconds``.

    Not as ``(a, b) IN ((…), (…))``: with more than one pair SQLite answers that by reading the whole table. So the
    pairs are grouped by the side that has fewer values, and each group is two plain lists, which the index serves.
    """
    wanted = set(pairs)
    by_first, by_second = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for first, second in sorted(wanted):
        by_first[first].append(second)
        by_second[second].append(first)
    if len(by_first) <= len(by_second):
        groups = [([first], chunk) for first, seconds in by_first.items() for chunk in _chunks(seconds)]
    else:
        groups = [(chunk, [second]) for second, firsts in by_second.items() for chunk in _chunks(firsts)]
    for firsts, seconds in groups:
        yield from tx.conn.execute(statement, {"firsts": firsts, "seconds": seconds})


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), BATCH):
        yield list(values[start : start + BATCH])
