"""How does the worker call the control plane over HTTP?

Each thread owns a ``Line``: one kept-alive connection. The standard library's client is used because the round trip is
on the latency of every step, and it takes a fifth of the processor time of the richer clients.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import math
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from riparian.assets.errors import RiparianError, Unauthenticated
from riparian.scheduler.core.protocol import Problem

log = logging.getLogger(__name__)

T = TypeVar("T")

PREFIX = "/worker/v1"
FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0


class Away(RiparianError):
    """The control plane did not answer, or said that it can not now. Trying again is right."""

    code = "away"


class Failing(Away):
    """The control plane failed (500), which may be due to this very request: see ``persist``."""

    code = "failing"


class Rejected(RiparianError):
    """The control plane understood and will not. Trying the same again is pointless."""

    code = "rejected"

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        super().__init__(f"the control plane answered {status}: {_told(body)}")


class Stopped(RiparianError):
    """The worker is leaving; nobody waits for the answer any more."""

    code = "stopped"


def _told(body: bytes) -> str:
    with contextlib.suppress(msgspec.DecodeError):
        problem = msgspec.json.decode(body, type=Problem)
        return f"{problem.title} {problem.detail}".strip()
    return body[:500].decode(errors="replace")


class Line:
    """One connection to the control plane, for one thread at a time. It reconnects by itself."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Rejected(0, f"{url!r} is not an address; write http://host:port".encode())
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port)
        self._prefix = parts.path.rstrip("/") + PREFIX

    def call(
        self,
        method: str,
        path: str,
        bearer: str,
        body: bytes = b"",
        *,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Returns the body of a 2xx answer; raises Away, Failing (500), Unauthenticated (401) or Rejected (4xx)."""
        connection = self._connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        send = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, self._prefix + path, body, send)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as exc:
            connection.close()
            raise Away(f"{method} {path}: {type(exc).__name__}: {exc}") from exc
        if reply.status < 300:
            return content
        if reply.status == 401:
            raise Unauthenticated(_told(content))
        if reply.status == 500:
            raise Failing(f"{method} {path}: 500 {_told(content)}")
        if reply.status >= 500 or reply.status in (408, 429):
            raise Away(f"{method} {path}: {reply.status} {_told(content)}")
        raise Rejected(reply.status, content)

    def interrupt(self) -> None:
        """Ends the call that another thread waits for: it raises Away."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()


def persist(call: Callable[[], T], stop: threading.Event, *, failures: float = math.inf) -> T:
    """Returns what ``call`` returns, called again with jittered back-off as long as the control plane is away.

    The first repetition is at once, because a kept-alive connection that died while idle is the common case.
    Raises Stopped when ``stop`` is set meanwhile, Failing when the control plane failed ``failures`` times.
    """
    delay = 0.0
    failed = 0
    since = time.monotonic()
    while True:
        try:
            return call()
        except Away as exc:
            failed += isinstance(exc, Failing)
            if failed >= failures:
                raise
            if delay:
                log.warning("control plane away for %.1f s, work goes on: %s", time.monotonic() - since, exc)
            if stop.wait(delay * random.uniform(0.5, 1.5)):  # noqa: S311 -- jitter, not a secret
                raise Stopped("the worker is leaving") from exc
            delay = min(max(FIRST_DELAY, delay * 2), LONGEST_DELAY)
