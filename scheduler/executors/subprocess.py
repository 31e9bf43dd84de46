"""Workers as processes on this machine: the default, and what other executors are measured by."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from riparian.scheduler.executors.base import Executor, State

Handle = subprocess.Popen[bytes]


class SubprocessExecutor(Executor[Handle]):
    """Each worker runs ``slots`` attempts at once and keeps its bundles and logs in progress below ``scratch``.

    ``environ`` is what the worker inherits (by default this process's environment); it writes to our stderr. A worker
    leaves with the process that started it, however that ends, and with its handle.
    """

    def __init__(self, *, scratch: Path, slots: int, environ: Mapping[str, str] | None = None) -> None:
        self._scratch = scratch
        self._slots = slots
        self._environ = environ

    def start(self, pool: str, url: str, token: str) -> Handle:
        handle = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "riparian.scheduler.worker", "--lifeline"),
                *("--url", url, "--pool", pool, "--slots", str(self._slots), "--scratch", str(self._scratch)),
            ],
            env=None if self._environ is None else dict(self._environ),
            # The token goes through a pipe: arguments and environment of a process can be read by others. We keep the
            # pipe open, and whatever ends us closes it.
            stdin=subprocess.PIPE,
            stdout=sys.__stderr__,
            # Ctrl-C on the terminal is for the control plane, which then drains its workers in order.
            start_new_session=True,
        )
        assert handle.stdin is not None  # noqa: S101 -- it was asked for
        # A worker that has died already is noticed when it is polled.
        with contextlib.suppress(BrokenPipeError):
            handle.stdin.write(f"{token}\n".encode())
            handle.stdin.flush()
        return handle

    def poll(self, handle: Handle) -> State:
        if handle.poll() is None:
            return State.RUNNING
        _let_go(handle)
        return State.GONE

    def stop(self, handle: Handle, *, seconds: float) -> None:
        if self.poll(handle) is State.GONE:
            return
        handle.terminate()
        try:
            handle.wait(seconds)
        except subprocess.TimeoutExpired:
            handle.kill()
            handle.wait()
        _let_go(handle)


def _let_go(handle: Handle) -> None:
    if handle.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # what was never written, because nobody read it
            handle.stdin.close()
