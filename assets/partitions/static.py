"""Partitions by named keys."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import Interval

MOST_KEYS = 10_000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Static:
    """One partition for each of ``keys``, which are kept in order. ``name`` is the dimension's name.

    A key is letters, digits, ``.``, ``_`` and ``-``, and begins with a letter or a digit. One that is added later is
    made like those that were there from the start.
    """

    name: str
    keys: tuple[str, ...]

    def __init__(self, name: str, keys: Iterable[str]) -> None:
        where = f"Static({name!r})"
        if not name.isidentifier():
            raise DeclarationError(f"{where}: the dimension's name must be an identifier, such as 'region'")
        if isinstance(keys, str):
            raise DeclarationError(f"{where}: the keys are the text {keys!r}; write a list, such as [{keys!r}]")
        listed = sorted(keys, key=str)
        if not 0 < len(listed) <= MOST_KEYS:
            raise DeclarationError(
                f"{where} has {len(listed)} keys; name at least one and at most {MOST_KEYS:,}, and cut what has more "
                "by day, or leave it in one piece"
            )
        for key in listed:
            check_key(key, where)
        for key, following in pairwise(listed):
            if key == following:
                raise DeclarationError(f"{where} has the key {key!r} twice; name it once")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "keys", tuple(listed))

    def __contains__(self, key: str) -> bool:
        place = bisect_left(self.keys, key)
        return place < len(self.keys) and self.keys[place] == key

    def parse(self, text: str) -> str:
        """Returns ``text`` as a partition key; raises DeclarationError when it is none of these partitions."""
        if text in self:
            return text
        import difflib  # only for who mistyped

        close = difflib.get_close_matches(text, self.keys, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"write one of {self._listed()}"
        raise DeclarationError(f"partition {text!r} is none of {self.name!r}; {remedy}")

    def clip(self, interval: Interval) -> Interval | None:
        """Returns from the first to the last of the keys in ``interval``; None when there are none."""
        lo, hi = bisect_left(self.keys, interval.lo), bisect_right(self.keys, interval.hi) - 1
        return Interval(self.keys[lo], self.keys[hi]) if lo <= hi else None

    def count(self, interval: Interval) -> int:
        """Returns how many keys there are in ``interval``."""
        return max(0, bisect_right(self.keys, interval.hi) - bisect_left(self.keys, interval.lo))

    def within(self, interval: Interval, limit: int) -> list[str]:
        """Returns the first keys in ``interval``, at most ``limit``."""
        lo = bisect_left(self.keys, interval.lo)
        return list(self.keys[lo : min(bisect_right(self.keys, interval.hi), lo + limit)])

    def overlaps(self, other: object) -> bool:
        return isinstance(other, Static) and not set(self.keys).isdisjoint(other.keys)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "static", "name": self.name, "keys": list(self.keys)}

    def _listed(self) -> str:
        shown = ", ".join(map(repr, self.keys[:5]))
        return shown if len(self.keys) <= 5 else f"{shown} and {len(self.keys) - 5} more"

    def __str__(self) -> str:
        return f"Static({self.name!r}, [{self._listed()}])"

    __repr__ = __str__


def check_key(key: object, where: str) -> None:
    """Raises DeclarationError, whose message begins with ``where``, for what can not name a partition."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise DeclarationError(
            f"{where}: {key!r:.300} can not be a key; write at most 200 letters, digits, '.', '_' and '-', "
            "beginning with a letter or a digit, such as 'eu' or 'us-east'"
        )
