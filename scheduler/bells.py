"""Who has to be woken? Doorbells for parked workers and the daemon; a ring carries nothing, the facts lie elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from contextlib import suppress


class Waiter:
    """One parked request; ``woken`` is set on its own event loop."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.superseded = False
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        # The loop is closed only while the server goes down; then nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.woken.set)


class Bells:
    """Rung after a commit, from any thread. A parked worker holds no thread and no connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parked: dict[str, set[Waiter]] = defaultdict(set)
        self.daemon = threading.Event()

    def park(self, pool: str, session: str) -> Waiter:
        """Registers a waiter; to be called before the last look, so that no ring falls between."""
        waiter = Waiter(session)
        with self._lock:
            self._parked[pool].add(waiter)
        return waiter

    def leave(self, pool: str, waiter: Waiter) -> None:
        with self._lock:
            self._parked[pool].discard(waiter)

    def ring(self, pool: str) -> None:
        """Something of the pool is ready."""
        with self._lock:
            waiters = tuple(self._parked[pool])
        for waiter in waiters:
            waiter.wake()

    def supersede(self, session: str) -> None:
        """The session speaks again: what it had parked is answered with nothing, lest leases are granted twice."""
        with self._lock:
            waiters = [w for parked in self._parked.values() for w in parked if w.session == session]
        for waiter in waiters:
            waiter.superseded = True
            waiter.wake()

    def ring_daemon(self) -> None:
        """Something is dirty or due that no worker's request will look at."""
        self.daemon.set()
