"""Do worker processes on this machine keep the executor's contract?"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from riparian.scheduler.executors.conformance import TOKEN, ExecutorConformance, Home, until
from riparian.scheduler.executors.subprocess import SubprocessExecutor

START = """
import sys, time
from pathlib import Path
from riparian.scheduler.executors.subprocess import SubprocessExecutor
url, token, scratch = sys.argv[1:]
worker = SubprocessExecutor(scratch=Path(scratch), slots=1).start("default", url, token)
print(worker.pid, flush=True)
time.sleep(60)
"""
STARTER = (sys.executable, "-c", START)


def is_alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class TestSubprocessExecutor(ExecutorConformance):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> SubprocessExecutor:
        return SubprocessExecutor(scratch=tmp_path / "scratch", slots=1)

    def test_token_is_not_in_the_process_list(self, executor: SubprocessExecutor, home: Home) -> None:
        """Neither arguments nor environment of the worker hold the token."""
        handle = executor.start("default", home.url, TOKEN)
        until(lambda: home.opened)
        process = Path(f"/proc/{handle.pid}")
        seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        executor.stop(handle, seconds=10)

        assert TOKEN.encode() not in seen
        assert b"riparian.scheduler.worker" in seen, shlex.quote(repr(seen))

    def test_worker_leaves_with_its_starter(self, home: Home, tmp_path: Path) -> None:
        """After SIGKILL of the starter the worker ends its session and leaves, though nobody tells it to."""
        with subprocess.Popen([*STARTER, home.url, TOKEN, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout is not None
            worker = int(starter.stdout.readline())
            until(lambda: home.opened)
            starter.kill()
        until(lambda: not is_alive(worker), seconds=5)

        assert ["s1"] == home.closed

    def test_worker_leaves_though_nobody_listens(self, home: Home, tmp_path: Path) -> None:
        """The starter mostly is the control plane itself: then there is nobody to say farewell to."""
        with subprocess.Popen([*STARTER, home.url, TOKEN, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout is not None
            worker = int(starter.stdout.readline())
            until(lambda: home.opened)
            home.server.shutdown()
            home.server.server_close()
            starter.kill()

        until(lambda: not is_alive(worker), seconds=5)

    def test_starting_does_not_wait(self, executor: SubprocessExecutor, home: Home) -> None:
        """``start`` returns before the worker has called."""
        began = time.monotonic()
        handle = executor.start("default", home.url, TOKEN)
        took = time.monotonic() - began
        executor.stop(handle, seconds=5)

        assert took < 2.0
