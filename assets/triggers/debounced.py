"""Run when updates have been quiet for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.durations import LONGEST, checked, instant, seconds_of, written
from riparian.assets.errors import DeclarationError
from riparian.assets.fields import OBJECT, Kinds
from riparian.assets.triggers.base import Signals, Trigger
from riparian.assets.triggers.combined import Combined
from riparian.assets.triggers.negated import Not

AT_MOST = 10
"""How many times as long as the quiet time is waited, where nothing else is said."""

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Debounced(Trigger):
    """True while ``trigger`` is and no update that it waits for came within ``quiet_seconds``; in any case
    ``at_most_seconds`` after the first of them that no run has answered, or tried to."""

    kind = "debounced"
    fields: ClassVar[Mapping[str, Kinds]] = {"trigger": OBJECT, "quiet_seconds": (int,), "at_most_seconds": (int,)}
    timed = True
    held_as = "debounced"

    trigger: Trigger
    quiet_seconds: int
    at_most_seconds: int

    def __post_init__(self) -> None:
        checked(self.quiet_seconds, "debounce")
        if checked(self.at_most_seconds, "debounce: at_most") < self.quiet_seconds:
            raise DeclarationError(
                f"debounce: at_most is {written(self.at_most_seconds)}, less than the quiet time of "
                f"{written(self.quiet_seconds)}; write a longer one"
            )
        if not any(node.of_updates for node in self.trigger.nodes()):
            raise DeclarationError(
                f"{self.trigger} waits for no update that could become quiet; write on_update(…).debounce('5m')"
            )

    @property
    def parts(self) -> tuple[Trigger, ...]:
        return (self.trigger,)

    @property
    def by_update(self) -> bool:
        return self.trigger.by_update

    def when(self, signals: Signals) -> int | None:
        at = self.trigger.when(signals)
        return None if at is None else max(at, self._quiet(signals) or 0)

    def waits(self, signals: Signals) -> Trigger:
        mine = (self._quiet(signals) or 0) >= (self.trigger.when(signals) or 0)
        return self if mine else self.trigger.waits(signals)

    def since(self, signals: Signals) -> int | None:
        if not self.trigger.holds(signals):
            return self.trigger.since(signals)
        if self.holds(signals):
            return None if self.trigger.since(signals) is None else self.when(signals)
        return max((signals.last[a] for a in self._news(signals) if a in signals.last), default=None)

    def words(self, signals: Signals) -> str:
        quiet = self._quiet(signals)
        if quiet is None:
            return "there is no update that could become quiet"
        if quiet > signals.now:
            latest = self._latest(signals)
            bound = f", or {instant(latest)} has come" if latest is not None and latest > quiet else ""
            return f"updates must have been quiet for {written(self.quiet_seconds)}{bound}"
        if quiet == self._latest(signals):
            return f"the first update waits for {written(self.at_most_seconds)}, which is the longest"
        return f"updates have been quiet for {written(self.quiet_seconds)}"

    def _quiet(self, signals: Signals) -> int | None:
        """From when on the updates have been quiet for long enough, or have waited for too long; None without any."""
        news = self._news(signals)
        if not news:
            return None
        quiet = max(signals.last.get(a, 0) for a in news) + self.quiet_seconds * _SECOND
        latest = self._latest(signals)
        return quiet if latest is None else min(quiet, latest)

    def _latest(self, signals: Signals) -> int | None:
        firsts = [signals.untried[a] for a in self._news(signals) if a in signals.untried]
        return min(firsts) + self.at_most_seconds * _SECOND if firsts else None

    def _news(self, signals: Signals) -> frozenset[str]:
        watched = [frozenset[str](n.named) or signals.consumes for n in self.trigger.nodes() if n.of_updates]
        return signals.updated & frozenset[str]().union(*watched)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "trigger": self.trigger.to_json(),
            "quiet_seconds": self.quiet_seconds,
            "at_most_seconds": self.at_most_seconds,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return Debounced(read(body["trigger"]), body["quiet_seconds"], body["at_most_seconds"])

    def __str__(self) -> str:
        inner = f"({self.trigger})" if isinstance(self.trigger, (Combined, Not)) else str(self.trigger)
        usual = self.at_most_seconds == _usual(self.quiet_seconds)
        most = "" if usual else f', at_most="{written(self.at_most_seconds)}"'
        return f'{inner}.debounce("{written(self.quiet_seconds)}"{most})'


def debounced(trigger: Trigger, quiet: object, at_most: object = None) -> Debounced:
    """Returns what ``Trigger.debounce`` promises."""
    seconds = seconds_of(quiet, "debounce")
    most = _usual(seconds) if at_most is None else seconds_of(at_most, "debounce: at_most")
    return Debounced(trigger, seconds, most)


def _usual(quiet_seconds: int) -> int:
    return min(AT_MOST * quiet_seconds, LONGEST)
