"""Partitions: the dimensions whose keys are added in use."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from riparian.api.callers import Plane, Viewer
from riparian.api.models import DimensionOut, KeyOut, KeysBody, KeysOut, PageOut
from riparian.api.paging import Cursor, Limit, page
from riparian.scheduler import dimensions as changing

router = APIRouter(prefix="/partitions", tags=["partitions"])

Dimension = Annotated[str, Path(description="The dimension's name, such as `customer`.")]
Project = Annotated[str | None, Query(description="Where several projects have a dimension of that name.")]


@router.get("", response_model=PageOut[DimensionOut])
def dimensions(view: Viewer) -> Any:
    """The dimensions that you may know of."""
    return {"items": view.dimensions(), "next": None}


@router.get("/{dimension}", response_model=PageOut[KeyOut])
def keys(
    view: Viewer,
    dimension: Dimension,
    project: Project = None,
    removed: Annotated[bool, Query(description="Also those that were taken out.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Any:
    """The keys of a dimension that you may know of, in order."""
    return page(view.keys(dimension, project, cursor, limit, removed=removed))


@router.post("/{dimension}", response_model=KeysOut)
def add(view: Viewer, plane: Plane, dimension: Dimension, body: KeysBody, project: Project = None) -> Any:
    """Add keys, also such as were taken out. For the owner of all that is partitioned by them."""
    return changing.add(plane, dimension, body.keys, view.principal, project)


@router.post("/{dimension}/remove", response_model=KeysOut)
def remove(view: Viewer, plane: Plane, dimension: Dimension, body: KeysBody, project: Project = None) -> Any:
    """Take keys out: nothing is run for them any more, and what was made of them stays. For the owner of all that is
    partitioned by them."""
    return changing.remove(plane, dimension, body.keys, view.principal, project)
