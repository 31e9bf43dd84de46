"""How is an interval of partitions kept as two texts? Only what stands in a mark may be a box."""

from __future__ import annotations

import json

from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.partitions.boxes import Box

_MARK = "\n"


def written(interval: Interval) -> tuple[str, str]:
    """Returns the two texts by which an interval is kept; those of a box say what it leaves out too."""
    if not isinstance(interval, Box):
        return interval.lo, interval.hi
    sides = [None if side == (EVERYTHING,) else [[i.lo, i.hi] for i in side] for side in interval.sides]
    return interval.lo, f"{interval.hi}{_MARK}{json.dumps(sides, separators=(',', ':'))}"


def read(lo: str, hi: str) -> Interval:
    """Returns the interval that was ``written`` so."""
    end, mark, sides = hi.partition(_MARK)
    if not mark:
        return Interval(lo, hi)
    found = [(EVERYTHING,) if side is None else tuple(Interval(*ends) for ends in side) for side in json.loads(sides)]
    return Box(lo, end, tuple(found))
