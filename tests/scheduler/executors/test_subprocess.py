"""Do worker processes on this machine keep the executor's contract?"""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest

from riparian.scheduler.executors.conformance import TOKEN, ExecutorConformance, Home, until
from riparian.scheduler.executors.subprocess import SubprocessExecutor


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

    def test_starting_does_not_wait(self, executor: SubprocessExecutor, home: Home) -> None:
        """``start`` returns before the worker has called."""
        began = time.monotonic()
        handle = executor.start("default", home.url, TOKEN)
        took = time.monotonic() - began
        executor.stop(handle, seconds=5)

        assert took < 2.0
