"""Run not more often than so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.durations import checked, instant, seconds_of, written
from riparian.assets.fields import Kinds
from riparian.assets.triggers.base import Signals, Trigger


@dataclass(frozen=True, slots=True)
class Limited(Trigger):
    """True while the last run of the workflow partition, whatever it was for and came to, was planned at least
    ``seconds`` ago; also when there was none."""

    kind = "limited"
    fields: ClassVar[Mapping[str, Kinds]] = {"seconds": (int,)}
    timed = True
    held_as = "limited"

    seconds: int

    def __post_init__(self) -> None:
        checked(self.seconds, "not_more_often_than")

    @property
    def by_update(self) -> bool:
        return True

    def when(self, signals: Signals) -> int | None:
        return 0 if signals.created is None else signals.created + self.seconds * 1_000_000

    def since(self, signals: Signals) -> int | None:
        return (self.when(signals) or None) if self.holds(signals) else signals.created

    def words(self, signals: Signals) -> str:
        span, at = written(self.seconds), self.when(signals)
        if signals.created is None or at is None:
            return "there was no run yet"
        if at <= signals.now:
            return f"no run was planned in the last {span}"
        return f"{span} must have passed since {instant(signals.created)}, when the last run was planned"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "seconds": self.seconds}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return Limited(body["seconds"])

    def __str__(self) -> str:
        return f'not_more_often_than("{written(self.seconds)}")'


def not_more_often_than(span: object) -> Limited:
    """True once the last run was planned at least ``span`` (``"1h"``) ago, whatever that run was for and came to.

    Combined by ``&`` it delays what else would run more often; nothing that came meanwhile is lost. By itself it runs
    whenever what is consumed differs, so often at the most. What a person asks for runs at once.
    """
    return Limited(seconds_of(span, "not_more_often_than"))
