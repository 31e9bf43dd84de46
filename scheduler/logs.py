"""A worker sends what an attempt printed: where is it kept?

Logs of an attempt that was revoked are kept too, under that attempt: what a zombie said helps whoever looks for it.
"""

from __future__ import annotations

import secrets

from riparian.assets.errors import Conflict, Fenced
from riparian.scheduler.dispatch import opens
from riparian.scheduler.plane import Plane
from riparian.storage.metadata import logs, runs
from riparian.storage.objects import layout

MAX_LOG_BYTES = 64 * 1024 * 1024 + 4096
"""Of one attempt; the worker cuts earlier and says so in the log."""


class LogGap(Conflict):
    """The part does not begin where the log ends; ``expected`` is where it does."""

    code = "log_gap"

    def __init__(self, expected: int) -> None:
        super().__init__(f"the log ends at byte {expected}; send from there")
        self.expected = expected


def append(plane: Plane, step: str, epoch: int, secret: str, offset: int, body: bytes) -> None:
    """Keeps a part of an attempt's log. A part that is kept already is accepted again; raises LogGap when one is
    missing between, Fenced when ``secret`` is not that of the attempt's lease."""
    if not opens(plane.key, step, epoch, secret):
        raise Fenced("this is not the secret of that attempt's lease")
    attempt = plane.db.read(lambda tx: runs.attempt_row(tx, step, epoch))
    if attempt is None:
        raise Fenced("there was no such attempt")
    if offset > attempt.log_bytes:
        raise LogGap(attempt.log_bytes)
    body = body[attempt.log_bytes - offset :]
    offset = attempt.log_bytes
    if not body or offset + len(body) > MAX_LOG_BYTES:
        return
    # A name of its own for every try: a part that was stored but not noted is garbage, not in the way.
    stored = plane.objects.put(layout.log_name(secrets.token_hex(16), offset), body)
    plane.db.write(lambda tx: logs.append(tx, step, epoch, offset, stored))
