"""The same partition."""

from __future__ import annotations

from dataclasses import dataclass

from riparian.assets.partitions.base import Interval, Keys
from riparian.assets.partitions.mappings.base import Mapping
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.windows import Windows


@dataclass(frozen=True, slots=True)
class Identity(Mapping):
    """The consumer's partition needs the same partition of the input."""

    kind = "identity"
    cuts = True

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (interval,)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (interval,)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "Identity() asks for the same partition, but the input is in one piece", "Leave the mapping out"
        if own is None:
            return "Identity() asks for the same partition, but the consumer is in one piece", "Write AllPartitions()"
        if type(own) is not type(other):
            return f"{own} and {other} have no partition in common", "Leave the mapping out, or write another"
        if not own.overlaps(other):
            remedy = "Let their days overlap" if isinstance(own, Windows) else "Give both keys of the same names"
            return f"{own} and {other} have no partition in common", remedy
        return None
