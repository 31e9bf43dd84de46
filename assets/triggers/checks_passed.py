"""Run only on data whose checks have passed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Signals, listed
from riparian.assets.triggers.of_assets import OfAssets


@dataclass(frozen=True, slots=True)
class ChecksPassed(OfAssets):
    """True while all checks of ``assets`` (none named: of what the workflow consumes) have passed on their heads."""

    kind = "checks_passed"

    def checked(self, consumes: Iterable[AssetKey]) -> frozenset[AssetKey]:
        return frozenset(self.assets or consumes)

    def when(self, signals: Signals) -> int | None:
        return None if self._failed(signals) else 0

    def words(self, signals: Signals) -> str:
        if failed := self._failed(signals):
            return f"not all checks of {listed(failed)} have passed"
        meant = frozenset[str](self.assets) or signals.consumes
        return f"all checks of {listed(meant)} have passed" if meant else "nothing is checked"

    def _failed(self, signals: Signals) -> frozenset[str]:
        return (frozenset[str](self.assets) or signals.consumes) & signals.unchecked


def checks_passed(*assets: object) -> ChecksPassed:
    """A state: each check of ``assets``, or without any of all that is consumed, has passed on the current version, the
    warning ones too.

    A check that is declared anew has passed on no version yet. Write it beside an event:
    ``on_update() & checks_passed()``; by itself it runs what differs.
    """
    return ChecksPassed(tuple(key_of(a) for a in assets))
