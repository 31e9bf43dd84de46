"""For which partitions could a workflow run?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, select

from riparian.assets.partitions import WHOLE, ByDimension, Dynamic, Identity, Interval, fits
from riparian.assets.partitions.latest import alike, back, moment, ticked
from riparian.assets.partitions.product import meet
from riparian.scheduler.core.graph import Edge, Graph, cutting_inputs, follows_clock
from riparian.storage.metadata import dimensions, levels, schedules
from riparian.storage.metadata.called import called
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.leaps import rows_in
from riparian.storage.metadata.schema import consumed, head, workflow

_FIRST_PARTITION = select(workflow.c.first_partition).where(workflow.c.key == bindparam("workflow"))
_CONSUMED_PARTITIONS = select(consumed.c.partition).where(
    consumed.c.workflow == bindparam("workflow"), consumed.c.partition.between(bindparam("lo"), bindparam("hi"))
)
_HEAD_PARTITIONS = select(head.c.partition).where(
    head.c.asset == bindparam("asset"), head.c.partition.between(bindparam("lo"), bindparam("hi"))
)
# The same, of keys that are added in use, without those that were taken out.
_CONSUMED_LIVE = dimensions.alive(_CONSUMED_PARTITIONS, consumed.c.partition)
_HEAD_LIVE = dimensions.alive(_HEAD_PARTITIONS, head.c.partition)


def partitions(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` partitions in ``interval`` that ``key`` could run for: those it ran for, and
    those of its inputs that share its partitions; where there is none such, those that it would run for by itself.
    An interval of one partition is that partition. What was taken out of a dimension is not among them."""
    spec = graph.workflows.get(key)
    dimension = graph.dimensions.of(key) if spec is not None and isinstance(spec.partitions, Dynamic) else None
    if interval.lo == interval.hi:
        is_one = spec is None or fits(spec.partitions, interval.lo)
        is_one = is_one and (dimension is None or dimensions.is_live(tx, dimension, interval.lo))
        return [interval.lo] if is_one else []
    if dimension is not None and follows_clock(graph, key):
        return dimensions.within(tx, dimension, interval, limit)
    of = dimensions.named(dimension) if dimension is not None else {}
    ran, there = (_CONSUMED_PARTITIONS, _HEAD_PARTITIONS) if dimension is None else (_CONSUMED_LIVE, _HEAD_LIVE)
    statements: list[tuple[Select[Any], dict[str, str]]] = [(ran, {"workflow": key, **of})]
    edges = cutting_inputs(graph, key)
    same = [e for e in edges if e.input and isinstance(e.input.mapping, Identity)]
    statements += [(there, {"asset": e.asset, **of}) for e in same]
    found = _own_partitions(tx, graph, key, interval, limit)
    for statement, params in statements:
        ordered = statement.order_by(statement.selected_columns[0])
        found.update(r.partition for r in rows_in(tx, ordered, params, interval, limit))
    for edge in edges:
        if edge.input and isinstance(edge.input.mapping, ByDimension):
            found.update(called(tx, edge, interval, limit))
        elif edge not in same:
            found.update(_through(tx, edge, interval, limit))
    # What was made before the partitions were declared otherwise is there, but not to be made again.
    return sorted(p for p in found if spec is None or fits(spec.partitions, p))[:limit]


def latest(tx: Tx, graph: Graph, key: str) -> str | None:
    """Returns the newest partition that all inputs which say for which partitions to run have something for, or None.
    Of a window that is not complete yet, the one before it where that is."""
    own = graph.workflows[key].partitions
    newest = None
    edges = cutting_inputs(graph, key)
    for edge in edges:
        top = levels.newest(tx, edge.asset, edge.cut)
        needing = edge.down(Interval(top.partition, top.partition)) if top is not None else ()
        if not needing:
            return None
        end = own.clip(needing[-1]) if own is not None and not isinstance(own, Dynamic) else None
        last = end.hi if end is not None else needing[-1].hi
        newest = last if newest is None else min(newest, last, key=lambda p: (moment(own, p), p))
    if newest is not None and any(e.many for e in edges) and (before := back(own, newest)) is not None:
        found = levels.load(tx, graph, [(key, newest), (key, before)])
        for partition in (newest, before):
            if all(found.facts(e, partition, None).lack is None for e in edges):
                return partition
    return newest


def _through(tx: Tx, edge: Edge, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` of the workflow's partitions in ``interval`` for which the input has any
    partition. Costs what it returns: from each that is found it leaps behind what that one needs."""
    own = edge.workflow.partitions
    if own is None or isinstance(own, Dynamic):
        return []  # of keys that are added in use only the same ones are meant
    found: list[str] = []
    at: Interval | None = own.clip(interval)
    while at is not None and len(found) < limit:
        there = [p for keys in edge.up(at) if (p := _first_head(tx, edge.asset, keys)) is not None]
        needing = [k for p in there for i in edge.down(Interval(p, p)) if (k := _both(i, at)) is not None]
        if not needing:
            break
        first = min(needing, key=lambda i: i.lo)
        found += own.within(first, limit - len(found))
        following = own.within(Interval(found[-1], at.hi), 2)[1:]
        at = Interval(following[0], at.hi) if following else None
    return found


def _both(a: Interval, b: Interval) -> Interval | None:
    lo, hi = max(a.lo, b.lo), min(a.hi, b.hi)
    return Interval(lo, hi) if lo <= hi else None


def _first_head(tx: Tx, asset_key: str, keys: Interval) -> str | None:
    bounds = {"asset": asset_key, "lo": keys.lo, "hi": keys.hi}
    first: str | None = tx.conn.execute(_HEAD_PARTITIONS.order_by(head.c.partition).limit(1), bounds).scalar()
    return first


def _own_partitions(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> set[str]:
    """The first partitions in ``interval`` that a workflow runs for though no input has them: those of the window it
    was adopted in and of its last ticks, and all where time has no part in it."""
    cut = graph.workflows[key].partitions if follows_clock(graph, key) else None
    if cut is None or isinstance(cut, Dynamic):
        return set()
    first = tx.conn.execute(_FIRST_PARTITION, {"workflow": key}).scalar()
    ticks = schedules.standing(tx, graph, [key]).get(key, ())
    meant = [alike(cut, first or WHOLE), *(ticked(cut, s.tick, s.cron.timezone) for s in ticks if s.tick > s.since)]
    there = {i for keys in meant for each in keys for i in meet(cut, interval, each)}
    return {p for i in there for p in cut.within(i, limit)}
