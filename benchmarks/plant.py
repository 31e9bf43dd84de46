"""What is measured? A control plane and a worker, started as a user starts them, each its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.projects import STAMPS

POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Stamp:
    """When one function ran: wall-clock nanoseconds, comparable within this machine."""

    name: str
    started: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A running control plane and its worker. ``supervisor`` is the worker's own process."""

    folder: Path
    url: str
    token: str
    control_plane: int
    supervisor: int

    def materialize(self, key: str) -> None:
        """Asks for a run; returns when the control plane has acknowledged it."""
        self.ask(f"assets/{key}/materialize", b"{}")

    def ask(self, path: str, body: bytes | None = None) -> None:
        """Asks the control plane, and reads its answer; with a ``body``, for an act."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=body,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()

    def stamps(self, name: str, count: int, timeout_seconds: float = 120) -> list[Stamp]:
        """Waits until functions named ``name`` (``x*``: beginning with x) ran ``count`` times; returns those."""
        return wait_for_stamps(self.folder, name, count, timeout_seconds)


def command(*arguments: str, folder: Path) -> Any:
    """Runs ``riparian ARGUMENTS`` on the project and returns its answer; raises when it fails."""
    run = subprocess.run(
        [sys.executable, "-m", "riparian", *arguments, "--project", str(folder), "--json"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"riparian {' '.join(arguments)} ended with {run.returncode}: {run.stderr}{run.stdout}")
    return json.loads(run.stdout) if run.stdout.strip() else None


@contextmanager
def running(folder: Path, *, slots: int = 2) -> Iterator[Plant]:
    """Serves the project and starts a worker; both are ended at the end, whatever happened."""
    with ExitStack() as stack:
        server = stack.enter_context(
            _process("-m", "riparian", "serve", "--project", str(folder), log=folder / "serve.log")
        )
        url = _when_listening(folder, server)
        state = folder / ".riparian"
        worker = stack.enter_context(
            _process(
                *("-m", "riparian.scheduler.worker", "--url", url, "--slots", str(slots)),
                *("--token-file", str(state / "worker-token"), "--scratch", str(folder / "scratch")),
                log=folder / "worker.log",
            )
        )
        yield Plant(
            folder=folder,
            url=url,
            token=(state / "token").read_text(encoding="utf-8").strip(),
            control_plane=server.pid,
            supervisor=worker.pid,
        )


@contextmanager
def _process(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RIPARIAN_")}
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=output, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _when_listening(folder: Path, server: subprocess.Popen[bytes], timeout_seconds: float = 60) -> str:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            body = json.loads((folder / ".riparian" / "server.json").read_text(encoding="utf-8"))
            if body["pid"] == server.pid:
                return str(body["url"])
        except (OSError, ValueError):
            pass
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the control plane does not listen: {(folder / 'serve.log').read_text(encoding='utf-8')}")


def wait_for_stamps(folder: Path, name: str, count: int, timeout_seconds: float) -> list[Stamp]:
    deadline = time.monotonic() + timeout_seconds
    file = folder / STAMPS
    seen: list[Stamp] = []
    size = -1
    while time.monotonic() < deadline:
        # Only a grown file is read again, so that the looking takes next to nothing from what is measured.
        if file.exists() and (now := file.stat().st_size) != size:
            size = now
            seen = [s for s in map(_stamp, file.read_text(encoding="ascii").splitlines()) if _matches(s, name)]
            if len(seen) >= count:
                return seen
        time.sleep(POLL_SECONDS)
    logs = "".join((folder / log).read_text(encoding="utf-8")[-2000:] for log in ("serve.log", "worker.log"))
    raise RuntimeError(f"{name} ran {len(seen)} of {count} times within {timeout_seconds} s\n{logs}")


def _stamp(line: str) -> Stamp:
    name, started, ended = line.split()
    return Stamp(name, int(started), int(ended))


def _matches(stamp: Stamp, name: str) -> bool:
    return stamp.name.startswith(name[:-1]) if name.endswith("*") else stamp.name == name
