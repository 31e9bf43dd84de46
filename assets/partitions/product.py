"""Partitions by several dimensions at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import EVERYTHING, Interval, Keys, one
from riparian.assets.partitions.boxes import SEPARATOR, Box, joined
from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.static import Static
from riparian.assets.partitions.windows import Windows

Dimension = Windows | Static

MOST_DIMENSIONS = 8
MOST_TOGETHER = 100_000
"""Keys that there may be of all dimensions that are not of time, together: a new window may call for each."""

Sides = tuple[Keys, ...]
"""What is meant in each dimension."""


@dataclass(frozen=True, slots=True, init=False)
class Product:
    """One partition for each key of the first dimension with each key of the second, and so on:
    ``Product(Daily("day", "2013-02-01"), Static("region", ["eu", "us"]))``. Dimensions are called by their names.

    The key is the dimensions' keys with ``,`` between them, in their order: ``2013-02-01,eu``. What is mostly asked for
    together, such as all regions of a day, costs least where the dimension that is the same comes first.
    """

    dimensions: tuple[Dimension, ...]

    def __init__(self, *dimensions: Dimension) -> None:
        for one_of in dimensions:
            if isinstance(one_of, Dynamic):
                raise DeclarationError(
                    f"Product: the keys of {one_of} are added in use, so it is no dimension beside others; write it "
                    "alone, or a Static in its place"
                )
            if not isinstance(one_of, Windows | Static):
                raise DeclarationError(
                    f"Product: {one_of!r} is no dimension; write partitions side by side, such as "
                    "Product(Daily('day', '2013-01-01'), Static('region', ['eu', 'us']))"
                )
        names = [d.name for d in dimensions]
        if not 2 <= len(names) <= MOST_DIMENSIONS:
            raise DeclarationError(
                f"Product({', '.join(names)}) has {len(names)} dimensions; write two, and at most {MOST_DIMENSIONS}"
            )
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise DeclarationError(f"Product: two dimensions are called {twice!r}; give each a name of its own")
        together = prod(d.count(EVERYTHING) for d in dimensions if not isinstance(d, Windows))
        if together > MOST_TOGETHER:
            raise DeclarationError(
                f"Product({', '.join(names)}) has {together:,} keys together, more than {MOST_TOGETHER:,}; leave a "
                "dimension out, or cut it more coarsely"
            )
        object.__setattr__(self, "dimensions", dimensions)

    @property
    def name(self) -> str:
        """The dimensions' names, for people."""
        return f"{', '.join(d.name for d in self.dimensions[:-1])} and {self.dimensions[-1].name}"

    def split(self, key: str) -> tuple[str, ...] | None:
        """Returns the keys of the dimensions; None for what has another number of them."""
        parts = tuple(key.split(SEPARATOR))
        return parts if len(parts) == len(self.dimensions) else None

    def parse(self, text: str) -> str:
        """Returns ``text`` as a partition key; raises DeclarationError when it is none of these partitions."""
        parts = self.split(text)
        if parts is None:
            form = joined([d.name for d in self.dimensions])
            raise DeclarationError(f"partition {text!r} does not say {self.name}; write {form!r}, each by its key")
        for part, dimension in zip(parts, self.dimensions, strict=True):
            try:
                dimension.parse(part)
            except DeclarationError as exc:
                raise DeclarationError(f"partition {text!r}: the {dimension.name} of it: {exc}") from exc
        return text

    def clip(self, interval: Interval) -> Interval | None:
        """Returns from the first to the last of the partitions in ``interval``; None when there are none."""
        first = self.within(interval, 1)
        for sides in reversed(boxes(self, interval)) if first else ():
            ends = [
                max((c.hi for i in side if (c := d.clip(i)) is not None), default=None)
                for d, side in zip(self.dimensions, sides, strict=True)
            ]
            if None not in ends:
                lo, hi = first[0], joined([end for end in ends if end is not None])
                return Box(lo, hi, interval.sides) if isinstance(interval, Box) else Interval(lo, hi)
        return None

    def count(self, interval: Interval) -> int:
        """Returns how many partitions there are in ``interval``."""
        return sum(
            prod(sum(d.count(i) for i in side) for d, side in zip(self.dimensions, sides, strict=True))
            for sides in boxes(self, interval)
        )

    def within(self, interval: Interval, limit: int) -> list[str]:
        """Returns the first partitions in ``interval``, at most ``limit``."""
        found: list[str] = []
        for sides in boxes(self, interval):
            most = limit - len(found)
            parts = [
                list(islice((k for i in side for k in d.within(i, most)), most))
                for d, side in zip(self.dimensions, sides, strict=True)
            ]
            found += [joined(key) for key in islice(product(*parts), most)]
        return found

    def overlaps(self, other: object) -> bool:
        """Whether there is a partition of both."""
        return (
            isinstance(other, Product)
            and [d.name for d in self.dimensions] == [d.name for d in other.dimensions]
            and all(
                type(a) is type(b) and a.overlaps(b) for a, b in zip(self.dimensions, other.dimensions, strict=True)
            )
        )

    def to_json(self) -> dict[str, Any]:
        return {"kind": "product", "dimensions": [d.to_json() for d in self.dimensions]}

    def __str__(self) -> str:
        return f"Product({', '.join(map(str, self.dimensions))})"

    __repr__ = __str__


Cut = Dimension | Dynamic | Product | None
"""How an asset is cut; None: it is in one piece."""


def dimensions_of(cut: Cut) -> tuple[Dimension | Dynamic, ...]:
    """Returns the dimensions of what has several, one or none."""
    if cut is None:
        return ()
    return cut.dimensions if isinstance(cut, Product) else (cut,)


def declared_dimensions(cut: Cut) -> tuple[Dimension, ...]:
    """Returns those of the dimensions whose keys are declared, which of several are all."""
    return tuple(d for d in dimensions_of(cut) if not isinstance(d, Dynamic))


def boxes(cut: Cut, interval: Interval) -> list[Sides]:
    """Returns the partitions in ``interval`` as what is meant in each dimension, in the order of their keys.

    One key stands for itself, whether or not there is such a partition; so does any interval of one dimension.
    """
    if not isinstance(cut, Product):
        return [()] if cut is None else [((interval,),)]
    if interval.lo == interval.hi:
        parts = cut.split(interval.lo)
        return [] if parts is None or interval.lo not in interval else [tuple((one(p),) for p in parts)]
    n = len(cut.dimensions)
    lo = [*interval.lo.split(SEPARATOR), *[EVERYTHING.lo] * n][:n]
    hi = [*interval.hi.split(SEPARATOR), *[EVERYTHING.hi] * n][:n]
    sides = interval.sides if isinstance(interval, Box) else ((EVERYTHING,),) * n
    if len(sides) != n:
        return []
    if (interval.lo, interval.hi) == _ends(cut.dimensions, sides):
        return [_both(box, sides) for box in _between(cut.dimensions, [EVERYTHING.lo] * n, [EVERYTHING.hi] * n)]
    found = (_both(box, sides) for box in _between(cut.dimensions, lo, hi))
    return [box for box in found if all(box)]


def _between(dimensions: Sequence[Dimension], lo: Sequence[str], hi: Sequence[str]) -> Iterator[tuple[Interval, ...]]:
    """Yields the keys between two, cut where what is meant behind the first dimension changes."""
    if not dimensions:
        yield ()
        return
    dimension, *rest = dimensions
    there = dimension.clip(Interval(lo[0], hi[0]))
    ends = [d.clip(EVERYTHING) for d in rest]
    if there is None or None in ends:
        return
    whole = tuple(i for i in ends if i is not None)
    first, last = [i.lo for i in whole], [i.hi for i in whole]
    begins_within = there.lo == lo[0] and list(lo[1:]) > first
    ends_within = there.hi == hi[0] and list(hi[1:]) < last
    a: str | None = there.lo
    b: str | None = there.hi
    if a == b and (begins_within or ends_within):
        below = _between(rest, lo[1:] if begins_within else first, hi[1:] if ends_within else last)
        yield from ((one(there.lo), *tail) for tail in below)
        return
    if begins_within:
        yield from ((one(there.lo), *tail) for tail in _between(rest, lo[1:], last))
        a = following(dimension, there.lo)
    if ends_within:
        b = before(dimension, there.hi)
    if a is not None and b is not None and a <= b:
        yield (Interval(a, b), *whole)
    if ends_within:
        yield from ((one(there.hi), *tail) for tail in _between(rest, first, hi[1:]))


def following(dimension: Dimension, key: str) -> str | None:
    """Returns the key behind ``key``, if there is one."""
    return next(iter(dimension.within(Interval(key, EVERYTHING.hi), 2)[1:]), None)


def before(dimension: Dimension, key: str) -> str | None:
    """Returns the key before ``key``, if there is one."""
    if isinstance(dimension, Windows):
        found = dimension.after(key, -1)
        return found if found is not None and found >= dimension.start else None
    until = Interval(EVERYTHING.lo, key)
    return next(iter(dimension.within(until, dimension.count(until))[-2:-1]), None)


def _both(box: Sequence[Interval], sides: Sides) -> Sides:
    return tuple(both((i,), side) for i, side in zip(box, sides, strict=True))


def both(a: Keys, b: Keys) -> Keys:
    """Returns what is in each of two sets of keys of one dimension."""
    if a == (EVERYTHING,) or a == b:
        return b
    if b == (EVERYTHING,):
        return a
    found = (Interval(max(i.lo, j.lo), min(i.hi, j.hi)) for i in a for j in b)
    return tuple(i for i in found if i.lo <= i.hi)


def meet(cut: Cut, a: Interval, b: Interval) -> Keys:
    """Returns the partitions that are in both, in the order of their keys."""
    of_both = (
        tuple(both(i, j) for i, j in zip(left, right, strict=True)) for left in boxes(cut, a) for right in boxes(cut, b)
    )
    return tuple(interval for sides in of_both if all(sides) for interval in spread(cut, sides))


def spread(cut: Cut, sides: Sides) -> Keys:
    """Returns the partitions that have one of ``sides`` in each dimension: a few intervals where one key is meant in
    each dimension before the last that is not meant as a whole, else a box."""
    if not isinstance(cut, Product):
        return sides[0] if sides else (one(""),)
    ends = [d.clip(EVERYTHING) for d in cut.dimensions]
    if not all(sides) or None in ends:
        return ()
    whole = [i for i in ends if i is not None]
    sides = tuple(_kept(side, there) for side, there in zip(sides, whole, strict=True))
    if not all(sides):
        return ()
    if all(side == (EVERYTHING,) for side in sides):
        return (EVERYTHING,)
    last = max(n for n, side in enumerate(sides) if side != (EVERYTHING,))
    fixed = [side[0].lo for side in sides[:last] if len(side) == 1 and side[0].lo == side[0].hi]
    if len(fixed) == last:
        least, most = [i.lo for i in whole[last + 1 :]], [i.hi for i in whole[last + 1 :]]
        return tuple(Interval(joined([*fixed, i.lo, *least]), joined([*fixed, i.hi, *most])) for i in sides[last])
    lo, hi = _ends(cut.dimensions, sides)
    return (Box(lo, hi, sides),)


def _kept(side: Keys, there: Interval) -> Keys:
    """Returns what of ``side`` lies among the keys that there are, but for single keys, which stand for themselves."""
    if len(side) == 1 and side[0].lo <= there.lo and there.hi <= side[0].hi:
        return (EVERYTHING,)
    cut = (i if i.lo == i.hi else Interval(max(i.lo, there.lo), min(i.hi, there.hi)) for i in side)
    return tuple(i for i in cut if i.lo <= i.hi)


def _ends(dimensions: Sequence[Dimension], sides: Sides) -> tuple[str, str]:
    """Returns the first and the last key that has one of ``sides`` in each dimension."""
    ends = [Interval(side[0].lo, side[-1].hi) for side in sides]
    whole = [d.clip(i) or i for d, i in zip(dimensions, ends, strict=True)]
    return joined([i.lo for i in whole]), joined([i.hi for i in whole])
