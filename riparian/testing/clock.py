"""What time is it in a test? What the test says; it never moves by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from riparian.assets.errors import Invalid

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
"""When a test takes place that says nothing else: a Wednesday."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved. ``moved`` is called afterwards."""

    def __init__(self, moved: Callable[[], None] = lambda: None) -> None:
        self._now = BEGIN
        self._moved = moved
        self._has_begun = False

    @property
    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._now

    def set(self, when: str | datetime, timezone: str = "UTC") -> None:
        """Moves the clock to a day or a time such as ``"2013-02-08 06:00"``, as clocks in ``timezone`` show it.

        Ticks of schedules on the way count as one, the last, as they do when Riparian was away. What waited for it is
        planned; ``run`` runs it. Raises Invalid for a time before the present one, once anything was done.
        """
        self._move(instant(when, timezone))

    def advance(self, **by: float) -> None:
        """Moves the clock on by ``weeks``, ``days``, ``hours``, ``minutes`` or ``seconds``, as ``set`` does."""
        try:
            self._move(self._now + timedelta(**by))
        except (TypeError, OverflowError) as exc:
            raise Invalid(f"the clock can not advance by {by}: {exc}; write hours=2 or days=1") from exc

    def begin(self) -> None:
        """From now on time does not go back."""
        self._has_begun = True

    def microseconds(self) -> int:
        """The time as the catalogue notes it: whole microseconds of UTC since 1970."""
        return (self._now - _EPOCH) // _MICROSECOND

    def _move(self, to: datetime) -> None:
        if self._has_begun and to < self._now:
            raise Invalid(
                f"it is {self._now:%Y-%m-%d %H:%M:%S} UTC, time does not go back to {to:%Y-%m-%d %H:%M:%S} UTC; "
                "set the clock before the first thing is done with the instance"
            )
        self._now = to
        if self._has_begun:
            self._moved()


def instant(when: str | datetime, timezone: str = "UTC") -> datetime:
    """Returns the moment, in UTC; raises Invalid when it can not be meant."""
    try:
        told = datetime.fromisoformat(when) if isinstance(when, str) else when
        return (told if told.tzinfo is not None else told.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError, OverflowError) as exc:
        raise Invalid(f"{when!r} in {timezone!r} is no time ({exc}); write '2013-02-08 06:00' or a datetime") from exc
