"""How long is that? Spans of time as people write them, in whole seconds."""

from __future__ import annotations

import re
from datetime import timedelta

from riparian.assets.errors import DeclarationError
from riparian.assets.schedules import local

LONGEST = 366 * 86_400
"""Seconds of the longest span: a leap year."""

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)


def seconds_of(span: object, what: str) -> int:
    """Returns the seconds of ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"`` or a timedelta of whole seconds, at least one.
    Raises DeclarationError, which names ``what``, for all else."""
    if isinstance(span, timedelta) and not span.microseconds:
        return checked(span.days * 86_400 + span.seconds, what)
    if isinstance(span, str) and (found := _WRITTEN.fullmatch(span)):
        return checked(int(found[1]) * _UNITS[found[2]], what)
    shown = span[:40] if isinstance(span, str) else span
    raise DeclarationError(f"{what} is {shown!r}; write '90s', '5m', '2h', '1d' or a timedelta of whole seconds")


def checked(seconds: int, what: str) -> int:
    """Returns ``seconds``; raises DeclarationError where that is no whole number of them within a year."""
    if type(seconds) is not int or not 1 <= seconds <= LONGEST:
        raise DeclarationError(f"{what} is {seconds!r} seconds; write a span from '1s' to '366d'")
    return seconds


def written(seconds: int) -> str:
    """Returns the text that ``seconds_of`` reads, in the largest unit that has no rest."""
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS.items() if seconds % size == 0)


def instant(at: int) -> str:
    """Returns the instant, UTC microseconds, for a sentence."""
    return f"{local(at, 'UTC'):%Y-%m-%d %H:%M:%S} UTC"
