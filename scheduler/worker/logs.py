"""How does what an attempt prints reach the control plane, in order, and never more than is allowed?"""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec

from riparian.assets.errors import Unauthenticated
from riparian.scheduler.core.protocol import Lease
from riparian.scheduler.worker.client import Failing, Line, Rejected, Stopped, persist

log = logging.getLogger(__name__)

CUT = b"\n[cut: an attempt's log holds at most 64 MiB]\n"
LIMIT = 64 * 1024 * 1024
CHUNK = 1024 * 1024
MOST_FAILURES = 10
MOST_GAPS = 3
"""How often one sending goes back to what the control plane says it has."""


def log_path(folder: Path, lease: Lease) -> Path:
    """Where one attempt's output lies on this machine."""
    return folder / f"{quote(lease.step, safe='')}-{lease.epoch}.log"


def log_size(path: Path, *, final: bool, limit: int = LIMIT) -> int:
    """Returns how many bytes there are to send; ``final`` when no more will be written.

    A file over the limit is cut, so that it can not fill the disk. The writer appends, so what it writes after a cut
    lies behind the cut line and goes with the next cut.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size > limit:
        with path.open("r+b") as file:
            file.seek(limit - len(CUT))
            file.write(CUT)
            file.truncate(limit)
    # Bytes that a cut would replace are not sent before it is known whether there is one.
    if size > limit:
        return limit
    return size if final else min(size, limit - len(CUT))


class LogShip:
    """Sends parts of logs, from any thread; each thread keeps its own connection."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        self._url = url
        self._stop = stop
        self._lines = threading.local()

    def send(self, path: Path, lease: Lease, bearer: str, start: int, end: int) -> int:
        """Sends bytes ``start`` to ``end`` of the file and returns up to where nothing is left to be done.

        It persists while the control plane is away. A log that is refused is given up, and said so: it must not hold
        up the report of its attempt.
        """
        offset = start
        gaps = 0
        try:
            with path.open("rb") as file:
                while offset < end and gaps < MOST_GAPS:
                    file.seek(offset)
                    chunk = file.read(min(CHUNK, end - offset))
                    if not chunk:
                        break
                    reached = self._put(lease, bearer, offset, chunk)
                    gaps += reached < offset
                    offset = reached
        except Stopped:
            pass
        except (Rejected, Failing, Unauthenticated, FileNotFoundError) as exc:
            log.error("the log of step %s, epoch %d is incomplete: %s", lease.step, lease.epoch, exc)
        return end

    def _put(self, lease: Lease, bearer: str, offset: int, chunk: bytes) -> int:
        path = f"/logs/{quote(lease.step, safe='')}/{lease.epoch}?offset={offset}"
        headers = {"X-Lease-Secret": lease.secret, "Content-Type": "application/octet-stream"}
        line: Line | None = getattr(self._lines, "line", None)
        if line is None:
            line = self._lines.line = Line(self._url)
        try:
            call = partial(line.call, "PUT", path, bearer, chunk, headers=headers)
            persist(call, self._stop, failures=MOST_FAILURES)
        except Rejected as exc:
            if exc.status != 409:
                raise
            expected = _expected(exc.body)
            if expected is None or expected >= offset:
                raise
            return expected
        return offset + len(chunk)


def _expected(body: bytes) -> int | None:
    try:
        expected = msgspec.json.decode(body)["expected"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    return expected if isinstance(expected, int) else None


def sweep(folder: Path, older_than_seconds: float, now: float) -> None:
    """Removes logs that a killed worker left behind."""
    for path in folder.glob("*.log"):
        try:
            if now - path.stat().st_mtime > older_than_seconds:
                path.unlink()
        except FileNotFoundError:
            continue
