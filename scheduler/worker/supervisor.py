"""Who holds the session and the leases, and sees every attempt to its end?

One loop owns all state: leases, children, deadlines. Other threads (the link's, downloads, log uploads) only put calls
into its inbox. No user code runs in this process.
"""

from __future__ import annotations

import logging
import selectors
import socket
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from riparian.assets.errors import RiparianError
from riparian.scheduler.core.protocol import Held, Lease, Report, Result, Written
from riparian.scheduler.worker.attempts import INGEST, Attempt, Settings, how_it_died
from riparian.scheduler.worker.bundles import Bundles
from riparian.scheduler.worker.client import Stopped
from riparian.scheduler.worker.environment import child_environment
from riparian.scheduler.worker.link import Link
from riparian.scheduler.worker.logs import LogShip, log_path, log_size, sweep
from riparian.scheduler.worker.messages import Assignment, Begun, FromChild, Outcome
from riparian.scheduler.worker.zygotes import Child, ExecNest, ForkNest, Garbled, Nest

log = logging.getLogger(__name__)

QUICK_SECONDS = 0.05
PREFETCH = 32
"""Leases asked for beyond the free slots while attempts are quick: a round trip for each would cost more than it."""
HOARD_SECONDS = 1.0
"""A lease that found no slot for so long is given back, for another worker may have one."""
START_SECONDS = 120.0
"""Within which a process must have imported its bundle and begun."""
TICK_SECONDS = 0.5
MOST_STANDING = 4


class Supervisor:
    """Runs one worker. ``run`` blocks until it was drained or turned away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environ = child_environment(settings.environ)
        self._link = Link(url=settings.url, token=settings.token, pool=settings.pool, slots=settings.slots, events=self)
        self._inbox: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._in_hand: dict[tuple[str, int], Attempt] = {}
        self._waiting: deque[Attempt] = deque()
        self._running: set[Attempt] = set()
        self._leaving: dict[Child, float] = {}
        self._assigned: dict[Child, Attempt] = {}
        self._nests: dict[str, Nest] = {}
        self._used: dict[str, float] = {}
        self._fetching: dict[str, list[Attempt]] = {}
        self._recent: deque[float] = deque(maxlen=16)
        self._busy = 0
        self._busy_lock = threading.Lock()
        self._drain_until: float | None = None
        self._next_tick = 0.0
        self._turned_away = False
        self._abandoned = False
        self._uploads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="log")
        self._stop = threading.Event()
        self._ship = LogShip(settings.url, self._stop)
        self._logs = settings.scratch / "logs"
        self._bundles = Bundles(settings.scratch / "bundles", lambda digest: self._link.fetch(f"/bundles/{digest}"))

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Works until ``drain`` or ``leave`` is done; returns False when the control plane turned the worker away."""
        # A thread that has an answer must not wait the default 5 ms for one that is busy: a step takes less.
        sys.setswitchinterval(0.0005)
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep(self._logs, 24 * 3600, time.time())
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self.watch(self._woken, self._wake)
        opening = threading.Thread(target=self._open, daemon=True)
        opening.start()
        while not self._done():
            for key, _ in self._selector.select(self._patience()):
                key.data()
            while self._inbox:
                self._inbox.popleft()()
            self._watch_clock(time.monotonic())
        for nest in self._nests.values():
            nest.close()
        self._link.close(0.0 if self._turned_away or self._abandoned else 5.0)
        self._stop.set()
        self._uploads.shutdown(wait=False, cancel_futures=True)
        return not self._turned_away

    def drain(self) -> None:
        """Asks for no more work, gives back what has not started, gives the rest a bounded time. Twice: no time.

        May be called from a signal handler.
        """
        self._post(self._drain)

    def leave(self) -> None:
        """Ends all attempts and the session now, and waits for no answer: there is nobody left to work for."""
        self._post(self._leave)

    def _open(self) -> None:
        try:
            self._link.start()
        except Stopped:
            return
        except RiparianError as exc:
            log.error("the control plane does not take this worker: %s", exc)
            self.turned_away()

    def _post(self, call: Callable[[], None]) -> None:
        self._inbox.append(call)
        with suppress(BlockingIOError):  # it is full of reasons to wake up
            self._waker.send(b"\0")

    def _wake(self) -> None:
        self._woken.recv(4096)

    def _done(self) -> bool:
        if self._turned_away:
            return True
        if self._drain_until is None:
            return False
        if self._abandoned:
            return not self._running or time.monotonic() > self._drain_until + 1.0
        return not self._in_hand or time.monotonic() > self._drain_until + 5.0

    def _patience(self) -> float | None:
        if self._inbox:
            return 0.0
        if self._running or self._waiting or self._leaving or self._drain_until is not None:
            due = min((a.deadline for a in self._running if a.deadline is not None), default=float("inf"))
            return max(0.0, min(TICK_SECONDS, due - time.monotonic()))
        if self._nests:
            return self._settings.idle_seconds
        return None

    def _watch_clock(self, now: float) -> None:
        for attempt in list(self._running):
            if attempt.deadline is not None and now >= attempt.deadline:
                self._end(attempt, "timed_out", attempt.late)
        if self._drain_until is not None and now >= self._drain_until:
            for attempt in list(self._running):
                self._end(attempt, "lost", "the worker was shut down before the attempt ended")
        if now >= self._next_tick:
            self._next_tick = now + TICK_SECONDS
            self._tick(now)

    def _tick(self, now: float) -> None:
        for attempt in list(self._running):
            self._upload(attempt)
        while self._waiting and now - self._waiting[0].granted > HOARD_SECONDS:
            self._release(self._waiting.popleft())
        for child in [c for c, since in self._leaving.items() if now - since > TICK_SECONDS]:
            # It said its last word and still has not left: something it started holds its socket.
            self._leaving.pop(child, None)
            child.nest.kill(child)
        for digest, nest in list(self._nests.items()):
            idle = all(a.bundle != digest for a in self._running)
            if not nest.alive or (idle and now - self._used[digest] >= self._settings.idle_seconds):
                del self._nests[digest]
                nest.close()

    def _drain(self) -> None:
        again = self._drain_until is not None
        self._drain_until = time.monotonic() + (0.0 if again else self._settings.drain_seconds)
        self._link.drain()
        while self._waiting:
            self._release(self._waiting.popleft())
        for attempt in [a for a in self._running if a.child is None]:
            self._release(attempt)

    def _leave(self) -> None:
        self._abandoned = True
        self._drain()
        self._drain_until = time.monotonic()

    # -- what the link says (from its threads) -------------------------------------------------------------------------

    def wanted(self, *, parked: bool) -> int:
        free = self._settings.slots - self._busy
        if parked and free <= 0:
            return 0
        return max(0, free + self._prefetch())

    def _prefetch(self) -> int:
        now = time.monotonic()
        if any(a.began is not None and now - a.began > HOARD_SECONDS / 2 for a in list(self._running)):
            return 0  # what is fetched behind a long attempt would only be given back
        recent = list(self._recent)
        return PREFETCH if len(recent) >= 8 and statistics.median(recent) < QUICK_SECONDS else 0

    def stocked(self) -> bool:
        return self._drain_until is None and len(self._waiting) >= 2 * self._settings.slots

    def bundles(self) -> tuple[str, ...]:
        return tuple(digest for digest in list(self._nests) if digest != INGEST)

    def held(self) -> tuple[Held, ...]:
        return tuple(Held(step=step, epoch=epoch) for step, epoch in list(self._in_hand))

    def leased(self, session: str, leases: tuple[Lease, ...]) -> None:
        with self._busy_lock:
            self._busy += len(leases)
        self._post(partial(self._accept, session, leases))

    def answered(self, session: str, results: Iterable[Result]) -> None:
        self._post(partial(self._settle, tuple(results)))

    def revoked(self, leases: tuple[Held, ...]) -> None:
        self._post(
            partial(self._disown, lambda a: any((h.step, h.epoch) == a.key for h in leases), "its lease was revoked")
        )

    def ended(self, session: str) -> None:
        self._post(partial(self._disown, lambda a: a.session == session, "its session is unknown to the control plane"))

    def turned_away(self) -> None:
        self._turned_away = True
        self._post(lambda: None)

    # -- attempts ------------------------------------------------------------------------------------------------------

    def _accept(self, session: str, leases: tuple[Lease, ...]) -> None:
        now = time.monotonic()
        if session != self._link.session.session:
            self._free(len(leases))  # they went with their session
            self._link.ring()
            return
        for lease in leases:
            attempt = Attempt(lease=lease, session=session, log=log_path(self._logs, lease), granted=now)
            if attempt.key in self._in_hand:
                self._free(1)  # the same grant, told twice
                self._link.ring()
                continue
            self._in_hand[attempt.key] = attempt
            if self._drain_until is not None:
                self._release(attempt)
            else:
                self._waiting.append(attempt)
        self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self._settings.slots and self._drain_until is None:
            attempt = self._waiting.popleft()
            self._running.add(attempt)
            nest = self._nests.get(attempt.bundle)
            if nest is not None and nest.alive:
                self._assign(attempt, nest)
            elif attempt.bundle in self._fetching:
                self._fetching[attempt.bundle].append(attempt)
            elif attempt.bundle == INGEST:
                self._hatch(INGEST, None, [attempt])
            else:
                self._fetching[attempt.bundle] = [attempt]
                threading.Thread(target=self._fetch, args=(attempt.bundle,), daemon=True).start()

    def _fetch(self, digest: str) -> None:
        try:
            path = self._bundles.path(digest)
        except Stopped:
            return
        except (RiparianError, OSError) as exc:
            self._post(partial(self._unfetched, digest, str(exc)))
        else:
            self._post(lambda: self._hatch(digest, path, self._fetching.pop(digest)))

    def _unfetched(self, digest: str, why: str) -> None:
        for attempt in self._fetching.pop(digest):
            if not attempt.over:
                self._finish(attempt, self._report(attempt, "failed", error=f"bundle {digest}: {why}"))

    def _hatch(self, digest: str, path: Path | None, attempts: list[Attempt]) -> None:
        kind = ForkNest if self._settings.fork else ExecNest
        # One standing child is enough to hide a fork; where each is a whole start, one too: it costs as much memory.
        standing = min(self._settings.slots, MOST_STANDING) if self._settings.fork else 1
        try:
            nest: Nest = kind(self, path, self._environ, standing)
        except OSError as exc:
            for attempt in attempts:
                self._end(attempt, "lost", f"no process could be started on this machine: {exc}")
            return
        self._nests[digest] = nest
        self._used[digest] = time.monotonic()
        for attempt in attempts:
            if not attempt.over:
                self._assign(attempt, nest)

    def _assign(self, attempt: Attempt, nest: Nest) -> None:
        try:
            child = attempt.child = nest.take()
        except OSError as exc:
            self._end(attempt, "lost", f"no process could be started on this machine: {exc}")
            return
        attempt.began = time.monotonic()
        attempt.deadline = attempt.began + START_SECONDS
        attempt.late = f"the bundle was not imported within {START_SECONDS:g} s; see what its modules do when imported"
        self._assigned[child] = attempt
        child.assign(Assignment(lease=attempt.lease, storage_url=self._link.session.storage_url, log=str(attempt.log)))

    def _heard(self, attempt: Attempt, message: FromChild) -> None:
        if isinstance(message, Begun):
            if attempt.begun:
                return  # its own code says so, to be given more time
            attempt.begun = True
            limit = attempt.lease.timeout_seconds
            attempt.deadline = None if limit is None else time.monotonic() + limit
            attempt.late = "" if limit is None else f"the attempt was ended after its time limit of {limit:g} s"
            if attempt.child is not None:
                attempt.child.nest.fill()  # not before: the next child is in no hurry, this one was
        elif isinstance(message, Outcome) and attempt.report is None:
            assert attempt.child is not None  # noqa: S101 -- it has just spoken
            attempt.child.spoken = True
            self._leaving[attempt.child] = time.monotonic()
            self._finish(
                attempt,
                self._report(
                    attempt,
                    "succeeded" if message.succeeded else "failed",
                    outputs=message.outputs,
                    unchanged=message.unchanged,
                    error=message.error,
                    retryable=message.retryable,
                    raised=message.raised,
                    partitions=message.partitions,
                ),
            )

    def _report(
        self,
        attempt: Attempt,
        outcome: str,
        *,
        outputs: tuple[Written, ...] = (),
        unchanged: tuple[str, ...] = (),
        error: str | None = None,
        retryable: bool = True,
        raised: tuple[str, ...] = (),
        partitions: dict[str, tuple[str, ...]] | None = None,
    ) -> Report:
        lease = attempt.lease
        return Report(
            step=lease.step,
            epoch=lease.epoch,
            secret=lease.secret,
            outcome=outcome,
            bundle=None if lease.entry is None else lease.entry.bundle,
            outputs=outputs,
            unchanged=unchanged,
            error=error,
            retryable=retryable,
            raised=raised,
            partitions=partitions or {},
        )

    def _end(self, attempt: Attempt, outcome: str, why: str) -> None:
        """Kills it; the report waits for its death, so that nothing of it goes on when its end is told."""
        if attempt.report is not None or attempt.over:
            return
        attempt.report = self._report(attempt, outcome, error=why)
        if attempt.child is None:
            self._finish(attempt, attempt.report)
        else:
            attempt.child.nest.kill(attempt.child)

    def _release(self, attempt: Attempt) -> None:
        self._finish(attempt, self._report(attempt, "released"))

    def _finish(self, attempt: Attempt, report: Report) -> None:
        """It leaves its slot; the next one starts; its log goes up, and then its report."""
        if attempt.over:
            return
        attempt.over = True
        attempt.report = report
        self._running.discard(attempt)
        self._used[attempt.bundle] = time.monotonic()
        if attempt.began is not None:
            self._recent.append(time.monotonic() - attempt.began)
        self._free(1)
        self._upload(attempt)
        self._tell(attempt)
        self._start_waiting()
        self._link.ring()

    def _free(self, count: int) -> None:
        with self._busy_lock:
            self._busy -= count

    def _tell(self, attempt: Attempt) -> None:
        """Hands the report to the link, once the log is complete."""
        if attempt.told or not attempt.over or attempt.shipping:
            return
        attempt.told = True
        attempt.log.unlink(missing_ok=True)
        if attempt.disowned:
            self._in_hand.pop(attempt.key, None)
        elif attempt.report is not None:
            self._link.report(attempt.session, attempt.report)

    def _upload(self, attempt: Attempt) -> None:
        if attempt.shipping or attempt.told:
            return
        size = log_size(attempt.log, final=attempt.over)
        if size > attempt.shipped:
            attempt.shipping = True
            secret = self._link.session.secret
            self._uploads.submit(self._upload_part, attempt, secret, attempt.shipped, size)

    def _upload_part(self, attempt: Attempt, secret: str, start: int, end: int) -> None:
        reached = self._ship.send(attempt.log, attempt.lease, secret, start, end)
        self._post(partial(self._uploaded, attempt, reached))

    def _uploaded(self, attempt: Attempt, reached: int) -> None:
        attempt.shipping = False
        attempt.shipped = max(attempt.shipped, reached)
        if attempt.over:
            self._upload(attempt)
            self._tell(attempt)

    def _settle(self, results: Iterable[Result]) -> None:
        for result in results:
            if result.status != 200:
                log.warning("step %s, epoch %d: %d %s", result.step, result.epoch, result.status, result.reason)
            self._in_hand.pop((result.step, result.epoch), None)

    def _disown(self, which: Callable[[Attempt], bool], why: str) -> None:
        for attempt in [a for a in self._in_hand.values() if which(a)]:
            log.warning("step %s, epoch %d: ended here, %s", attempt.lease.step, attempt.lease.epoch, why)
            attempt.disowned = True
            if attempt in self._waiting:
                self._waiting.remove(attempt)
            if attempt.over:
                self._in_hand.pop(attempt.key, None)
            elif attempt in self._running:
                self._end(attempt, "lost", why)
            else:
                self._release(attempt)

    # -- what a nest needs ---------------------------------------------------------------------------------------------

    def watch(self, source: socket.socket, call: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, call)

    def forget(self, source: socket.socket) -> None:
        if source.fileno() >= 0:
            self._selector.unregister(source)
            source.close()

    def spoke(self, child: Child) -> None:
        if child.socket.fileno() < 0:
            return  # closed by something else that happened in the same turn
        more = self._listen(child)
        if child.fault:
            self.forget(child.socket)
            if child.pid is not None:  # else the nest kills it when it hears of its birth
                child.nest.kill(child)
        elif not more:
            self.forget(child.socket)
            self._leaving.pop(child, None)
            child.nest.hung_up(child)

    def _listen(self, child: Child) -> bool:
        """Hears what the child said and returns whether more can come. One that says anything else has a fault."""
        try:
            messages, more = child.read()
        except Garbled as exc:
            child.fault = str(exc)
            return False
        attempt = self._assigned.get(child)
        for message in messages:
            if attempt is not None:
                self._heard(attempt, message)
        return more

    def left(self, child: Child) -> None:
        if child.socket.fileno() >= 0:
            # Its outcome may still lie unread in the socket.
            self._listen(child)
            self.forget(child.socket)
        self._leaving.pop(child, None)
        attempt = self._assigned.pop(child, None)
        if attempt is None or attempt.over:
            return
        if attempt.report is None and child.fault:
            attempt.report = self._report(attempt, "failed", error=child.fault, retryable=False)
        self._finish(attempt, attempt.report or self._report(attempt, "lost", error=how_it_died(child.status)))
