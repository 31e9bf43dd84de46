"""What was seen and not told yet?"""

from __future__ import annotations

import logging

from riparian.scheduler.core.readiness import FileSeen
from riparian.scheduler.sensors.base import Report

log = logging.getLogger(__name__)

REPORT_SIZE = 1_000
"""Files told in one call, so that a large delivery does not hold the ledger's transaction open for long."""


class Outbox:
    """Holds what was seen until the ledger took it; of one file for one source only what was seen last."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: dict[tuple[str, str], FileSeen] = {}
        self.problem = ""

    def put(self, seen: FileSeen) -> None:
        self._waiting.pop((seen.source, seen.path), None)  # told in the order in which they were seen last
        self._waiting[seen.source, seen.path] = seen

    def deliver(self) -> None:
        """Tells what waits. What the ledger could not take is kept, and ``problem`` says so."""
        while self._waiting:
            some = list(self._waiting.values())[:REPORT_SIZE]
            try:
                self._report(some)
            except Exception as exc:  # a ledger that is away for a while must not end the sensor
                self.problem = (
                    f"{len(self._waiting)} file events could not be recorded ({exc}); they are kept and repeated"
                )
                log.exception("recording %d file events failed; they are kept and repeated", len(self._waiting))
                return
            for seen in some:
                del self._waiting[seen.source, seen.path]
        self.problem = ""
