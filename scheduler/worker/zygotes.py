"""How does the supervisor start, reach and end the processes that run user code?

Every attempt gets a ``Child``: a preheated process at the other end of a socket, started before it is needed so that
starting costs no latency. Two kinds of nest keep them ready: ``ForkNest`` asks a zygote, ``ExecNest`` starts each anew.
All of this belongs to the supervisor's one loop; nothing here is called from another thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from riparian.assets.errors import RiparianError
from riparian.scheduler.worker import messages
from riparian.scheduler.worker.environment import PROGRAM
from riparian.scheduler.worker.messages import Assignment, Born, Kill, Start

DIRECT_BYTES = 64 * 1024
"""What surely fits a socket's buffer, so that sending it never waits for the other side."""
OPENING = ord("{")
"""What every message begins with; other bytes need not be kept until their line ends."""
MOST_BYTES = 64 * 1024 * 1024
"""More than all that a child has to say; its own code never comes near it."""
GARBLED = "its code wrote to a pipe that is not its own: the one by which its process speaks to the worker ({found})"


class Garbled(RiparianError):
    """What came from a process is none of the messages that it may send."""

    code = "garbled"

    def __init__(self, found: str) -> None:
        super().__init__(GARBLED.format(found=found))


class Child:
    """One preheated process. ``pid`` is None until it stands, ``status`` until it left (and after a lost zygote).

    ``spoken`` is set by who heard its outcome: from then on its leaving is no news. ``fault`` says in words what its
    own code did that ends it, where that is known.
    """

    __slots__ = ("fault", "gone", "heard", "nest", "number", "pid", "received", "socket", "spoken", "status")

    def __init__(self, nest: Nest, number: int, line: socket.socket) -> None:
        self.nest = nest
        self.number = number
        self.socket = line
        self.pid: int | None = None
        self.status: int | None = None
        self.gone = False
        self.spoken = False
        self.fault = ""
        self.heard = 0  # bytes, over its whole life
        self.received = bytearray()  # the beginning of a message whose end has not come

    def assign(self, assignment: Assignment) -> None:
        """Sends the lease. A long one is sent from a thread: the child may not be listening yet."""
        line = messages.encode(assignment) + b"\n"
        if len(line) <= DIRECT_BYTES:
            self._send(line)
        else:
            threading.Thread(target=self._send, args=(line,), daemon=True).start()

    def _send(self, line: bytes) -> None:
        # A child that is gone is noticed by the loop, which reports its attempt.
        with contextlib.suppress(OSError):
            self.socket.sendall(line)

    def read(self) -> tuple[list[messages.FromChild], bool]:
        """Returns the messages that have arrived, and whether more can come. Never waits.

        Raises Garbled when something else arrived: user code shares the process, and can write to every descriptor.
        """
        more = True
        lines: list[bytes] = []
        while True:
            try:
                chunk = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                more = False
                break
            self.heard += len(chunk)
            if self.heard > MOST_BYTES:
                raise Garbled(f"more than {MOST_BYTES} bytes came")
            first, *others = chunk.split(b"\n")
            self.received += first
            for other in others:
                lines.append(bytes(self.received))
                self.received = bytearray(other)
            if self.received and self.received[0] != OPENING:
                raise Garbled(f"{bytes(self.received[:20])!r} came")
        return [_message(line) for line in lines], more


def _message(line: bytes) -> messages.FromChild:
    try:
        return messages.from_child.decode(line)
    except messages.UNREADABLE as exc:
        raise Garbled(f"{line[:20]!r} came: {exc}") from exc


class Loop(Protocol):
    """What a nest needs of the supervisor's loop."""

    def watch(self, source: socket.socket, call: Callable[[], None]) -> None:
        """Calls ``call`` whenever ``source`` can be read."""
        ...

    def forget(self, source: socket.socket) -> None:
        """Stops watching and closes ``source``."""
        ...

    def spoke(self, child: Child) -> None:
        """The child's socket can be read."""
        ...

    def left(self, child: Child) -> None:
        """The child is dead: ``status`` says how, None when its zygote died with it."""
        ...


class Nest(Protocol):
    """Children for one bundle."""

    @property
    def alive(self) -> bool: ...

    def take(self) -> Child:
        """Returns a child that nobody else gets: one that stands ready, else a new one."""
        ...

    def fill(self) -> None:
        """Has children made ready for the next attempts, up to the number that shall stand."""
        ...

    def kill(self, child: Child) -> None:
        """Ends the child and its process group now. ``Loop.left`` follows."""
        ...

    def hung_up(self, child: Child) -> None:
        """The child closed its socket."""
        ...

    def close(self) -> None:
        """Lets all children leave."""
        ...


class ForkNest:
    """A zygote and the children it forked."""

    def __init__(self, loop: Loop, bundle: Path | None, environ: Mapping[str, str], standing: int) -> None:
        self._loop = loop
        self._standing_target = standing
        self._numbers = 0
        self._children: dict[int, Child] = {}
        self._standing: deque[Child] = deque()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _start(("--control", str(theirs.fileno())), bundle, environ, theirs)
        self.alive = True
        loop.watch(self._control, self._listen)

    @property
    def pid(self) -> int:
        return self._process.pid

    def take(self) -> Child:
        return self._standing.popleft() if self._standing else self._ask()

    def fill(self) -> None:
        while self.alive and len(self._standing) < self._standing_target:
            self._standing.append(self._ask())

    def _ask(self) -> Child:
        self._numbers += 1
        ours, theirs = socket.socketpair()
        child = Child(self, self._numbers, ours)
        self._children[child.number] = child
        self._loop.watch(ours, lambda: self._loop.spoke(child))
        with theirs, contextlib.suppress(OSError):  # a zygote that is gone is noticed when listening
            socket.send_fds(self._control, [messages.encode(Start(child=child.number))], [theirs.fileno()])
        return child

    def _listen(self) -> None:
        try:
            body = self._control.recv(messages.CONTROL_BYTES)
        except OSError:
            body = b""
        if not body:
            self._died()
            return
        try:
            told = messages.from_zygote.decode(body)
        except messages.UNREADABLE:
            # Its only code that is not ours is what the bundle's modules do when they are imported.
            self._died(str(Garbled(f"{body[:20]!r} came while the modules of the bundle were imported")))
            return
        child = self._children.get(told.child)
        if child is None:
            return
        if isinstance(told, Born):
            child.pid = told.pid
            if child.fault:
                self.kill(child)
        else:
            child.status = told.status
            self._discard(child)

    def _discard(self, child: Child) -> None:
        self._children.pop(child.number, None)
        if child in self._standing:
            self._standing.remove(child)
        child.gone = True
        self._loop.left(child)

    def _died(self, fault: str = "") -> None:
        """The zygote is gone, or has to go for ``fault``: its children are nobody's, and must not go on."""
        self.alive = False
        self._loop.forget(self._control)
        self._process.kill()
        self._process.wait()
        for child in list(self._children.values()):
            child.fault = child.fault or fault
            if child.pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
            self._discard(child)

    def kill(self, child: Child) -> None:
        if child.pid is None:
            # It is not born: the zygote itself hangs, in an import of the bundle. ``_listen`` hears of its end.
            self._process.kill()
            return
        with contextlib.suppress(OSError):
            self._control.send(messages.encode(Kill(child=child.number)))

    def hung_up(self, child: Child) -> None:
        """A live child that can not be heard any more is of no use; its end is told by the zygote."""
        if child.pid is not None and not child.gone and not child.spoken:
            self.kill(child)

    def close(self) -> None:
        if self.alive:
            self.alive = False
            self._loop.forget(self._control)
            for child in self._children.values():
                child.gone = True
                self._loop.forget(child.socket)
            _wait(self._process)


class ExecNest:
    """Children that are started anew, each from a clean program: where fork is not safe."""

    def __init__(self, loop: Loop, bundle: Path | None, environ: Mapping[str, str], standing: int) -> None:
        self._loop = loop
        self._bundle = bundle
        self._environ = environ
        self._standing_target = standing
        self._numbers = 0
        self._processes: dict[Child, subprocess.Popen[bytes]] = {}
        self._standing: deque[Child] = deque()
        self.alive = True

    def take(self) -> Child:
        return self._standing.popleft() if self._standing else self._begin()

    def fill(self) -> None:
        while self.alive and len(self._standing) < self._standing_target:
            self._standing.append(self._begin())

    def _begin(self) -> Child:
        self._numbers += 1
        ours, theirs = socket.socketpair()
        child = Child(self, self._numbers, ours)
        with theirs:
            process = _start(("--once", str(theirs.fileno())), self._bundle, self._environ, theirs)
        child.pid = process.pid
        self._processes[child] = process
        self._loop.watch(ours, lambda: self._loop.spoke(child))
        return child

    def kill(self, child: Child) -> None:
        process = self._processes.pop(child, None)
        if process is None:
            return
        # It was not waited for, so the pid is still its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        child.status = process.wait()
        child.gone = True
        if child in self._standing:
            self._standing.remove(child)
        self._loop.left(child)

    def hung_up(self, child: Child) -> None:
        """It is leaving; a kill changes nothing of how it ended, and takes what it left behind in its group."""
        self.kill(child)

    def close(self) -> None:
        self.alive = False
        for child, process in self._processes.items():
            child.gone = True
            self._loop.forget(child.socket)
            _wait(process)
        self._processes.clear()


def _start(
    place: tuple[str, str], bundle: Path | None, environ: Mapping[str, str], theirs: socket.socket
) -> subprocess.Popen[bytes]:
    where = () if bundle is None else ("--bundle", str(bundle))
    return subprocess.Popen(
        [*PROGRAM, *where, *place],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        # What the import of a bundle prints is the operator's to read, and must not mix with our standard output.
        stdout=sys.stderr.fileno(),
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Reaps it without holding up the loop; it leaves by itself, and is killed when it does not."""

    def reap() -> None:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    threading.Thread(target=reap, daemon=True).start()
