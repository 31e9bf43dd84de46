"""What became of every file that was ever seen? The ledger of the drop folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, text, update

from riparian.storage.metadata import counters
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import file

_PUT = text(
    "INSERT INTO file (source, path, fingerprint, partition, state, reason, size, seen_at, changed_at, seq) "
    "VALUES (:source, :path, :fingerprint, :partition, :state, :reason, :size, :now, :now, :seq) "
    "ON CONFLICT (source, path, fingerprint) DO NOTHING"
)
_GET = select(file).where(
    file.c.source == bindparam("s"), file.c.path == bindparam("p"), file.c.fingerprint == bindparam("f")
)
_MOVE = (
    update(file)
    .where(file.c.source == bindparam("s"), file.c.path == bindparam("p"), file.c.fingerprint == bindparam("f"))
    .values(state=bindparam("to"), reason=bindparam("why"), changed_at=bindparam("now"), seq=bindparam("n"))
)
_OLDER = (
    update(file)
    .where(
        file.c.source == bindparam("s"),
        file.c.path == bindparam("p"),
        file.c.fingerprint != bindparam("f"),
        file.c.state.in_(("ready", "quarantined")),
    )
    .values(state="superseded", reason="a newer content of the file was seen", changed_at=bindparam("now"))
)
_FORGET = delete(file).where(file.c.source == bindparam("s"), file.c.path == bindparam("p"), file.c.state == "settling")
_FORGET_ALL = delete(file).where(file.c.state == "settling")
_NEWER = (
    select(file.c.seq)
    .where(
        file.c.source == bindparam("s"),
        file.c.path == bindparam("p"),
        file.c.seq > bindparam("n"),
        file.c.state.in_(("settling", "ready")),
    )
    .limit(1)
)
_LATER = (
    select(file.c.seq)
    .where(
        file.c.source == bindparam("s"),
        file.c.path == bindparam("p"),
        file.c.seq > bindparam("n"),
        file.c.state != "unmatched",
    )
    .limit(1)
)
_READY = select(file.c.source, file.c.partition).where(file.c.state == "ready").distinct()
_NEXT = (
    select(file)
    .where(file.c.source == bindparam("s"), file.c.partition == bindparam("p"), file.c.state == "ready")
    .order_by(file.c.seq)
    .limit(1)
)
_WAITING = (
    select(file)
    .where(
        file.c.source == bindparam("s"),
        file.c.partition == bindparam("p"),
        file.c.state.in_(("ready", "ingesting")),
    )
    .order_by(file.c.seq)
)
_OF_RUN = select(file).where(file.c.run == bindparam("r"))
_SET_RUN = (
    update(file)
    .where(file.c.source == bindparam("s"), file.c.path == bindparam("p"), file.c.fingerprint == bindparam("f"))
    .values(state="ingesting", reason="", run=bindparam("r"), changed_at=bindparam("now"))
)
_WAIT = (
    update(file)
    .where(file.c.source == bindparam("s"), file.c.path == bindparam("p"), file.c.fingerprint == bindparam("f"))
    .values(reason=bindparam("why"))
)
_END = (
    update(file)
    .where(file.c.run == bindparam("r"), file.c.state == "ingesting")
    .values(state=bindparam("to"), reason=bindparam("why"), version=bindparam("v"), changed_at=bindparam("now"))
)
_KNOWN = select(file.c.source, file.c.path, file.c.fingerprint).where(
    file.c.state.in_(("ready", "ingesting", "committed", "quarantined"))
)


def put(tx: Tx, row: dict[str, Any]) -> bool:
    """Adds a ledger row; returns False when this (source, path, fingerprint) is known already."""
    seq = counters.advance(tx, "file_seq")
    return tx.conn.execute(_PUT, {**row, "now": tx.now, "seq": seq}).rowcount == 1


def get(tx: Tx, source: str, path: str, fingerprint: str) -> Row[Any] | None:
    return tx.conn.execute(_GET, {"s": source, "p": path, "f": fingerprint}).first()


def move(tx: Tx, source: str, path: str, fingerprint: str, state: str, reason: str = "") -> None:
    """Notes that a known file was seen in another state: a new observation, with a new place in the order."""
    seq = counters.advance(tx, "file_seq")
    values = {"s": source, "p": path, "f": fingerprint, "to": state, "why": reason, "now": tx.now, "n": seq}
    tx.conn.execute(_MOVE, values)


def forget_settling(tx: Tx, source: str, path: str) -> None:
    """A file that is still written to is one delivery, however often it was looked at."""
    tx.conn.execute(_FORGET, {"s": source, "p": path})


def forget_all_settling(tx: Tx) -> None:
    """What was settling when the last process ended is looked at anew."""
    tx.conn.execute(_FORGET_ALL)


def supersede_older(tx: Tx, source: str, path: str, fingerprint: str) -> None:
    """What the file was before, and was not taken in yet, is not waited for any more."""
    tx.conn.execute(_OLDER, {"s": source, "p": path, "f": fingerprint, "now": tx.now})


def next_ready(tx: Tx, source: str, partition: str) -> Row[Any] | None:
    """Returns the ready file of the partition that was seen first."""
    return tx.conn.execute(_NEXT, {"s": source, "p": partition}).first()


def ingesting(tx: Tx, row: Row[Any], run: str) -> None:
    """Ties the ledger row to the run that takes it in."""
    tx.conn.execute(_SET_RUN, {"s": row.source, "p": row.path, "f": row.fingerprint, "r": run, "now": tx.now})


def wait(tx: Tx, row: Row[Any], reason: str) -> None:
    """Notes why a ready file is not taken in yet."""
    tx.conn.execute(_WAIT, {"s": row.source, "p": row.path, "f": row.fingerprint, "why": reason})


def put_back(tx: Tx, source: str, partition: str, reason: str) -> None:
    """Has the partition's file that was to be taken in next, by a run that is taken back, wait before those that were
    seen after it. What it is taken in by then is another cause."""
    for row in tx.conn.execute(_WAITING, {"s": source, "p": partition}).all():
        move(tx, row.source, row.path, row.fingerprint, "ready", reason)


def is_outdated(tx: Tx, run: str) -> bool:
    """Whether the file that the run takes in was seen with another content since."""
    row = of_run(tx, run)
    newer = {"s": row.source, "p": row.path, "n": row.seq} if row else None
    return newer is not None and tx.conn.execute(_NEWER, newer).first() is not None


def was_replaced(tx: Tx, row: Row[Any]) -> bool:
    """Whether another content of the file was seen after this one."""
    return tx.conn.execute(_LATER, {"s": row.source, "p": row.path, "n": row.seq}).first() is not None


def ready_targets(tx: Tx) -> list[tuple[str, str]]:
    """Returns the (source, partition) of every file that waits to be taken in."""
    return [(r.source, r.partition) for r in tx.conn.execute(_READY)]


def of_run(tx: Tx, run: str) -> Row[Any] | None:
    return tx.conn.execute(_OF_RUN, {"r": run}).first()


def end(tx: Tx, run: str, state: str, *, reason: str = "", version: str | None = None) -> None:
    """Ends the taking in of a file: committed, quarantined or superseded."""
    tx.conn.execute(_END, {"r": run, "to": state, "why": reason, "v": version, "now": tx.now})


def known(tx: Tx) -> Sequence[tuple[str, str, str]]:
    """Returns (source, path, fingerprint) of everything that need not be reported again."""
    return [(r.source, r.path, r.fingerprint) for r in tx.conn.execute(_KNOWN)]
