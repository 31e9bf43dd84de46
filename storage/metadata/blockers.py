"""What is going on, or failed, at workflow partitions and above them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select

from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.partitions.boxes import Box
from riparian.scheduler.core.blockers import above, holds
from riparian.scheduler.core.facts import Blocker, Target
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.ranks import RunClass
from riparian.storage.metadata.among import among, in_keys, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.leaps import rows_in
from riparian.storage.metadata.runs import IS_UNFINISHED
from riparian.storage.metadata.schema import attempted, check_result, run

_ATTEMPTED = select(attempted).where(
    among(attempted.c.workflow, "firsts"),
    among(attempted.c.partition, "seconds"),
)
_UNFINISHED = select(run.c.workflow, run.c.partition, run.c.id, run.c.trigger_key, run.c.state, run.c.cause).where(
    among(run.c.workflow, "firsts"),
    among(run.c.partition, "seconds"),
    IS_UNFINISHED,
)
_ANY_UNFINISHED = (
    select(run.c.workflow, func.min(run.c.partition).label("partition"))
    .where(among(run.c.workflow, "keys"), IS_UNFINISHED)
    .group_by(run.c.workflow)
)
# Of those before it the nearest: who is made from its own partition before waits for one after the other.
_UNFINISHED_IN = select(run.c.partition).where(
    run.c.workflow == bindparam("workflow"), run.c.partition.between(bindparam("lo"), bindparam("hi")), IS_UNFINISHED
)
# What was cancelled, or tried for a person or a backfill alone (of inputs of no moment), is nobody's to wait for.
_HOLDS_UP = (attempted.c.outcome != "cancelled", attempted.c.as_of > 0)
_ATTEMPTED_IN = select(attempted.c.partition).where(
    attempted.c.workflow == bindparam("workflow"),
    attempted.c.partition.between(bindparam("lo"), bindparam("hi")),
    *_HOLDS_UP,
)
_GOING_OF = (_UNFINISHED, _ANY_UNFINISHED, _UNFINISHED_IN)
# What a backfill, or what follows one, makes some time is nothing that today's work waits for.
_CURRENT_OF = tuple(each.where(run.c.run_class == RunClass.CURRENT) for each in _GOING_OF)
_ANY_ATTEMPTED = (
    select(attempted.c.workflow, func.min(attempted.c.partition).label("partition"))
    .where(among(attempted.c.workflow, "keys"), *_HOLDS_UP)
    .group_by(attempted.c.workflow)
)
_FAILED_OF = (_ATTEMPTED.where(*_HOLDS_UP), _ANY_ATTEMPTED, _ATTEMPTED_IN)
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
_ALL_FAILED = select(attempted.c.workflow, attempted.c.partition)


def of_targets(tx: Tx, graph: Graph, targets: Sequence[Target], *, late: bool = True) -> dict[Target, Blocker]:
    """Returns for each target that has to wait what it waits for: something above it that is going on or, if nothing
    is, that failed. Unless they are ``late`` themselves, backfills are not waited for. Costs what lies above the
    targets, not what is unfinished elsewhere."""
    paths = {target: above(graph, *target) for target in targets}
    wanted = {(maker, i) for path in paths.values() for maker, intervals in path.items() for i in intervals}
    found = (
        _Waits.load(tx, wanted, *(_GOING_OF if late else _CURRENT_OF), failed=False),
        _Waits.load(tx, wanted, *_FAILED_OF, failed=True),
    )
    result = {}
    for target, path in paths.items():
        candidates = (w.of(maker, i) for w in found for maker, intervals in path.items() for i in intervals)
        if blocker := next((c for c in candidates if c is not None and holds(graph, c)), None):
            result[target] = blocker
    checks = stopped(tx, {(b.workflow, b.partition) for b in result.values() if b.failed})
    return {t: replace(b, check=checks.get((b.workflow, b.partition), "")) for t, b in result.items()}


def stopped(tx: Tx, targets: Iterable[Target]) -> dict[Target, str]:
    """Returns by which check the last run of each of these was ended, where it was."""
    found = in_pairs(tx, _STOPPED, targets)
    return {(r.workflow, r.partition): f"{r.asset}.{r.name}" for r in found}


def failed(tx: Tx) -> list[Target]:
    """Returns every workflow partition whose last run failed or was cancelled."""
    return [(r.workflow, r.partition) for r in tx.conn.execute(_ALL_FAILED)]


def tried(tx: Tx, targets: Iterable[Target]) -> dict[Target, Row[Any]]:
    """Returns the last attempt at each of these that failed or was cancelled."""
    return {(r.workflow, r.partition): r for r in in_pairs(tx, _ATTEMPTED, targets)}


def going(tx: Tx, targets: Iterable[Target]) -> dict[Target, Row[Any]]:
    """Returns the run of each of these that is not at its end."""
    return {(r.workflow, r.partition): r for r in in_pairs(tx, _UNFINISHED, targets)}


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
                if (last := _last_in(tx, between, maker, interval)) is not None:
                    found[maker, interval] = last
        for r in in_pairs(tx, exact, pairs):
            found[r.workflow, Interval(r.partition, r.partition)] = r.partition
        for r in in_keys(tx, every, keys):
            found[r.workflow, EVERYTHING] = r.partition
        return cls(found, failed=failed)

    def of(self, maker: str, interval: Interval) -> Blocker | None:
        partition = self._found.get((maker, interval))
        return None if partition is None else Blocker(maker, partition, self._failed)


def _last_in(tx: Tx, statement: Select[Any], maker: str, interval: Interval) -> str | None:
    (column,) = statement.selected_columns
    if isinstance(interval, Box):
        there = rows_in(tx, statement.order_by(column), {"workflow": maker}, interval)
        return there[-1].partition if there else None
    bounds = {"workflow": maker, "lo": interval.lo, "hi": interval.hi}
    last: str | None = tx.conn.execute(statement.order_by(column.desc()).limit(1), bounds).scalar()
    return last
