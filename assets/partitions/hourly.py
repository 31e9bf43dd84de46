"""Partitions by the hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.windows import DAY, EPOCH, HOUR, LAST_DAY, Windows, day_named, written


@dataclass(frozen=True, slots=True)
class Hourly(Windows):
    """One partition an hour of UTC, keyed ``YYYY-MM-DDTHHZ`` so that keys sort as time does and no hour of a night in
    which clocks are set back is meant twice. ``start`` and ``end`` may be days, all of whose hours are meant."""

    name: str
    start: str
    end: str | None = None
    timezone: str = field(default="UTC", init=False, repr=False)

    kind = "hourly"
    strftime = "%Y-%m-%dT%HZ"
    parts = frozenset({"year", "month", "day", "hour"})
    latest = "9999-12-31T23Z"

    def spell(self, text: str, what: str) -> str:
        if type(text) is not str or len(text) != 14 or text[10] != "T" or text[13] != "Z" or text[11:13] not in _HOURS:
            raise DeclarationError(f"{what} is not an hour; write YYYY-MM-DDTHHZ, in UTC, such as '2013-01-31T06Z'")
        day_named(text[:10], what)
        return text

    def bound(self, text: str, what: str, label: str) -> str:
        if type(text) is str and len(text) == 10:
            day_named(text, what)
            return f"{text}T{'00' if label == 'start' else '23'}Z"
        return self.spell(text, what)

    def window(self, key: str) -> tuple[int, int]:
        start = _hour(key) * HOUR
        return start, start + HOUR

    def key_at(self, at: int) -> str:
        return _key(at // HOUR)

    def after(self, key: str, steps: int) -> str | None:
        hour = _hour(key) + steps
        return _key(hour) if _FIRST <= hour < _END else None

    def span(self, lo: str, hi: str) -> int:
        return _hour(hi) - _hour(lo) + 1

    def key_of(self, parts: Mapping[str, int]) -> str | None:
        try:
            day = date(parts["year"], parts["month"], parts["day"]).isoformat()
        except ValueError:
            return None
        return f"{day}T{parts['hour']:02}Z" if parts["hour"] < 24 else None


_HOURS = frozenset(f"{hour:02}" for hour in range(24))
_FIRST, _END = (1 - EPOCH) * 24, (LAST_DAY + 1 - EPOCH) * 24


def _hour(key: str) -> int:
    return (date.fromisoformat(key[:10]).toordinal() - EPOCH) * 24 + int(key[11:13])


def _key(hour: int) -> str:
    hour = min(max(hour, _FIRST), _END - 1)
    day, of_day, _ = written(hour * HOUR // DAY + EPOCH, hour * HOUR)
    return f"{day}T{of_day:02}Z"
