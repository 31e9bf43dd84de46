"""What do the processes of one project find in its state folder, and who may use it now?

``lock`` is held by the one process that has the metadata open. ``server.json`` says where it listens, once it does.
``token`` and ``worker-token`` are readable by their owner alone.

A folder may come from a stranger. Tokens are sent where its files say, so they are believed only while a process of
ours holds the lock, and only for an address of this machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from riparian.assets.errors import Conflict

TOKEN = "token"  # noqa: S105 - the name of a file
WORKER_TOKEN = "worker-token"  # noqa: S105 - the name of a file
LOCK = "lock"
SERVER = "server.json"
POLL_SECONDS = 0.05

_HERE = re.compile(r"http://(127(\.[0-9]{1,3}){3}|\[::1\]|localhost):[0-9]{1,5}")
"""Where a server is asked that was found by its folder. One that others reach is named by who asks it."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The server of a project: where it listens, and its process."""

    url: str
    pid: int


def prepare(state: Path) -> None:
    """Makes the folder, for its owner only, and keeps it out of version control."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


@contextmanager
def exclusive(state: Path, wait_seconds: float = 2.0) -> Iterator[None]:
    """Holds the project for this process; after ``wait_seconds`` raises Conflict that names the process that has it."""
    held = acquire(state, wait_seconds)
    if held is None:
        raise in_use(state)
    with release_after(held):
        yield


def in_use(state: Path) -> Conflict:
    """Returns the refusal that names the process which has the project."""
    by = holder(state) or "(unknown)"
    server = _announced(state)
    if server is not None and server.pid == by and not _HERE.fullmatch(server.url):
        return Conflict(
            f"process {by} uses {state} now and says that it listens on {server.url}, which is not on this machine "
            "alone; name it by --url (or RIPARIAN_URL), and set RIPARIAN_TOKEN"
        )
    return Conflict(f"process {by} uses {state} now (it holds {LOCK}); wait for it, or stop it and try again")


def acquire(state: Path, wait_seconds: float) -> int | None:
    """Returns the lock's descriptor, or None when another process held it for all of ``wait_seconds``.

    Ends at once when the holder is a server that listens: it will keep the lock.
    """
    prepare(state)
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if running_server(state) or time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(POLL_SECONDS)
        else:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


@contextmanager
def release_after(descriptor: int) -> Iterator[None]:
    """Gives the lock back at the end. The file stays: removing it would let two processes each lock their own."""
    try:
        yield
    finally:
        os.truncate(descriptor, 0)
        os.close(descriptor)


def running_server(state: Path) -> RunningServer | None:
    """Returns the server of ours that holds the lock and listens on this machine. What a killed one left behind, or
    what came with a copied folder, is not believed."""
    try:
        if not all(_is_ours(file) for file in (state.resolve(), state / LOCK, state / SERVER)) or is_free(state):
            return None
    except OSError:
        return None
    server = _announced(state)
    return server if server is not None and server.pid == holder(state) and _HERE.fullmatch(server.url) else None


def _announced(state: Path) -> RunningServer | None:
    """Returns what the folder says of a server, true or not."""
    try:
        body = json.loads((state / SERVER).read_text(encoding="utf-8"))
        # Who listens everywhere listens here too.
        url = str(body["url"]).replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        return RunningServer(url=url, pid=int(body["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_free(state: Path) -> bool:
    """Whether nobody holds the lock now; raises OSError when it can not be opened."""
    descriptor = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_ours(path: Path) -> bool:
    """Whether it belongs to who asks, and is no link to something that does."""
    found = path.lstat()
    return found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)


def token_for(state: Path, url: str) -> str | None:
    """Returns what to show the server at ``url``: the caller's token, or the folder's for the folder's own server."""
    if token := os.environ.get("RIPARIAN_TOKEN"):
        return token
    server = running_server(state)
    return read_token(state) if server is not None and server.url == url.rstrip("/") else None


def announce(state: Path, url: str) -> None:
    """Writes where this process listens; a reader sees all of it or nothing."""
    fresh = state / f"{SERVER}.{os.getpid()}"
    fresh.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
    fresh.replace(state / SERVER)


def withdraw(state: Path) -> None:
    (state / SERVER).unlink(missing_ok=True)


def read_token(state: Path, name: str = TOKEN) -> str | None:
    """Returns the token that lies in the folder, None when there is none."""
    try:
        return (state / name).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def write_token(state: Path, token: str, name: str = TOKEN) -> None:
    """Writes a token for its owner's eyes only. An older one is replaced whole, never opened wider for a moment."""
    fresh = state / f"{name}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(state / name)


def holder(state: Path) -> int | None:
    """Returns the process that wrote its number into the lock and still lives."""
    try:
        pid = int((state / LOCK).read_text(encoding="ascii"))
        os.kill(pid, 0)
    except PermissionError:
        return pid  # it lives, as another user
    except (OSError, ValueError):
        return None
    return pid
