"""What does each backfill still have to do? Its row, and an item for every partition that it has a run made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, text, update

from riparian.assets.partitions import Dynamic, Interval
from riparian.assets.partitions.boxes import cut_off
from riparian.assets.partitions.latest import by_time, from_to, until
from riparian.assets.partitions.product import meet
from riparian.scheduler.core import backfills
from riparian.scheduler.core.facts import Cause, Target
from riparian.scheduler.core.graph import Graph, follows_clock
from riparian.storage.metadata import planning, runnable, runs, staleness
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.runs import IS_UNFINISHED
from riparian.storage.metadata.schema import backfill, backfill_item, dirty, hold, run, session, version

CALL = "@backfill"
"""What is marked dirty in place of a workflow, which can not have this key, when a backfill is to be looked at; the
partition is its id."""

LAST_RUNS = 20
"""The newest runs from which it is estimated how long one takes."""

_ADD = insert(backfill)
_BY_ID = select(backfill).where(backfill.c.id == bindparam("b"))
_CALLED = delete(dirty).where(dirty.c.workflow == CALL).returning(dirty.c.lo)
_NEWEST = (
    select(backfill).where(backfill.c.id < bindparam("before")).order_by(backfill.c.id.desc()).limit(bindparam("most"))
)
_MOVE = (
    update(backfill)
    .where(backfill.c.id == bindparam("b"))
    .values(state=bindparam("to"), words=bindparam("why"), ended_at=bindparam("at"))
)
_GO_ON = (
    update(backfill)
    .where(backfill.c.id == bindparam("b"))
    .values(next_partition=bindparam("following"), skipped=backfill.c.skipped + bindparam("more"))
)
_ASK = text(
    "INSERT INTO backfill_item (backfill, partition, state, asks) VALUES (:b, :p, 'open', 1) "
    "ON CONFLICT (backfill, partition) DO UPDATE SET state = 'open', asks = backfill_item.asks + 1 RETURNING asks"
)
_ITEMS = (
    select(backfill_item)
    .where(
        backfill_item.c.backfill == bindparam("b"),
        backfill_item.c.state == bindparam("s"),
        backfill_item.c.partition >= bindparam("first"),
    )
    .order_by(backfill_item.c.partition)
    .limit(bindparam("most"))
)
_COUNTS = (
    select(backfill_item.c.state, func.count().label("items"))
    .where(backfill_item.c.backfill == bindparam("b"))
    .group_by(backfill_item.c.state)
)
# Of those that are open alone: a long backfill has very many others.
_OPEN = (
    select(func.count())
    .select_from(backfill_item)
    .where(backfill_item.c.backfill == bindparam("b"), backfill_item.c.state == "open")
)
_SETTLE = (
    update(backfill_item)
    .where(
        backfill_item.c.backfill == bindparam("b"),
        backfill_item.c.partition == bindparam("p"),
        backfill_item.c.state == "open",
    )
    .values(state=bindparam("to"), run=bindparam("r"))
)
_TURN = (
    update(backfill_item)
    .where(backfill_item.c.backfill == bindparam("b"), backfill_item.c.state == bindparam("s"))
    .values(state=bindparam("to"))
)
# The open items are few, and each finds its own run.
_UNFINISHED = (
    select(run)
    .select_from(
        backfill_item.join(run, (run.c.workflow == bindparam("w")) & (run.c.partition == backfill_item.c.partition))
    )
    .where(
        backfill_item.c.backfill == bindparam("b"),
        backfill_item.c.state == "open",
        IS_UNFINISHED,
    )
    .order_by(run.c.partition)
)
# The id may stand in the parameters of a request too: who it is of is told by the cause that the text is.
_MARKS = select(dirty.c.id, dirty.c.ask).where(dirty.c.workflow == bindparam("w"), dirty.c.ask.contains(bindparam("b")))
_HOLDS = select(hold.c.partition, hold.c.ask).where(
    hold.c.workflow == bindparam("w"), hold.c.ask.contains(bindparam("b"))
)
_DROP_HOLD = delete(hold).where(
    hold.c.workflow == bindparam("w"), hold.c.partition == bindparam("p"), hold.c.ask == bindparam("a")
)
_LAST_RUNS = (
    select(version.c.run)
    .where(version.c.asset == bindparam("a"), version.c.state != "staged")
    .order_by(version.c.committed_at.desc())
    .limit(bindparam("most"))
)
_TOOK = select(run.c.started_at, run.c.ended_at).where(
    run.c.id.in_(bindparam("ids", expanding=True)), run.c.state == "succeeded", run.c.started_at.is_not(None)
)
_SLOTS = select(func.sum(session.c.slots)).where(session.c.closed_at.is_(None))
# Written out and not bound: only then does a database see that the partial index serves.
_IS_GOING = text("backfill.state IN ('running', 'paused')")
_RUNNING = select(backfill.c.id).where(_IS_GOING, backfill.c.state == "running").order_by(backfill.c.id)
_HOW_MANY = select(func.count()).select_from(backfill).where(_IS_GOING)
_GOING_OF = select(backfill).where(_IS_GOING, backfill.c.workflow == bindparam("w")).order_by(backfill.c.id)


def add(tx: Tx, row: dict[str, Any]) -> None:
    tx.conn.execute(_ADD, row)


def by_id(tx: Tx, backfill_id: str) -> Row[Any] | None:
    return tx.conn.execute(_BY_ID, {"b": backfill_id}).first()


def call(tx: Tx, backfill_id: str) -> None:
    """Has the planner look what the backfill asks for next: it goes on, or some of what it asked for has ended."""
    staleness.mark_one(tx, CALL, backfill_id)


def call_all(tx: Tx) -> None:
    """Has all that go on looked at: what they make may be declared, or can be read, again."""
    staleness.mark(tx, [(CALL, Interval(b, b), "") for b in tx.conn.execute(_RUNNING).scalars()])


def called(tx: Tx) -> list[Row[Any]]:
    """Returns the backfills that were called and go on, the oldest first; they are called no more."""
    found = (by_id(tx, each) for each in sorted(tx.conn.execute(_CALLED).scalars()))
    return [row for row in found if row is not None and row.state == "running"]


def newest(tx: Tx, before: str | None, most: int) -> Sequence[Row[Any]]:
    """Returns backfills, the newest first, older than ``before``."""
    return tx.conn.execute(_NEWEST, {"before": before or "\U0010ffff", "most": most}).all()


def move(tx: Tx, backfill_id: str, to: str, words: str = "") -> None:
    """Notes that the backfill is ``running``, ``paused``, ``cancelled`` or ``done`` now."""
    ended = tx.now if to in ("cancelled", "done") else None
    tx.conn.execute(_MOVE, {"b": backfill_id, "to": to, "why": words, "at": ended})


def end_all(tx: Tx, workflow: str, words: str) -> None:
    """Cancels all backfills of the workflow that run or are paused: what they are to make is not there any more."""
    for row in tx.conn.execute(_GOING_OF, {"w": workflow}).all():
        take_back(tx, row)
        move(tx, row.id, "cancelled", words)


def go_on(tx: Tx, backfill_id: str, following: str | None, skipped: int) -> None:
    """Notes up to where the partitions were looked at, and how many of them needed no run."""
    tx.conn.execute(_GO_ON, {"b": backfill_id, "following": following, "more": skipped})


def ask(tx: Tx, row: Row[Any], partition: str, only: str | None = None) -> Cause:
    """Opens the item of the partition, anew if it was open, and returns the cause of its run: one that had none yet."""
    asks = tx.conn.execute(_ASK, {"b": row.id, "p": partition}).scalar_one()
    return backfills.cause(row.id, asks, row.by, only or row.only, propagate=row.propagate)


def ask_again(tx: Tx, asked: Cause, partition: str, only: str | None = None) -> Cause:
    """Returns the cause of another run in place of the one for which ``asked`` stood. Unless it is said what it is
    ``only`` to make: another run is there before it, and if that leaves the partition fresh no more is to be done."""
    body = asked.body
    asks = tx.conn.execute(_ASK, {"b": body["id"], "p": partition}).scalar_one()
    only = only or ("stale" if body["only"] == "all" else body["only"])
    return backfills.cause(body["id"], asks, body["by"], only, propagate=body["propagate"])


def settle(tx: Tx, asked: Cause, partition: str, to: str, run_id: str | None = None) -> None:
    """Notes what became of an open item: ``made`` or ``failed`` by a run, or ``skipped``."""
    tx.conn.execute(_SETTLE, {"b": asked.body["id"], "p": partition, "to": to, "r": run_id})
    call(tx, asked.body["id"])


def counts(tx: Tx, backfill_id: str) -> dict[str, int]:
    """Returns how many items are in which state."""
    return {r.state: r.items for r in tx.conn.execute(_COUNTS, {"b": backfill_id})}


def how_many_open(tx: Tx, backfill_id: str) -> int:
    """Returns how many items were asked for and are not at their end."""
    return int(tx.conn.execute(_OPEN, {"b": backfill_id}).scalar_one())


def items(tx: Tx, backfill_id: str, state: str, most: int, first: str = "") -> Sequence[Row[Any]]:
    """Returns the first items in that state, by partition."""
    return tx.conn.execute(_ITEMS, {"b": backfill_id, "s": state, "first": first, "most": most}).all()


def turn(tx: Tx, backfill_id: str, state: str, to: str) -> None:
    """Moves all items in ``state`` to another."""
    tx.conn.execute(_TURN, {"b": backfill_id, "s": state, "to": to})


def unfinished(tx: Tx, row: Row[Any]) -> list[Row[Any]]:
    """Returns the runs of the backfill that are queued or running."""
    found = tx.conn.execute(_UNFINISHED, {"b": row.id, "w": row.workflow})
    return [r for r in found if backfills.is_of(Cause.from_json(r.cause), row.id)]


def take_back(tx: Tx, row: Row[Any]) -> None:
    """Takes back what waits to be decided on and the runs that no worker has touched; whoever waited for one goes on.
    What is under way stays open."""
    going = unfinished(tx, row)
    queued = [r for r in going if r.state == "queued"]
    runs.supersede(tx, [(r.id, None) for r in queued])
    said = {"w": row.workflow, "b": row.id}
    marks = tx.conn.execute(_MARKS, said).all()
    staleness.clear(tx, [m.id for m in marks if backfills.is_of(Cause.from_json(m.ask), row.id)])
    for held in tx.conn.execute(_HOLDS, said).all():
        if backfills.is_of(Cause.from_json(held.ask), row.id):
            tx.conn.execute(_DROP_HOLD, {"w": row.workflow, "p": held.partition, "a": held.ask})
    kept = {r.partition for r in going} - {r.partition for r in queued}
    for item in items(tx, row.id, "open", 10 * backfills.CHUNK):
        if item.partition not in kept:
            tx.conn.execute(_SETTLE, {"b": row.id, "p": item.partition, "to": "left", "r": item.run})
    for r in queued:
        staleness.release(tx, r.workflow, r.partition)


def rest(graph: Graph, row: Row[Any]) -> Interval:
    """Returns the partitions that the backfill has still to look at."""
    return cut_off(from_to(graph.workflows[row.workflow].partitions, row.lo, row.hi), row.next_partition)


def candidates(tx: Tx, graph: Graph, key: str, interval: Interval, limit: int) -> list[str]:
    """Returns, in order, at most ``limit`` partitions in ``interval`` that could be made: where no input says which
    these are, every window up to that of now."""
    cut = graph.workflows[key].partitions
    if cut is None or isinstance(cut, Dynamic) or by_time(cut) is None or not follows_clock(graph, key):
        return runnable.partitions(tx, graph, key, interval, limit)
    found: list[str] = []
    for begun in (i for there in until(cut, tx.now) for i in meet(cut, interval, there)):
        found += cut.within(begun, limit - len(found))
    return found


def states(
    tx: Tx, graph: Graph, key: str, partitions: Sequence[str], first: int
) -> Iterator[tuple[str, backfills.State]]:
    """Yields how each of the workflow's partitions stands. Looks at the ``first`` few, then at twice as many: mostly
    these are all that is asked for."""
    at = 0
    while at < len(partitions):
        targets: list[Target] = [(key, p) for p in partitions[at : at + first]]
        for (_, partition), facts in planning.load_many(tx, graph, targets).items():
            yield partition, backfills.state(facts)
        at, first = at + first, 2 * first


def seconds(tx: Tx, asset: str) -> list[float]:
    """Returns how long the newest runs took that made the asset."""
    ids = list(dict.fromkeys(tx.conn.execute(_LAST_RUNS, {"a": asset, "most": LAST_RUNS}).scalars()))
    took = tx.conn.execute(_TOOK, {"ids": ids}).all() if ids else ()
    return [(r.ended_at - r.started_at) / 1_000_000 for r in took]


def slots(tx: Tx) -> int:
    """Returns how many steps the workers that are there can perform at once."""
    return int(tx.conn.execute(_SLOTS).scalar() or 0)


def how_many(tx: Tx) -> int:
    """Returns how many backfills are running or paused."""
    return int(tx.conn.execute(_HOW_MANY).scalar_one())
