"""For which partitions does an input of several dimensions call?"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, select

from riparian.assets.partitions import ByDimension, Interval, Keys, Partitions, fits
from riparian.assets.partitions.base import one
from riparian.assets.partitions.boxes import SEPARATOR, Box, after, joined
from riparian.assets.partitions.mappings import ByKey
from riparian.assets.partitions.mappings.by_dimension import Rule
from riparian.assets.partitions.product import Sides, boxes, declared_dimensions, following, spread
from riparian.scheduler.core.graph import Edge
from riparian.storage.metadata.among import BATCH
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.leaps import rows_in
from riparian.storage.metadata.schema import head

_HEADS = (
    select(head.c.partition)
    .where(head.c.asset == bindparam("asset"), head.c.partition.between(bindparam("lo"), bindparam("hi")))
    .order_by(head.c.partition)
)


def called(tx: Tx, edge: Edge, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` of the workflow's partitions in ``interval`` for which the input, which is
    meant dimension by dimension, has any partition. Costs what it returns, whatever lies between."""
    cut = edge.workflow.partitions
    found: list[str] = []
    for sides in boxes(cut, interval):
        for key in _keys(tx, edge, cut, sides, ()):
            found.append(key)
            if len(found) == limit:
                return found
    return found


def _keys(tx: Tx, edge: Edge, cut: Partitions | None, sides: Sides, chosen: tuple[str, ...]) -> Iterator[str]:
    """Yields the keys that begin with the ``chosen`` keys of the first dimensions: for each key of the next one that
    the input calls for, those below it."""
    n = len(chosen)
    if n == len(sides):
        yield joined(chosen)
        return
    fixed = tuple((one(part),) for part in chosen)
    for side in sides[n]:
        for key in _open(tx, edge, cut, (*fixed, (side,), *sides[n + 1 :]), n):
            yield from _keys(tx, edge, cut, sides, (*chosen, key))


def _open(tx: Tx, edge: Edge, cut: Partitions | None, sides: Sides, n: int) -> Iterator[str]:
    """Yields the keys of dimension ``n``, of those that ``sides`` leave open, that the input calls for."""
    dimension, (open_to,) = declared_dimensions(cut)[n], sides[n]
    found = _rule(edge, dimension.name)
    if found is not None and isinstance(found[1].mapping, ByKey):
        yield from _by_table(tx, edge, cut, sides, n, *found)
        return
    if found is None and _least(tx, edge, _up(edge, cut, sides), 0) is None:
        return  # the input has nothing to say of the dimension: it calls for each key, or for none
    at = next(iter(dimension.within(open_to, 1)), None)
    while at is not None and at <= open_to.hi:
        if found is not None:
            rest = (*sides[:n], (Interval(at, open_to.hi),), *sides[n + 1 :])
            at = _next(tx, edge, cut, rest, n, *found)
        if at is not None:
            yield at
            at = following(dimension, at)


def _by_table(tx: Tx, edge: Edge, cut: Partitions | None, sides: Sides, n: int, place: int, rule: Rule) -> list[str]:
    """As ``_open``, by a table, which has no order: looks up which of the input's keys there are, and reads it once."""
    dimension, (open_to,) = declared_dimensions(cut)[n], sides[n]
    other = declared_dimensions(edge.cut)[place]
    most = sum(other.count(i) for i in rule.mapping.up(open_to, dimension, other))
    there: set[str] = set()
    for interval in _up(edge, cut, sides):
        rest: Interval | None = interval
        while rest is not None and len(there) < most:
            rows = rows_in(tx, _HEADS, {"asset": edge.asset}, rest, BATCH)
            there.update(r.partition.split(SEPARATOR)[place] for r in rows if fits(edge.cut, r.partition))
            rest = _from(interval, after(rows[-1].partition)) if len(rows) == BATCH else None
    needing = {i for key in there for i in rule.mapping.down(one(key), dimension, other)}
    return sorted({k for i in needing for k in dimension.within(i, dimension.count(i)) if k in open_to})


def _next(tx: Tx, edge: Edge, cut: Partitions | None, sides: Sides, n: int, place: int, rule: Rule) -> str | None:
    """Returns the least key of dimension ``n``, of those that ``sides`` leave open, that the input calls for by the
    ``rule`` of its dimension at that place."""
    dimension, (open_to,) = declared_dimensions(cut)[n], sides[n]
    least = _least(tx, edge, _up(edge, cut, sides), place)
    if least is None:
        return None
    needing = rule.mapping.down(one(least), dimension, declared_dimensions(edge.cut)[place])
    return min((max(i.lo, open_to.lo) for i in needing if i.hi >= open_to.lo), default=None)


def _rule(edge: Edge, dimension: str) -> tuple[int, Rule] | None:
    """Returns what looks at that dimension of the workflow, with its place among those of the input."""
    rules = edge.input.mapping.rules if edge.input and isinstance(edge.input.mapping, ByDimension) else ()
    return next(((place, r) for place, r in enumerate(rules) if r.of == dimension), None)


def _up(edge: Edge, cut: Partitions | None, sides: Sides) -> Keys:
    return tuple(needed for interval in spread(cut, sides) for needed in edge.up(interval))


def _least(tx: Tx, edge: Edge, keys: Keys, place: int) -> str | None:
    """Returns the least key of one dimension of the input's partitions among ``keys`` that have a version. Looks at one
    of them for each key of the dimensions before it, until none can be less."""
    least: str | None = None
    for interval in keys:
        rest: Interval | None = interval
        least_of = next(iter(boxes(edge.cut, interval)), ())
        if not least_of:
            continue
        while rest is not None and (rows := rows_in(tx, _HEADS, {"asset": edge.asset}, rest, 1)):
            partition: str = rows[0].partition
            # What was cut otherwise before lies between them too.
            parts = tuple(partition.split(SEPARATOR)) if fits(edge.cut, partition) else None
            if parts is not None:
                least = parts[place] if least is None else min(least, parts[place])
            if parts is not None and (place == 0 or parts[place] <= least_of[place][0].lo):
                break
            rest = _from(interval, after(joined(parts[:place])) if parts is not None else after(partition))
    return least


def _from(interval: Interval, lo: str) -> Interval | None:
    if lo > interval.hi:
        return None
    return Box(lo, interval.hi, interval.sides) if isinstance(interval, Box) else Interval(lo, interval.hi)
