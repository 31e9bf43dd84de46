"""Assets: what there is, where it comes from, why it was made, and the wish that it be made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from riparian.api.callers import Plane, Viewer
from riparian.api.models import (
    AskedOut,
    AssetDetail,
    AssetOut,
    ChecksOut,
    EventBody,
    EventOut,
    LineageOut,
    MaterializeBody,
    PageOut,
    VersionOut,
    WhyOut,
)
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import events, request

router = APIRouter(prefix="/assets", tags=["assets"])

Depth = Annotated[int | None, Query(ge=0, le=1000, description="So many steps; left out: all.")]


AsOf = Annotated[
    str | None, Query(description="A moment: a time with its offset, such as 2026-11-22T06:30:00Z, or a change_seq.")
]


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


@router.get("/{key}/checks", response_model=ChecksOut)
def checks(view: Viewer, key: str, partition: str | None = None) -> Any:
    """The asset's checks, each with what it found last, in the partition or (left out) in any. For who may read it."""
    return view.checks(key, partition)


@router.get("/{key}/lineage", response_model=LineageOut)
def lineage(
    view: Viewer,
    key: str,
    partition: str | None = None,
    version: str | None = None,
    direction: Literal["both", "up", "down"] = "both",
    up: Depth = 2,
    down: Depth = 2,
    level: Literal["asset", "version"] | None = None,
    limit: Limit = 500,
    as_of: AsOf = None,
) -> Any:
    """What the asset, or one of its versions, was made from, and what was made from it.

    With `as_of`: the versions that stood then and what had been made of them; without a root when there was none yet.
    What lies ahead is now. Today's policies say who may see them.
    """
    return view.lineage(
        key, partition, version, direction=direction, up=up, down=down, level=level, limit=limit, as_of=as_of
    )


@router.get("/{key}/why", response_model=WhyOut)
def why(view: Viewer, key: str, partition: str | None = None) -> Any:
    """Why the partition (left out: the one that moved last) was made, or why not."""
    return view.why(key, partition)


@router.post("/{key}/materialize", response_model=AskedOut, status_code=202)
def materialize(view: Viewer, plane: Plane, key: str, body: MaterializeBody) -> Any:
    """Make the partition now, whatever its trigger says."""
    return asdict(request.materialize(plane, key, body.partition, by=view.principal, params=body.params))


@router.post(
    "/{key}/events",
    response_model=EventOut,
    status_code=201,
    responses={200: {"model": EventOut, "description": "It was known already; nothing changed."}},
)
def report(view: Viewer, plane: Plane, response: Response, key: str, body: EventBody) -> Any:
    """Report an update of a source that others made: a new version, and the runs that it calls for. For its owner."""
    recorded = events.record(
        plane,
        key,
        body.value,
        view.principal,
        id=body.id or "",
        partition=body.partition,
        digest=body.digest or "",
    )
    if recorded.repeated:
        response.status_code = 200
    return asdict(recorded)
