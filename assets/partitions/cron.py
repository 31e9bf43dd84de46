"""Partitions from one tick of a schedule to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

from riparian.assets import schedules
from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import Interval
from riparian.assets.partitions.windows import DAY, EPOCH, HOUR, SECOND, Windows, day_named, midnight, written

EARLIEST = "1980-01-01"
"""Before it there were clocks whose distance from UTC had seconds, and keys have none."""


_DAYS = 400

LONGEST = 100
"""Characters of an expression, and of a timezone."""


@dataclass(frozen=True, slots=True)
class Cron(Windows):
    """One partition from each tick of a cron expression to the next, read by the clocks of ``timezone``, keyed by the
    tick in UTC, ``YYYY-MM-DDTHHMMZ``: local times repeat in the night in which clocks are set back.

    ``start`` and ``end`` are such keys, or days of the timezone whose ticks are meant.
    """

    name: str
    expression: str
    start: str
    end: str | None = None
    timezone: str = "UTC"

    kind = "cron"
    strftime = "%Y-%m-%dT%H%MZ"
    parts = frozenset({"year", "month", "day", "hour", "minute"})
    latest = "9949-12-31T2359Z"

    def __post_init__(self) -> None:
        if type(self.expression) is not str or type(self.timezone) is not str:
            raise DeclarationError(f"{self.called}: write an expression and a timezone, such as '0 6 * * *' and 'UTC'")
        if max(len(self.expression), len(self.timezone)) > LONGEST:
            raise DeclarationError(f"{self.called}: write an expression and a timezone of at most {LONGEST} characters")
        schedules.check_schedule(self.expression, self.timezone)
        Windows.__post_init__(self)
        if self.start < EARLIEST:
            raise DeclarationError(f"{self.called}: start {self.start} lies too early; write {EARLIEST} or later")

    @property
    def most(self) -> str:
        return self.end or self.key_at(_instant(self.latest) or 0)

    def spell(self, text: str, what: str) -> str:
        if (at := _instant(text)) is None:
            raise DeclarationError(f"{what} is not a tick; write YYYY-MM-DDTHHMMZ, in UTC, such as '2013-01-31T0600Z'")
        if text < EARLIEST or text > self.latest:
            raise DeclarationError(f"{what} lies outside {EARLIEST} to {self.latest}; write a tick between them")
        if (last := self._latest(at)) != at:
            near = f"; the tick before it is {_key(last)!r}" if last is not None else "; write another"
            raise DeclarationError(f"{what} is no tick of {self.expression!r} ({self.timezone}){near}")
        return text

    def bound(self, text: str, what: str, label: str) -> str:
        if type(text) is str and len(text) == 10:
            day = day_named(text, what)
            if text < EARLIEST or text[:4] > "9900":
                raise DeclarationError(f"{what} lies too far away; write a day from {EARLIEST} on")
            begins, ends = midnight(self.timezone, day), midnight(self.timezone, day + 1)
            at = self._following(begins - 1) if label == "start" else self._latest(ends - 1)
            if at is None:
                raise DeclarationError(f"{what}: {self.expression!r} does not tick there; write another day")
            return _key(at)
        return self.spell(text, what)

    def window(self, key: str) -> tuple[int, int]:
        at = _instant(key)
        assert at is not None  # noqa: S101 - keys were spelled
        return at, self._following(at) or at + DAY

    def key_at(self, at: int) -> str:
        # Other windows reach farther: what lies before all of these is in none, and what lies behind them in the last.
        return _key((self._latest(min(at, _LAST)) or 0) if at >= _FIRST else 0)

    def after(self, key: str, steps: int) -> str | None:
        at = _instant(key)
        for _ in range(abs(steps)):
            if at is None or not _FIRST <= at <= _LAST:
                return None
            at = self._following(at) if steps > 0 else self._latest(at - 1)
        return None if at is None else _key(at)

    def span(self, lo: str, hi: str) -> int:
        return _count(self.expression, self.timezone, lo, hi)

    def within(self, interval: Interval, limit: int) -> list[str]:
        clipped = self.clip(interval)
        if clipped is None:
            return []
        start, end = _instant(clipped.lo) or 0, (_instant(clipped.hi) or 0) + 1
        found: list[str] = []
        for tick in schedules.between(self.expression, self.timezone, start, end):
            if len(found) >= limit:
                break
            found.append(_key(tick))
        return found

    def key_of(self, parts: Mapping[str, int]) -> str | None:
        key = f"{parts['year']:04}-{parts['month']:02}-{parts['day']:02}T{parts['hour']:02}{parts['minute']:02}Z"
        try:
            return self.spell(key, "")
        except DeclarationError:
            return None

    def longest_pause(self) -> int:
        """Returns how far the days on which it ticks lie apart at the most, of those of its first year and more."""
        return _longest_pause(self.expression, self.timezone, self.window(self.start)[0], self.window(self.most)[1])

    def to_json(self) -> dict[str, Any]:
        return {**Windows.to_json(self), "expression": self.expression}

    def _following(self, after: int) -> int | None:
        return schedules.following(self.expression, self.timezone, after)

    def _latest(self, at: int) -> int | None:
        return schedules.latest(self.expression, self.timezone, at)


@lru_cache(maxsize=4096)
def _count(expression: str, timezone: str, lo: str, hi: str) -> int:
    return sum(1 for _ in schedules.between(expression, timezone, _instant(lo) or 0, (_instant(hi) or 0) + 1))


@lru_cache(maxsize=4096)
def _longest_pause(expression: str, timezone: str, start: int, end: int) -> int:
    days = " ".join(["0", "0", *expression.split()[2:]])
    return max(
        (b - a for a, b in pairwise((start, *islice(schedules.between(days, timezone, start, end), _DAYS)))), default=0
    )


def _instant(key: object) -> int | None:
    if type(key) is not str or len(key) != 16 or key[10] != "T" or key[15] != "Z" or not key[11:15].isascii():
        return None
    try:
        day = date.fromisoformat(key[:10])
    except ValueError:
        return None
    if not key[11:15].isdigit() or key[11:13] > "23" or key[13:15] > "59" or day.isoformat() != key[:10]:
        return None
    return (day.toordinal() - EPOCH) * DAY + int(key[11:13]) * HOUR + int(key[13:15]) * 60 * SECOND


def _key(at: int) -> str:
    day, hour, minute = written(at // DAY + EPOCH, at)
    return f"{day}T{hour:02}{minute:02}Z"


_FIRST = _instant(f"{EARLIEST}T0000Z") or 0
_LAST = _instant(Cron.latest) or 0
