"""Which mapping goes without saying?"""

from __future__ import annotations

from riparian.assets.partitions.mappings.all import AllPartitions, One
from riparian.assets.partitions.mappings.base import Cut, Mapping
from riparian.assets.partitions.mappings.identity import Identity
from riparian.assets.partitions.mappings.overlapping import Overlapping
from riparian.assets.partitions.windows import Windows


def default_mapping(consumer: Cut, consumed: Cut) -> Mapping | None:
    """Returns the mapping that goes without saying, or None when it must be said."""
    if consumed is None:
        return One()
    if consumer is None:
        return AllPartitions()
    if consumer == consumed:
        return Identity()
    # Of the same size with other ends it must be said whether the same ones are meant.
    if isinstance(consumer, Windows) and isinstance(consumed, Windows) and not _same_size(consumer, consumed):
        return Overlapping() if consumer.overlaps(consumed) else None
    return None


def _same_size(a: Windows, b: Windows) -> bool:
    return type(a) is type(b) and getattr(a, "expression", "") == getattr(b, "expression", "")
