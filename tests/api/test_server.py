"""How servers come up, are found and go down."""

from __future__ import annotations

import json
import os
import queue
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from riparian.api import server, settings, state
from riparian.assets.errors import Refused

PATIENCE_SECONDS = 60.0
"""Only a broken server takes so long; a good one is waited for no longer than it needs."""

PROJECT = """
import pyarrow as pa
from riparian import asset, source, Daily, FileDrop

days = Daily("day", start="2020-01-01")
arrivals = source("air.arrivals", arrives=FileDrop("drop/{day:%Y-%m-%d}.csv", settle_seconds=0.1), partitions=days)

@asset("air.count")
def count(arrivals: pa.Table) -> dict:
    return {"rows": arrivals.num_rows}
"""


class Running:
    """A command that stays, and the lines it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self, *words: str) -> str:
        """Waits for a line that holds all of ``words``."""
        deadline, seen = time.monotonic() + PATIENCE_SECONDS, list[str]()
        while True:
            try:
                seen.append(self._lines.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"no line with {words} after {seen}") from None
            if all(word in seen[-1] for word in words):
                return seen[-1]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")}
    command = [sys.executable, "-m", "riparian", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE_SECONDS)


def workers_of(folder: Path) -> list[int]:
    """The worker processes that keep their files below ``folder``."""
    mine = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and "riparian.scheduler.worker" in command:
            mine.append(int(process.name))
    return mine


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_is_found_while_it_listens(tmp_path: Path, number: signal.Signals) -> None:
    """It writes where it listens, keeps its tokens to itself, refuses a second one, and takes its address back."""
    with running(tmp_path, "serve", "--port", "0", "--json") as served:
        told = json.loads(served.line("url"))
        folder = tmp_path / ".riparian"
        found = state.running_server(folder)
        modes = [stat.S_IMODE((folder / name).stat().st_mode) for name in ("token", "worker-token", "key")]
        health = httpx.get(f"{told['url']}/api/v1/health", trust_env=False)
        second = subprocess.run(
            [sys.executable, "-m", "riparian", "serve"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        code = served.end(number)

    assert state.RunningServer(told["url"], served.process.pid) == found
    assert [0o600] * 3 == modes
    assert "ok" == health.json()["status"]
    assert (5, True) == (second.returncode, f"process {served.process.pid} " in second.stderr)
    assert (0, False) == (code, (folder / "server.json").exists())


def test_commands_find_the_server_and_its_token(tmp_path: Path) -> None:
    """Without any option; the owner's token stays the same over a restart."""
    tokens = []
    for _ in range(2):
        with running(tmp_path, "serve") as served:
            served.line("riparian listens on http://127.0.0.1:")
            listed = subprocess.run(
                [sys.executable, "-m", "riparian", "ls", "--json"], cwd=tmp_path, capture_output=True, check=True
            )
            tokens.append(state.read_token(tmp_path / ".riparian"))

        assert [] == json.loads(listed.stdout)
    assert 1 == len(set(tokens))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 - never bound
def test_other_machines_are_kept_out_unless_said(tmp_path: Path, host: str) -> None:
    """Tokens cross the wire in clear: what others reach needs --allow-remote, and nothing is opened before."""
    with pytest.raises(Refused, match="--allow-remote"):
        server.serve(replace(settings.load(tmp_path, {}), host=host))

    assert not (tmp_path / ".riparian").exists()


def test_dev_applies_works_and_tells(tmp_path: Path) -> None:
    """From a file that lands to the asset made of it; a broken edit keeps what was good; the end leaves no process."""
    (tmp_path / "air.py").write_text("def broken(:\n")
    with running(tmp_path, "dev") as dev:
        dev.line("listening", "http://127.0.0.1:")
        dev.line("not applied", "nothing is applied yet")
        (tmp_path / "air.py").write_text(PROJECT)
        dev.line("folder", str(tmp_path / "drop"))
        dev.line("applied", "1 added")
        (tmp_path / "drop" / "2020-01-01.csv").write_text("a\n1\n2\n")
        dev.line("committed", "air.arrivals[2020-01-01]")
        dev.line("committed", "air.count")
        (tmp_path / "air.py").write_text(PROJECT + "def broken(:\n")
        dev.line("problem", "air.py:")
        dev.line("not applied", "stays in force")
        (tmp_path / "air.py").write_text(PROJECT.replace("num_rows}", "num_rows * 2}"))
        dev.line("applied", "1 changed")
        dev.line("committed", "air.count")
        data = subprocess.run(
            [sys.executable, "-m", "riparian", "data", "air.count"], cwd=tmp_path, capture_output=True, check=True
        )
        (tmp_path / "drop" / "2020-01-02.csv").write_text("a\n1\n2,3\n")
        run = dev.line("failed", "air.count", "line 3").rpartition("(riparian logs ")[2].strip(" )\n")
        broken, logs = (
            subprocess.run(
                [sys.executable, "-m", "riparian", *words], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            for words in (["data", "air.arrivals", "-p", "2020-01-02"], ["logs", run])
        )
        code = dev.end(signal.SIGTERM)

    assert b"4" in data.stdout
    assert (0, True) == (logs.returncode, "line 3" in logs.stderr)
    assert (2, True, False) == (broken.returncode, "line 3" in broken.stderr, "part-0" in broken.stderr)
    assert 0 == code
    assert [] == workers_of(tmp_path)
