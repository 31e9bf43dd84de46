"""What must every executor do? A suite that its tests subclass, with fixtures ``executor`` and ``home``.

The suite watches from the control plane's side: a worker counts when it calls, not when an engine says that it runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from riparian.scheduler.core.protocol import (
    DEFAULT_POOL,
    Answer,
    HeartbeatAnswer,
    OpenSession,
    Session,
    decode,
    encode,
)
from riparian.scheduler.executors.base import Executor, State

TOKEN = "token-of-the-conformance-suite"  # noqa: S105 -- it opens nothing


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that is killed in the middle of a call is what these tests are about."""


class Home:
    """A control plane without work: it takes sessions from those who hold the token."""

    def __init__(self) -> None:
        self.opened: list[OpenSession] = []
        self.closed: list[str] = []
        self.refused = 0
        home = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None: ...

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = home.route(self.command, self.path, self.headers.get("Authorization", ""), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = answer  # noqa: N815 -- named so by the standard library

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def route(self, command: str, path: str, bearer: str, body: bytes) -> tuple[int, bytes]:
        if command == "DELETE":
            self.closed.append(path.rpartition("/")[2])
            return 204, b""
        if path.endswith("/exchange"):
            time.sleep(0.2)
            return 200, encode(Answer())
        if path.endswith("/heartbeat"):
            return 200, encode(HeartbeatAnswer())
        if bearer != f"Bearer {TOKEN}":
            self.refused += 1
            return 401, b"{}"
        self.opened.append(decode(body, OpenSession))
        name = f"s{len(self.opened)}"
        session = Session(session=name, secret=name, storage_url="memory://", heartbeat_seconds=5.0, lease_seconds=30.0)
        return 200, encode(session)


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Returns when ``true()``; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"  # noqa: S101
        time.sleep(0.02)


class ExecutorConformance:
    """Subclass it as ``Test…`` and give it a fixture ``executor``."""

    @pytest.fixture
    def home(self) -> Iterator[Home]:
        home = Home()
        yield home
        home.server.shutdown()
        home.server.server_close()

    def test_started_worker_calls_home(self, executor: Executor[Any], home: Home) -> None:
        """The worker opens a session for its pool with the token it was given, and is RUNNING."""
        handle = executor.start("heavy", home.url, TOKEN)
        until(lambda: home.opened)
        state = executor.poll(handle)
        executor.stop(handle, seconds=10)

        assert (state, home.opened[0].pool) == (State.RUNNING, "heavy")  # noqa: S101

    def test_stopped_worker_ends_its_session(self, executor: Executor[Any], home: Home) -> None:
        """Stopping drains: the worker ends its session itself and is GONE; stopping it again does nothing."""
        handle = executor.start(DEFAULT_POOL, home.url, TOKEN)
        until(lambda: home.opened)
        executor.stop(handle, seconds=10)
        executor.stop(handle, seconds=10)

        assert (executor.poll(handle), home.closed) == (State.GONE, ["s1"])  # noqa: S101

    def test_two_workers_are_two(self, executor: Executor[Any], home: Home) -> None:
        """Starting twice gives two workers with incarnations of their own; stopping one leaves the other."""
        first, second = (executor.start(DEFAULT_POOL, home.url, TOKEN) for _ in range(2))
        until(lambda: len(home.opened) == 2)
        executor.stop(first, seconds=10)
        states = (executor.poll(first), executor.poll(second))
        executor.stop(second, seconds=10)

        assert states == (State.GONE, State.RUNNING)  # noqa: S101
        assert len({message.incarnation for message in home.opened}) == 2  # noqa: S101

    def test_refused_worker_is_gone(self, executor: Executor[Any], home: Home) -> None:
        """A worker with a token that is not valid (any more) leaves by itself: a late or doubled start costs that."""
        handle = executor.start(DEFAULT_POOL, home.url, "an expired token")
        until(lambda: executor.poll(handle) is State.GONE)

        assert (home.refused, home.opened) == (1, [])  # noqa: S101

    def test_worker_that_does_not_leave_is_ended(self, executor: Executor[Any], home: Home) -> None:
        """Stopping is bounded, also while the worker still waits for a control plane that is not there."""
        home.server.shutdown()
        home.server.server_close()
        handle = executor.start(DEFAULT_POOL, home.url, TOKEN)
        executor.stop(handle, seconds=0.5)

        assert State.GONE is executor.poll(handle)  # noqa: S101
