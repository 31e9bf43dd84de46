"""The time of a run is up: what becomes of it?"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy.exc import OperationalError

from riparian.scheduler import ending
from riparian.storage.metadata import runs, timers
from riparian.storage.metadata.database import Tx

log = logging.getLogger(__name__)

PAUSE_SECONDS = 60
"""How long a run that can not be ended is left alone."""


def end(tx: Tx, run_ids: Sequence[str]) -> None:
    """Fails those of the runs that are not at their end. Their leases are revoked, as those of a cancelled run are."""
    for run in runs.by_id(tx, run_ids).values():
        if run.state != "running":
            continue
        words = f"timed out: the run was ended after its time limit of {run.timeout_seconds:g} s"
        try:
            with tx.conn.begin_nested():
                ending.fail(tx, run, words, outcome="timed_out")
        except OperationalError:
            raise  # the database itself
        except Exception:
            # One run, of which something that was stored can not be read, must not keep all others from their ends.
            log.exception(
                "the run %s of %s can not be ended; it is tried again in %s s", run.id, run.workflow, PAUSE_SECONDS
            )
            timers.put(tx, "run", run.id, tx.now + PAUSE_SECONDS * 1_000_000)
