"""How do workers speak to the control plane? The worker protocol over HTTP (scheduler/core/protocol.py).

Bodies are decoded by the protocol's own codec and not by the web framework: this is the hot path of every step.
What waits is parked on a bell and holds no thread and no database connection.
"""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from riparian.assets.errors import Invalid, NotFound, Unauthenticated
from riparian.scheduler import dispatch, logs, sessions
from riparian.scheduler.commit import Accepted
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.core.protocol import Answer, Exchange, Heartbeat, OpenSession, decode, encode
from riparian.storage.objects import layout

router = APIRouter(prefix="/worker/v1", include_in_schema=False)

MAX_WAIT_MS = 60_000
MAX_REQUEST = 2**62
MAX_BODY = 64 * 1024 * 1024

T = TypeVar("T")
M = TypeVar("M", Heartbeat, Exchange)


@router.post("/sessions")
async def open_session(request: Request) -> Response:
    plane = _plane(request)
    caller = await run_in_threadpool(plane.access.authenticate, _bearer(request))
    if caller.kind != "worker":
        raise Unauthenticated("this is not a worker's token; make one with `riparian token create NAME --kind worker`")
    message = await _message(request, OpenSession)
    return _reply(await run_in_threadpool(sessions.open, plane, message))


@router.delete("/sessions/{session}")
async def close_session(request: Request, session: str) -> Response:
    plane = _plane(request)
    await run_in_threadpool(sessions.authenticate, plane, _bearer(request), session)
    await run_in_threadpool(sessions.close, plane, session)
    return Response(status_code=204)


@router.post("/heartbeat")
async def heartbeat(request: Request) -> Response:
    plane = _plane(request)
    session, _ = await _identified(request, plane)
    message = _own(session, await _message(request, Heartbeat))
    return _reply(await run_in_threadpool(sessions.heartbeat, plane, message))


@router.post("/exchange")
async def exchange(request: Request) -> Response:
    plane = _plane(request)
    session, pool = await _identified(request, plane)
    message = _own(session, await _message(request, Exchange))
    if not 0 <= message.request < MAX_REQUEST:
        raise Invalid(f"request {message.request} is no number of a message; count from 1")
    plane.bells.supersede(message.session)
    if message.reports or message.wait_ms <= 0:
        stored = any(written.objects for report in message.reports for written in report.outputs)
        # Only what lies in the store has to be looked at, and only that may take a while.
        accepted = await run_in_threadpool(dispatch.verify, plane, message.reports) if stored else _unstored(message)
        answer = await asyncio.wrap_future(plane.db.submit(lambda tx: dispatch.exchange(tx, plane, message, accepted)))
        return _reply(answer)
    return _reply(await _parked(request, plane, pool, message))


async def _parked(request: Request, plane: ControlPlane, pool: str, message: Exchange) -> Answer:
    """Waits until something is granted, the session speaks again, the worker leaves or its patience ends."""
    deadline = time.monotonic() + min(message.wait_ms, MAX_WAIT_MS) / 1000
    waiter = plane.bells.park(pool, message.session)
    try:
        while True:
            waiter.woken.clear()
            if waiter.superseded or await request.is_disconnected():
                return Answer()
            answer = await asyncio.wrap_future(plane.db.submit(lambda tx: dispatch.exchange(tx, plane, message, ())))
            remaining = deadline - time.monotonic()
            if answer.leases or remaining <= 0:
                return answer
            try:
                await asyncio.wait_for(waiter.woken.wait(), remaining)
            except TimeoutError:
                return Answer()
    finally:
        plane.bells.leave(pool, waiter)


@router.put("/logs/{step}/{epoch}")
async def append_log(request: Request, step: str, epoch: int, offset: int) -> Response:
    plane = _plane(request)
    await run_in_threadpool(sessions.authenticate, plane, _bearer(request))
    body = await _body(request)
    try:
        await run_in_threadpool(
            logs.append, plane, step, epoch, request.headers.get("x-lease-secret", ""), offset, body
        )
    except logs.LogGap as gap:
        return Response(encode({"expected": gap.expected}), status_code=409, media_type="application/json")
    return Response(status_code=204)


@router.get("/bundles/{digest}")
async def bundle(request: Request, digest: str) -> Response:
    plane = _plane(request)
    await run_in_threadpool(sessions.authenticate, plane, _bearer(request))
    name = layout.bundle_name(digest)
    if not await run_in_threadpool(plane.objects.exists, name):
        raise NotFound(f"there is no bundle {digest}; apply the project again")
    return Response(await run_in_threadpool(plane.objects.get, name), media_type="application/zip")


async def _identified(request: Request, plane: ControlPlane) -> tuple[str, str]:
    """Returns who speaks, session and pool, before a byte of the body is read."""
    secret = _bearer(request)
    if sessions.is_known(plane, secret):
        return sessions.identify(plane, secret)
    return await run_in_threadpool(sessions.identify, plane, secret)


def _own(session: str, message: M) -> M:
    if message.session != session:
        raise Unauthenticated("this session is another one's; open your own")
    return message


def _unstored(message: Exchange) -> list[Accepted]:
    return [Accepted(report) for report in message.reports]


def _plane(request: Request) -> ControlPlane:
    plane: ControlPlane = request.app.state.plane
    return plane


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send the token as `Authorization: Bearer …`")
    return token.strip()


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise Invalid(f"the body is larger than {MAX_BODY} bytes; send less at once")
    return bytes(body)


async def _message(request: Request, kind: type[T]) -> T:
    try:
        return decode(await _body(request), kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as exc:
        raise Invalid(f"this is no {kind.__name__}: {exc}") from exc


def _reply(message: object) -> Response:
    return Response(encode(message), media_type="application/json")
