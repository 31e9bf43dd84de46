"""A control plane in a hundred lines that speaks the worker protocol, and worker processes to talk to it."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from riparian.assets.bundles import bundle_digest
from riparian.scheduler.core.protocol import (
    Answer,
    Entry,
    Exchange,
    Heartbeat,
    HeartbeatAnswer,
    Held,
    Lease,
    OpenSession,
    Output,
    Report,
    Result,
    Session,
    decode,
    encode,
)

TOKEN = "a-worker-token"


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that is killed in the middle of a call is what these tests are about."""


class ControlPlane:
    """Grants what is in ``ready``, records what it hears; ``refuse`` and friends make it misbehave."""

    def __init__(self, folder: Path) -> None:
        self.changed = threading.Condition()
        self.ready: deque[Lease] = deque()
        self.reports: list[Report] = []
        self.report_times: list[float] = []
        self.exchanges: list[Exchange] = []
        self.bodies: list[bytes] = []
        self.beats: list[Heartbeat] = []
        self.opened: list[OpenSession] = []
        self.deleted: list[str] = []
        self.sessions: dict[str, str] = {}
        self.revoked: set[Held] = set()
        self.logs: dict[tuple[str, int], bytes] = {}
        self.log_puts: list[tuple[str, int, int]] = []
        self.bundles: dict[str, bytes] = {}
        self.status: Callable[[Report], int] = lambda report: 200
        self.on_report: Callable[[Report], None] = lambda report: None
        self.away = False
        self.lose_replies = 0
        self.heartbeat_seconds = 0.2
        self._answers: dict[tuple[str, int], Answer] = {}
        self._reporting = 0
        self._steps = itertools.count(1)
        self.storage_url = str(folder / "objects")
        plane = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *args: object) -> None: ...

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if plane.away:
                    self.close_connection = True
                    return
                status, answer = plane.route(self, body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = serve  # noqa: N815 -- named so by the standard library

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    # -- serving ---------------------------------------------------------------------------------------------------

    def route(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(request.path)
        path = parts.path.removeprefix("/worker/v1/").split("/")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if path[0] == "sessions" and request.command == "POST":
            return self.open(bearer, decode(body, OpenSession))
        if bearer not in self.sessions.values():
            return 401, b'{"type":"about:blank","title":"session unknown","status":401}'
        if path[0] == "exchange":
            return self.exchange(body)
        if path[0] == "heartbeat":
            beat = decode(body, Heartbeat)
            with self.changed:
                self.beats.append(beat)
                self.changed.notify_all()
            return 200, encode(HeartbeatAnswer(revoked=tuple(h for h in beat.leases if h in self.revoked)))
        if path[0] == "bundles":
            return 200, self.bundles[path[1]]
        if path[0] == "logs":
            return self.log((path[1], int(path[2])), int(parse_qs(parts.query)["offset"][0]), body)
        assert (path[0], request.command) == ("sessions", "DELETE")
        self.deleted.append(path[1])
        return 204, b""

    def open(self, bearer: str, message: OpenSession) -> tuple[int, bytes]:
        if bearer != TOKEN:
            return 401, b'{"type":"about:blank","title":"unknown token","status":401}'
        with self.changed:
            self.opened.append(message)
            name = f"session-{len(self.opened)}"
            self.sessions[name] = f"secret-of-{name}"
            self.changed.notify_all()
        return 200, encode(
            Session(
                session=name,
                secret=self.sessions[name],
                storage_url=self.storage_url,
                heartbeat_seconds=self.heartbeat_seconds,
                lease_seconds=30.0,
            )
        )

    def exchange(self, body: bytes) -> tuple[int, bytes]:
        message = decode(body, Exchange)
        key = (message.session, message.request)
        with self.changed:
            self.exchanges.append(message)
            if message.reports:
                self.bodies.append(body)
            if key not in self._answers:
                for report in message.reports:
                    self.reports.append(report)
                    self.report_times.append(time.monotonic())
                    self.on_report(report)
                if message.wait_ms:
                    before = self._reporting
                    self.changed.wait_for(
                        lambda: self.ready or self._reporting != before or message.session not in self.sessions,
                        message.wait_ms / 1000,
                    )
                    if message.session not in self.sessions:
                        return 401, b"{}"
                else:
                    self._reporting += 1
                leases = [self.ready.popleft() for _ in range(min(message.want, len(self.ready)))]
                results = [Result(step=r.step, epoch=r.epoch, status=self.status(r)) for r in message.reports]
                self._answers[key] = Answer(results=tuple(results), leases=tuple(leases))
            self.changed.notify_all()
            if message.reports and self.lose_replies:
                self.lose_replies -= 1
                return 0, b""
        return 200, encode(self._answers[key])

    def log(self, key: tuple[str, int], offset: int, body: bytes) -> tuple[int, bytes]:
        with self.changed:
            have = self.logs.get(key, b"")
            if offset > len(have):
                return 409, b'{"expected": %d}' % len(have)
            self.log_puts.append((key[0], offset, len(body)))
            self.logs[key] = have[:offset] + body
            self.changed.notify_all()
        return 204, b""

    # -- what tests say --------------------------------------------------------------------------------------------

    def bundle(self, files: Mapping[str, str]) -> str:
        """Offers a bundle and returns its digest."""
        content = {name: text.encode() for name, text in files.items()}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        digest = bundle_digest(content)
        self.bundles[digest] = packed.getvalue()
        return digest

    def lease(self, bundle: str, function: str, **more: Any) -> Lease:
        """Returns the lease of a new step that runs ``work:<function>``, JSON in and out."""
        number = next(self._steps)
        context = more.pop("context", None)
        lease = Lease(
            step=f"step-{number}",
            run="run-1",
            workflow="some.flow",
            task=function,
            epoch=1,
            attempt=1,
            secret=f"lease-secret-{number}",
            partition="",
            seed="a seed",
            inputs=(),
            outputs=(Output(asset="some.asset", partition="", directory=f"v/ab/{number:032x}"),),
            entry=Entry(bundle=bundle, module="work", qualname=function, context=context, returns="builtins.dict"),
        )
        return replace(lease, **more)

    def grant(self, *leases: Lease) -> None:
        with self.changed:
            self.ready.extend(leases)
            self.changed.notify_all()

    def wait(self, true: Callable[[], Any], seconds: float = 15.0) -> None:
        """Returns when ``true()``; fails after ``seconds``."""
        with self.changed:
            deadline = time.monotonic() + seconds
            while not true():
                if time.monotonic() > deadline:
                    pytest.fail(f"not within {seconds} s; reports: {self.reports}")
                self.changed.wait(0.02)

    def wait_for_report(self, lease: Lease) -> Report:
        self.wait(lambda: any((r.step, r.epoch) == (lease.step, lease.epoch) for r in self.reports))
        return next(r for r in self.reports if (r.step, r.epoch) == (lease.step, lease.epoch))


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path)
    yield plane
    plane.server.shutdown()
    plane.server.server_close()


StartWorker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(plane: ControlPlane, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts worker processes for ``plane``; they are ended by their pid afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        slots: int = 2,
        env: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        stdin: int = subprocess.DEVNULL,
    ) -> Any:
        command = [sys.executable, "-m", "riparian.scheduler.worker", "--url", plane.url, "--slots", str(slots)]
        process = subprocess.Popen(
            [*command, "--scratch", str(tmp_path / "scratch"), *arguments],
            env={**os.environ, "RIPARIAN_WORKER_TOKEN": TOKEN, **(env or {})},
            stdin=stdin,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Whether a process still runs; a zombie does not."""

    def alive(pid: int) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False

    return alive
