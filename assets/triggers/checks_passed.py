"""Run only on data whose checks have passed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.fields import LIST, Kinds
from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Signals, Trigger, listed, quoted


@dataclass(frozen=True, slots=True)
class ChecksPassed(Trigger):
    """True while all checks of ``assets`` (none named: of what the workflow consumes) have passed on their heads."""

    kind = "checks_passed"
    fields: ClassVar[Mapping[str, Kinds]] = {"assets": LIST}

    assets: tuple[AssetKey, ...] = ()

    @property
    def named(self) -> tuple[AssetKey, ...]:
        return self.assets

    @property
    def by_update(self) -> bool:
        return True

    @property
    def is_state(self) -> bool:
        return True

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

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "assets": list(self.assets)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return checks_passed(*body["assets"])

    def __str__(self) -> str:
        return f"checks_passed({', '.join(map(quoted, self.assets))})"


def checks_passed(*assets: object) -> ChecksPassed:
    """A state: each check of ``assets``, or without any of all that is consumed, has passed on the current version, the
    warning ones too.

    A check that is declared anew has passed on no version yet. Write it beside an event:
    ``on_update() & checks_passed()``; by itself it runs what differs.
    """
    return ChecksPassed(tuple(key_of(a) for a in assets))
