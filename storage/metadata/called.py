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
    dimension, fixed = declared_dimensions(cut)[n], tuple((one(part),) for part in chosen)
    for side in sides[n]:
        at = next(iter(dimension.within(side, 1)), None)
        while at is not None and at <= side.hi:
            key = _next(tx, edge, cut, (*fixed, (Interval(at, side.hi),), *sides[n + 1 :]), n)
            if key is None:
                break
            yield from _keys(tx, edge, cut, sides, (*chosen, key))
            at = following(dimension, key)


def _next(tx: Tx, edge: Edge, cut: Partitions | None, sides: Sides, n: int) -> str | None:
    """Returns the least key of dimension ``n``, of those that ``sides`` leave open, that the input calls for."""
    dimension, (open_to,) = declared_dimensions(cut)[n], sides[n]
    at: str | None = open_to.lo
    found = _rule(edge, dimension.name)
    if found is not None and not isinstance(found[1].mapping, ByKey):
        place, rule = found
        least = _least(tx, edge, _up(edge, cut, sides), place)
        if least is None:
            return None
        needing = rule.mapping.down(one(least), dimension, declared_dimensions(edge.cut)[place])
        return min((max(i.lo, open_to.lo) for i in needing if i.hi >= open_to.lo), default=None)
    # By a table, or where the input has nothing to say of it, each key is looked at.
    while at is not None and at <= open_to.hi:
        if _least(tx, edge, _up(edge, cut, (*sides[:n], (one(at),), *sides[n + 1 :])), 0) is not None:
            return at
        if found is None:
            return None
        at = following(dimension, at)
    return None


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
