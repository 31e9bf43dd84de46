"""Run for what was never made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Signals, listed
from riparian.assets.triggers.of_assets import OfAssets


@dataclass(frozen=True, slots=True)
class Missing(OfAssets):
    """True while one of ``assets`` (none named: of what the workflow makes) has no version in the partition."""

    kind = "missing"

    def absences(self, makes: Iterable[AssetKey]) -> frozenset[AssetKey]:
        return frozenset(self.assets or makes)

    def when(self, signals: Signals) -> int | None:
        return 0 if self._absent(signals) else None

    def fills(self, signals: Signals) -> bool:
        return self.holds(signals)

    def words(self, signals: Signals) -> str:
        if absent := self._absent(signals):
            return f"{listed(absent)} {'has' if len(absent) == 1 else 'have'} no version"
        there = frozenset[str](self.assets) or signals.makes
        return f"{listed(there)} {'has a version' if len(there) == 1 else 'have versions'}" if there else "nothing is"

    def _absent(self, signals: Signals) -> frozenset[str]:
        return (frozenset[str](self.assets) or signals.makes) & signals.missing


def missing(*assets: object) -> Missing:
    """A state: one of ``assets``, or without any of what the workflow itself makes, has no version in this partition.

    By itself it runs what was never made, for partitions too that were there before the workflow.
    """
    return Missing(tuple(key_of(a) for a in assets))
