"""Tokens: who may ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from riparian.api.callers import Plane, Viewer
from riparian.api.models import TokenBody, TokenOut
from riparian.scheduler import principals

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.post("", response_model=TokenOut, status_code=201)
def create(view: Viewer, plane: Plane, body: TokenBody) -> Any:
    """Make a token for a person or a worker. Of a known person, groups and clearances are replaced by these."""
    text = principals.create_token(
        plane.db,
        body.name,
        groups=body.groups,
        clearances=body.clear,
        kind=body.kind,
        by=view.principal,
        expires_seconds=body.expires_seconds,
    )
    return {"id": plane.access.authenticate(text).token_id, "name": body.name, "token": text}


@router.delete("/{token_id}", status_code=204)
def revoke(view: Viewer, plane: Plane, token_id: str) -> None:
    """Make a token worthless at once: your own, or as an owner any."""
    principals.revoke_token(plane.db, token_id, view.principal)
