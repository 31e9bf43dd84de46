"""What made each workflow partition last, or is at it?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import select

from riparian.scheduler.core.facts import Target
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
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Made:
    """What made a workflow partition last, failed to or is at it: the code's fingerprint, and the inputs by name."""

    workflow: str
    partition: str
    fingerprint: str
    reads: frozenset[str]


def last(tx: Tx) -> list[Made]:
    """Returns the last run of each workflow partition, failed or going on or not."""
    made: dict[Target, Made] = {}
    # There may be very many, of few names: those are kept once, and nothing else is read of what was consumed.
    names: dict[frozenset[str], frozenset[str]] = {}
    for workflow, partition, fingerprint, inputs in tx.conn.execute(_MADE_BY):
        reads = frozenset(_NAMES.decode(inputs))
        made[workflow, partition] = Made(workflow, partition, fingerprint, names.setdefault(reads, reads))
    for workflow, partition, fingerprint, pins in (*tx.conn.execute(_TRIED_BY), *tx.conn.execute(_BEING_MADE_BY)):
        reads = frozenset(pin.name for pin in decode(pins, list[Pin]))
        made[workflow, partition] = Made(workflow, partition, fingerprint, reads)
    return list(made.values())
