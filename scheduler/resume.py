"""Somebody wants a run that failed to go on from where it failed: what it made is not made again.

It is a run of its own, of the same code, inputs and parameters as the one that failed: only so do its results fit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from riparian.assets.errors import Conflict
from riparian.scheduler import ending
from riparian.scheduler.cancel import ended_as
from riparian.scheduler.core.facts import Cause, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.lifecycle import UNFINISHED
from riparian.scheduler.core.pinned import Pin
from riparian.scheduler.core.protocol import decode
from riparian.scheduler.plan import begin
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.metadata import checks, runs, staleness
from riparian.storage.metadata.database import Tx

ENDED = ("failed", "cancelled")


def resume(plane: Plane, tx: Tx, graph: Graph, failed: Row[Any], cause: Cause) -> str:
    """Plans a run that takes over what succeeded in ``failed`` and tries the rest; returns its id.

    Raises Conflict when it has nothing to go on from: it did not fail, or another run came since.
    """
    known = f"the run {failed.id} can not go on from where it failed"
    again = "; run it again without --from-failed, with today's inputs and code"
    if failed.state not in ENDED:
        how = f"is {failed.state}" if failed.state in UNFINISHED else ended_as(failed.state)
        raise Conflict(f"{known}: it {how}{again}")
    if runs.is_unfinished(tx, failed.workflow, failed.partition):
        raise Conflict(f"{known}: another run of {failed.workflow} is under way; cancel that, or wait for its end")
    if runs.last(tx, failed.workflow, failed.partition) != failed.id:
        raise Conflict(f"{known}: another run came since{again}")
    run = tx.new_id()
    values = {
        **failed._mapping,
        "id": run,
        "state": "queued",
        "trigger_key": trigger_key(failed.workflow, failed.partition, cause),
        "cause": cause.to_json(),
        "created_at": tx.now,
        "started_at": None,
        "ended_at": None,
        "superseded_by": None,
        "error": None,
    }
    runs.add(tx, [values], [])
    runs.take_over(tx, failed.id, run)
    checks.take_over(tx, failed.id, run)
    words = f"runs because {cause.words}"
    staleness.note_reasons(tx, [((failed.workflow, failed.partition), "run", words)])
    through, fault = begin(tx, run, decode(failed.pins, list[Pin]))
    if through or fault:
        # There is nothing that a worker could do.
        planned = runs.by_id(tx, [run])[run]
        runs.start(tx, [planned])
        if fault:
            ending.fail(tx, planned, fault)
        else:
            ending.complete(tx, graph, planned)
        plan_and_wake(tx, plane, graph)
    return run
