"""Into which pieces is an asset cut, and which pieces of one asset does another need?"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, TEXT, Kinds, judge

WHOLE = ""
"""The partition key of an asset that is not partitioned."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The partitions ``lo <= key <= hi`` of one asset, in the order of their keys. ``EVERYTHING`` holds them all."""

    lo: str
    hi: str

    def __contains__(self, partition: str) -> bool:
        return self.lo <= partition <= self.hi


EVERYTHING = Interval("", "\U0010ffff")

MOST_KEYS = 10_000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Daily:
    """One partition a day, keyed ``YYYY-MM-DD`` so that keys sort as time does. ``name`` is the dimension's name."""

    name: str
    start: str
    end: str | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise DeclarationError(f"Daily({self.name!r}): the dimension's name must be an identifier, such as 'day'")
        for label, value in (("start", self.start), ("end", self.end)):
            if value is not None:
                _day(value, f"Daily({self.name!r}, {label}={value!r})")
        if self.end is not None and self.end < self.start:
            raise DeclarationError(f"Daily({self.name!r}): end {self.end} lies before start {self.start}")

    def parse(self, text: str) -> str:
        """Returns ``text`` as a partition key; raises DeclarationError when it is none of these partitions."""
        _day(text, f"partition {text!r}")
        if text < self.start or (self.end is not None and text > self.end):
            raise DeclarationError(f"partition {text!r} lies outside {self.start} to {self.end or '9999-12-31'}")
        return text

    def overlaps(self, other: Partitions) -> bool:
        if not isinstance(other, Daily):
            return False
        return self.start <= (other.end or "9999-12-31") and other.start <= (self.end or "9999-12-31")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "daily", "name": self.name, "start": self.start, "end": self.end}


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
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise DeclarationError(
                    f"{where}: {key!r} can not be a key; write at most 200 letters, digits, '.', '_' and '-', "
                    "beginning with a letter or a digit, such as 'eu' or 'us-east'"
                )
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

    def overlaps(self, other: Partitions) -> bool:
        return isinstance(other, Static) and not set(self.keys).isdisjoint(other.keys)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "static", "name": self.name, "keys": list(self.keys)}

    def _listed(self) -> str:
        shown = ", ".join(map(repr, self.keys[:5]))
        return shown if len(self.keys) <= 5 else f"{shown} and {len(self.keys) - 5} more"

    def __str__(self) -> str:
        return f"Static({self.name!r}, [{self._listed()}])"

    __repr__ = __str__


def _day(text: str, what: str) -> date:
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise DeclarationError(f"{what} is not a day; write YYYY-MM-DD, such as '2013-01-31'") from exc
    if day.isoformat() != text:
        raise DeclarationError(f"{what} is not written YYYY-MM-DD; write {day.isoformat()!r}")
    return day


Partitions = Daily | Static
"""Every partition definition there is. ``None`` stands for an asset in one piece."""

KINDS = (Daily, Static)


def fits(partitions: Partitions | None, key: str) -> bool:
    """Whether ``key`` is a partition of an asset that is cut so (None: in one piece)."""
    if partitions is None:
        return key == WHOLE
    if isinstance(partitions, Static):
        return key in partitions
    try:
        partitions.parse(key)
    except DeclarationError:
        return False
    return True


_FIELDS: dict[str, dict[str, Kinds]] = {
    "daily": {"kind": TEXT, "name": TEXT, "start": TEXT, "end": (str, type(None))},
    "static": {"kind": TEXT, "name": TEXT, "keys": LIST},
}


def partitions_from_json(body: dict[str, Any] | None) -> Partitions | None:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if body is None:
        return None
    kind = body.get("kind")
    if isinstance(kind, str) and kind in _FIELDS:
        judge(body, _FIELDS[kind], "partitions")
    match kind:
        case "daily":
            return Daily(body["name"], body["start"], body.get("end"))
        case "static":
            return Static(body["name"], body["keys"])
        case other:
            raise DeclarationError(f"unknown partitions {other!r}; this version knows 'daily' and 'static'")


@dataclass(frozen=True, slots=True)
class Identity:
    """The consumer's partition needs the same partition of the input."""

    kind = "identity"

    def up(self, partition: str) -> Interval:
        return Interval(partition, partition)

    def down(self, partition: str) -> Interval:
        return Interval(partition, partition)


@dataclass(frozen=True, slots=True)
class AllPartitions:
    """The consumer needs all existing partitions of the input."""

    kind = "all"

    def up(self, partition: str) -> Interval:
        return EVERYTHING

    def down(self, partition: str) -> Interval:
        return EVERYTHING


@dataclass(frozen=True, slots=True)
class One:
    """The input is in one piece, and every partition of the consumer needs it."""

    kind = "one"

    def up(self, partition: str) -> Interval:
        return Interval(WHOLE, WHOLE)

    def down(self, partition: str) -> Interval:
        return EVERYTHING


Mapping = Identity | AllPartitions | One
MAPPINGS: dict[str, Mapping] = {m.kind: m for m in (Identity(), AllPartitions(), One())}
"""By kind. ``up`` gives the input's partitions that a consumer's partition needs, ``down`` the reverse."""


def default_mapping(consumer: Partitions | None, consumed: Partitions | None) -> Mapping | None:
    """Returns the mapping that goes without saying, or None when it must be said."""
    if consumed is None:
        return One()
    if consumer is None:
        return AllPartitions()
    return Identity() if consumer == consumed else None
