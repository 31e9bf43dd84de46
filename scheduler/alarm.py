"""When does the next thing fall due?

The alarm clock runs no work: it rings, and who hears it looks what is due. So a ring too many costs one look.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_JOB = "alarm"
_ANY = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Alarm:
    """Rings once at the instant that was set last. ``ring`` is called in a thread of its own and must be cheap."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._due_at_us: int | None = None
        self._scheduler: Any = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begins to watch the clock; what was set before counts. Once only."""
        # Imported here: a quarter of a second that a command without a clock need not pay.
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        with self._lock:
            self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
            self._scheduler.start()
            self._apply()

    def set(self, due_at_us: int | None) -> None:
        """Rings at ``due_at_us`` (UTC microseconds) in place of any instant set before; at once when it lies in the
        past, never for None. Setting the same instant again rings no second time."""
        with self._lock:
            if due_at_us == self._due_at_us:
                return
            self._due_at_us = due_at_us
            if self._scheduler is not None:
                self._apply()

    def stop(self) -> None:
        """Ends the clock; nothing rings afterwards. A second call does nothing."""
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            # First, because a job that falls due during the shutdown ends the library's thread with an error.
            scheduler.remove_all_jobs()
            scheduler.shutdown(wait=True)

    def _apply(self) -> None:
        if self._due_at_us is None:
            if self._scheduler.get_job(_JOB) is not None:
                self._scheduler.remove_job(_JOB)
            return
        self._scheduler.add_job(
            self._ring,
            "date",
            run_date=_EPOCH + timedelta(microseconds=self._due_at_us),
            id=_JOB,
            replace_existing=True,
            misfire_grace_time=None,  # late is better than never
            max_instances=_ANY,  # else a ring that falls due while the last one is ending is dropped for good
            coalesce=True,
        )
