"""What made each workflow partition last, or is at it?"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select

from riparian.scheduler.core.pinned import Pin
from riparian.scheduler.core.protocol import decode
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.runs import IS_UNFINISHED
from riparian.storage.metadata.schema import attempted, consumed, run

_MADE_BY = select(consumed.c.workflow, consumed.c.partition, consumed.c.fingerprint, consumed.c.inputs)
_TRIED_BY = select(attempted.c.workflow, attempted.c.partition, run.c.fingerprint, run.c.pins).join(
    run, run.c.id == attempted.c.run
)
_BEING_MADE_BY = select(run.c.workflow, run.c.partition, run.c.fingerprint, run.c.pins).where(
    IS_UNFINISHED, run.c.kind == "workflow"
)


@dataclass(frozen=True, slots=True)
class Made:
    """What made a workflow partition last, failed to or is at it: the code's fingerprint, and the inputs by name."""

    workflow: str
    partition: str
    fingerprint: str
    reads: frozenset[str]


def last(tx: Tx) -> list[Made]:
    """Returns the last run of each workflow partition, failed or going on or not."""
    made = {
        (r.workflow, r.partition): Made(r.workflow, r.partition, r.fingerprint, frozenset(json.loads(r.inputs)))
        for r in tx.conn.execute(_MADE_BY)
    }
    for r in (*tx.conn.execute(_TRIED_BY), *tx.conn.execute(_BEING_MADE_BY)):
        reads = frozenset(pin.name for pin in decode(r.pins, list[Pin]))
        made[r.workflow, r.partition] = Made(r.workflow, r.partition, r.fingerprint, reads)
    return list(made.values())
