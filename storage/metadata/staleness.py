"""What has to be looked at again, and what was decided? Dirty marks, holds, reasons and what was consumed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, text, update

from riparian.assets.keys import AssetKey
from riparian.assets.partitions import Interval
from riparian.scheduler.core.facts import ANY, CLOCK, PLANNER, Target
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata.among import among, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.intervals import written
from riparian.storage.metadata.leaps import rows_in
from riparian.storage.metadata.schema import attempted, consumed, dirty, hold, reason

_LATE = "~"
"""How the ids of late marks begin: they come behind all others, which are of digits and capitals."""

# ON CONFLICT reads the same on SQLite and PostgreSQL, but is not one construct in SQLAlchemy.
_MARK = text(
    "INSERT INTO dirty (id, workflow, lo, hi, ask) VALUES (:id, :workflow, :lo, :hi, :ask) ON CONFLICT DO NOTHING"
)
# A mark of the same words may be one that is being decided on, and is cleared by its id: then this is a new one.
_MARK_ANEW = text(
    "INSERT INTO dirty (id, workflow, lo, hi, ask) VALUES (:id, :workflow, :lo, :hi, :ask) "
    "ON CONFLICT (workflow, lo, hi, ask) DO UPDATE SET id = excluded.id"
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
    hold.c.workflow == bindparam("w"), hold.c.partition == bindparam("p"), hold.c.ask == text("''")
)
_RELEASE = (
    delete(hold)
    .where(hold.c.blocker == bindparam("b"), hold.c.blocker_partition.in_([bindparam("bp"), ANY]))
    .returning(hold)
)
_LET_GO = delete(hold).where(hold.c.workflow == bindparam("w"), hold.c.partition == bindparam("p")).returning(hold)
_TRIED = select(attempted.c.workflow, attempted.c.partition).where(
    among(attempted.c.workflow, "firsts"), among(attempted.c.partition, "seconds")
)
_RELEASE_FAULTY = delete(hold).where(hold.c.blocker == PLANNER).returning(hold)
_HELD = select(hold.c.workflow, hold.c.partition).where(
    among(hold.c.workflow, "firsts"), among(hold.c.partition, "seconds")
)
_HELD_IN = (
    select(hold.c.partition)
    .distinct()
    .where(hold.c.workflow == bindparam("workflow"), hold.c.partition.between(bindparam("lo"), bindparam("hi")))
    .order_by(hold.c.partition)
)
_ASKED = (
    select(func.count())
    .select_from(hold)
    .where(hold.c.workflow == bindparam("w"), hold.c.partition == bindparam("p"), hold.c.ask != text("''"))
)
# Who waits for the clock waits on: only its own ticks and edits are anything to it.
_RELEASE_ALL = delete(hold).where(hold.c.blocker != CLOCK).returning(hold)
_OPEN_REASONS = select(reason).where(
    among(reason.c.workflow, "firsts"),
    among(reason.c.partition, "seconds"),
    reason.c.until.is_(None),
)
_CLOSE_REASON = (
    update(reason)
    .where(reason.c.workflow == bindparam("w"), reason.c.partition == bindparam("p"), reason.c.since == bindparam("s"))
    .values(until=bindparam("u"))
)
_ADD_REASON = insert(reason)
_CONSUME = text(
    "INSERT INTO consumed (workflow, partition, run, fingerprint, params, as_of, inputs, ticks) "
    "VALUES (:workflow, :partition, :run, :fingerprint, :params, :as_of, :inputs, :ticks) "
    "ON CONFLICT (workflow, partition) DO UPDATE SET run = excluded.run, fingerprint = excluded.fingerprint, "
    "params = excluded.params, as_of = excluded.as_of, inputs = excluded.inputs, "
    # A run that was for no tick leaves those that were answered before it as they are.
    "ticks = CASE WHEN excluded.ticks = '{}' THEN consumed.ticks ELSE excluded.ticks END"
)
_CONSUMED_TICKS = select(consumed.c.ticks).where(
    consumed.c.workflow == bindparam("w"), consumed.c.partition == bindparam("p")
)
_ADVANCE = (
    update(consumed)
    .where(consumed.c.workflow == bindparam("w"), consumed.c.partition == bindparam("p"))
    .values(as_of=bindparam("a"), inputs=bindparam("i"), ticks=bindparam("t"))
)
_FAIL = text(
    "INSERT INTO attempted (workflow, partition, run, as_of, ticks, outcome) "
    "VALUES (:workflow, :partition, :run, :as_of, :ticks, :outcome) "
    "ON CONFLICT (workflow, partition) DO UPDATE SET run = excluded.run, as_of = excluded.as_of, "
    "ticks = CASE WHEN excluded.ticks = '{}' THEN attempted.ticks ELSE excluded.ticks END, outcome = excluded.outcome"
)
# What somebody asked for was an attempt at that alone: news is still to be run for, and what was made before stands.
_FAIL_ASKED = text(
    "INSERT INTO attempted (workflow, partition, run, as_of, ticks, outcome) "
    "SELECT :workflow, :partition, :run, 0, '{}', :outcome WHERE NOT EXISTS "
    "(SELECT 1 FROM consumed AS c WHERE c.workflow = :workflow AND c.partition = :partition) ON CONFLICT DO NOTHING"
)
_ATTEMPTED_TICKS = select(attempted.c.ticks).where(
    attempted.c.workflow == bindparam("w"), attempted.c.partition == bindparam("p")
)
_REPAIR = (
    delete(attempted)
    .where(attempted.c.workflow == bindparam("w"), attempted.c.partition == bindparam("p"))
    .returning(attempted.c.ticks)
)


def mark(tx: Tx, marks: Iterable[tuple[str, Interval, str]], *, late: bool = False) -> None:
    """Marks workflow partitions as worth a look: (workflow, interval, ask); ``ask`` is a cause's JSON or empty. What is
    ``late`` is looked at when nothing else is marked."""
    tx.many(_MARK, _rows(tx, marks, _LATE if late else ""))


def _rows(tx: Tx, marks: Iterable[tuple[str, Interval, str]], before: str = "") -> list[dict[str, str]]:
    # One for all, which are numbered: a large project's first plan marks ten thousand.
    first = before + tx.new_id()
    return [
        {"id": f"{first}.{number:07}", "workflow": w, "lo": lo, "hi": hi, "ask": ask}
        for number, (w, i, ask) in enumerate(marks)
        for lo, hi in [written(i)]
    ]


def mark_one(tx: Tx, workflow: str, partition: str, ask: str = "") -> None:
    mark(tx, [(workflow, Interval(partition, partition), ask)])


def mark_anew(tx: Tx, workflow: str, partition: str, ask: str) -> None:
    """As ``mark_one``, where the same mark may be one that is being decided on."""
    tx.many(_MARK_ANEW, _rows(tx, [(workflow, Interval(partition, partition), ask)]))


def mark_consumers(tx: Tx, graph: Graph, moved: Iterable[tuple[str, str]]) -> None:
    """Marks whoever looks at the asset partitions whose head moved."""
    found = (
        (e.workflow.key, interval, "")
        for a, p in moved
        for e in graph.edges(AssetKey(a))
        for interval in e.down(Interval(p, p))
    )
    # A dict keeps the order, so that a run of the same events is the same run.
    mark(tx, list(dict.fromkeys(found)))


def oldest(tx: Tx, most: int) -> Sequence[Row[Any]]:
    """Returns the oldest marks, at most ``most``; those that are late come last."""
    return tx.conn.execute(_DIRTY, {"most": most}).all()


def is_late(mark: Row[Any]) -> bool:
    """Whether it is for when nothing else is marked."""
    return str(mark.id).startswith(_LATE)


def is_dirty(tx: Tx) -> bool:
    """Whether any mark is left."""
    return bool(tx.conn.execute(_DIRTY, {"most": 1}).first())


def clear(tx: Tx, ids: Iterable[str]) -> None:
    tx.many(_CLEAR, [{"dirty_id": i} for i in ids])


def put_hold(tx: Tx, rows: Sequence[dict[str, str]]) -> None:
    if rows:
        tx.conn.execute(_HOLD, list(rows))


def asked(tx: Tx, workflow: str, partition: str) -> int:
    """Returns how many runs of the workflow partition were asked for and wait for others."""
    return int(tx.conn.execute(_ASKED, {"w": workflow, "p": partition}).scalar_one())


def held(tx: Tx, targets: Iterable[Target]) -> set[Target]:
    """Returns which of these wait for others."""
    return {(h.workflow, h.partition) for h in in_pairs(tx, _HELD, targets)}


def held_in(tx: Tx, workflow: str, interval: Interval) -> list[str]:
    """Returns which of the workflow's partitions wait for others."""
    return [h.partition for h in rows_in(tx, _HELD_IN, {"workflow": workflow}, interval)]


def forget_holds(tx: Tx, targets: Sequence[Target]) -> None:
    # Mostly nothing waits: a look is cheaper than a statement for each target.
    tx.many(_FORGET_HOLD, [{"w": w, "p": p} for w, p in held(tx, targets)])


def release(tx: Tx, workflow: str, partition: str) -> None:
    """Marks whatever waited for this workflow partition."""
    held = tx.conn.execute(_RELEASE, {"b": workflow, "bp": partition}).all()
    tx.many(_MARK_ANEW, _rows(tx, [(h.workflow, Interval(h.partition, h.partition), h.ask) for h in held]))


def let_go(tx: Tx, targets: Sequence[Target]) -> list[Target]:
    """Marks these workflow partitions in place of all that they wait for: they are none any more, which is seen then.
    Returns those whose last run failed."""
    for w, p in sorted({(h.workflow, h.partition) for h in in_pairs(tx, _HELD, targets)}):
        held = tx.conn.execute(_LET_GO, {"w": w, "p": p}).all()
        mark(tx, [(w, Interval(p, p), h.ask) for h in held])
    return [(r.workflow, r.partition) for r in in_pairs(tx, _TRIED, targets)]


def release_all(tx: Tx) -> None:
    """Marks whatever waits for a workflow at all: it may not be declared any more."""
    held = tx.conn.execute(_RELEASE_ALL).all()
    mark(tx, [(h.workflow, _interval(h), h.ask) for h in held])


def release_faulty(tx: Tx) -> None:
    """Marks what the planner failed at."""
    held = tx.conn.execute(_RELEASE_FAULTY).all()
    tx.many(_MARK_ANEW, _rows(tx, [(h.workflow, _interval(h), h.ask) for h in held]))


def _interval(held: Row[Any]) -> Interval:
    return Interval(held.partition, (held.blocker == PLANNER and held.blocker_partition) or held.partition)


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
    tx.many(_ADD_REASON, opened)


def consume(tx: Tx, row: dict[str, Any]) -> None:
    """Notes what the workflow partition's succeeded run was made from, and for which ``ticks`` (JSON, by schedule) it
    ran; a failure before it is repaired, and the ticks that it was for are answered: they have had their run."""
    target = {"w": row["workflow"], "p": row["partition"]}
    tried = tx.conn.execute(_REPAIR, target).scalar()
    ticks = {**json.loads(tried or "{}"), **json.loads(row["ticks"])}
    tx.conn.execute(_CONSUME, {**row, "ticks": _with_earlier(tx, _CONSUMED_TICKS, target, ticks)})


def repair(tx: Tx, workflow: str, partition: str) -> None:
    """Forgets that the workflow partition's last run failed, and marks whatever waited for it."""
    tx.conn.execute(_REPAIR, {"w": workflow, "p": partition})
    release(tx, workflow, partition)


def advance(tx: Tx, rows: Sequence[tuple[Target, int, str, Mapping[str, int]]]) -> None:
    """Notes news of equal content, and ticks at which nothing differed, as consumed: (target, as_of, inputs JSON, all
    ticks that were answered so far)."""
    if rows:
        values = [{"w": w, "p": p, "a": as_of, "i": i, "t": _ticks_json(ticks)} for (w, p), as_of, i, ticks in rows]
        tx.conn.execute(_ADVANCE, values)


def fail(
    tx: Tx,
    workflow: str,
    partition: str,
    run: str,
    as_of: int,
    ticks: Mapping[str, int] = MappingProxyType({}),
    outcome: Literal["failed", "timed_out", "cancelled"] = "failed",
    *,
    asked: bool = False,
) -> None:
    """Notes that the workflow partition's last run, of inputs pinned at ``as_of`` and for ``ticks``, made nothing, and
    has it looked at again: it may wait for the clock now. ``asked``: it was for a person, not for what has changed;
    that is noted only where nothing was made before."""
    values = {"workflow": workflow, "partition": partition, "run": run, "outcome": outcome}
    if asked:
        tx.conn.execute(_FAIL_ASKED, values)
    else:
        known = _with_earlier(tx, _ATTEMPTED_TICKS, {"w": workflow, "p": partition}, ticks)
        tx.conn.execute(_FAIL, {**values, "as_of": as_of, "ticks": known})
    mark_anew(tx, workflow, partition, "")


def _with_earlier(tx: Tx, known: Select[Any], target: dict[str, str], ticks: Mapping[str, int]) -> str:
    """Returns the JSON of the ticks together with those of other schedules that are known already."""
    if not ticks:  # the statement leaves what is known as it is, and most runs are for no tick
        return "{}"
    before = tx.conn.execute(known, target).scalar()
    return _ticks_json({**json.loads(before or "{}"), **ticks})


def _ticks_json(ticks: Mapping[str, int]) -> str:
    return json.dumps(dict(ticks), sort_keys=True, separators=(",", ":"))
