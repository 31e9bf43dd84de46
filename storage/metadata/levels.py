"""How do the assets stand that workflow partitions look at? Loads their heads, of many with a few statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Row, bindparam, select

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import (
    EVERYTHING,
    WHOLE,
    AllPartitions,
    Interval,
    Keys,
    Last,
    Partitions,
    Product,
    Windows,
    fits,
)
from riparian.assets.partitions.base import one
from riparian.assets.partitions.boxes import SEPARATOR, Box, joined
from riparian.assets.partitions.latest import moment
from riparian.scheduler.core import digests
from riparian.scheduler.core.facts import InputFacts, Lack, Level, Target
from riparian.scheduler.core.graph import Edge, Graph
from riparian.storage.metadata import checks
from riparian.storage.metadata.among import BATCH, among, in_keys, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.leaps import rows_in
from riparian.storage.metadata.schema import asset, asset_origins, head

_HEADS = select(head).where(among(head.c.asset, "firsts"), among(head.c.partition, "seconds"))
_SETS = select(asset.c.key, asset.c.seq, asset.c.digest, asset.c.heads, asset.c.news, asset.c.current).where(
    among(asset.c.key, "keys"), asset.c.heads > 0
)
_RANGE = (
    select(head.c.partition, head.c.seq, head.c.digest, head.c.origins, head.c.news, head.c.current)
    .where(head.c.asset == bindparam("asset"), head.c.partition.between(bindparam("lo"), bindparam("hi")))
    .order_by(head.c.partition)
)
_NEWEST = (
    select(head)
    .where(head.c.asset == bindparam("asset"), head.c.partition < bindparam("before"))
    .order_by(head.c.partition.desc())
    .limit(bindparam("most"))
)
_SET_ORIGINS = select(asset_origins.c.asset, asset_origins.c.origins).where(among(asset_origins.c.asset, "keys"))

NAMED = 3
"""Missing partitions that a reason names."""

_NONE_MEANT = Level(0, digests.EMPTY, ())


@dataclass(frozen=True, slots=True)
class Levels:
    """What was loaded of the assets that some workflow partitions look at."""

    heads: Mapping[tuple[str, str], Level]
    sets: Mapping[str, tuple[int, Level]]
    """How many partitions have a version, and how they stand together."""
    newest: Mapping[str, tuple[str, Level]]
    ranges: Mapping[tuple[str, Interval], Sequence[Any]]

    def facts(self, edge: Edge, partition: str, then: Level | None) -> InputFacts:
        """Returns how the input stands for a partition of its workflow."""
        keys = edge.up(Interval(partition, partition))
        now, lack = None, None
        if not keys:
            now = _NONE_MEANT if edge.can_be_none else None
            lack = None if edge.can_be_none else Lack(have=0, need=0, of=0)
        elif _is_last(edge):
            if edge.asset in self.newest:
                last, now = self.newest[edge.asset]
                keys = (Interval(last, last),)
        elif _is_every(edge):
            have, now = self.sets.get(edge.asset, (0, None))
            need = edge.input.mapping.required(keys, edge.cut) if edge.input else 1
            if 0 < have < need:
                now, lack = None, Lack(have=have, need=need, of=0)
        elif edge.many:
            now, lack, keys = self._together(edge, keys)
        else:
            now = self.heads.get((edge.asset, keys[0].lo))
        return InputFacts(edge=edge, now=now, then=then, keys=keys, lack=lack)

    def _together(self, edge: Edge, keys: Keys) -> tuple[Level | None, Lack | None, Keys]:
        """Returns how they stand or what is missing; and ``keys`` without what is none of the asset's any more."""
        assert edge.input is not None  # noqa: S101 - what is only watched is watched as a whole
        looked = [(i, [(r, fits(edge.cut, r.partition)) for r in self.ranges[edge.asset, i]]) for i in keys]
        rows = [r for _, found in looked for r, is_one in found if is_one]
        need = edge.input.mapping.required(keys, edge.cut)
        have = edge.input.mapping.counted([r.partition for r in rows], keys, edge.cut)
        if rows and have >= need:
            # Rows come in the order of their keys, and the digest does not depend on it.
            digest = digests.of_members((r.partition, r.digest) for r in rows)
            seq, news, current = (max(r._mapping[c] for r in rows) for c in (head.c.seq, head.c.news, head.c.current))
            now = Level(seq, digest, tuple(sorted({r.origins for r in rows})), None, news, current)
            return now, None, tuple(part for i, found in looked for part in _parts(i, found))
        of = edge.input.mapping.possible(keys, edge.cut)
        lack = Lack(have=have, need=need, of=of, some=_absent(edge, keys, {r.partition for r in rows}))
        return None, lack, keys

    def unchecked(self, tx: Tx, graph: Graph, targets: Sequence[Target]) -> dict[Target, dict[str, str]]:
        """Returns the assets whose checks each trigger asks for and that have not all passed, with the reason."""
        watchful = [t for t in targets if t[0] in graph.watchful]
        asked = [(t, a, p) for t in watchful for a, p in _asked_checks(graph, graph.workflows[t[0]], t[1])]
        heads = {(a, p): self.heads.get((a, p)) for _, a, p in asked}
        results = checks.found_in(tx, [h.version for h in heads.values() if h and h.version]) if asked else {}
        found: dict[Target, dict[str, str]] = {}
        for target, key, place in asked:
            head = heads[key, place]
            known = results.get(head.version or "", {}) if head else {}
            for spec in graph.checks(key):
                if not known.get(spec.name):
                    what = "did not pass" if spec.name in known else "has passed on no version yet"
                    found.setdefault(target, {}).setdefault(key, f"{spec.full_name} {what}")
        return found

    def missing(self, graph: Graph, spec: WorkflowSpec, partition: str) -> frozenset[str]:
        """The assets that the trigger asks to be missing, and that are."""
        if spec.key not in graph.watchful:
            return frozenset()
        return frozenset(
            a
            for a, place in _absences(graph, spec, partition)
            if (a not in self.sets if place is None else (a, place) not in self.heads)
        )


def load(tx: Tx, graph: Graph, targets: Sequence[Target]) -> Levels:
    """Returns the levels of all that these look at; each of their workflows is declared."""
    pairs: set[tuple[str, str]] = set()
    ranges: set[tuple[str, Interval]] = set()
    every: set[str] = set()
    last: dict[str, Partitions | None] = {}
    for key, partition in targets:
        for e in graph.inputs(key):
            if _is_every(e):
                every.add(e.asset)
            elif _is_last(e):
                last[e.asset] = e.cut
            elif e.many:
                ranges.update((e.asset, interval) for interval in e.up(Interval(partition, partition)))
            else:
                pairs.update((e.asset, interval.lo) for interval in e.up(Interval(partition, partition)))
        if key not in graph.watchful:
            continue
        spec = graph.workflows[key]
        for asset_key, place in (*_absences(graph, spec, partition), *_asked_checks(graph, spec, partition)):
            if place is None:
                every.add(asset_key)
            else:
                pairs.add((asset_key, place))
    heads = {(h.asset, h.partition): _of_head(h) for h in in_pairs(tx, _HEADS, pairs)}
    members: dict[str, list[str]] = defaultdict(list)
    for r in in_keys(tx, _SET_ORIGINS, every):
        members[r.asset].append(r.origins)
    sets = {r.key: (r.heads, _of_set(r, members[r.key])) for r in in_keys(tx, _SETS, every)}
    tops = {a: (h.partition, _of_head(h)) for a, cut in last.items() if (h := newest(tx, a, cut)) is not None}
    found = {(a, i): rows_in(tx, _RANGE, {"asset": a}, i) for a, i in ranges}
    return Levels(heads, sets, tops, found)


def newest(tx: Tx, asset_key: str, cut: Partitions | None) -> Row[Any] | None:
    """Returns the asset's head in the newest of the partitions that it is cut into now."""
    last = _last_before(tx, asset_key, cut, EVERYTHING.hi)
    if not isinstance(cut, Product) or isinstance(cut.dimensions[0], Windows):
        return last
    # Keys stand before the windows: the newest of all is the newest of some key.
    time = next((n for n, d in enumerate(cut.dimensions) if isinstance(d, Windows)), 0)
    found = last
    while time and found is not None:
        before = joined((*found.partition.split(SEPARATOR)[:time], ""))
        found = _last_before(tx, asset_key, cut, before)
        if found is not None and last is not None and moment(cut, found.partition) > moment(cut, last.partition):
            last = found
    return last


def _last_before(tx: Tx, asset_key: str, cut: Partitions | None, before: str) -> Row[Any] | None:
    most = 1
    while rows := tx.conn.execute(_NEWEST, {"asset": asset_key, "before": before, "most": most}).all():
        if (found := next((r for r in rows if fits(cut, r.partition)), None)) is not None:
            return found
        before, most = rows[-1].partition, BATCH
    return None


def to_json(inputs: Iterable[tuple[str, Level]]) -> str:
    """Returns the text of ``consumed.inputs``."""
    return json.dumps({a: [v.seq, v.digest, list(v.origins)] for a, v in inputs}, sort_keys=True, separators=(",", ":"))


def from_json(value: list[Any]) -> Level:
    """Returns one of the levels of ``to_json``."""
    return Level(value[0], value[1], tuple(value[2]))


def _absences(graph: Graph, spec: WorkflowSpec, partition: str) -> list[tuple[AssetKey, str | None]]:
    """The assets whose absence the trigger asks for, each with the partition that is meant; None: any of them."""
    found: list[tuple[AssetKey, str | None]] = []
    for key in sorted(spec.trigger.absences(spec.produces)):
        cut = graph.assets[key].partitions if key in graph.assets else None
        found.append((key, WHOLE if cut is None else partition if cut == spec.partitions else None))
    return found


def _asked_checks(graph: Graph, spec: WorkflowSpec, partition: str) -> list[tuple[AssetKey, str]]:
    """The assets with checks that the trigger asks for, each with the partition that is meant."""
    asked = sorted(spec.trigger.checked(i.asset for i in spec.inputs))
    kept = [(key, graph.assets[key].partitions) for key in asked if graph.checks(key)]
    return [(key, WHOLE if cut is None else partition) for key, cut in kept]


def _is_every(edge: Edge) -> bool:
    return edge.input is None or isinstance(edge.input.mapping, AllPartitions)


def _is_last(edge: Edge) -> bool:
    return edge.input is not None and isinstance(edge.input.mapping, Last)


def _parts(interval: Interval, found: Iterable[tuple[Any, bool]]) -> Iterator[Interval]:
    """Yields the interval without the rows that are no partitions of the asset any more, though their names lie in it:
    who is given an interval is given all of it."""
    if isinstance(interval, Box):
        # What lies between them is not meant either.
        yield from (one(row.partition) for row, is_one in found if is_one)
        return
    lo: str | None = interval.lo
    hi: str | None = None
    for row, is_one in found:
        if is_one:
            lo, hi = (row.partition if lo is None else lo), row.partition
            continue
        if lo is not None and hi is not None:
            yield Interval(lo, hi)
        lo = hi = None
    if lo is not None:
        yield Interval(lo, interval.hi)


def _absent(edge: Edge, keys: Keys, there: Collection[str]) -> tuple[str, ...]:
    """Returns the first few windows that are missing. Keys that people chose are names, which not everybody may know:
    those are only counted."""
    if not isinstance(edge.cut, Windows):
        return ()
    found = (p for interval in keys for p in edge.cut.within(interval, len(there) + NAMED) if p not in there)
    return tuple(islice(found, NAMED))


def _of_head(row: Any) -> Level:
    return Level(row.seq, row.digest, (row.origins,), row.version, row.news, row.current)


def _of_set(row: Any, members: Iterable[str]) -> Level:
    return Level(row.seq, row.digest, tuple(sorted(members)), None, row.news, row.current)
