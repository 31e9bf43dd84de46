"""What does a caller hear when something went wrong?

One table gives each kind of mistake its status; nothing else decides it. Every refusal is an RFC 9457 problem. An
error that names nobody's mistake is a bug of ours: it is logged whole, and the caller hears nothing of its details.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from riparian.assets.errors import RiparianError

log = logging.getLogger("riparian.api")

STATUS = {
    "unauthenticated": 401,
    "refused": 403,
    "not_found": 404,
    "conflict": 409,
    "fenced": 409,
    "invalid": 422,
    "invalid_declaration": 422,
    "too_large": 413,
    # What lies in the store is not what was committed: nothing that a caller could do differently.
    "object_missing": 500,
    "object_changed": 500,
    "object_corrupt": 500,
    "error": 400,
}
"""The HTTP status of each ``RiparianError.code``. A kind that is not named has the status of what it is a kind of."""

TITLES = {
    "unauthenticated": "Who are you?",
    "refused": "Not allowed",
    "not_found": "Not found",
    "conflict": "Not now",
    "fenced": "Not yours any more",
    "invalid": "Can not be used",
    "invalid_declaration": "Invalid declaration",
    "too_large": "Too large",
    "error": "Not possible",
    "internal": "Internal error",
}

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # What is told may quote a text that is none: JSON writes half a character as an escape.
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def problem(code: str, status: int, detail: str, also: Mapping[str, str] | None = None, **more: Any) -> ProblemResponse:
    """Returns a refusal. ``code`` is for programs, ``detail`` for people; ``also`` are headers."""
    body = {"type": f"urn:riparian:{code}", "title": TITLES.get(code, "Not possible"), "status": status, "code": code}
    headers = {**(also or {}), **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return ProblemResponse({**body, "detail": detail, **more}, status_code=status, headers=headers)


def status_of(exc: RiparianError) -> int:
    codes = (kind.code for kind in type(exc).__mro__ if issubclass(kind, RiparianError))
    return next(STATUS[code] for code in codes if code in STATUS)


def refusal(exc: RiparianError) -> ProblemResponse:
    """Returns what a caller hears of ``exc``."""
    found = [p.to_json() for p in getattr(exc, "problems", ())]
    more: dict[str, Any] = {"problems": found} if found else {}
    status, detail = status_of(exc), str(exc)
    if status >= 500:
        # Where things lie in the store is for who runs the server, not for readers.
        log.error("%s", detail)
        detail = "what lies in the store is not what was committed; the server's log names it"
    return problem(exc.code, status, detail, **more)


async def _told(request: Request, exc: RiparianError) -> ProblemResponse:
    return refusal(exc)


async def _unreadable(request: Request, exc: RequestValidationError) -> ProblemResponse:
    # The values themselves stay out of the answer: a body may hold a secret, or not be JSON at all.
    wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors()]
    return problem("invalid", 422, "; ".join(wrong))


async def _refused_by_framework(request: Request, exc: HTTPException) -> ProblemResponse:
    if exc.status_code == 400:
        # The framework's word for a body that is no JSON in UTF-8; to us a value like any other that can not be used.
        return problem("invalid", 422, "the body can not be read; send JSON in UTF-8")
    code = {401: "unauthenticated", 403: "refused", 404: "not_found", 409: "conflict", 413: "too_large"}.get(
        exc.status_code, "error"
    )
    also = {"Allow": _allowed(request)} if exc.status_code == 405 else exc.headers
    return problem(code, exc.status_code, str(exc.detail), also=also)


def _allowed(request: Request) -> str:
    """The methods of every door at this path; the framework names those of the first alone."""
    path = request.scope["path"]
    here = (d for d in iter_route_contexts(request.app.routes) if d.path and compile_path(d.path)[0].match(path))
    return ", ".join(sorted({method for door in here for method in door.methods or ()}))


async def _bug(request: Request, exc: Exception) -> ProblemResponse:
    # The traceback follows: the framework raises the error once more, for the server to log.
    log.error("a bug of riparian while it answered %s %s", request.method, request.url.path)
    return problem("internal", 500, "internal error; the server's log has the details")


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    RiparianError: _told,
    RequestValidationError: _unreadable,
    HTTPException: _refused_by_framework,
    Exception: _bug,
}
"""Makes every error that leaves a route a problem."""
