"""When did what a trigger asks about happen? Looked up for those triggers that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from riparian.assets.partitions import EVERYTHING, Interval, Keys
from riparian.scheduler.core.facts import Cause, Facts, InputFacts, Moments, Target
from riparian.storage.metadata.among import among, batched, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import consumed, run, version

# A head moves in the transaction in which its run ends: that is when, not when the version was staged.
_MOVES = (
    select(version.c.head_seq, run.c.ended_at)
    .join(version, version.c.run == run.c.id)
    .where(version.c.asset == bindparam("a"), version.c.head_seq >= bindparam("s"))
    .order_by(version.c.head_seq)
    .limit(1)
)
_MOVES_OF_ONE = _MOVES.where(version.c.partition == bindparam("p"))
_MOVES_OF_SOME = _MOVES.where(among(version.c.partition, "partitions"))
_MOVES_BETWEEN = _MOVES.where(version.c.partition.between(bindparam("lo"), bindparam("hi")))
_CREATED = select(func.max(run.c.created_at)).where(
    run.c.workflow == bindparam("w"), run.c.partition == bindparam("p"), run.c.state != "superseded"
)
_ANSWER = (
    select(
        consumed.c.workflow,
        consumed.c.partition,
        run.c.cause,
        run.c.as_of,
        run.c.created_at,
        run.c.ended_at,
        consumed.c.as_of.label("advanced_to"),
    )
    .join(run, run.c.id == consumed.c.run)
    .where(among(consumed.c.workflow, "firsts"), among(consumed.c.partition, "seconds"))
)

Move = tuple[int, int]
"""The seq of a head's move, and when that was."""

Known = dict[tuple[str, Keys, int], Move | None]
"""What was looked up already: two inputs, or two partitions' inputs, may be the same."""


def added(tx: Tx, facts: Mapping[Target, Facts]) -> dict[Target, Facts]:
    """Returns the facts with their moments. Costs a few looks for each target, none of them at all history."""
    known: Known = {}
    answers = {(r.workflow, r.partition): r for r in in_pairs(tx, _ANSWER, facts)}
    return {t: replace(found, moments=_moments(tx, t, found, answers.get(t), known)) for t, found in facts.items()}


def _moments(tx: Tx, target: Target, facts: Facts, answer: Any, known: Known) -> Moments:
    first, untried, last = dict[str, int](), dict[str, int](), dict[str, int]()
    for i in facts.inputs:
        seen = i.then.seq if i.then else facts.baseline
        if i.now is None or i.now.seq <= seen or (move := _moved(tx, i, seen + 1, known)) is None:
            continue
        tried = max(seen, facts.attempted or 0)
        _keep(first, i, move, min)
        # Mostly there is one move, which is the first, the first that was not tried and the last.
        _keep(last, i, _since(tx, i, i.now.seq, move, known), max)
        if i.now.seq > tried:
            _keep(untried, i, _since(tx, i, tried + 1, move, known), min)
    created = tx.conn.execute(_CREATED, {"w": target[0], "p": target[1]}).scalar()
    took = answer.ended_at - answer.created_at if answer is not None and answer.ended_at is not None else 0
    return Moments(first=first, untried=untried, last=last, answered=_answered(answer), created=created, took=took)


def _keep(found: dict[str, int], i: InputFacts, move: Move | None, choose: Any) -> None:
    """One asset may be read both as a partition and as a set."""
    if move is not None:
        found[i.edge.asset] = choose(move[1], found.get(i.edge.asset, move[1]))


def _since(tx: Tx, i: InputFacts, seq: int, earlier: Move, known: Known) -> Move | None:
    """As ``_moved``, where an ``earlier`` move, or the same, is known."""
    return earlier if earlier[0] >= seq else _moved(tx, i, seq, known)


def _moved(tx: Tx, i: InputFacts, seq: int, known: Known) -> Move | None:
    """Returns the asset's first move as of ``seq`` or later, as far as the workflow partition looks at it."""
    key = (i.edge.asset, i.keys, seq)
    if key not in known:
        ones = [interval.lo for interval in i.keys if interval.lo == interval.hi]
        # What is left of a box is very many, which are looked up together.
        apart = i.keys if len(ones) == 1 else [interval for interval in i.keys if interval.lo != interval.hi]
        moves = [_moved_in(tx, i.edge.asset, interval, seq) for interval in apart]
        if len(ones) > 1:
            values = {"a": i.edge.asset, "s": seq}
            moves += [_moved_by(tx, _MOVES_OF_SOME, {**values, "partitions": some}) for some in batched(ones)]
        known[key] = min((move for move in moves if move is not None), default=None)
    return known[key]


def _moved_in(tx: Tx, asset: str, where: Interval, seq: int) -> Move | None:
    values = {"a": asset, "s": seq}
    if where == EVERYTHING:
        return _moved_by(tx, _MOVES, values)
    if where.lo == where.hi:
        return _moved_by(tx, _MOVES_OF_ONE, {**values, "p": where.lo})
    return _moved_by(tx, _MOVES_BETWEEN, {**values, "lo": where.lo, "hi": where.hi})


def _moved_by(tx: Tx, statement: Select[Any], values: Mapping[str, Any]) -> Move | None:
    found = tx.conn.execute(statement, values).first()
    return None if found is None or found.ended_at is None else (found.head_seq, found.ended_at)


def _answered(row: Any) -> dict[str, int]:
    """When the last success answered what it was for; not known where something was answered without a run since."""
    if row is None or row.ended_at is None or row.as_of != row.advanced_to:
        return {}
    body = Cause.from_json(row.cause).body
    return {name: int(row.ended_at) for part in ("seqs", "ticks") for name in body.get(part, {})}
