"""Somebody wants a run once more: the same workflow, partition and parameters, of today's inputs and code."""

from __future__ import annotations

import json
from typing import Any

from riparian.assets.errors import Conflict, Invalid
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.parameters import judged
from riparian.assets.partitions.base import one
from riparian.assets.policy import Principal
from riparian.scheduler.cancel import operated
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.plane import Plane
from riparian.scheduler.request import Requested, ask
from riparian.scheduler.resume import resume
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit, runnable
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx


def rerun(plane: Plane, run_id: str, by: Principal, *, from_failed: bool = False) -> Requested:
    """Asks for another run like this one; it runs whether or not anything changed, as any request does. With
    ``from_failed`` it is of the same inputs and code, and what succeeded is not done again.

    Raises NotFound (also for a run that ``by`` may not know of), Refused for who does not own all that it made and all
    that it would make, Conflict when there is nothing to run again, or an input is missing; with ``from_failed`` also
    unless it was the last run and failed, and for what its workflow does not make any more.
    """

    def write(tx: Tx) -> Requested:
        judge = plane.access.judge(tx, by)
        row = operated(judge, run_id, "run again")
        if row.kind != "workflow":
            what = "took in a file; drop it again" if row.kind == "ingest" else "is a reported update; report it again"
            raise Conflict(f"the run {run_id} can not be run again: it {what}")
        graph = plane.graphs.at(tx)
        workflow = graph.workflows.get(row.workflow)
        if workflow is None:
            raise Conflict(f"the run {run_id} can not be run again: its workflow {row.workflow} is declared no more")
        judge.require_makes(workflow, "run")
        if not runnable.partitions(tx, graph, row.workflow, one(row.partition), 1):
            raise Conflict(
                f"the run {run_id} can not be run again: {row.workflow} has no partition {row.partition!r} any more"
            )
        # Its own code takes its own parameters, whatever is declared by now.
        params = json.loads(row.params) if from_failed else _params(row, workflow)
        asked = {"of": run_id, "id": tx.new_id(), "by": by.name, "params": params}
        audit.append(tx, by=by.name, act="rerun", on=run_id, detail=row.workflow)
        if from_failed:
            _require_still_made(judge, row, workflow)
            cause = Cause(kind="rerun", body={**asked, "from_failed": True})
            tx.after_commit.append(lambda: plane.bells.ring(DEFAULT_POOL))
            return Requested(
                run=resume(plane, tx, graph, row, cause), words=judge.redact(f"runs because {cause.words}")
            )
        target = (row.workflow, row.partition)
        return ask(plane, tx, graph, target, Cause(kind="rerun", body=asked), by, row.workflow)

    # What the run makes stands in declarations that take long to read: whoever may not, is told without the writer.
    plane.db.read(lambda tx: operated(plane.access.judge(tx, by), run_id, "run again"))
    return plane.db.write(write)


def _params(row: AnyRow, workflow: WorkflowSpec) -> dict[str, Any]:
    try:
        return judged(workflow.parameters, json.loads(row.params))
    except Invalid as exc:
        raise Conflict(f"the run {row.id} can not be run again with its parameters: {exc}") from exc


def _require_still_made(judge: Judge, row: AnyRow, workflow: WorkflowSpec) -> None:
    """By its own code a run makes what was declared then: by now another workflow may make that, or nobody."""
    if gone := sorted({*judge.outputs_of(row.definition, row.workflow)} - {*workflow.produces}):
        raise Conflict(
            f"the run {row.id} can not go on from where it failed: {workflow.key} does not make {', '.join(gone)} any "
            "more; run it again without --from-failed, with today's inputs and code"
        )
