"""What is a piece of an asset called, and how are many pieces told at once?"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = ""
"""The partition key of an asset that is not partitioned."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The partitions ``lo <= key <= hi`` of one asset, in the order of their keys. ``EVERYTHING`` holds them all, and
    ``NOTHING`` none."""

    lo: str
    hi: str

    def __contains__(self, partition: str) -> bool:
        return self.lo <= partition <= self.hi

    def holds(self, other: Interval) -> bool:
        """Whether each partition of ``other`` is one of these."""
        return self.lo <= other.lo and other.hi <= self.hi


EVERYTHING = Interval("", "\U0010ffff")
NOTHING = Interval("\U0010ffff", "")

Keys = tuple[Interval, ...]
"""A set of partitions: intervals in the order of their keys, none of which meet."""


def one(partition: str) -> Interval:
    """Returns the interval of one partition."""
    return Interval(partition, partition)
