"""Backfills: many partitions of an asset, made behind today's work."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from riparian.api.callers import Plane, Viewer
from riparian.api.models import BackfillBody, BackfillDetail, BackfillOut, PageOut
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import backfill as backfilling

router = APIRouter(prefix="/backfills", tags=["backfills"])


@router.get("", response_model=PageOut[BackfillOut])
def backfills(view: Viewer, limit: Limit = 100, cursor: Cursor = None) -> Any:
    """The backfills that you may know of, the newest first."""
    return page(view.backfills(cursor, limit))


@router.post("", response_model=BackfillDetail, status_code=201)
def start(view: Viewer, plane: Plane, body: BackfillBody) -> Any:
    """Begin to make the partitions. For the owner of what a run of it makes."""
    begun = backfilling.start(
        plane, body.asset, view.principal, lo=body.first, hi=body.last, only=body.only, propagate=body.propagate
    )
    return view.backfill(begun)


@router.get("/{backfill_id}", response_model=BackfillDetail)
def backfill(view: Viewer, backfill_id: str) -> Any:
    """One backfill, with the partitions that failed."""
    return view.backfill(backfill_id)


@router.post("/{backfill_id}/pause", response_model=BackfillDetail)
def pause(view: Viewer, plane: Plane, backfill_id: str) -> Any:
    """Ask for nothing more and take back what no worker has begun; what runs ends. For the owner of what it makes."""
    backfilling.pause(plane, backfill_id, view.principal)
    return view.backfill(backfill_id)


@router.post("/{backfill_id}/resume", response_model=BackfillDetail)
def resume(
    view: Viewer,
    plane: Plane,
    backfill_id: str,
    retry_failed: Annotated[bool, Query(description="Ask for what failed once more.")] = False,
) -> Any:
    """Go on. For the owner of what it makes."""
    backfilling.resume(plane, backfill_id, view.principal, retry_failed=retry_failed)
    return view.backfill(backfill_id)


@router.post("/{backfill_id}/cancel", response_model=BackfillDetail)
def cancel(
    view: Viewer,
    plane: Plane,
    backfill_id: str,
    now: Annotated[bool, Query(description="End the runs of it that are under way too.")] = False,
) -> Any:
    """End it: it asks for nothing more, and what no worker has begun is taken back. For the owner of what it makes."""
    backfilling.cancel(plane, backfill_id, view.principal, now=now)
    return view.backfill(backfill_id)
