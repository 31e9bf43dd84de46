"""What did attempts print? Each part of a log is an object; the rows say in which order."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, update

from riparian.scheduler.core.protocol import StoredObject, encode
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import attempt, log_chunk

_ADD = insert(log_chunk)
_GROW = (
    update(attempt)
    .where(
        attempt.c.step == bindparam("s"), attempt.c.epoch == bindparam("e"), attempt.c.log_bytes == bindparam("offset")
    )
    .values(log_bytes=bindparam("end"))
)


def append(tx: Tx, step: str, epoch: int, offset: int, stored: StoredObject) -> bool:
    """Adds the part that begins at ``offset``; False when the log does not end there (any more)."""
    grown = tx.conn.execute(_GROW, {"s": step, "e": epoch, "offset": offset, "end": offset + stored.size})
    if grown.rowcount != 1:
        return False
    row = {"step": step, "epoch": epoch, "offset": offset, "length": stored.size, "object": encode(stored).decode()}
    tx.conn.execute(_ADD, row)
    return True
