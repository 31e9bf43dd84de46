"""Run when data is updated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.fields import LIST, Kinds
from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Signals, Trigger, listed, quoted


@dataclass(frozen=True, slots=True)
class OnUpdate(Trigger):
    """True while one of ``assets`` (none named: of the consumed) has news since the last run; with ``all``, each."""

    kind = "on_update"
    fields: ClassVar[Mapping[str, Kinds]] = {"assets": LIST, "all": (bool,)}
    of_updates = True

    assets: tuple[AssetKey, ...] = ()
    all: bool = False

    @property
    def named(self) -> tuple[AssetKey, ...]:
        return self.assets

    @property
    def by_update(self) -> bool:
        return True

    def when(self, signals: Signals) -> int | None:
        wanted = frozenset[str](self.assets) or signals.consumes
        news = wanted & signals.updated
        if not news or (self.all and news != wanted):
            return None
        return min((max if self.all else min)(signals.first.get(a, 0) for a in news), signals.now)

    def since(self, signals: Signals) -> int | None:
        if self.holds(signals):
            return self.when(signals) or None
        return answered(self, signals)

    def words(self, signals: Signals) -> str:
        wanted = frozenset[str](self.assets) or signals.consumes
        news = wanted & signals.updated
        if not wanted:
            return "there is nothing that could be updated"
        if not news or (self.all and news != wanted):
            rest = wanted - news
            return f"{listed(rest)} {'was' if len(rest) == 1 else 'were'} not updated since the last run"
        return f"{listed(news)} {'was' if len(news) == 1 else 'were'} updated"

    def to_json(self) -> dict[str, Any]:
        body = {"kind": self.kind, "assets": list(self.assets)}
        return {**body, "all": True} if self.all else body

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return on_update(*body["assets"], all=body.get("all", False))

    def __str__(self) -> str:
        return f"on_update({', '.join([*map(quoted, self.assets), *(['all=True'] if self.all else [])])})"


def on_update(*assets: object, all: bool = False) -> OnUpdate:  # the word people expect here
    """Run when one of ``assets`` (keys, sources, @asset functions) is updated; without any, when a consumed one is.
    With ``all``, when each of them was since the last run."""
    return OnUpdate(tuple(key_of(a) for a in assets), all)


def answered(trigger: Trigger, signals: Signals) -> int | None:
    """Returns since when nothing new is known of what the trigger waits for: since a run has answered it."""
    wanted = frozenset[str](trigger.named) or signals.consumes
    return max((signals.answered[a] for a in wanted if a in signals.answered), default=None)
