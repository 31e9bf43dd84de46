"""One partition, whichever the consumer's is: the newest, or one that is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import EVERYTHING, Interval, Keys, one
from riparian.assets.partitions.mappings.base import Mapping, each
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.windows import Windows


@dataclass(frozen=True, slots=True)
class Last(Mapping):
    """Whatever partition of the consumer runs, it needs the newest partition of the input that has a version."""

    kind = "last"

    @property
    def label(self) -> str:
        return "last"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (EVERYTHING,)  # which of them is the newest only the facts can say

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(other, Windows):
            return "Last() asks for the newest window, but the input has no windows", "Write Fixed('its key')"
        return None


@dataclass(frozen=True, slots=True)
class Fixed(Mapping):
    """Whatever partition of the consumer runs, it needs this one of the input."""

    key: str

    kind = "fixed"

    @property
    def label(self) -> str:
        return f"fixed {self.key}"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (one(self.key),)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return each(own) if self.key in interval else ()

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "Fixed() asks for a partition, but the input is in one piece", "Leave the mapping out"
        try:
            other.parse(self.key)
        except DeclarationError as exc:
            return str(exc).partition("; ")[0], "Name a partition that it has"
        return None

    def to_json(self) -> Any:
        return {"kind": self.kind, "key": self.key}
