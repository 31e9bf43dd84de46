"""The time of a run is up: what becomes of it?"""

from __future__ import annotations

from collections.abc import Sequence

from riparian.scheduler import ending
from riparian.storage.metadata import runs
from riparian.storage.metadata.database import Tx


def end(tx: Tx, run_ids: Sequence[str]) -> None:
    """Fails those of the runs that are not at their end. Their leases are revoked, as those of a cancelled run are."""
    for run in runs.by_id(tx, run_ids).values():
        if run.state == "running":
            words = f"timed out: the run was ended after its time limit of {run.timeout_seconds:g} s"
            ending.fail(tx, run, words, outcome="timed_out")
