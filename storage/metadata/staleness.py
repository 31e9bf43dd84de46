"""What has to be looked at again, and what was decided? Dirty marks, holds, reasons and what was consumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, text, update

from riparian.assets.keys import AssetKey
from riparian.assets.partitions import Interval
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.planning import Target, in_pairs
from riparian.storage.metadata.schema import attempted, consumed, dirty, hold, reason

# ON CONFLICT reads the same on SQLite and PostgreSQL, but is not one construct in SQLAlchemy.
_MARK = text(
    "INSERT INTO dirty (id, workflow, lo, hi, ask) VALUES (:id, :workflow, :lo, :hi, :ask) ON CONFLICT DO NOTHING"
)
_DIRTY = select(dirty).order_by(dirty.c.id).limit(bindparam("most"))
_CLEAR = delete(dirty).where(dirty.c.id == bindparam("dirty_id"))
_HOLD = text(
    "INSERT INTO hold (workflow, partition, blocker, blocker_partition, ask) "
    "VALUES (:workflow, :partition, :blocker, :blocker_partition, :ask) "
    "ON CONFLICT (workflow, partition, ask) DO UPDATE SET blocker = excluded.blocker, "
    "blocker_partition = excluded.blocker_partition"
)
# What somebody asked for is forgotten only by running.
_FORGET_HOLD = delete(hold).where(
    hold.c.workflow == bindparam("w"), hold.c.partition == bindparam("p"), hold.c.ask == ""
)
_RELEASE = (
    delete(hold).where(hold.c.blocker == bindparam("b"), hold.c.blocker_partition == bindparam("bp")).returning(hold)
)
_RELEASE_ALL = delete(hold).returning(hold)
_OPEN_REASONS = select(reason).where(
    reason.c.workflow.in_(bindparam("firsts", expanding=True)),
    reason.c.partition.in_(bindparam("seconds", expanding=True)),
    reason.c.until.is_(None),
)
_CLOSE_REASON = (
    update(reason)
    .where(reason.c.workflow == bindparam("w"), reason.c.partition == bindparam("p"), reason.c.since == bindparam("s"))
    .values(until=bindparam("u"))
)
_ADD_REASON = insert(reason)
_CONSUME = text(
    "INSERT INTO consumed (workflow, partition, run, fingerprint, params, as_of, inputs) "
    "VALUES (:workflow, :partition, :run, :fingerprint, :params, :as_of, :inputs) "
    "ON CONFLICT (workflow, partition) DO UPDATE SET run = excluded.run, fingerprint = excluded.fingerprint, "
    "params = excluded.params, as_of = excluded.as_of, inputs = excluded.inputs"
)
_ADVANCE = (
    update(consumed)
    .where(consumed.c.workflow == bindparam("w"), consumed.c.partition == bindparam("p"))
    .values(as_of=bindparam("a"), inputs=bindparam("i"))
)
_FAIL = text(
    "INSERT INTO attempted (workflow, partition, run, as_of) VALUES (:workflow, :partition, :run, :as_of) "
    "ON CONFLICT (workflow, partition) DO UPDATE SET run = excluded.run, as_of = excluded.as_of"
)
_REPAIR = delete(attempted).where(attempted.c.workflow == bindparam("w"), attempted.c.partition == bindparam("p"))


def mark(tx: Tx, marks: Iterable[tuple[str, Interval, str]]) -> None:
    """Marks workflow partitions as worth a look: (workflow, interval, ask); ``ask`` is a cause's JSON or empty."""
    rows = [{"id": tx.new_id(), "workflow": w, "lo": i.lo, "hi": i.hi, "ask": ask} for w, i, ask in marks]
    if rows:
        tx.conn.execute(_MARK, rows)


def mark_one(tx: Tx, workflow: str, partition: str, ask: str = "") -> None:
    mark(tx, [(workflow, Interval(partition, partition), ask)])


def mark_consumers(tx: Tx, graph: Graph, moved: Iterable[tuple[str, str]]) -> None:
    """Marks whoever looks at the asset partitions whose head moved."""
    # A dict keeps the order, so that a run of the same events is the same run.
    mark(tx, list(dict.fromkeys((e.workflow.key, e.down(p), "") for a, p in moved for e in graph.edges(AssetKey(a)))))


def oldest(tx: Tx, most: int) -> Sequence[Row[Any]]:
    """Returns the oldest marks, at most ``most``."""
    return tx.conn.execute(_DIRTY, {"most": most}).all()


def is_dirty(tx: Tx) -> bool:
    """Whether any mark is left."""
    return bool(tx.conn.execute(_DIRTY, {"most": 1}).first())


def clear(tx: Tx, ids: Iterable[str]) -> None:
    rows = [{"dirty_id": i} for i in ids]
    if rows:
        tx.conn.execute(_CLEAR, rows)


def put_hold(tx: Tx, rows: Sequence[dict[str, str]]) -> None:
    if rows:
        tx.conn.execute(_HOLD, list(rows))


def forget_holds(tx: Tx, targets: Sequence[Target]) -> None:
    if targets:
        tx.conn.execute(_FORGET_HOLD, [{"w": w, "p": p} for w, p in targets])


def release(tx: Tx, workflow: str, partition: str) -> None:
    """Marks whatever waited for this workflow partition."""
    held = tx.conn.execute(_RELEASE, {"b": workflow, "bp": partition}).all()
    mark(tx, [(h.workflow, Interval(h.partition, h.partition), h.ask) for h in held])


def release_all(tx: Tx) -> None:
    """Marks whatever waits at all: what it waited for may not be declared any more."""
    held = tx.conn.execute(_RELEASE_ALL).all()
    mark(tx, [(h.workflow, Interval(h.partition, h.partition), h.ask) for h in held])


def note_reasons(tx: Tx, found: Sequence[tuple[Target, str, str]]) -> None:
    """Keeps (target, code, words) where they differ from the reason that held so far."""
    known = {(r.workflow, r.partition): r for r in in_pairs(tx, _OPEN_REASONS, [t for t, _, _ in found])}
    closed, opened = [], []
    for (w, p), code, words in found:
        old = known.get((w, p))
        if old is not None and (old.code, old.words) == (code, words):
            continue
        since = tx.now if old is None else max(tx.now, old.since + 1)
        if old is not None:
            closed.append({"w": w, "p": p, "s": old.since, "u": since})
        opened.append({"workflow": w, "partition": p, "since": since, "until": None, "code": code, "words": words})
    if closed:
        tx.conn.execute(_CLOSE_REASON, closed)
    if opened:
        tx.conn.execute(_ADD_REASON, opened)


def consume(tx: Tx, row: dict[str, Any]) -> None:
    """Notes what the workflow partition's succeeded run was made from; a failure before it is repaired."""
    tx.conn.execute(_CONSUME, row)
    tx.conn.execute(_REPAIR, {"w": row["workflow"], "p": row["partition"]})


def repair(tx: Tx, workflow: str, partition: str) -> None:
    """Forgets that the workflow partition's last run failed, and marks whatever waited for it."""
    tx.conn.execute(_REPAIR, {"w": workflow, "p": partition})
    release(tx, workflow, partition)


def advance(tx: Tx, rows: Sequence[tuple[Target, int, str]]) -> None:
    """Notes news of equal content as consumed: (target, as_of, inputs JSON)."""
    if rows:
        tx.conn.execute(_ADVANCE, [{"w": w, "p": p, "a": as_of, "i": inputs} for (w, p), as_of, inputs in rows])


def fail(tx: Tx, workflow: str, partition: str, run: str, as_of: int) -> None:
    """Notes that the workflow partition's last run, of inputs pinned at ``as_of``, failed."""
    tx.conn.execute(_FAIL, {"workflow": workflow, "partition": partition, "run": run, "as_of": as_of})
