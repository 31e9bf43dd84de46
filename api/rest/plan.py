"""Plan: what is about to happen, and what an apply or a backfill would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from riparian.api.callers import Plane, Viewer
from riparian.api.models import BackfillBody, BackfillPreview, PageOut, PendingOut, PlanBody, PreviewedOut
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import register
from riparian.scheduler.preview import preview

router = APIRouter(prefix="/plan", tags=["plan"])


@router.get("", response_model=PageOut[PendingOut])
def plan(view: Viewer, limit: Limit = 100, cursor: Cursor = None) -> Any:
    """What is about to happen: the runs that wait for a worker, then what waits for other runs, then what waits for
    something else."""
    return page(view.plan(cursor, limit))


@router.post("", response_model=PreviewedOut)
def previewed(view: Viewer, plane: Plane, body: PlanBody) -> Any:
    """What applying a project's declarations would do. It is done and undone again, and leaves nothing but a line in
    the record of who asked; for who may apply them."""
    manifest = register.read(plane, body.manifest, view.principal)
    found = preview(plane, manifest, view.principal, body.rebuild, body.limit)
    return {**asdict(found), "problems": [p.to_json() for p in found.problems]}


@router.post("/backfill", response_model=BackfillPreview)
def backfill(view: Viewer, body: BackfillBody) -> Any:
    """What a backfill would make and why, and how long that may take by what the last runs took. It changes nothing."""
    return view.backfill_preview(body.asset, body.first, body.last, body.only)
