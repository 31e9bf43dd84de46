"""Assets: what there is, where it comes from, why it was made, and the wish that it be made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from riparian.api.callers import Plane, Viewer
from riparian.api.models import (
    AskedOut,
    AssetDetail,
    AssetOut,
    LineageOut,
    MaterializeBody,
    PageOut,
    VersionOut,
    WhyOut,
)
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import request

router = APIRouter(prefix="/assets", tags=["assets"])

Depth = Annotated[int | None, Query(ge=0, le=1000, description="So many steps; left out: all.")]


@router.get("", response_model=PageOut[AssetOut])
def assets(
    view: Viewer, limit: Limit = 100, cursor: Cursor = None, kind: Literal["source", "asset"] | None = None
) -> Any:
    """The assets that you may know of, by key."""
    return page(view.assets(cursor, limit, kind))


@router.get("/{key}", response_model=AssetDetail)
def asset(view: Viewer, key: str) -> Any:
    """One asset with its neighbours, its trigger and its newest schema."""
    return view.asset(key)


@router.get("/{key}/versions", response_model=PageOut[VersionOut])
def versions(view: Viewer, key: str, partition: str | None = None, limit: Limit = 100, cursor: Cursor = None) -> Any:
    """The asset's versions, the newest first."""
    return page(view.versions(key, partition, cursor, limit))


@router.get("/{key}/lineage", response_model=LineageOut)
def lineage(
    view: Viewer,
    key: str,
    partition: str | None = None,
    version: str | None = None,
    direction: Literal["both", "up", "down"] = "both",
    up: Depth = 2,
    down: Depth = 2,
    level: Literal["asset", "version"] = "asset",
    limit: Limit = 500,
) -> Any:
    """What the asset, or one of its versions, was made from, and what was made from it."""
    return view.lineage(key, partition, version, direction=direction, up=up, down=down, level=level, limit=limit)


@router.get("/{key}/why", response_model=WhyOut)
def why(view: Viewer, key: str, partition: str | None = None) -> Any:
    """Why the partition (left out: the one that moved last) was made, or why not."""
    return view.why(key, partition)


@router.post("/{key}/materialize", response_model=AskedOut, status_code=202)
def materialize(view: Viewer, plane: Plane, key: str, body: MaterializeBody) -> Any:
    """Make the partition now, whatever its trigger says."""
    return asdict(request.materialize(plane, key, body.partition, by=view.principal, params=body.params))
