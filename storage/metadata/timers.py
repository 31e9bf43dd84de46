"""When is something due by time alone?"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select, text

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import timer

_PUT = text(
    "INSERT INTO timer (kind, subject, due_at) VALUES (:kind, :subject, :due_at) "
    "ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at"
)
_EARLIEST = select(func.min(timer.c.due_at))
_DUE = (
    select(timer.c.kind, timer.c.subject)
    .where(timer.c.due_at <= bindparam("now"))
    .order_by(timer.c.due_at)
    .limit(bindparam("most"))
)
_DROP = delete(timer).where(timer.c.kind == bindparam("k"), timer.c.subject == bindparam("s"))


def put(tx: Tx, kind: str, subject: str, due_at: int) -> None:
    """Sets the timer of the subject, in UTC microseconds; an older one is replaced."""
    put_many(tx, kind, [(subject, due_at)])


def put_many(tx: Tx, kind: str, dues: Sequence[tuple[str, int]]) -> None:
    """Like ``put``, for many: (subject, due_at)."""
    if dues:
        tx.conn.execute(_PUT, [{"kind": kind, "subject": s, "due_at": at} for s, at in dues])


def drop(tx: Tx, kind: str, subjects: Sequence[str]) -> None:
    """Takes timers back, as far as there are any."""
    if subjects:
        tx.conn.execute(_DROP, [{"k": kind, "s": s} for s in subjects])


def earliest(tx: Tx) -> int | None:
    """Returns when the next timer is due."""
    return tx.conn.execute(_EARLIEST).scalar()


def take_due(tx: Tx, most: int) -> list[tuple[str, str]]:
    """Removes and returns the timers that are due, the longest due first, at most ``most``: (kind, subject)."""
    due = [(r.kind, r.subject) for r in tx.conn.execute(_DUE, {"now": tx.now, "most": most})]
    if due:
        tx.conn.execute(_DROP, [{"k": kind, "s": subject} for kind, subject in due])
    return due
