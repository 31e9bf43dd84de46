"""Data: a look at a version, or all of it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from riparian.api.callers import Viewer
from riparian.api.models import PreviewOut
from riparian.storage.access import MEDIA_TYPES

router = APIRouter(prefix="/assets/{key}/data", tags=["data"])


@router.get("", response_model=PreviewOut)
def preview(
    view: Viewer,
    key: str,
    partition: str | None = None,
    rows: Annotated[int, Query(ge=1, le=1000, description="At most so many rows.")] = 20,
) -> Any:
    """The first rows of the current version; without a partition, of the one that moved last."""
    return view.preview(key, partition, rows)


@router.get(
    "/download",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {} for kind in MEDIA_TYPES}, "description": "The bytes as they are stored."}},
)
def download(view: Viewer, key: str, partition: str | None = None) -> StreamingResponse:
    """The current version as it is stored. An answer that breaks off must not be used: its digest was wrong."""
    found = view.download(key, partition)
    headers = {
        "Content-Length": str(found.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.filename)}",
        # A browser must not make a page out of what somebody stored.
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(found.chunks, media_type=found.media_type, headers=headers)
