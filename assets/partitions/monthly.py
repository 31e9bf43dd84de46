"""Partitions by the month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.windows import Dated


@dataclass(frozen=True, slots=True)
class Monthly(Dated):
    """One partition a month of ``timezone``, keyed ``YYYY-MM`` so that keys sort as time does."""

    name: str
    start: str
    end: str | None = None
    timezone: str = "UTC"

    kind = "monthly"
    strftime = "%Y-%m"
    parts = frozenset({"year", "month"})
    latest = "9999-12"

    def spell(self, text: str, what: str) -> str:
        try:
            if self.write(self.first_day(text)) == text:
                return text
        except (TypeError, ValueError):
            pass
        raise DeclarationError(f"{what} is not a month; write YYYY-MM, such as '2013-01'")

    def first_day(self, key: str) -> int:
        return date.fromisoformat(f"{key}-01").toordinal()

    def floor(self, day: int) -> int:
        return date.fromordinal(day).replace(day=1).toordinal()

    def following(self, day: int, steps: int = 1) -> int | None:
        found = _month(day) + steps
        return date(found // 12, found % 12 + 1, 1).toordinal() if 12 <= found < 120_000 else None

    def write(self, day: int) -> str:
        return date.fromordinal(day).isoformat()[:7]

    def span(self, lo: str, hi: str) -> int:
        return _month(self.first_day(hi)) - _month(self.first_day(lo)) + 1


def _month(day: int) -> int:
    then = date.fromordinal(day)
    return then.year * 12 + then.month - 1
