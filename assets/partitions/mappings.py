"""Which pieces of one asset does a piece of another need?

A mapping is a value with two pure functions of the consumer's partitions (``own``) and the input's (``other``; None: in
one piece). ``up`` gives the input's partitions that the consumer's need, ``down`` those of the consumer that need the
input's; they say the same in two directions. Both take and give intervals, so that a million partitions cost no more
than one. A new mapping is one class here and one line in the table below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from itertools import islice, takewhile
from operator import itemgetter
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, OBJECT, TEXT, Kinds, judge, texts
from riparian.assets.partitions.base import EVERYTHING, WHOLE, Interval, Keys, one
from riparian.assets.partitions.cron import Cron
from riparian.assets.partitions.static import Static
from riparian.assets.partitions.windows import Windows

Cut = Windows | Static | None
"""How an asset is cut; None: it is in one piece."""

FARTHEST = 1_000
"""How many windows away an ``Offset`` may look: those of a schedule are found one by one."""

MOST_TOGETHER = 11_000
"""Windows of an input that may overlap one of its consumer: the hours of a year, the minutes of a week. All of them are
looked at while nobody else writes, and a run is granted all of them."""

MOST_WRITTEN = 20_000
"""Keys that one table may name as needed: at each update all of them may be looked at while nobody else writes."""

LARGEST_NUMBER = 1_000_000


class Mapping(ABC):
    """Which partitions of an input are meant; see the kinds."""

    __slots__ = ()

    kind: ClassVar[str]
    cuts: ClassVar[bool] = False
    """Whether the input's partitions say for which partitions the consumer could run."""

    @property
    def many(self) -> bool:
        """Whether a set of partitions is meant, which is received as one table or as ``dict[key, T]``."""
        return False

    @property
    def label(self) -> str:
        """What tells two inputs from one asset apart; empty for the one partition that goes without saying."""
        return ""

    @property
    def can_be_none(self) -> bool:
        """Whether there may be nothing that is meant, at an end of the series: then the consumer runs and gets None."""
        return False

    def required(self, keys: Keys, other: Cut) -> int:
        """Returns how many of ``keys`` must have a version before the consumer can run."""
        return 1

    @abstractmethod
    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        """Returns the input's partitions that the consumer's ``interval`` needs."""

    @abstractmethod
    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        """Returns the consumer's partitions that need one of the input's ``interval``."""

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        """Returns why it can never match these partitions, with the remedy; None when it can."""
        return None

    def to_json(self) -> Any:
        return self.kind


@dataclass(frozen=True, slots=True)
class Identity(Mapping):
    """The consumer's partition needs the same partition of the input."""

    kind = "identity"
    cuts = True

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (interval,)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (interval,)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "Identity() asks for the same partition, but the input is in one piece", "Leave the mapping out"
        if own is None:
            return "Identity() asks for the same partition, but the consumer is in one piece", "Write AllPartitions()"
        if type(own) is not type(other):
            return f"{own} and {other} have no partition in common", "Leave the mapping out, or write another"
        if not own.overlaps(other):
            return f"{own} and {other} have no partition in common", "Let their days overlap"
        return None


@dataclass(frozen=True, slots=True)
class AllPartitions(Mapping):
    """The consumer needs all existing partitions of the input, together, once there are ``at_least`` that many."""

    at_least: int = 1

    kind = "all"
    many = True

    def __post_init__(self) -> None:
        _check_at_least(self.at_least, "AllPartitions")

    @property
    def label(self) -> str:
        return "all"

    def required(self, keys: Keys, other: Cut) -> int:
        return self.at_least

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (EVERYTHING,)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "AllPartitions() asks for its partitions, but the input is in one piece", "Leave the mapping out"
        return _too_many(self.at_least, other)

    def to_json(self) -> Any:
        return self.kind if self.at_least == 1 else {"kind": self.kind, "at_least": self.at_least}


@dataclass(frozen=True, slots=True)
class One(Mapping):
    """The input is in one piece, and every partition of the consumer needs it."""

    kind = "one"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (one(WHOLE),)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is not None:
            return "One() asks for an input in one piece, but it is partitioned", "Write Identity() or AllPartitions()"
        return None


@dataclass(frozen=True, slots=True)
class Overlapping(Mapping):
    """The consumer's window needs those windows of the input that overlap it: the hours of a day, or the day of an
    hour. It waits for all of them that there are by definition, also where the window has not ended yet; with
    ``at_least``, for that many, and runs again as more arrive."""

    at_least: int | None = None

    kind = "overlapping"
    many = True
    cuts = True

    def __post_init__(self) -> None:
        if self.at_least is not None:
            _check_at_least(self.at_least, "Overlapping")

    @property
    def label(self) -> str:
        return "overlapping"

    def required(self, keys: Keys, other: Cut) -> int:
        return _required(self.at_least, keys, other)

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _overlapping(interval, own, other)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _overlapping(interval, other, own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(own, Windows) or not isinstance(other, Windows):
            return "Overlapping() asks for windows of time on both sides", "Leave the mapping out, or write another"
        if not own.overlaps(other):
            return f"{own} and {other} have no moment in common", "Let them overlap"
        if (together := _longest(own) // _shortest(other)) > MOST_TOGETHER:
            what = f"one window of {own} may have {together:,} of {other}, more than {MOST_TOGETHER:,}"
            return what, "Put one of a size between them"
        return None

    def to_json(self) -> Any:
        return self.kind if self.at_least is None else {"kind": self.kind, "at_least": self.at_least}


@dataclass(frozen=True, slots=True)
class Last(Mapping):
    """Whatever partition of the consumer runs, it needs the newest partition of the input that has a version."""

    kind = "last"

    @property
    def label(self) -> str:
        return "last"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (EVERYTHING,)  # which of them is the newest only the facts can say

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _each(own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(other, Windows):
            return "Last() asks for the newest window, but the input has no windows", "Write Fixed('its key')"
        return None


@dataclass(frozen=True, slots=True)
class Fixed(Mapping):
    """Whatever partition of the consumer runs, it needs this one of the input."""

    key: str

    kind = "fixed"

    @property
    def label(self) -> str:
        return f"fixed {self.key}"

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return (one(self.key),)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _each(own) if self.key in interval else ()

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if other is None:
            return "Fixed() asks for a partition, but the input is in one piece", "Leave the mapping out"
        try:
            other.parse(self.key)
        except DeclarationError as exc:
            return str(exc).partition("; ")[0], "Name a partition that it has"
        return None

    def to_json(self) -> Any:
        return {"kind": self.kind, "key": self.key}


@dataclass(frozen=True, slots=True)
class Offset(Mapping):
    """The consumer's window needs the input's ``first`` windows later (earlier, if negative): ``Offset(-1)`` is the one
    before. With ``last``, all from the one to the other: ``Offset(-6, 0)`` are the seven up to this one.

    At an end of the series, where there is none, it waits for none and the parameter is None. So an asset can be made
    from its own partition before.
    """

    first: int
    last: int | None = None

    kind = "offset"
    cuts = True

    def __post_init__(self) -> None:
        for value in (self.first, self.until):
            if type(value) is not int or not -FARTHEST <= value <= FARTHEST:
                raise DeclarationError(f"{self}: {value!r} is no number of windows; write one such as -1")
        if self.until < self.first:
            raise DeclarationError(f"{self} ends before it begins; write Offset({self.until}, {self.first})")

    @property
    def until(self) -> int:
        return self.first if self.last is None else self.last

    @property
    def many(self) -> bool:
        return self.last is not None

    @property
    def label(self) -> str:
        return f"offset {self.first}" + ("" if self.last is None else f" to {self.last}")

    @property
    def can_be_none(self) -> bool:
        return not self.first <= 0 <= self.until

    def required(self, keys: Keys, other: Cut) -> int:
        return _required(None, keys, other)

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _shifted(interval, own, other, self.first, self.until)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _shifted(interval, other, own, -self.until, -self.first)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(own, Windows) or not isinstance(other, Windows):
            return f"{self} asks for windows of time on both sides", "Write another mapping"
        if (type(own), own.timezone, getattr(own, "expression", "")) != (
            type(other),
            other.timezone,
            getattr(other, "expression", ""),
        ):
            return f"{self} counts windows, but {own} and {other} are not the same ones", "Cut both in the same way"
        return None

    def to_json(self) -> Any:
        body = {"kind": self.kind, "first": self.first}
        return body if self.last is None else {**body, "last": self.last}


@dataclass(frozen=True, slots=True)
class ByKey(Mapping):
    """A table: each ``Static`` key of the consumer needs the keys of the input that are written beside it, all of them
    or, with ``at_least``, that many. A key that is not in the table needs none, and so never runs."""

    table: tuple[tuple[str, tuple[str, ...]], ...]
    at_least: int | None = None
    _needing: Dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """The table read from the other side: whoever looked for it would look through all of it at each update."""

    kind = "by_key"
    many = True
    cuts = True

    def __init__(self, table: Dict[str, Iterable[str]], at_least: int | None = None) -> None:
        if not isinstance(table, Dict) or not table:
            raise DeclarationError(f"ByKey({table!r}) is no table; write ByKey({{'south': ['es', 'it']}})")
        rows = []
        for key, needs in table.items():
            if isinstance(needs, str) or not (listed := sorted(set(needs))):
                raise DeclarationError(f"ByKey: {key!r} needs {needs!r}; write a list with at least one key")
            texts([key, *listed], "ByKey")
            rows.append((key, tuple(listed)))
        if at_least is not None:
            _check_at_least(at_least, "ByKey")
        if sum(len(needs) for _, needs in rows) > MOST_WRITTEN:
            raise DeclarationError(
                f"ByKey: the table names more than {MOST_WRITTEN:,} keys; put an asset of fewer keys between them"
            )
        needing: dict[str, list[str]] = {}
        for key, needed in sorted(rows):
            for need in needed:
                needing.setdefault(need, []).append(key)
        object.__setattr__(self, "table", tuple(sorted(rows)))
        object.__setattr__(self, "at_least", at_least)
        object.__setattr__(self, "_needing", {need: tuple(keys) for need, keys in sorted(needing.items())})

    @property
    def label(self) -> str:
        return "by key"

    def required(self, keys: Keys, other: Cut) -> int:
        return _required(self.at_least, keys, other)

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        first = bisect_left(self.table, interval.lo, key=itemgetter(0))
        rows = takewhile(lambda row: row[0] <= interval.hi, islice(self.table, first, None))
        return _runs({k for _, needs in rows for k in needs}, other)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        if interval.lo == interval.hi:
            return _runs({*self._needing.get(interval.lo, ())}, own)
        return _runs({key for need, keys in self._needing.items() if need in interval for key in keys}, own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(own, Static) or not isinstance(other, Static):
            return "ByKey() asks for Static keys on both sides", "Write another mapping"
        for cut, named in ((own, [k for k, _ in self.table]), (other, [k for _, needs in self.table for k in needs])):
            if strange := next((k for k in named if k not in cut), None):
                return f"ByKey() names {strange!r}, which is no key of {cut}", "Name keys that there are"
        return None

    def to_json(self) -> Any:
        body: dict[str, Any] = {"kind": self.kind, "table": {key: list(needs) for key, needs in self.table}}
        return body if self.at_least is None else {**body, "at_least": self.at_least}


_NUMBER: Kinds = (int,)
_FIELDS: dict[str, dict[str, Kinds]] = {
    "all": {"kind": TEXT, "at_least": _NUMBER},
    "overlapping": {"kind": TEXT, "at_least": _NUMBER},
    "fixed": {"kind": TEXT, "key": TEXT},
    "offset": {"kind": TEXT, "first": _NUMBER, "last": _NUMBER},
    "by_key": {"kind": TEXT, "table": OBJECT, "at_least": _NUMBER},
}


def mapping_from_json(body: Any) -> Mapping:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if type(body) is str and body in MAPPINGS:
        return MAPPINGS[body]
    kind = body.get("kind") if type(body) is dict else None
    if type(kind) is not str or kind not in _FIELDS:
        raise DeclarationError(f"unknown mapping {body!r:.80}; use the same version of riparian on both sides")
    judge(body, _FIELDS[kind], "a mapping")
    match kind:
        case "all":
            return AllPartitions(body["at_least"])
        case "overlapping":
            return Overlapping(body["at_least"])
        case "fixed":
            return Fixed(body["key"])
        case "offset":
            return Offset(body["first"], body.get("last"))
        case _:
            for needs in body["table"].values():
                judge({"needs": needs}, {"needs": LIST}, "a mapping")
                texts(needs, "a mapping")
            return ByKey(body["table"], body.get("at_least"))


def default_mapping(consumer: Cut, consumed: Cut) -> Mapping | None:
    """Returns the mapping that goes without saying, or None when it must be said."""
    if consumed is None:
        return One()
    if consumer is None:
        return AllPartitions()
    if consumer == consumed:
        return Identity()
    # Of the same size with other ends it must be said whether the same ones are meant.
    if isinstance(consumer, Windows) and isinstance(consumed, Windows) and not _same_size(consumer, consumed):
        return Overlapping() if consumer.overlaps(consumed) else None
    return None


def _same_size(a: Windows, b: Windows) -> bool:
    return type(a) is type(b) and getattr(a, "expression", "") == getattr(b, "expression", "")


def _each(own: Cut) -> Keys:
    return (one(WHOLE),) if own is None else (EVERYTHING,)


def _overlapping(interval: Interval, of: Cut, among: Cut) -> Keys:
    if not isinstance(of, Windows) or not isinstance(among, Windows):
        return ()  # another project may have cut the input anew: it is told as an input that is not there
    clipped = of.clip(interval)
    if clipped is None:
        return ()
    lo, hi = among.key_at(of.window(clipped.lo)[0]), among.key_at(of.window(clipped.hi)[1] - 1)
    there = among.clip(Interval(lo, hi))
    return () if there is None else (there,)


def _longest(cut: Windows) -> int:
    longest = max(b - a for a, b in map(cut.window, cut.within(EVERYTHING, 3)))
    return max(longest, cut.longest_pause()) if isinstance(cut, Cron) else longest


def _shortest(cut: Windows) -> int:
    return max(1, min(b - a for a, b in map(cut.window, cut.within(EVERYTHING, 3))))


def _shifted(interval: Interval, of: Cut, cut: Cut, first: int, last: int) -> Keys:
    if not isinstance(of, Windows) or not isinstance(cut, Windows):
        return ()
    clipped = of.clip(interval)
    if clipped is None:
        return ()
    lo, hi = cut.after(clipped.lo, first), cut.after(clipped.hi, last)
    if (lo is None and first > 0) or (hi is None and last < 0):
        return ()  # beyond the end of time
    there = cut.clip(Interval(lo or EVERYTHING.lo, hi or EVERYTHING.hi))
    return () if there is None else (there,)


def _runs(keys: set[str], cut: Cut) -> Keys:
    """Returns the keys as intervals of the cut's, few of them where keys stand side by side."""
    if not isinstance(cut, Static):
        return ()
    found: list[Interval] = []
    last = -2
    for key in sorted(keys):
        place = bisect_left(cut.keys, key)
        if place == len(cut.keys) or cut.keys[place] != key:
            continue
        if last + 1 == place:
            found[-1] = Interval(found[-1].lo, key)
        else:
            found.append(one(key))
        last = place
    return tuple(found)


def _required(at_least: int | None, keys: Keys, other: Cut) -> int:
    there = sum(other.count(k) for k in keys) if other is not None else 0
    return there if at_least is None else min(at_least, there)


def _check_at_least(value: int, where: str) -> None:
    if type(value) is not int or not 1 <= value <= LARGEST_NUMBER:
        raise DeclarationError(f"{where}(at_least={value!r}): write how many partitions it waits for, such as 1")


def _too_many(at_least: int, other: Cut) -> tuple[str, str] | None:
    if isinstance(other, Static) and at_least > len(other.keys):
        return f"it waits for {at_least} partitions, but there are {len(other.keys)}", "Wait for fewer"
    return None


MAPPINGS: dict[str, Mapping] = {m.kind: m for m in (Identity(), AllPartitions(), One(), Overlapping(), Last())}
"""By kind, those that need nothing more to be said. ``mapping_from_json`` reads the others too."""
