"""Runs: what was done, for which cause, and what it wrote."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from riparian.api.callers import Plane, Viewer
from riparian.api.models import AskedOut, PageOut, RunDetail, RunOut, RunState
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import cancel as cancels
from riparian.scheduler import rerun as reruns

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("", response_model=PageOut[RunOut])
def runs(
    view: Viewer,
    workflow: str | None = None,
    asset: str | None = None,
    partition: str | None = None,
    state: RunState | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Any:
    """The runs that you may know of, the newest first."""
    return page(view.runs(cursor, limit, workflow=workflow, asset=asset, state=state, partition=partition))


@router.get("/{run_id}", response_model=RunDetail)
def run(view: Viewer, run_id: str) -> Any:
    """One run with its steps and attempts, what it was pinned to and what it made."""
    return view.run(run_id)


@router.post("/{run_id}/cancel", response_model=RunDetail)
def cancel(view: Viewer, plane: Plane, run_id: str) -> Any:
    """End the run now, whoever works on it; nothing waits for it. For the owner of what it makes."""
    cancels.cancel(plane, run_id, view.principal)
    return view.run(run_id)


@router.post("/{run_id}/rerun", response_model=AskedOut, status_code=202)
def rerun(
    view: Viewer,
    plane: Plane,
    run_id: str,
    from_failed: Annotated[
        bool, Query(description="Of the inputs and the code of the run that failed; what succeeded is not done again.")
    ] = False,
) -> Any:
    """Run the same workflow, partition and parameters again, of today's inputs and code. For the owner of what it
    makes."""
    return asdict(reruns.rerun(plane, run_id, view.principal, from_failed=from_failed))


@router.get(
    "/{run_id}/logs",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "What it wrote, from the offset on."}},
)
def logs(
    view: Viewer,
    run_id: str,
    offset: Annotated[int, Query(ge=0, description="Leave out so many bytes.")] = 0,
    step: str | None = None,
    epoch: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> StreamingResponse:
    """What the run (or one step, one attempt) wrote."""
    return StreamingResponse(view.logs(run_id, offset, step, epoch), media_type="text/plain; charset=utf-8")
