"""Partitions by the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.windows import LAST_DAY, Dated, day_named, days_left_out


@dataclass(frozen=True, slots=True)
class Daily(Dated):
    """One partition a day of ``timezone``, keyed ``YYYY-MM-DD`` so that keys sort as time does. ``name`` is the
    dimension's name."""

    name: str
    start: str
    end: str | None = None
    timezone: str = "UTC"

    kind = "daily"
    strftime = "%Y-%m-%d"
    parts = frozenset({"year", "month", "day"})
    latest = "9999-12-31"

    def spell(self, text: str, what: str) -> str:
        if day_named(text, what) in days_left_out(self.timezone):
            raise DeclarationError(f"{what} never was in {self.timezone}, whose clocks left it out; name another day")
        return text

    def first_day(self, key: str) -> int:
        return date.fromisoformat(key).toordinal()

    def floor(self, day: int) -> int:
        return day

    def following(self, day: int, steps: int = 1) -> int | None:
        found = day + steps
        for gone in sorted(days_left_out(self.timezone), reverse=steps < 0):
            if day < gone <= found:
                found += 1
            elif found <= gone < day:
                found -= 1
        return found if 1 <= found <= LAST_DAY else None

    def write(self, day: int) -> str:
        return date.fromordinal(day).isoformat()

    def span(self, lo: str, hi: str) -> int:
        first, last = self.first_day(lo), self.first_day(hi)
        return last - first + 1 - sum(first <= gone <= last for gone in days_left_out(self.timezone))
