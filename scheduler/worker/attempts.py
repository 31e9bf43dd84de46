"""What is one attempt to the supervisor, and with what does a worker run?"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from riparian.scheduler.core.protocol import Lease, Report
from riparian.scheduler.worker.zygotes import Child

IDLE_SECONDS = 60.0
INGEST = ""
"""Stands in for the digest of a bundle where a file is copied and no user code runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one worker process was started with. ``drain_seconds`` is what running attempts get at shutdown."""

    url: str
    token: str
    pool: str
    slots: int
    scratch: Path
    fork: bool
    drain_seconds: float = 30.0
    idle_seconds: float = IDLE_SECONDS
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """One lease in hand, from the reply that brought it to the answer to its report."""

    lease: Lease
    session: str
    log: Path
    granted: float
    child: Child | None = None
    deadline: float | None = None
    late: str = ""  # what to say when the deadline passes
    began: float | None = None
    begun: bool = False  # its process has said so
    report: Report | None = None
    disowned: bool = False  # the lease is gone: nothing is to be reported
    over: bool = False  # it has left its slot
    told: bool = False  # the report is with the link
    shipping: bool = False
    shipped: int = 0

    @property
    def key(self) -> tuple[str, int]:
        return (self.lease.step, self.lease.epoch)

    @property
    def bundle(self) -> str:
        return INGEST if self.lease.entry is None else self.lease.entry.bundle


def how_it_died(status: int | None) -> str:
    """Says in words how a process ended: its exit code, the negative number of a signal, or None."""
    if status is None:
        return "the process of the attempt died with the zygote it was forked from"
    if status < 0:
        hint = ", which the system sends when memory runs out" if status == -9 else ""
        return f"the process of the attempt was killed by signal {-status}{hint}"
    return f"the process of the attempt left with exit code {status} before it had said how it ended"


def fork_is_safe(environ: Mapping[str, str]) -> bool:
    """Whether children are forked; RIPARIAN_WORKER_START=exec says no where the system would allow it."""
    return sys.platform != "darwin" and hasattr(os, "fork") and environ.get("RIPARIAN_WORKER_START") != "exec"
