"""Health: is the control plane there, and what can it not see? The one question that needs no token."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from riparian.api.callers import REFUSALS, Credentials, Plane
from riparian.api.models import HealthOut
from riparian.scheduler.core.effective import OWNERS

VERSION = version("riparian")

router = APIRouter(tags=["health"])


@router.get("/health", response_model=HealthOut, responses={s: REFUSALS[s] for s in (401, 413, 422, 500)})
def health(plane: Plane, credentials: Credentials) -> Any:
    """Whether it runs. What it can not see, such as a folder that is missing, is told to owners alone: it has names."""
    problems = list(plane.problems())
    is_owner = credentials is not None and OWNERS in plane.access.authenticate(credentials.credentials).principal.groups
    return {
        "status": "trouble" if problems else "ok",
        "version": VERSION,
        "problems": problems if is_owner else None,
    }
