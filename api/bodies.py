"""Who may send how much? Asked before the first byte of a body is read.

The framework reads and parses a body before it asks who sent it. Here a stranger's body is never read, and nobody's
grows beyond ``MOST_BYTES``, whatever its length was said to be.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riparian.api import problems
from riparian.assets.errors import RiparianError

MOST_BYTES = 64 * 1024 * 1024


class Bodies:
    """Turns away bodies of strangers under ``known`` (401, 403) and bodies that are too large everywhere (413).

    ``authenticate`` is given the Authorization header and raises for whoever may not ask. Doors that are not under
    ``known``, such as those of workers, ask by themselves before they read.
    """

    def __init__(
        self, app: ASGIApp, *, known: str, authenticate: Callable[[str], object], most: int = MOST_BYTES
    ) -> None:
        self._app = app
        self._known = known
        self._authenticate = authenticate
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _has_body(headers) and scope["path"].startswith(self._known):
            try:
                await run_in_threadpool(self._authenticate, headers.get("authorization", ""))
            except RiparianError as exc:
                await problems.refusal(exc)(scope, receive, send)
                return
        await self._app(scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                # The framework passes this kind on to our problems, and makes any other a 400.
                raise HTTPException(413, f"the body is larger than {self._most} bytes; send less at once")
            return message

        return bounded


def _has_body(headers: Headers) -> bool:
    # HTTP has no body without one of the two.
    return "content-length" in headers or "transfer-encoding" in headers
