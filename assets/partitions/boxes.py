"""Which of the partitions between two keys are meant, where keys have several parts?

The key of a partition of several dimensions is their keys with ``,`` between them: ``2013-01-31,eu``. No key of a
dimension holds a comma or what sorts before it, so such texts sort by the first dimension, then by the second. Where a
fixed key stands first, an interval of texts is all that is meant; else a ``Box`` says what to leave out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from riparian.assets.partitions.base import Interval, Keys

SEPARATOR = ","

LOWEST = "-"
"""The least character of a key. It follows the separator: behind a key it makes the least text above all that begin
with that key as a whole."""


@dataclass(frozen=True, slots=True)
class Box(Interval):
    """Of the partitions ``lo <= key <= hi`` those that have one of ``sides`` in each dimension."""

    sides: tuple[Keys, ...]

    def __contains__(self, partition: str) -> bool:
        if not self.lo <= partition <= self.hi:
            return False
        parts = partition.split(SEPARATOR)
        return len(parts) == len(self.sides) and all(map(_holds, self.sides, parts))

    def holds(self, other: Interval) -> bool:
        if other.lo == other.hi:
            return other.lo in self
        within = self.lo <= other.lo and other.hi <= self.hi
        return within and isinstance(other, Box) and self.sides == other.sides

    def seek(self, text: str) -> str | None:
        """Returns a text from which on the next of these partitions that is not before ``text`` is to be looked for:
        none of them lies between the two. None when there is no more."""
        parts = [*text.split(SEPARATOR), *[""] * len(self.sides)][: len(self.sides)]
        found = _seek(self.sides, parts)
        if found is None:
            return None
        at = max(SEPARATOR.join(found), self.lo)
        return at if at <= self.hi else None


def _seek(sides: Sequence[Keys], parts: Sequence[str]) -> list[str] | None:
    if not sides:
        return []
    at, *rest = parts
    for place in range(_first(sides[0], at), len(sides[0])):
        interval = sides[0][place]
        if at > interval.hi:
            continue
        if at < interval.lo:
            return [interval.lo, *_least(sides[1:])]
        if (tail := _seek(sides[1:], rest)) is not None:
            return [at, *tail]
        at, rest = at + LOWEST, [""] * len(rest)
        if at <= interval.hi:
            return [at]
    return None


def _first(side: Keys, text: str) -> int:
    """Returns the place of the first interval that does not end before ``text``: a table may name thousands of keys."""
    return bisect_left(side, text, key=attrgetter("hi"))


def _holds(side: Keys, part: str) -> bool:
    place = _first(side, part)
    return place < len(side) and part in side[place]


def _least(sides: Sequence[Keys]) -> list[str]:
    return [side[0].lo for side in sides]


def after(text: str) -> str:
    """Returns the least text that a key behind ``text`` can be."""
    return text + LOWEST


def joined(parts: Sequence[str]) -> str:
    """Returns the key of these keys of the dimensions."""
    return SEPARATOR.join(parts)


def cut_off(interval: Interval, lo: str) -> Interval:
    """Returns what of the interval lies from ``lo`` on."""
    return Box(lo, interval.hi, interval.sides) if isinstance(interval, Box) else Interval(lo, interval.hi)
