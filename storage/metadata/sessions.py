"""Which worker processes are there, and what were they answered last?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, text, update

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import answer, session

KEPT_ANSWERS = 32
"""How many replies a session can at least still ask for again; a worker has at most two requests under way."""

_ADD = insert(session)
_BY_SECRET = select(session).where(session.c.secret_hash == bindparam("h"), session.c.closed_at.is_(None))
_BY_ID = select(session).where(session.c.id == bindparam("s"), session.c.closed_at.is_(None))
_RENEW = (
    update(session)
    .where(session.c.id == bindparam("s"), session.c.closed_at.is_(None))
    .values(expires_at=bindparam("until"))
)
_RENEW_ALL = (
    update(session)
    .where(session.c.closed_at.is_(None), session.c.expires_at < bindparam("until"))
    .values(expires_at=bindparam("until"))
)
_CLOSE = update(session).where(session.c.id == bindparam("s")).values(closed_at=bindparam("now"))
_EXPIRED = select(session).where(session.c.closed_at.is_(None), session.c.expires_at < bindparam("now"))
_ANSWER = select(answer.c.body).where(answer.c.session == bindparam("s"), answer.c.request == bindparam("r"))
_KEEP = text(
    "INSERT INTO answer (session, request, body) VALUES (:session, :request, :body) "
    "ON CONFLICT (session, request) DO NOTHING"
)
_FORGET = delete(answer).where(answer.c.session == bindparam("s"), answer.c.request < bindparam("before"))


def add(tx: Tx, row: dict[str, Any]) -> None:
    tx.conn.execute(_ADD, row)


def by_secret(tx: Tx, secret_hash: str) -> Row[Any] | None:
    """Returns the live session that this secret opens."""
    return tx.conn.execute(_BY_SECRET, {"h": secret_hash}).first()


def live(tx: Tx, session_id: str) -> Row[Any] | None:
    return tx.conn.execute(_BY_ID, {"s": session_id}).first()


def renew(tx: Tx, session_id: str, until: int) -> bool:
    """Extends the session; False when it is closed."""
    return tx.conn.execute(_RENEW, {"s": session_id, "until": until}).rowcount == 1


def renew_all(tx: Tx, until: int) -> None:
    """Gives every live session until then: while the control plane was away nobody could renew."""
    tx.conn.execute(_RENEW_ALL, {"until": until})


def close(tx: Tx, session_id: str) -> None:
    tx.conn.execute(_CLOSE, {"s": session_id, "now": tx.now})
    tx.conn.execute(_FORGET, {"s": session_id, "before": 2**62})


def expired(tx: Tx) -> Sequence[Row[Any]]:
    """Returns the sessions that were silent for too long."""
    return tx.conn.execute(_EXPIRED, {"now": tx.now}).all()


def answered(tx: Tx, session_id: str, request: int) -> bytes | None:
    """Returns what this request was answered before, or None."""
    body = tx.conn.execute(_ANSWER, {"s": session_id, "r": request}).scalar()
    return None if body is None else bytes(body)


def keep_answer(tx: Tx, session_id: str, request: int, body: bytes) -> None:
    tx.conn.execute(_KEEP, {"session": session_id, "request": request, "body": body})
    if request % KEPT_ANSWERS == 0:
        tx.conn.execute(_FORGET, {"s": session_id, "before": request - KEPT_ANSWERS})
