"""Into which pieces is an asset cut, and which pieces of one asset does another need?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from riparian.assets.errors import DeclarationError

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

    def overlaps(self, other: Daily) -> bool:
        return self.start <= (other.end or "9999-12-31") and other.start <= (self.end or "9999-12-31")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "daily", "name": self.name, "start": self.start, "end": self.end}


def _day(text: str, what: str) -> date:
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise DeclarationError(f"{what} is not a day; write YYYY-MM-DD, such as '2013-01-31'") from exc
    if day.isoformat() != text:
        raise DeclarationError(f"{what} is not written YYYY-MM-DD; write {day.isoformat()!r}")
    return day


Partitions = Daily
"""Every partition definition there is. ``None`` stands for an asset in one piece."""


def fits(partitions: Partitions | None, key: str) -> bool:
    """Whether ``key`` is a partition of an asset that is cut so (None: in one piece)."""
    if partitions is None:
        return key == WHOLE
    try:
        partitions.parse(key)
    except DeclarationError:
        return False
    return True


def partitions_from_json(body: dict[str, Any] | None) -> Partitions | None:
    if body is None:
        return None
    if body.get("kind") != "daily":
        raise DeclarationError(f"unknown partitions {body.get('kind')!r}; this version knows 'daily'")
    return Daily(body["name"], body["start"], body.get("end"))


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
