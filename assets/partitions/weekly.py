"""Partitions by the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.windows import LAST_DAY, Dated, day_named


@dataclass(frozen=True, slots=True)
class Weekly(Dated):
    """One partition a week of ``timezone``, from Monday to Sunday, keyed by its Monday, ``YYYY-MM-DD``."""

    name: str
    start: str
    end: str | None = None
    timezone: str = "UTC"

    kind = "weekly"
    strftime = "%Y-%m-%d"
    parts = frozenset({"year", "month", "day"})
    latest = "9999-12-27"

    def spell(self, text: str, what: str) -> str:
        day = day_named(text, what)
        if day != (monday := self.floor(day)):
            raise DeclarationError(f"{what} is no Monday; write the day its week begins with, {self.write(monday)!r}")
        return text

    def first_day(self, key: str) -> int:
        return date.fromisoformat(key).toordinal()

    def floor(self, day: int) -> int:
        return day - (day - 1) % 7  # the first day of all, of the year 1, is a Monday

    def following(self, day: int, steps: int = 1) -> int | None:
        found = day + 7 * steps
        return found if 1 <= found <= LAST_DAY else None

    def write(self, day: int) -> str:
        return date.fromordinal(day).isoformat()

    def span(self, lo: str, hi: str) -> int:
        return (self.first_day(hi) - self.first_day(lo)) // 7 + 1
