"""Policies: who may read an asset and everything that is made from it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from riparian.api.callers import Plane, Viewer
from riparian.api.models import PolicyBody, PolicyOut
from riparian.assets.policy import Policy
from riparian.scheduler import policies

router = APIRouter(prefix="/assets/{key}/policy", tags=["policies"])


@router.get("", response_model=PolicyOut)
def policy(view: Viewer, key: str) -> Any:
    """Who may read the asset, and which of its origins say so."""
    return view.policy(key)


@router.put("", response_model=PolicyOut)
def set_overlay(view: Viewer, plane: Plane, key: str, body: PolicyBody | None) -> Any:
    """Restrict the asset beyond its declaration, in place of what was set before; null takes that away."""
    overlay = Policy.from_json(body.model_dump(mode="json")) if body is not None else None
    policies.set_overlay(plane.db, plane.db.read(plane.graphs.at), key, overlay, view.principal)
    return view.policy(key)


@router.post("/approve", response_model=PolicyOut)
def approve(view: Viewer, plane: Plane, key: str) -> Any:
    """Let the loosened declaration of an asset that you own come into force."""
    policies.approve(plane.db, plane.db.read(plane.graphs.at), key, view.principal)
    return view.policy(key)
