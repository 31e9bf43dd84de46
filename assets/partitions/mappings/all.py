"""All that there are: of an input that is cut, or the one of an input that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.partitions.base import EVERYTHING, WHOLE, Interval, Keys, one
from riparian.assets.partitions.mappings.base import Mapping, check_at_least, each
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.static import Static


@dataclass(frozen=True, slots=True)
class AllPartitions(Mapping):
    """The consumer needs all existing partitions of the input, together, once there are ``at_least`` that many."""

    at_least: int = 1

    kind = "all"
    many = True

    def __post_init__(self) -> None:
        check_at_least(self.at_least, "AllPartitions")

    @property
    def label(self) -> str:
        return "all"

    def required(self, keys: Keys, other: Cut) -> int:
        return self.at_least

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (EVERYTHING,)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "AllPartitions() asks for its partitions, but the input is in one piece", "Leave the mapping out"
        return _too_many(self.at_least, other)

    def to_json(self) -> Any:
        return self.kind if self.at_least == 1 else {"kind": self.kind, "at_least": self.at_least}


@dataclass(frozen=True, slots=True)
class One(Mapping):
    """The input is in one piece, and every partition of the consumer needs it."""

    kind = "one"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (one(WHOLE),)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is not None:
            return "One() asks for an input in one piece, but it is partitioned", "Write Identity() or AllPartitions()"
        return None


def _too_many(at_least: int, other: Cut) -> tuple[str, str] | None:
    if isinstance(other, Static) and at_least > len(other.keys):
        return f"it waits for {at_least} partitions, but there are {len(other.keys)}", "Wait for fewer"
    return None
