"""Versions: what was committed, and what it was made from."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from riparian.api.callers import Viewer
from riparian.api.models import LineageOut, VersionDetail
from riparian.api.paging import Limit
from riparian.api.rest.assets import AsOf, Depth

router = APIRouter(prefix="/versions", tags=["versions"])


@router.get("/{version_id}", response_model=VersionDetail)
def version(view: Viewer, version_id: str) -> Any:
    """One version."""
    return view.version(version_id)


@router.get("/{version_id}/lineage", response_model=LineageOut)
def lineage(
    view: Viewer,
    version_id: str,
    direction: Literal["both", "up", "down"] = "both",
    up: Depth = 2,
    down: Depth = 2,
    limit: Limit = 500,
    as_of: AsOf = None,
) -> Any:
    """The versions that this one was made from, and those made from it; with `as_of`, those that had been made by then.

    Today's policies say who may see them.
    """
    key = view.version(version_id)["asset"]
    return view.lineage(
        key, version=version_id, direction=direction, up=up, down=down, level="version", limit=limit, as_of=as_of
    )
