"""Files: what arrived, and what became of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from riparian.api.callers import Viewer
from riparian.api.models import FileOut, FileState, PageOut
from riparian.api.paging import Cursor, Limit, page

router = APIRouter(prefix="/files", tags=["files"])


@router.get("", response_model=PageOut[FileOut])
def files(
    view: Viewer, source: str | None = None, state: FileState | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Any:
    """The files of the sources that you may know of, the newest first."""
    return page(view.files(cursor, limit, source=source, state=state))
