"""Which workers may work? Sessions of worker processes: opened with a token, kept by heartbeats, closed by silence."""

from __future__ import annotations

import hashlib
import secrets

from riparian.assets.errors import Invalid, Unauthenticated
from riparian.scheduler import commit
from riparian.scheduler.core.protocol import PROTOCOL_VERSION, Heartbeat, HeartbeatAnswer, Held, OpenSession, Session
from riparian.scheduler.plane import Plane
from riparian.storage.metadata import runs, sessions
from riparian.storage.metadata.database import Tx

_SECOND = 1_000_000


def open(plane: Plane, message: OpenSession) -> Session:
    """Opens a session for a worker process that showed its token; raises Invalid for another protocol."""
    if message.protocol != PROTOCOL_VERSION:
        raise Invalid(
            f"this worker speaks protocol {message.protocol}, the control plane {PROTOCOL_VERSION}; "
            "run the same version of riparian on both sides"
        )
    if not 1 <= message.slots <= 1024:
        raise Invalid(f"slots={message.slots}: a worker runs between 1 and 1024 attempts at once")
    secret = secrets.token_urlsafe(32)

    def write(tx: Tx) -> Session:
        session = tx.new_id()
        row = {
            "id": session,
            "secret_hash": _hash(secret),
            "incarnation": message.incarnation,
            "pool": message.pool,
            "slots": message.slots,
            "host": message.host,
            "opened_at": tx.now,
            "expires_at": _until(plane, tx),
        }
        sessions.add(tx, row)
        return Session(
            session=session,
            secret=secret,
            storage_url=plane.objects.url,
            heartbeat_seconds=plane.settings.heartbeat_seconds,
            lease_seconds=plane.settings.lease_seconds,
        )

    return plane.db.write(write)


def authenticate(plane: Plane, secret: str, session: str | None = None) -> None:
    """Raises Unauthenticated unless ``secret`` opens a live session (this one, when ``session`` is given)."""
    row = plane.db.read(lambda tx: sessions.by_secret(tx, _hash(secret)))
    if row is None or (session is not None and row.id != session):
        raise Unauthenticated("this session is unknown or over; open a new one")


def identify(plane: Plane, secret: str) -> tuple[str, str]:
    """Returns the session that ``secret`` opens, and its pool, without a look at the metadata once it is known.

    Whether the session is still alive, the transaction that follows asks anyway. Raises Unauthenticated.
    """
    hashed = _hash(secret)
    known = plane.opened.get(hashed)
    if known is None:
        row = plane.db.read(lambda tx: sessions.by_secret(tx, hashed))
        if row is None:
            raise Unauthenticated("this session is unknown or over; open a new one")
        known = plane.opened[hashed] = (str(row.id), str(row.pool))
    return known


def is_known(plane: Plane, secret: str) -> bool:
    """Whether ``identify`` answers at once."""
    return _hash(secret) in plane.opened


def heartbeat(plane: Plane, message: Heartbeat) -> HeartbeatAnswer:
    """Keeps the session's leases for another while, and tells which of them are gone."""

    def write(tx: Tx) -> HeartbeatAnswer:
        if not sessions.renew(tx, message.session, _until(plane, tx)):
            raise Unauthenticated("this session is over; open a new one")
        mine = {(s.id, s.epoch) for s in runs.held_by(tx, message.session)}
        gone = [h for h in message.leases if (h.step, h.epoch) not in mine]
        return HeartbeatAnswer(revoked=tuple(h for h in gone if not _reported(tx, h)))

    return plane.db.write(write)


def _reported(tx: Tx, held: Held) -> bool:
    """Whether the worker itself ended the attempt: its report and this heartbeat crossed on their way."""
    attempt = runs.attempt_row(tx, held.step, held.epoch)
    return attempt is not None and attempt.outcome not in (None, "lost", "cancelled")


def close(plane: Plane, session: str) -> None:
    """Ends the session; what it still holds is lost and tried again by others."""
    plane.db.write(lambda tx: _end(plane, tx, session, "its worker left"))


def expire(plane: Plane) -> int:
    """Ends the sessions that were silent for longer than their lease; returns how many."""

    def write(tx: Tx) -> int:
        gone = sessions.expired(tx)
        for row in gone:
            _end(plane, tx, row.id, f"its worker on {row.host} was silent for {plane.settings.lease_seconds:g} s")
        return len(gone)

    # The look costs one indexed query; only when it finds something does anybody write.
    if not plane.db.read(lambda tx: sessions.expired(tx)):
        return 0
    return plane.db.write(write)


def _end(plane: Plane, tx: Tx, session: str, why: str) -> None:
    row = sessions.live(tx, session)
    if row is None:
        return
    for step in runs.held_by(tx, session):
        commit.lose(tx, plane.graphs.at(tx), step, why)
    sessions.close(tx, session)
    plane.opened.pop(row.secret_hash, None)
    tx.after_commit.append(lambda: plane.bells.ring(row.pool))
    tx.after_commit.append(plane.bells.ring_daemon)


def _until(plane: Plane, tx: Tx) -> int:
    return tx.now + int(plane.settings.lease_seconds * _SECOND)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
