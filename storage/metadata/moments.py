"""When did what a trigger asks about happen? Looked up for those triggers that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, select

from riparian.assets.partitions import EVERYTHING, Interval, Keys
from riparian.scheduler.core.facts import Cause, Facts, InputFacts, Moments
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import consumed, run, version

# A head moves in the transaction in which its run ends: that is when, not when the version was staged.
_MOVES = (
    select(run.c.ended_at)
    .join(version, version.c.run == run.c.id)
    .where(version.c.asset == bindparam("a"), version.c.head_seq >= bindparam("s"))
    .order_by(version.c.head_seq)
    .limit(1)
)
_MOVES_OF_ONE = _MOVES.where(version.c.partition == bindparam("p"))
_MOVES_BETWEEN = _MOVES.where(version.c.partition.between(bindparam("lo"), bindparam("hi")))
_CREATED = select(func.max(run.c.created_at)).where(
    run.c.workflow == bindparam("w"), run.c.partition == bindparam("p"), run.c.state != "superseded"
)
_ANSWER = (
    select(run.c.cause, run.c.as_of, run.c.created_at, run.c.ended_at, consumed.c.as_of.label("advanced_to"))
    .join(consumed, consumed.c.run == run.c.id)
    .where(consumed.c.workflow == bindparam("w"), consumed.c.partition == bindparam("p"))
)

Target = tuple[str, str]

Known = dict[tuple[str, Keys, int], int | None]
"""What was looked up already: two inputs may be of one asset."""


def added(tx: Tx, facts: Mapping[Target, Facts]) -> dict[Target, Facts]:
    """Returns the facts with their moments. Costs a few looks for each target, none of them at all history."""
    known: Known = {}
    return {target: replace(found, moments=_moments(tx, target, found, known)) for target, found in facts.items()}


def _moments(tx: Tx, target: Target, facts: Facts, known: Known) -> Moments:
    first, untried, last = dict[str, int](), dict[str, int](), dict[str, int]()
    for i in facts.inputs:
        seen = i.then.seq if i.then else facts.baseline
        if i.now is None or i.now.seq <= seen:
            continue
        tried = max(seen, facts.attempted or 0)
        _keep(first, i, _moved(tx, i, seen + 1, known), min)
        _keep(last, i, _moved(tx, i, i.now.seq, known), max)
        if i.now.seq > tried:
            _keep(untried, i, _moved(tx, i, tried + 1, known), min)
    who = {"w": target[0], "p": target[1]}
    row = tx.conn.execute(_ANSWER, who).first()
    return Moments(
        first=first,
        untried=untried,
        last=last,
        answered=_answered(row),
        created=tx.conn.execute(_CREATED, who).scalar(),
        took=row.ended_at - row.created_at if row is not None and row.ended_at is not None else 0,
    )


def _keep(found: dict[str, int], i: InputFacts, at: int | None, choose: Any) -> None:
    """One asset may be read both as a partition and as a set."""
    if at is not None:
        found[i.edge.asset] = choose(at, found.get(i.edge.asset, at))


def _moved(tx: Tx, i: InputFacts, seq: int, known: Known) -> int | None:
    """Returns when the asset first moved as of ``seq`` or later, as far as the workflow partition looks at it."""
    key = (i.edge.asset, i.keys, seq)
    if key not in known:
        moves = [_moved_in(tx, i.edge.asset, interval, seq) for interval in i.keys]
        known[key] = min((at for at in moves if at is not None), default=None)
    return known[key]


def _moved_in(tx: Tx, asset: str, where: Interval, seq: int) -> int | None:
    values = {"a": asset, "s": seq}
    if where == EVERYTHING:
        return tx.conn.execute(_MOVES, values).scalar()
    if where.lo == where.hi:
        return tx.conn.execute(_MOVES_OF_ONE, {**values, "p": where.lo}).scalar()
    return tx.conn.execute(_MOVES_BETWEEN, {**values, "lo": where.lo, "hi": where.hi}).scalar()


def _answered(row: Any) -> dict[str, int]:
    """When the last success answered what it was for; not known where something was answered without a run since."""
    if row is None or row.ended_at is None or row.as_of != row.advanced_to:
        return {}
    body = Cause.from_json(row.cause).body
    return {name: int(row.ended_at) for part in ("seqs", "ticks") for name in body.get(part, {})}
