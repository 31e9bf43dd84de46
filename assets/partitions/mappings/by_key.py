"""Keys by a table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from itertools import islice, takewhile
from operator import itemgetter
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import texts
from riparian.assets.partitions.base import Interval, Keys, one
from riparian.assets.partitions.mappings.base import Mapping, check_at_least, required_of
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.static import Static

MOST_WRITTEN = 20_000
"""Keys that one table may name as needed: at each update all of them may be looked at while nobody else writes."""


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
            check_at_least(at_least, "ByKey")
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
        return required_of(self.at_least, keys, other)

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
