"""How do things stand for the planner? Loads its facts, many workflow partitions with a few statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select, text

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import (
    EVERYTHING,
    WHOLE,
    AllPartitions,
    Identity,
    Interval,
    Keys,
    Last,
    Partitions,
    Static,
    Windows,
    fits,
)
from riparian.scheduler.core import digests
from riparian.scheduler.core.blockers import above, holds
from riparian.scheduler.core.facts import (
    Blocker,
    Cause,
    Facts,
    InputFacts,
    Lack,
    Level,
    Schedule,
    Target,
    Unfinished,
)
from riparian.scheduler.core.graph import Edge, Graph, cutting_inputs, follows_clock
from riparian.scheduler.core.pinned import Pin
from riparian.scheduler.core.protocol import decode
from riparian.scheduler.core.ranks import RunClass
from riparian.storage.metadata import checks, moments
from riparian.storage.metadata.among import BATCH, among, in_keys, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import (
    asset,
    asset_origins,
    attempted,
    check_result,
    consumed,
    head,
    run,
    schedule,
    workflow,
)

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
_WORKFLOWS = select(workflow).where(among(workflow.c.key, "keys"))
_CONSUMED = select(consumed).where(
    among(consumed.c.workflow, "firsts"),
    among(consumed.c.partition, "seconds"),
)
_ATTEMPTED = select(attempted).where(
    among(attempted.c.workflow, "firsts"),
    among(attempted.c.partition, "seconds"),
)
# Written out and not bound: only then does a database see that the partial index of unfinished runs serves.
_GOING = text("run.state IN ('queued', 'running')")
_UNFINISHED = select(run.c.workflow, run.c.partition, run.c.id, run.c.trigger_key, run.c.state, run.c.cause).where(
    among(run.c.workflow, "firsts"),
    among(run.c.partition, "seconds"),
    _GOING,
)
_ANY_UNFINISHED = (
    select(run.c.workflow, func.min(run.c.partition).label("partition"))
    .where(among(run.c.workflow, "keys"), _GOING)
    .group_by(run.c.workflow)
)
# Of those before it the nearest: who is made from its own partition before waits for one after the other.
_UNFINISHED_IN = select(func.max(run.c.partition)).where(
    run.c.workflow == bindparam("workflow"), run.c.partition.between(bindparam("lo"), bindparam("hi")), _GOING
)
_ATTEMPTED_IN = select(func.max(attempted.c.partition)).where(
    attempted.c.workflow == bindparam("workflow"),
    attempted.c.partition.between(bindparam("lo"), bindparam("hi")),
    attempted.c.outcome != "cancelled",
)
_GOING_OF = (_UNFINISHED, _ANY_UNFINISHED, _UNFINISHED_IN)
# What a backfill, or what follows one, makes some time is nothing that today's work waits for.
_CURRENT_OF = tuple(each.where(run.c.run_class == RunClass.CURRENT) for each in _GOING_OF)
_ANY_ATTEMPTED = (
    select(attempted.c.workflow, func.min(attempted.c.partition).label("partition"))
    .where(among(attempted.c.workflow, "keys"), attempted.c.outcome != "cancelled")
    .group_by(attempted.c.workflow)
)
# Of several the first by name, which is read last.
_STOPPED = (
    select(attempted.c.workflow, attempted.c.partition, check_result.c.asset, check_result.c.name)
    .join(check_result, check_result.c.run == attempted.c.run)
    .where(
        among(attempted.c.workflow, "firsts"),
        among(attempted.c.partition, "seconds"),
        check_result.c.blocking.is_(True),
        check_result.c.passed.is_(False),
    )
    .order_by(check_result.c.name.desc())
)
_MADE_BY = select(consumed.c.workflow, consumed.c.partition, consumed.c.fingerprint, consumed.c.inputs)
_TRIED_BY = select(attempted.c.workflow, attempted.c.partition, run.c.fingerprint, run.c.pins).join(
    run, run.c.id == attempted.c.run
)
_BEING_MADE_BY = select(run.c.workflow, run.c.partition, run.c.fingerprint, run.c.pins).where(
    _GOING, run.c.kind == "workflow"
)
_ALL_FAILED = select(attempted.c.workflow, attempted.c.partition)
_SCHEDULES = select(schedule).where(among(schedule.c.workflow, "keys"))
_FIRST_PARTITION = select(workflow.c.first_partition).where(workflow.c.key == bindparam("workflow"))
_CONSUMED_PARTITIONS = select(consumed.c.partition).where(
    consumed.c.workflow == bindparam("workflow"), consumed.c.partition.between(bindparam("lo"), bindparam("hi"))
)
_HEAD_PARTITIONS = select(head.c.partition).where(
    head.c.asset == bindparam("asset"), head.c.partition.between(bindparam("lo"), bindparam("hi"))
)


def load(tx: Tx, graph: Graph, key: str, partition: str, ask: Cause | None = None) -> Facts | None:
    """Returns the facts of one workflow partition as they stand now, or None when the workflow is not declared."""
    found = load_many(tx, graph, [(key, partition)], {(key, partition): ask})
    if not found:
        return None
    target = (key, partition)
    return replace(found[target], blocker=blockers(tx, graph, [target]).get(target))


def load_many(
    tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, Cause | None] | None = None
) -> dict[Target, Facts]:
    """Returns the facts of each target whose workflow is declared; ``blocker`` is left for the caller to fill in."""
    targets = [t for t in targets if t[0] in graph.workflows]
    levels = _levels(tx, graph, targets)
    known = {w.key: w for w in in_keys(tx, _WORKFLOWS, {t[0] for t in targets})}
    last = {(r.workflow, r.partition): r for r in in_pairs(tx, _CONSUMED, targets)}
    tried = {(r.workflow, r.partition): r for r in in_pairs(tx, _ATTEMPTED, targets)}
    scheduled = _schedules(tx, graph, {t[0] for t in targets})
    going = {(r.workflow, r.partition): _unfinished(r) for r in in_pairs(tx, _UNFINISHED, targets)}
    stopped = _stopped(tx, tried)
    unchecked = levels.unchecked(tx, graph, targets)
    result = {}
    for target in targets:
        key, partition = target
        row, attempt = last.get(target), tried.get(target)
        spec = graph.workflows[key]
        then = {name: _level(v) for name, v in json.loads(row.inputs).items()} if row else {}
        result[target] = Facts(
            workflow=spec,
            partition=partition,
            inputs=tuple(levels.facts(e, partition, then.get(e.name)) for e in graph.inputs(key)),
            baseline=row.as_of if row else _baseline(spec, known.get(key), partition),
            adopted=int(known[key].adopted_seq) if key in known else 0,
            schedules=_as_asked(scheduled.get(key, ()), (asks or {}).get(target)),
            missing=levels.missing(graph, spec, partition),
            unchecked=unchecked.get(target, {}),
            stopped_by=stopped.get(target, ""),
            consumed_fingerprint=row.fingerprint if row else None,
            consumed_inputs=frozenset(then),
            consumed_params=row.params if row else "{}",
            consumed_ticks=json.loads(row.ticks) if row else {},
            attempted=attempt.as_of if attempt else None,
            attempted_ticks=json.loads(attempt.ticks) if attempt else {},
            cancelled=attempt is not None and attempt.outcome == "cancelled",
            timed_out=attempt is not None and attempt.outcome == "timed_out",
            unfinished=going.get(target),
            ask=(asks or {}).get(target),
            now=tx.now,
        )
    result.update(moments.added(tx, {t: f for t, f in result.items() if f.workflow.trigger.is_timed}))
    return result


def blockers(tx: Tx, graph: Graph, targets: Sequence[Target], *, late: bool = True) -> dict[Target, Blocker]:
    """Returns for each target that has to wait what it waits for: something above it that is going on or, if nothing
    is, that failed. Unless they are ``late`` themselves, backfills are not waited for. Costs what lies above the
    targets, not what is unfinished elsewhere."""
    paths = {target: above(graph, *target) for target in targets}
    wanted = {(maker, i) for path in paths.values() for maker, intervals in path.items() for i in intervals}
    found = (
        _Waits.load(tx, wanted, *(_GOING_OF if late else _CURRENT_OF), failed=False),
        _Waits.load(tx, wanted, _ATTEMPTED, _ANY_ATTEMPTED, _ATTEMPTED_IN, failed=True),
    )
    result = {}
    for target, path in paths.items():
        candidates = (w.of(maker, i) for w in found for maker, intervals in path.items() for i in intervals)
        if blocker := next((c for c in candidates if c is not None and holds(graph, c)), None):
            result[target] = blocker
    stopped = _stopped(tx, {(b.workflow, b.partition) for b in result.values() if b.failed})
    return {t: replace(b, check=stopped.get((b.workflow, b.partition), "")) for t, b in result.items()}


def _stopped(tx: Tx, targets: Iterable[Target]) -> dict[Target, str]:
    """Returns by which check the last run of each of these was ended, where it was."""
    found = in_pairs(tx, _STOPPED, targets)
    return {(r.workflow, r.partition): f"{r.asset}.{r.name}" for r in found}


class _Waits:
    """What is unfinished, or what failed, looked up by a workflow and an interval of its partitions."""

    def __init__(self, found: Mapping[tuple[str, Interval], str], *, failed: bool) -> None:
        self._found = found
        self._failed = failed

    @classmethod
    def load(
        cls,
        tx: Tx,
        wanted: Iterable[tuple[str, Interval]],
        exact: Select[Any],
        every: Select[Any],
        between: Select[Any],
        *,
        failed: bool,
    ) -> _Waits:
        found: dict[tuple[str, Interval], str] = {}
        pairs, keys = set(), set()
        for maker, interval in wanted:
            if interval == EVERYTHING:
                keys.add(maker)
            elif interval.lo == interval.hi:
                pairs.add((maker, interval.lo))
            else:
                bounds = {"workflow": maker, "lo": interval.lo, "hi": interval.hi}
                if (last := tx.conn.execute(between, bounds).scalar()) is not None:
                    found[maker, interval] = last
        for r in in_pairs(tx, exact, pairs):
            if not failed or r.outcome != "cancelled":
                found[r.workflow, Interval(r.partition, r.partition)] = r.partition
        for r in in_keys(tx, every, keys):
            found[r.workflow, EVERYTHING] = r.partition
        return cls(found, failed=failed)

    def of(self, maker: str, interval: Interval) -> Blocker | None:
        partition = self._found.get((maker, interval))
        return None if partition is None else Blocker(maker, partition, self._failed)


def partitions(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` partitions in ``interval`` that ``key`` could run for: those it ran for, and
    those of its inputs that share its partitions; where there is none such, those that it would run for by itself.
    An interval of one partition is that partition."""
    spec = graph.workflows.get(key)
    if interval.lo == interval.hi:
        return [interval.lo] if spec is None or fits(spec.partitions, interval.lo) else []
    bounds = {"lo": interval.lo, "hi": interval.hi}
    statements: list[tuple[Select[Any], dict[str, str]]] = [(_CONSUMED_PARTITIONS, {"workflow": key, **bounds})]
    edges = cutting_inputs(graph, key)
    same = [e for e in edges if e.input and isinstance(e.input.mapping, Identity)]
    statements += [(_HEAD_PARTITIONS, {"asset": e.asset, **bounds}) for e in same]
    found = {p for p in _own_partitions(tx, graph, key) if p in interval}
    for statement, params in statements:
        ordered = statement.order_by(statement.selected_columns[0]).limit(limit)
        found.update(tx.conn.execute(ordered, params).scalars())
    for edge in edges:
        if edge not in same:
            found.update(_through(tx, edge, interval, limit))
    # What was made before the partitions were declared otherwise is there, but not to be made again.
    return sorted(p for p in found if spec is None or fits(spec.partitions, p))[:limit]


def _through(tx: Tx, edge: Edge, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` of the workflow's partitions in ``interval`` for which the input has any
    partition. Costs what it returns: from each that is found it leaps behind what that one needs."""
    own = edge.workflow.partitions
    found: list[str] = []
    at: Interval | None = own.clip(interval) if own is not None else None
    while own is not None and at is not None and len(found) < limit:
        there = [p for keys in edge.up(at) if (p := _first_head(tx, edge.asset, keys)) is not None]
        needing = [k for p in there for i in edge.down(Interval(p, p)) if (k := _both(i, at)) is not None]
        if not needing:
            break
        first = min(needing, key=lambda i: i.lo)
        found += own.within(first, limit - len(found))
        following = own.within(Interval(found[-1], at.hi), 2)[1:]
        at = Interval(following[0], at.hi) if following else None
    return found


def _both(a: Interval, b: Interval) -> Interval | None:
    lo, hi = max(a.lo, b.lo), min(a.hi, b.hi)
    return Interval(lo, hi) if lo <= hi else None


def _first_head(tx: Tx, asset_key: str, keys: Interval) -> str | None:
    bounds = {"asset": asset_key, "lo": keys.lo, "hi": keys.hi}
    first: str | None = tx.conn.execute(_HEAD_PARTITIONS.order_by(head.c.partition).limit(1), bounds).scalar()
    return first


def _own_partitions(tx: Tx, graph: Graph, key: str) -> set[str]:
    """The partitions that a workflow runs for though no input has them: every key, or the window it was adopted in and
    those of its last ticks."""
    if not follows_clock(graph, key):
        return set()
    cut = graph.workflows[key].partitions
    if not isinstance(cut, Windows):
        return set(cut.keys) if cut else set()
    first = tx.conn.execute(_FIRST_PARTITION, {"workflow": key}).scalar()
    ticks = _schedules(tx, graph, [key]).get(key, ())
    return {first or WHOLE, *(cut.ticked(s.tick, s.cron.timezone) for s in ticks if s.tick > s.since)}


def _schedules(tx: Tx, graph: Graph, keys: Iterable[str]) -> dict[str, tuple[Schedule, ...]]:
    """Returns how the schedules of those workflows stand whose triggers have any."""
    crons = {(k, c.name): c for k in keys for c in graph.workflows[k].trigger.schedules}
    found = defaultdict[str, list[Schedule]](list)
    for r in in_keys(tx, _SCHEDULES, {k for k, _ in crons}):
        if (cron := crons.get((r.workflow, r.cron))) is not None:
            found[r.workflow].append(Schedule(cron=cron, since=r.since, tick=r.tick, seq=r.seq, next_at=r.next_at))
    return {key: tuple(rows) for key, rows in found.items()}


def _as_asked(schedules: tuple[Schedule, ...], ask: Cause | None) -> tuple[Schedule, ...]:
    """Returns the schedules as a partition sees them that is to make up for ticks: those rang last."""
    if ask is None or ask.kind != "tick":
        return schedules
    ticks = ask.body["ticks"]
    return tuple(replace(s, tick=ticks[s.cron.name]) if s.cron.name in ticks else s for s in schedules)


def failed(tx: Tx) -> list[Target]:
    """Returns every workflow partition whose last run failed or was cancelled."""
    return [(r.workflow, r.partition) for r in tx.conn.execute(_ALL_FAILED)]


def latest_partition(tx: Tx, graph: Graph, key: str) -> str | None:
    """Returns the newest partition that all inputs which say for which partitions to run have something for, or None.
    Of a window that is not complete yet, the one before it where that is."""
    own = graph.workflows[key].partitions
    newest = None
    edges = cutting_inputs(graph, key)
    for edge in edges:
        top = _newest(tx, edge.asset, edge.cut)
        needing = edge.down(Interval(top.partition, top.partition)) if top is not None else ()
        if not needing:
            return None
        newest = needing[-1].hi if newest is None else min(newest, needing[-1].hi)
    if isinstance(own, Windows) and newest is not None and any(e.many for e in edges):
        before = own.after(newest, -1)
        found = _levels(tx, graph, [(key, p) for p in (newest, before) if p is not None])
        for partition in (newest, before):
            if partition and all(found.facts(e, partition, None).lack is None for e in edges):
                return partition
    return newest


@dataclass(frozen=True, slots=True)
class Made:
    """What made a workflow partition last, failed to or is at it: the code's fingerprint, and the inputs by name."""

    workflow: str
    partition: str
    fingerprint: str
    reads: frozenset[str]


def last_made(tx: Tx) -> list[Made]:
    """Returns the last run of each workflow partition, failed or going on or not."""
    made = {
        (r.workflow, r.partition): Made(r.workflow, r.partition, r.fingerprint, frozenset(json.loads(r.inputs)))
        for r in tx.conn.execute(_MADE_BY)
    }
    for r in (*tx.conn.execute(_TRIED_BY), *tx.conn.execute(_BEING_MADE_BY)):
        reads = frozenset(pin.name for pin in decode(r.pins, list[Pin]))
        made[r.workflow, r.partition] = Made(r.workflow, r.partition, r.fingerprint, reads)
    return list(made.values())


def consumed_json(inputs: Iterable[tuple[str, Level]]) -> str:
    """Returns the text of ``consumed.inputs``."""
    return json.dumps({a: [v.seq, v.digest, list(v.origins)] for a, v in inputs}, sort_keys=True, separators=(",", ":"))


def _unfinished(row: Any) -> Unfinished:
    cause = Cause.from_json(row.cause)
    return Unfinished(
        run=row.id,
        trigger_key=row.trigger_key,
        granted=row.state == "running",
        asked=cause.is_asked,
        backfill=cause if cause.kind == "backfill" else None,
    )


def _level(value: list[Any]) -> Level:
    return Level(value[0], value[1], tuple(value[2]))


def _baseline(spec: WorkflowSpec, row: Any, partition: str) -> int:
    """What moved before the workflow was adopted is history, but for what a new one runs for: one partition, or each
    that is there from the start."""
    own = row is None or row.first_partition == partition or isinstance(spec.partitions, Static)
    return 0 if own else int(row.news_seq)


NAMED = 3
"""Missing partitions that a reason names."""

_NONE_MEANT = Level(0, digests.EMPTY, ())


@dataclass(frozen=True, slots=True)
class _Levels:
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
        if len(rows) >= need:
            # Rows come in the order of their keys, and the digest does not depend on it.
            digest = digests.of_members((r.partition, r.digest) for r in rows)
            seq, news, current = (max(r._mapping[c] for r in rows) for c in (head.c.seq, head.c.news, head.c.current))
            now = Level(seq, digest, tuple(sorted({r.origins for r in rows})), None, news, current)
            return now, None, tuple(part for i, found in looked for part in _parts(i, found))
        of = sum(edge.cut.count(i) for i in keys) if edge.cut is not None else 0
        lack = Lack(have=len(rows), need=need, of=of, some=_absent(edge, keys, {r.partition for r in rows}))
        return None, lack, keys

    def unchecked(self, tx: Tx, graph: Graph, targets: Sequence[Target]) -> dict[Target, dict[str, str]]:
        """Returns the assets whose checks each trigger asks for and that have not all passed, with the reason."""
        asked = [(t, a, p) for t in targets for a, p in _asked_checks(graph, graph.workflows[t[0]], t[1])]
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
        return frozenset(
            a
            for a, place in _absences(graph, spec, partition)
            if (a not in self.sets if place is None else (a, place) not in self.heads)
        )


def _absences(graph: Graph, spec: WorkflowSpec, partition: str) -> list[tuple[AssetKey, str | None]]:
    """The assets whose absence the trigger asks for, each with the partition that is meant; None: any of them."""
    found: list[tuple[AssetKey, str | None]] = []
    for key in sorted(spec.trigger.absences(spec.produces)):
        cut = graph.assets[key].partitions if key in graph.assets else None
        found.append((key, WHOLE if cut is None else partition if cut == spec.partitions else None))
    return found


def _is_every(edge: Edge) -> bool:
    return edge.input is None or isinstance(edge.input.mapping, AllPartitions)


def _is_last(edge: Edge) -> bool:
    return edge.input is not None and isinstance(edge.input.mapping, Last)


def _parts(interval: Interval, found: Iterable[tuple[Any, bool]]) -> Iterator[Interval]:
    """Yields the interval without the rows that are no partitions of the asset any more, though their names lie in it:
    who is given an interval is given all of it."""
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


def _asked_checks(graph: Graph, spec: WorkflowSpec, partition: str) -> list[tuple[AssetKey, str]]:
    """The assets with checks that the trigger asks for, each with the partition that is meant."""
    asked = sorted(spec.trigger.checked(i.asset for i in spec.inputs))
    kept = [(key, graph.assets[key].partitions) for key in asked if graph.checks(key)]
    return [(key, WHOLE if cut is None else partition) for key, cut in kept]


def _levels(tx: Tx, graph: Graph, targets: Sequence[Target]) -> _Levels:
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
    newest = {a: (h.partition, _of_head(h)) for a, cut in last.items() if (h := _newest(tx, a, cut)) is not None}
    found = {(a, i): tx.conn.execute(_RANGE, {"asset": a, "lo": i.lo, "hi": i.hi}).all() for a, i in ranges}
    return _Levels(heads, sets, newest, found)


def _newest(tx: Tx, asset_key: str, cut: Partitions | None) -> Row[Any] | None:
    """Returns the asset's head in the newest of the partitions that it is cut into now."""
    before, most = EVERYTHING.hi, 1
    while rows := tx.conn.execute(_NEWEST, {"asset": asset_key, "before": before, "most": most}).all():
        if (found := next((r for r in rows if fits(cut, r.partition)), None)) is not None:
            return found
        before, most = rows[-1].partition, BATCH
    return None


def _of_head(row: Any) -> Level:
    return Level(row.seq, row.digest, (row.origins,), row.version, row.news, row.current)


def _of_set(row: Any, members: Iterable[str]) -> Level:
    return Level(row.seq, row.digest, tuple(sorted(members)), None, row.news, row.current)
