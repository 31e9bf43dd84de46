"""When is something due by time alone?"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, text

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import timer

_PUT = text(
    "INSERT INTO timer (kind, subject, due_at) VALUES (:kind, :subject, :due_at) "
    "ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at"
)
_EARLIEST = select(func.min(timer.c.due_at))
_TAKE = delete(timer).where(timer.c.due_at <= bindparam("now")).returning(timer.c.kind, timer.c.subject)


def put(tx: Tx, kind: str, subject: str, due_at: int) -> None:
    """Sets the timer of the subject, in UTC microseconds; an older one is replaced."""
    tx.conn.execute(_PUT, {"kind": kind, "subject": subject, "due_at": due_at})


def earliest(tx: Tx) -> int | None:
    """Returns when the next timer is due."""
    return tx.conn.execute(_EARLIEST).scalar()


def take_due(tx: Tx) -> list[tuple[str, str]]:
    """Removes and returns the timers that are due: (kind, subject)."""
    return [(r.kind, r.subject) for r in tx.conn.execute(_TAKE, {"now": tx.now})]
