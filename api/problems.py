"""What does a caller hear when something went wrong?

One table gives each kind of mistake its status; nothing else decides it. Every refusal is an RFC 9457 problem. An
error that names nobody's mistake is a bug of ours: it is logged whole, and the caller hears nothing of its details.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

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


def problem(code: str, status: int, detail: str, **more: Any) -> ProblemResponse:
    """Returns the body of a refusal. ``code`` is for programs, ``detail`` for people."""
    body = {"type": f"urn:riparian:{code}", "title": TITLES.get(code, "Not possible"), "status": status, "code": code}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return ProblemResponse({**body, "detail": detail, **more}, status_code=status, headers=headers)


def status_of(exc: RiparianError) -> int:
    codes = (kind.code for kind in type(exc).__mro__ if issubclass(kind, RiparianError))
    return next(STATUS[code] for code in codes if code in STATUS)


def refusal(exc: RiparianError) -> ProblemResponse:
    """Returns what a caller hears of ``exc``."""
    found = [_declared(p) for p in getattr(exc, "problems", ())]
    more = {"problems": found} if found else {}
    status, detail = status_of(exc), str(exc)
    if status >= 500:
        # Where things lie in the store is for who runs the server, not for readers.
        log.error("%s", detail)
        detail = "what lies in the store is not what was committed; the server's log names it"
    return problem(exc.code, status, detail, **more)


async def _told(request: Request, exc: RiparianError) -> ProblemResponse:
    return refusal(exc)


def _declared(found: Any) -> dict[str, Any]:
    """A declaration problem as JSON: where, what and why, and the remedy."""
    where = found.location
    return {
        "code": found.code,
        "message": found.message,
        "remedy": found.remedy,
        "file": where.file if where else None,
        "line": where.line if where else None,
    }


async def _unreadable(request: Request, exc: RequestValidationError) -> ProblemResponse:
    # The values themselves stay out of the answer: a body may hold a secret, or not be JSON at all.
    wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors()]
    return problem("invalid", 422, "; ".join(wrong))


async def _refused_by_framework(request: Request, exc: HTTPException) -> ProblemResponse:
    code = {401: "unauthenticated", 403: "refused", 404: "not_found", 409: "conflict", 413: "too_large"}.get(
        exc.status_code, "error"
    )
    return problem(code, exc.status_code, str(exc.detail))


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
