"""A file was seen: what follows? Writes the ledger, and plans the taking in of what is complete."""

from __future__ import annotations

from collections.abc import Sequence

from riparian.scheduler.core.lifecycle import FILE, may_follow
from riparian.scheduler.core.readiness import FileSeen
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.metadata import files, staleness
from riparian.storage.metadata.database import Tx


def observe(plane: Plane, seen: Sequence[FileSeen]) -> None:
    """Notes what was seen, in one transaction with the runs that it calls for. Being told twice changes nothing."""

    def write(tx: Tx) -> None:
        ready = [file for file in seen if _note(tx, file) and file.state == "ready"]
        for file in ready:
            files.supersede_older(tx, file.source, file.path, file.fingerprint)
            staleness.mark_one(tx, file.source, file.partition)
        if ready:
            plan_and_wake(tx, plane)

    plane.db.write(write)


def _note(tx: Tx, file: FileSeen) -> bool:
    """Returns whether this was news."""
    row = {
        "source": file.source,
        "path": file.path,
        "fingerprint": file.fingerprint,
        "partition": file.partition,
        "state": file.state,
        "reason": file.reason,
        "size": file.size,
    }
    files.forget_settling(tx, file.source, file.path)
    known = files.get(tx, file.source, file.path, file.fingerprint)
    if known is None:
        return files.put(tx, row)
    if not may_follow(FILE, known.state, file.state):
        return False
    if known.state in ("committed", "superseded") and not files.was_replaced(tx, known):
        return False
    files.move(tx, file.source, file.path, file.fingerprint, file.state, file.reason)
    return True
