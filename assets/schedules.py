"""When does a cron expression tick?

Instants are UTC microseconds. Clocks that change are treated as Vixie's and Debian's cron treat them: what names its
minutes and hours ticks once a day, after the gap when its time is left out and at the first of two equal times; what
says ``*`` there ticks as real time goes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from riparian.assets.errors import DeclarationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_BACK = 3_600 * _SECOND
"""How far before a tick it is begun to look forwards, so that the tick itself is met."""


@lru_cache(maxsize=4096)
def check_schedule(expression: str, timezone: str) -> None:
    """Raises DeclarationError for what can not be read, for a zone that there is not, and for what never ticks."""
    check_timezone(timezone, f"on_cron({expression!r}, timezone={timezone!r})")
    if (fields := len(expression.split())) != 5:
        raise DeclarationError(
            f"on_cron({expression!r}) has {fields} fields; write five: minute, hour, day of the month, month and day "
            "of the week, such as on_cron('0 6 * * *')"
        )
    from cronsim import CronSimError

    try:
        first = following(expression, timezone, 0)
    except CronSimError as exc:
        why = str(exc)[:1].lower() + str(exc)[1:]
        never = ", or a day that no such month has" if "day-of-month" in why else ""
        raise DeclarationError(
            f"on_cron({expression!r}) can not be read: {why}{never}; write minute, hour, day of the month, month and "
            "day of the week, such as on_cron('30 6 * * MON-FRI'), and L for the last day of the month"
        ) from exc
    if first is None:
        raise DeclarationError(f"on_cron({expression!r}) never ticks; name a day that exists, such as '0 6 1 * *'")


@lru_cache(maxsize=4096)
def following(expression: str, timezone: str, after: int) -> int | None:
    """Returns the first tick after the instant; None when there is none in fifty years."""
    return next((tick for tick in _ticks(expression, timezone, after) if tick > after), None)


@lru_cache(maxsize=4096)
def latest(expression: str, timezone: str, at: int) -> int | None:
    """Returns the last tick that is not after the instant; None when there is none in fifty years."""
    # Backwards cronsim loses the second of two equal hours: where clocks were changed, what it finds is where to begin,
    # and forwards decides.
    for about in _ticks(expression, timezone, at + _SECOND, reverse=True):
        around = (about - _BACK, about + _BACK, at - _BACK, at + _BACK)
        if about <= at and len({local(each, timezone).utcoffset() for each in around}) == 1:
            return about
        last = None
        for tick in _ticks(expression, timezone, min(about, at) - _BACK):
            if tick > at:
                break
            last = tick
        if last is not None:
            return last
    return None


def between(expression: str, timezone: str, start: int, end: int) -> Iterator[int]:
    """Yields the ticks from ``start`` on and before ``end``."""
    for tick in _ticks(expression, timezone, start - _BACK):
        if tick >= end:
            return
        if tick >= start:
            yield tick


def local(at: int, timezone: str) -> datetime:
    """Returns the instant as clocks of the zone show it; of a zone that is gone, as UTC does."""
    moment = _EPOCH + timedelta(microseconds=at)
    try:
        return moment.astimezone(zone(timezone))
    except LookupError:
        return moment


def _ticks(expression: str, timezone: str, after: int, *, reverse: bool = False) -> Iterator[int]:
    """Yields the ticks from about the instant on, or back; the first may lie before it, where clocks are set back."""
    from cronsim import CronSim

    start = (_EPOCH + timedelta(microseconds=after)).replace(microsecond=0)
    for tick in CronSim(expression, start.astimezone(zone(timezone)), reverse):
        yield (tick.astimezone(UTC) - _EPOCH) // _MICROSECOND


def zone(timezone: str) -> tzinfo:
    """Returns the clocks of a timezone; raises LookupError for one that there is not."""
    if timezone == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(timezone)


@lru_cache(maxsize=1024)
def check_timezone(timezone: str, what: str) -> None:
    """Raises DeclarationError, whose message begins with ``what``, for a zone that there is not."""
    try:
        # A path would be read as a file: only names go further.
        if len(timezone) > 100 or not re.fullmatch(r"[A-Za-z][\w+-]*(/[\w+-]+)*", timezone, re.ASCII):
            raise LookupError(timezone)
        zone(timezone)
    except (LookupError, ValueError, OSError) as exc:
        import difflib
        from zoneinfo import available_timezones

        timezone = timezone[:100]  # a stranger's text may be of any length
        close = difflib.get_close_matches(timezone, sorted(available_timezones()), n=1, cutoff=0.5)
        remedy = (
            f"did you mean {close[0]!r}?" if close else "write one such as 'Europe/Berlin', or leave it out for UTC"
        )
        raise DeclarationError(f"{what}: no such timezone; {remedy}") from exc
