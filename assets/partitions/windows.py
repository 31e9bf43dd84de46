"""What have all partitions by time in common?

Each is a window, from an instant to the next window's. Instants are UTC microseconds. The windows of a kind tile all
of time; ``start`` and ``end`` say which of them there are. Keys sort as time does, and no key means two windows,
whatever clocks do: where they are set back, local times repeat, so only whole local days and longer are named by
local time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import Interval
from riparian.assets.schedules import check_timezone, local, zone

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = date(1970, 1, 1).toordinal()
LAST_DAY = date.max.toordinal()


class Windows(ABC):
    """Partitions by time. ``name`` is the dimension's name; ``start`` and ``end`` are the keys of the first and of the
    last window, without ``end`` there is no last one. Its kinds are frozen dataclasses with these fields."""

    __slots__ = ()

    name: str
    start: str
    end: str | None
    timezone: str

    kind: ClassVar[str]
    strftime: ClassVar[str]
    """How the name of a file says which window it is for, where the pattern does not say otherwise."""
    parts: ClassVar[frozenset[str]]
    """What a pattern has to say of the window's beginning: year, month, day, hour, minute."""
    latest: ClassVar[str]
    """The greatest key that can be written."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise DeclarationError(f"{self.called}: the dimension's name must be an identifier, such as 'day'")
        if not isinstance(self.timezone, str):
            raise DeclarationError(f"{self.called}: timezone={self.timezone!r}; write one such as 'Europe/Berlin'")
        check_timezone(self.timezone, f"{self.called}: timezone={self.timezone[:100]!r}")
        for label in ("start", "end"):
            value = getattr(self, label)
            if label == "start" or value is not None:
                # One way to write it: definitions that say the same are equal.
                object.__setattr__(self, label, self.bound(value, f"{self.called}: {label}={value!r}", label))
        if self.end is not None and self.end < self.start:
            raise DeclarationError(f"{self.called}: end {self.end} lies before start {self.start}")

    @property
    def called(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    def spell(self, text: str, what: str) -> str:
        """Returns ``text`` if it is the key of a window, within ``start`` and ``end`` or not; raises DeclarationError,
        whose message begins with ``what``."""

    @abstractmethod
    def window(self, key: str) -> tuple[int, int]:
        """Returns from when to when (exclusive) the window of that key lasts."""

    @abstractmethod
    def key_at(self, at: int) -> str:
        """Returns the key of the window in which the instant lies."""

    @abstractmethod
    def after(self, key: str, steps: int) -> str | None:
        """Returns the key that many windows later (earlier, if negative); None where time itself ends."""

    @abstractmethod
    def span(self, lo: str, hi: str) -> int:
        """Returns how many windows there are from ``lo`` to ``hi``, both included."""

    @abstractmethod
    def key_of(self, parts: Mapping[str, int]) -> str | None:
        """Returns the key that year, month, day, hour and minute in a file's name stand for; None when they stand for
        none. What the name does not say is left out."""

    def ticked(self, at: int, timezone: str) -> str:
        """Returns the key that a tick of a schedule is about, where no input says for which windows to run."""
        return self.key_at(at)

    def began(self, key: str, timezone: str) -> int:
        """Returns the instant from which on ticks of that timezone's clocks are about the window."""
        return self.window(key)[0]

    def bound(self, text: str, what: str, label: str) -> str:
        """Returns the key that ``start`` or ``end`` means."""
        return self.spell(text, what)

    @property
    def most(self) -> str:
        """The key of the last window, of those that have no end too."""
        return self.end or self.latest

    def parse(self, text: str) -> str:
        """Returns ``text`` as a partition key; raises DeclarationError when it is none of these partitions."""
        self.spell(text, f"partition {text!r}")
        if not self.start <= text <= self.most:
            raise DeclarationError(f"partition {text!r} lies outside {self.start} to {self.most}")
        return text

    def near(self, at: int) -> str:
        """Returns the key of the window in which the instant lies or, where there is none, of the nearest."""
        return min(max(self.key_at(at), self.start), self.most)

    def is_key(self, text: str) -> bool:
        """Whether ``text`` is the key of a window, within ``start`` and ``end`` or not."""
        try:
            return bool(self.spell(text, ""))
        except DeclarationError:
            return False

    def clip(self, interval: Interval) -> Interval | None:
        """Returns the windows there are of ``interval``; None when there are none, and for what are no keys: of what
        was made before the partitions were declared otherwise."""
        lo, hi = max(interval.lo, self.start), min(interval.hi, self.most)
        return Interval(lo, hi) if lo <= hi and self.is_key(lo) and self.is_key(hi) else None

    def count(self, interval: Interval) -> int:
        """Returns how many windows there are in ``interval``."""
        clipped = self.clip(interval)
        return self.span(clipped.lo, clipped.hi) if clipped else 0

    def within(self, interval: Interval, limit: int) -> list[str]:
        """Returns the first keys in ``interval``, at most ``limit``."""
        clipped = self.clip(interval)
        key = clipped.lo if clipped else None
        found: list[str] = []
        while clipped and key is not None and key <= clipped.hi and len(found) < limit:
            found.append(key)
            key = self.after(key, 1)
        return found

    def overlaps(self, other: object) -> bool:
        """Whether there is a moment that a partition of each covers."""
        if not isinstance(other, Windows):
            return False
        return (
            self.window(self.start)[0] < other.window(other.most)[1]
            and other.window(other.start)[0] < self.window(self.most)[1]
        )

    def to_json(self) -> dict[str, Any]:
        body = {"kind": self.kind, "name": self.name, "start": self.start, "end": self.end}
        return body if self.timezone == "UTC" else {**body, "timezone": self.timezone}


class Dated(Windows):
    """Windows of whole days, by the clocks of ``timezone``; a day lasts 23 hours or 25 where they are changed."""

    __slots__ = ()

    @abstractmethod
    def first_day(self, key: str) -> int:
        """Returns the ordinal of the window's first day."""

    @abstractmethod
    def floor(self, day: int) -> int:
        """Returns the first day of the window in which the day lies."""

    @abstractmethod
    def following(self, day: int, steps: int = 1) -> int | None:
        """Returns the first day of the window that many later, of one whose first day is ``day``."""

    @abstractmethod
    def write(self, day: int) -> str:
        """Returns the key of the window whose first day is ``day``."""

    def window(self, key: str) -> tuple[int, int]:
        day = self.first_day(key)
        # Where the calendar of this program ends, so does its last window.
        return midnight(self.timezone, day), midnight(self.timezone, self.following(day) or LAST_DAY + 1)

    def key_at(self, at: int) -> str:
        day = self.floor(min(max(local_day(self.timezone, at), 1), LAST_DAY))
        # Clocks that are set back over midnight show a day twice: it begins once.
        while at < midnight(self.timezone, day) and (before := self.following(day, -1)):
            day = before
        while (then := self.following(day)) and at >= midnight(self.timezone, then):
            day = then
        return self.write(day)

    def after(self, key: str, steps: int) -> str | None:
        day = self.following(self.first_day(key), steps)
        return None if day is None else self.write(day)

    def ticked(self, at: int, timezone: str) -> str:
        # Days of no zone in particular are those that the schedule's clock shows.
        if self.timezone == "UTC":
            return self.write(self.floor(local(at, timezone).date().toordinal()))
        return self.key_at(at)

    def began(self, key: str, timezone: str) -> int:
        return midnight(timezone if self.timezone == "UTC" else self.timezone, self.first_day(key))

    def key_of(self, parts: Mapping[str, int]) -> str | None:
        try:
            key = self.write(date(parts["year"], parts["month"], parts.get("day", 1)).toordinal())
            return key if self.spell(key, "") else None
        except (ValueError, DeclarationError):
            return None


def day_named(text: str, what: str) -> int:
    """Returns the ordinal of a day written YYYY-MM-DD; raises DeclarationError for another text."""
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise DeclarationError(f"{what} is not a day; write YYYY-MM-DD, such as '2013-01-31'") from exc
    if day.isoformat() != text:
        raise DeclarationError(f"{what} is not written YYYY-MM-DD; write {day.isoformat()!r}")
    return day.toordinal()


@lru_cache(maxsize=65_536)
def midnight(timezone: str, day: int) -> int:
    """Returns when the day begins: at the first of two midnights, and where clocks leave it out, at their change."""
    flat = (day - EPOCH) * DAY
    if timezone == "UTC" or not 400 < day < LAST_DAY - 400:
        return flat
    begins = datetime.fromordinal(day).replace(tzinfo=zone(timezone))
    offset = begins.utcoffset() or timedelta(0)
    return flat - (offset.days * DAY + offset.seconds * SECOND + offset.microseconds)


def local_day(timezone: str, at: int) -> int:
    """Returns the day that clocks of the zone show."""
    flat = at // DAY + EPOCH
    return flat if timezone == "UTC" or not 400 < flat < LAST_DAY - 400 else local(at, timezone).toordinal()


@lru_cache(maxsize=256)
def days_left_out(timezone: str) -> tuple[int, ...]:
    """Returns the days that the zone never had: Samoa went over the date line, and had no 2011-12-30."""
    if timezone == "UTC":
        return ()
    clocks, found = zone(timezone), []
    months = [date(1900 + n // 12, n % 12 + 1, 1).toordinal() for n in range(201 * 12)]
    offsets = [datetime.fromordinal(day).replace(tzinfo=clocks).utcoffset() or timedelta(0) for day in months]
    for n in range(len(months) - 1):
        # Only a leap over the line is that long, and only then is each day looked at.
        if offsets[n + 1] - offsets[n] > timedelta(hours=12):
            found += [d for d in range(months[n], months[n + 1]) if midnight(timezone, d) >= midnight(timezone, d + 1)]
    return tuple(found)


def written(day: int, at: int) -> tuple[str, int, int]:
    """Returns an instant of UTC as the text of its day, with the hour and the minute."""
    minutes = (at - (day - EPOCH) * DAY) // (60 * SECOND)
    return date.fromordinal(day).isoformat(), minutes // 60, minutes % 60
