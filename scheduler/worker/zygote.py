"""Which process does user code start from? A clean one that imported the bundle once and holds no secret and no data.

It forks a child per attempt. With ``--once`` it is itself the child of one attempt: for systems where fork is not safe,
and for bundles whose import starts threads.
Both leave when the supervisor's end of their socket is closed, whatever the user's code is doing.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

from riparian.scheduler.core.protocol import Entry, Lease, Output
from riparian.scheduler.worker import messages, runner
from riparian.scheduler.worker.environment import PROGRAM
from riparian.scheduler.worker.messages import Assignment, Begun, Born, Ended, Kill, Outcome, Start

EXIT_ORPHANED = 86
RENEWED = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Threads that pyarrow and polars start when they are imported, and without which they work after a fork."""
F_SETSIG = 10
"""Linux's number; the standard library has no name for it before Python 3.13."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--control", type=int, help="descriptor of the socket shared with the supervisor")
    place.add_argument("--once", type=int, help="descriptor of the socket of one attempt")
    options = parser.parse_args()
    preheat(options.bundle)
    if options.once is not None:
        serve(socket.socket(fileno=options.once), options.bundle)
    Zygote(socket.socket(fileno=options.control), options.bundle).run()


def preheat(bundle: Path | None) -> None:
    """Imports every module of the bundle, and what its attempts will need to read and write.

    A bundle that never imports pyarrow has no tables to read: it is spared the memory, which every fork would copy.
    """
    if bundle is not None:
        sys.path.insert(0, str(bundle))
        for module in modules(bundle):
            # The child imports it again and its attempt fails with the traceback; here nobody would read it.
            with contextlib.suppress(Exception, SystemExit):
                importlib.import_module(module)
    if bundle is None or "pyarrow" in sys.modules:
        for module in ("pyarrow", "pyarrow.parquet", "pyarrow.csv"):
            importlib.import_module(module)
        # With its first array pyarrow imports pandas where there is one: half a second that each fork would pay anew.
        sys.modules["pyarrow"].array([])
    rehearse()


def rehearse() -> None:
    """Runs an attempt of nothing, from its message to its message.

    In the zygote this loads what is loaded at first use. In a child that waits for its lease it touches the memory that
    the attempt will need: the pages are copied now, and not on the way of the data.
    """
    lease = Lease(
        step="",
        run="",
        workflow="",
        task="",
        epoch=0,
        attempt=0,
        secret="",
        partition="",
        seed="",
        inputs=(),
        outputs=(Output(asset="", partition="", directory=""),),
        entry=Entry(bundle="", module="builtins", qualname="dict", context=None, returns="builtins.dict"),
    )
    order = messages.assignment.decode(messages.encode(Assignment(lease=lease, storage_url="memory://", log="")))
    messages.encode(runner.attempt(order.lease, order.storage_url, None))


def foreign_threads() -> list[str]:
    """Returns the names of threads that libraries started and that do not come back after a fork by themselves; empty
    where the system does not tell. Threads without a name of their own bear the process's: those of OpenBLAS."""
    with contextlib.suppress(OSError):
        own = Path("/proc/self/comm").read_text()
        names = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
        return [name.strip() for name in names if name != own and name.strip() not in RENEWED]
    return []


def modules(bundle: Path) -> list[str]:
    """Returns the dotted names of the modules under ``bundle``, parents first."""
    names = set()
    for path in bundle.rglob("*.py"):
        parts = path.relative_to(bundle).with_suffix("").parts
        # A ``__main__`` is a program: importing it runs it.
        if all(part.isidentifier() for part in parts) and parts[-1] != "__main__":
            names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(names - {""})


class Zygote:
    """Forks children on request, kills them on request, and tells of each when it stands and how it left."""

    def __init__(self, control: socket.socket, bundle: Path | None) -> None:
        self._control = control
        self._bundle = bundle
        self._children: dict[int, int] = {}  # pid → number of the child
        self._starts_anew = False
        control.set_inheritable(False)
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)

    def run(self) -> NoReturn:
        # A fork copies no thread but its own: what a thread holds or would answer stays so for ever in the child.
        self._starts_anew = threading.active_count() > 1 or bool(foreign_threads())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # What lives now is shared by all children: the collector must not touch, and so copy, its pages.
        gc.collect()
        gc.freeze()
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._woken.recv(4096)
                        self._reap()
                    else:
                        self._obey(selector)

    def _obey(self, selector: selectors.BaseSelector) -> None:
        try:
            body, descriptors, _, _ = socket.recv_fds(self._control, messages.CONTROL_BYTES, 1)
        except ConnectionResetError:
            body = b""  # closed by the supervisor with something of ours unread
        if not body:
            self._leave()
        request = messages.to_zygote.decode(body)
        if isinstance(request, Kill):
            for pid in [pid for pid, child in self._children.items() if child == request.child]:
                _kill_group(pid)
        elif isinstance(request, Start):
            self._fork(request.child, descriptors[0], selector)

    def _fork(self, child: int, descriptor: int, selector: selectors.BaseSelector) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = child
            os.close(descriptor)
            self._tell(Born(child=child, pid=pid))
            return
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            selector.close()
            for end in (self._control, self._woken, self._waker):
                end.close()
            if self._starts_anew:
                os.set_inheritable(descriptor, True)
                bundle = [] if self._bundle is None else ["--bundle", str(self._bundle)]
                # This program itself, as the supervisor started it.
                os.execv(sys.executable, [*PROGRAM, *bundle, "--once", str(descriptor)])  # noqa: S606
            serve(socket.socket(fileno=descriptor), self._bundle)
        finally:
            os._exit(EXIT_ORPHANED)

    def _reap(self) -> None:
        while self._children:
            left = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if left is None:
                return
            # Before the pid is given back: what the attempt started in its group leaves with it.
            if left.si_pid in self._children:
                _kill_group(left.si_pid)
            pid, status = os.waitpid(left.si_pid, 0)
            child = self._children.pop(pid, None)
            if child is not None:
                self._tell(Ended(child=child, status=os.waitstatus_to_exitcode(status)))

    def _tell(self, message: Born | Ended) -> None:
        try:
            self._control.sendall(messages.encode(message))
        except (BrokenPipeError, ConnectionResetError):
            self._leave()

    def _leave(self) -> NoReturn:
        for pid in self._children:
            _kill_group(pid)
        os._exit(0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    # Between fork and setsid the child has no group of its own yet.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def serve(line: socket.socket, bundle: Path | None) -> NoReturn:
    """Waits for the one assignment of this process, runs it, says how it ended and leaves."""
    line.set_inheritable(False)
    rehearse()
    order = _receive(line)
    if order is None:
        os._exit(0)
    tied = tie(line)
    runner.redirect_output(Path(order.log))
    _say(line, Begun())
    outcome = runner.attempt(order.lease, order.storage_url, bundle)  # returns in this process only
    runner.flush_output()
    if tied:
        # A send that has to wait for room would count as news on the socket.
        fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) & ~os.O_ASYNC)
    _say(line, outcome)
    os._exit(0)


def _receive(line: socket.socket) -> Assignment | None:
    parts = []
    while chunk := line.recv(1 << 18):
        parts.append(chunk)
        if chunk.endswith(b"\n"):
            return messages.assignment.decode(b"".join(parts))
    return None


def _say(line: socket.socket, message: Begun | Outcome) -> None:
    try:
        line.sendall(messages.encode(message) + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        os._exit(EXIT_ORPHANED)


def tie(line: socket.socket) -> bool:
    """Sees to it that this process group leaves when the supervisor's end of ``line`` is closed.

    On Linux the kernel does it: nothing else is ever sent on ``line``, so any news of it is its end, and the signal for
    news is SIGKILL. It needs no thread, whose start takes longer than many an attempt, and it reaches code that never
    yields. Elsewhere a thread waits. Returns whether the kernel does it.
    """
    if sys.platform == "linux":
        fcntl.fcntl(line, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(line, F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
        # It may have been closed just before.
        with contextlib.suppress(BlockingIOError):
            if not line.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK):
                os._exit(EXIT_ORPHANED)
        return True
    threading.Thread(target=_leave_with_supervisor, args=(line,), daemon=True).start()
    return False


def _leave_with_supervisor(line: socket.socket) -> None:
    """Blocks until the supervisor's end is closed; then the whole group leaves, for nobody takes its outcome."""
    with contextlib.suppress(OSError):
        while line.recv(1):
            pass
    with contextlib.suppress(OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    main()
