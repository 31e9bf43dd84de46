"""Which pieces of one asset does a piece of another need?

A mapping is a value with two pure functions of the consumer's partitions (``own``) and the input's (``other``; None: in
one piece). ``up`` gives the input's partitions that the consumer's need, ``down`` those of the consumer that need the
input's; they say the same in two directions. Both take and give intervals, so that a million partitions cost no more
than one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import EVERYTHING, WHOLE, Interval, Keys, one
from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.product import Cut

LARGEST_NUMBER = 1_000_000


class Mapping(ABC):
    """Which partitions of an input are meant; see the kinds."""

    __slots__ = ()

    kind: ClassVar[str]
    cuts: ClassVar[bool] = False
    """Whether it is so, whatever the partitions, that ``says_which``."""

    @property
    def many(self) -> bool:
        """Whether a set of partitions is meant, which is received as one table or as ``dict[key, T]``."""
        return False

    @property
    def label(self) -> str:
        """What tells two inputs from one asset apart; empty for the one partition that goes without saying."""
        return ""

    @property
    def can_be_none(self) -> bool:
        """Whether there may be nothing that is meant, at an end of the series: then the consumer runs and gets None."""
        return False

    def required(self, keys: Keys, other: Cut) -> int:
        """Returns how many of ``keys`` must have a version before the consumer can run."""
        return 1

    @property
    def looks_back(self) -> bool:
        """Whether only earlier partitions are meant: then an asset can be made from its own."""
        return False

    def says_which(self, own: Cut, other: Cut) -> bool:
        """Whether the input's partitions say for which of its partitions the consumer could run."""
        return self.cuts

    def series(self, key: str, own: Cut) -> str:
        """Returns what tells the consumer's series apart where it is made from itself: only within one of them does a
        partition need another."""
        return ""

    def counted(self, there: Sequence[str], keys: Keys, other: Cut) -> int:
        """Returns how much is there, as ``required`` counts, where these of ``keys`` have a version."""
        return len(there)

    def possible(self, keys: Keys, other: Cut) -> int:
        """Returns how much of it there could be, as ``required`` counts; 0 where that is not known."""
        return 0 if other is None or isinstance(other, Dynamic) else sum(other.count(k) for k in keys)

    @abstractmethod
    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        """Returns the input's partitions that the consumer's ``interval`` needs."""

    @abstractmethod
    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        """Returns the consumer's partitions that need one of the input's ``interval``."""

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        """Returns why it can never match these partitions, with the remedy; None when it can."""
        return None

    def to_json(self) -> Any:
        return self.kind


def each(own: Cut) -> Keys:
    return (one(WHOLE),) if own is None else (EVERYTHING,)


def required_of(at_least: int | None, keys: Keys, other: Cut) -> int:
    there = 0 if other is None or isinstance(other, Dynamic) else sum(other.count(k) for k in keys)
    return there if at_least is None else min(at_least, there)


def check_at_least(value: int, where: str) -> None:
    if type(value) is not int or not 1 <= value <= LARGEST_NUMBER:
        raise DeclarationError(f"{where}(at_least={value!r}): write how many partitions it waits for, such as 1")
