"""Who did what, or was refused it? The record, written with the act."""

from __future__ import annotations

from sqlalchemy import insert

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import audit

_ADD = insert(audit)


def append(
    tx: Tx, *, by: str, act: str, on: str, allowed: bool = True, detail: str = "", on_behalf: str | None = None
) -> None:
    """Notes that ``by`` did ``act`` (or was refused it) on the object named ``on``, perhaps seeing as ``on_behalf``."""
    tx.conn.execute(
        _ADD,
        {
            "id": tx.new_id(),
            "at": tx.now,
            "principal": by,
            "on_behalf": on_behalf,
            "act": act,
            "object": on,
            "allowed": allowed,
            "detail": detail,
        },
    )
