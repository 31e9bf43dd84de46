"""Run when a schedule ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import TEXT, Kinds
from riparian.assets.schedules import check_schedule, local
from riparian.assets.triggers.base import Signals, Trigger, quoted

LONGEST_CRON = 100
"""Characters of an expression, and of a timezone."""


@dataclass(frozen=True, slots=True)
class OnCron(Trigger):
    """True while a tick of the schedule has not been answered. Ticks that were missed count as one, the latest."""

    kind = "on_cron"
    fields: ClassVar[Mapping[str, Kinds]] = {"expression": TEXT, "timezone": TEXT}

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        for name, value in (("the expression", self.expression), ("timezone", self.timezone)):
            if not isinstance(value, str):
                raise DeclarationError(f"on_cron: {name} is {value!r}; write on_cron('0 6 * * *', timezone='UTC')")
            if len(value) > LONGEST_CRON:
                raise DeclarationError(
                    f"on_cron: {name} is longer than {LONGEST_CRON} characters: {value[:LONGEST_CRON]!r}…; "
                    "combine shorter ones by |, such as on_cron('0 6 * * *') | on_cron('30 18 * * *')"
                )
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        check_schedule(self.expression, self.timezone)

    @property
    def name(self) -> str:
        """What the schedule is called in words and in the catalogue."""
        return f"{self.expression} ({self.timezone})"

    @property
    def schedules(self) -> tuple[OnCron, ...]:
        return (self,)

    def when(self, signals: Signals) -> int | None:
        # A tick that rang is due, whatever the time.
        return min(signals.first.get(self.name, 0), signals.now) if self.name in signals.due else None

    def since(self, signals: Signals) -> int | None:
        if self.holds(signals):
            return self.when(signals) or None
        return signals.answered.get(self.name)

    def words(self, signals: Signals) -> str:
        if self.name in signals.due:
            tick = signals.first.get(self.name)
            return f"due at {self._local(tick)}" if tick else "due"
        following = signals.rings.get(self.name)
        return f"not due, next at {self._local(following)}" if following else "not due"

    def _local(self, at: int) -> str:
        return f"{local(at, self.timezone):%Y-%m-%d %H:%M}"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "expression": self.expression, "timezone": self.timezone}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return on_cron(body["expression"], body["timezone"])

    def __str__(self) -> str:
        zone = "" if self.timezone == "UTC" else f", timezone={quoted(self.timezone)}"
        return f"on_cron({quoted(self.expression)}{zone})"


def on_cron(expression: str, timezone: str = "UTC") -> OnCron:
    """Run at the ticks of a cron expression (minute, hour, day of the month, month, day of the week), read by the
    clocks of ``timezone``: with what differs then, and not at all when nothing does.

    Ticks that were missed are made up for by one run. A workflow without inputs runs at each tick. One with partitions
    but without partitioned inputs runs at a tick for the window in which it lies (where days are of no zone in
    particular, for the day that the schedule's clock shows), with all keys beside it; or for each of its keys.
    Raises DeclarationError for an expression that can not be read or never ticks, and for an unknown timezone.
    """
    return OnCron(expression, timezone)
