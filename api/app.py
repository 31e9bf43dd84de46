"""What is served? All doors of one control plane as one ASGI app.

The app's lifespan is the plane's: it starts with the app and stops with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI

from riparian.api import problems, worker
from riparian.api.bodies import Bodies
from riparian.api.callers import REFUSALS, caller_of, current_view
from riparian.api.openapi import Doors
from riparian.api.rest import (
    assets,
    backfills,
    data,
    definitions,
    files,
    health,
    partitions,
    plan,
    policies,
    runs,
    tokens,
    versions,
)
from riparian.scheduler.control import ControlPlane

API = "/api/v1"


def create_app(plane: ControlPlane, dev: bool = False) -> FastAPI:
    """Returns the app over ``plane``. In ``dev``, an owner may look as somebody else (``X-Riparian-As``)."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(plane.start)
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(plane.stop)

    app = Doors(
        title="riparian",
        version=health.VERSION,
        lifespan=lifespan,
        exception_handlers=problems.HANDLERS,
        openapi_url="/openapi.json",
        # The pages that FastAPI brings load their scripts from elsewhere; we make no external request.
        docs_url=None,
        redoc_url=None,
    )
    app.state.plane = plane
    app.state.dev = dev
    app.add_middleware(Bodies, known="/api/", authenticate=lambda authorization: caller_of(plane, authorization))
    app.include_router(worker.router)
    app.include_router(health.router, prefix=API)
    app.include_router(_rest(), prefix=API)
    return app


def _rest() -> APIRouter:
    """Every route in here needs a caller: a new one can not forget to ask who it is."""
    router = APIRouter(dependencies=[Depends(current_view)], responses=REFUSALS)
    for room in (assets, versions, policies, data, runs, backfills, partitions, files, plan, definitions, tokens):
        router.include_router(room.router)
    return router
