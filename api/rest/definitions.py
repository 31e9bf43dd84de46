"""Definitions: which declarations are in force, and the act of putting others in their place."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from riparian.api.callers import Plane, Viewer
from riparian.api.models import AppliedOut, ApplyBody, DefinitionOut, PageOut
from riparian.scheduler import register

router = APIRouter(prefix="/definitions", tags=["definitions"])


@router.get("", response_model=PageOut[DefinitionOut])
def definitions(view: Viewer) -> Any:
    """The definition in force of each project of which you may know an asset."""
    return {"items": view.definitions(), "next": None}


@router.post("", response_model=AppliedOut)
def apply(view: Viewer, plane: Plane, body: ApplyBody) -> Any:
    """Make what a project declares the definition in force; all of it or, with a problem, nothing."""
    manifest = register.read(plane, body.manifest, view.principal)
    applied = register.apply(plane, manifest, body.bundle, by=view.principal, rebuild=body.rebuild)
    return {**asdict(applied), "planned": len(applied.planned)}
