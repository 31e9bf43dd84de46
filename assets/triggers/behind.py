"""Run before the data is too far behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.durations import checked, instant, seconds_of, written
from riparian.assets.fields import LIST, Kinds
from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Signals, Trigger, quoted
from riparian.assets.triggers.on_update import answered

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Behind(Trigger):
    """True once the first update of ``assets`` (none named: of the consumed) that no run has answered is
    ``seconds`` old, or will be by the time that a run takes."""

    kind = "behind"
    fields: ClassVar[Mapping[str, Kinds]] = {"assets": LIST, "seconds": (int,)}
    of_updates = True
    timed = True
    held_as = "fresh_enough"

    seconds: int
    assets: tuple[AssetKey, ...] = ()

    def __post_init__(self) -> None:
        checked(self.seconds, "fresher_than")

    @property
    def named(self) -> tuple[AssetKey, ...]:
        return self.assets

    @property
    def by_update(self) -> bool:
        return True

    def when(self, signals: Signals) -> int | None:
        first = self._first(signals)
        if first is None:
            return None
        # Half of what is allowed is waited at the least: else a slow run would run for each update.
        early = min(signals.took, self.seconds * _SECOND // 2)
        return first and first + self.seconds * _SECOND - early

    def since(self, signals: Signals) -> int | None:
        if self.holds(signals):
            return self.when(signals) or None
        return answered(self, signals) if self._first(signals) is None else None

    def words(self, signals: Signals) -> str:
        first, at = self._first(signals), self.when(signals)
        if first is None or at is None:
            return "it is behind nothing that it is made from"
        so = f"it is behind by what came at {instant(first)}" if first else "it is behind by what came long ago"
        return so if at <= signals.now else f"{so}, and may be for {written(self.seconds)}"

    def _first(self, signals: Signals) -> int | None:
        news = (frozenset[str](self.assets) or signals.consumes) & signals.updated
        return min((signals.first.get(a, 0) for a in news), default=None)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "assets": list(self.assets), "seconds": self.seconds}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return Behind(body["seconds"], tuple(key_of(a) for a in body["assets"]))

    def __str__(self) -> str:
        return f"fresher_than({', '.join([quoted(written(self.seconds)), *map(quoted, self.assets)])})"


def fresher_than(span: object, *assets: object) -> Behind:
    """Run so that what is made is never more than ``span`` (``"2h"``) behind ``assets``, or without any behind what is
    consumed: the first update that no run has answered waits for that long and no longer.

    A run begins earlier by the time that the last one took, by half of ``span`` at the most. It is held against what
    the workflow itself consumes: along a chain of workflows the spans add up. What fails, or has no worker, is late.
    """
    return Behind(seconds_of(span, "fresher_than"), tuple(key_of(a) for a in assets))
