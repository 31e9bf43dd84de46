"""Workers as processes on this machine: the default, and what other executors are measured by."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from riparian.scheduler.executors.base import Executor, State

Handle = subprocess.Popen[bytes]


class SubprocessExecutor(Executor[Handle]):
    """Each worker runs ``slots`` attempts at once and keeps its bundles and logs in progress below ``scratch``.

    ``environ`` is what the worker inherits (by default this process's environment); it writes to our stderr.
    """

    def __init__(self, *, scratch: Path, slots: int, environ: Mapping[str, str] | None = None) -> None:
        self._scratch = scratch
        self._slots = slots
        self._environ = environ

    def start(self, pool: str, url: str, token: str) -> Handle:
        # Through a pipe: arguments and environment of a process can be read by others.
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(token.encode())
            return subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "riparian.scheduler.worker"),
                    *("--url", url, "--pool", pool, "--slots", str(self._slots)),
                    *("--scratch", str(self._scratch), "--token-file", f"/dev/fd/{reading}"),
                ],
                env=None if self._environ is None else dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,
                pass_fds=[reading],
                # Ctrl-C on the terminal is for the control plane, which then drains its workers in order.
                start_new_session=True,
            )
        finally:
            os.close(reading)

    def poll(self, handle: Handle) -> State:
        return State.RUNNING if handle.poll() is None else State.GONE

    def stop(self, handle: Handle, *, seconds: float) -> None:
        if handle.poll() is not None:
            return
        handle.terminate()
        try:
            handle.wait(seconds)
        except subprocess.TimeoutExpired:
            handle.kill()
            handle.wait()
