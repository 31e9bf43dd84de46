"""How do leases come in, reports go out and heartbeats keep going, also while the control plane is away?

Three threads, each with its own connection: *park* waits for work when nothing is going on, *report* sends what ended
and takes the next leases from the same reply, *beat* says that the leases are still held. None of them decides
anything: what they hear is told to ``Events``, which must return quickly.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from riparian.assets.errors import RiparianError, Unauthenticated
from riparian.scheduler.core.protocol import (
    PROTOCOL_VERSION,
    Answer,
    Exchange,
    Heartbeat,
    HeartbeatAnswer,
    Held,
    Lease,
    OpenSession,
    Report,
    Result,
    Session,
    decode,
    encode,
)
from riparian.scheduler.worker.client import Away, Failing, Line, Rejected, Stopped, persist

log = logging.getLogger(__name__)

T = TypeVar("T")

PARK_MS = 25_000
MOST_REPORTS = 256
LINGER_SECONDS = 0.01
LINGER_REPORTS = 16
MOST_FAILURES = 10
"""How often the control plane may fail at one request before it is asked whether it fails at others too."""


class Events(Protocol):
    """Whom the threads tell. Every method is called from one of them."""

    def wanted(self, *, parked: bool) -> int:
        """How many leases may be granted now; 0 keeps from parking."""
        ...

    def stocked(self) -> bool:
        """Whether the slots stay busy with the leases in hand, so that reports need not hurry."""
        ...

    def bundles(self) -> tuple[str, ...]:
        """Digests that are warm."""
        ...

    def held(self) -> tuple[Held, ...]:
        """All leases believed to be held, unstarted ones too."""
        ...

    def leased(self, session: str, leases: tuple[Lease, ...]) -> None: ...

    def answered(self, session: str, results: Iterable[Result]) -> None: ...

    def revoked(self, leases: tuple[Held, ...]) -> None: ...

    def ended(self, session: str) -> None:
        """The session is unknown to the control plane: its leases are gone."""
        ...

    def turned_away(self) -> None:
        """The control plane will not have this worker any more: it must leave."""
        ...


class Link:
    """The worker's side of one session after the other."""

    def __init__(self, *, url: str, token: str, pool: str, slots: int, events: Events) -> None:
        self._url = url
        self._token = token
        self._pool = pool
        self._slots = slots
        self._events = events
        self._incarnation = uuid.uuid4().hex
        self._changed = threading.Condition()
        self._reopening = threading.Lock()
        self._outbox: deque[tuple[str, Report]] = deque()
        self._in_flight = 0
        self._sent = 0
        self._request = 0
        self._parked = False
        self._draining = False
        self._stop = threading.Event()
        self._parking = Line(url)
        self.session: Session

    def start(self) -> None:
        """Opens the first session, however long that takes, and starts the threads. Raises Unauthenticated or Rejected
        when the control plane will not have this worker at all, Stopped after ``stop``."""
        with self._reopening:
            self.session = self._open()
        for name, run in (("park", self._park), ("report", self._send), ("beat", self._beat)):
            threading.Thread(target=run, name=name, daemon=True).start()

    def report(self, session: str, report: Report) -> None:
        """Keeps the report until it is answered; one of an ended session is dropped, for its lease is gone."""
        with self._changed:
            self._outbox.append((session, report))
            self._changed.notify_all()

    def ring(self) -> None:
        """Says that ``wanted`` may have changed."""
        with self._changed:
            self._changed.notify_all()

    def drain(self) -> None:
        """Asks for no more leases; reports and heartbeats go on. A parked exchange is called back by an empty one."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def close(self, seconds: float) -> bool:
        """Waits up to ``seconds`` until all reports are answered, ends the session and returns whether all were."""
        with self._changed:
            clean = self._changed.wait_for(lambda: not self._outbox and not self._in_flight, seconds)
        self.stop()
        # A session that is being opened right now shall not be left behind.
        if self._reopening.acquire(timeout=2.0):
            self._reopening.release()
        if hasattr(self, "session"):
            with suppress(RiparianError):
                Line(self._url).call("DELETE", f"/sessions/{self.session.session}", self.session.secret, timeout=2.0)
        return clean

    def stop(self) -> None:
        """Ends all waiting; what is on its way is given up."""
        self._stop.set()
        self.ring()

    def fetch(self, path: str) -> bytes:
        """GET, as persistent as everything else here. Raises Rejected, and Failing when only this can not be had."""
        line = Line(self._url)
        try:
            while True:
                session = self.session
                try:
                    return self._persist(session, partial(line.call, "GET", path, session.secret))
                except Unauthenticated:
                    self._reopen(session)
        finally:
            line.close()

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _open(self) -> Session:
        message = encode(
            OpenSession(
                protocol=PROTOCOL_VERSION,
                incarnation=self._incarnation,
                pool=self._pool,
                slots=self._slots,
                host=f"{socket.gethostname()}:{os.getpid()}",
            )
        )
        line = Line(self._url)
        try:
            answer = persist(lambda: line.call("POST", "/sessions", self._token, message), self._stop)
        finally:
            line.close()
        return decode(answer, Session)

    def _reopen(self, old: Session) -> None:
        """Replaces ``old``, once, whichever thread learns first that it is unknown."""
        with self._reopening:
            if self.session is not old:
                return
            log.warning(
                "session %s is unknown to the control plane: its leases are gone, a new one is opened", old.session
            )
            self._events.ended(old.session)
            self._incarnation = uuid.uuid4().hex
            try:
                self.session = self._open()
            except (Unauthenticated, Rejected) as exc:
                log.error("the control plane does not take this worker any more, it leaves: %s", exc)
                self.stop()
                self._events.turned_away()
                raise Stopped("the worker was turned away") from exc
            log.info("session %s opened", self.session.session)
            self._parking.interrupt()  # it may still be parked in the old one, where nothing comes any more

    def _persist(self, session: Session, call: Callable[[], T]) -> T:
        """Returns what ``call`` returns, however long the control plane is away.

        Raises Failing when it fails at this call again and again while it takes heartbeats: the call is at fault then,
        and not its database or its disk, which come back.
        """
        while True:
            try:
                return persist(call, self._stop, failures=MOST_FAILURES)
            except Failing:
                line = Line(self._url)
                try:
                    self._beat_once(line, session)
                except Away:
                    continue
                finally:
                    line.close()
                raise

    # -- exchanges -----------------------------------------------------------------------------------------------------

    def _exchange(self, line: Line, session: Session, reports: tuple[Report, ...], want: int, wait_ms: int) -> Answer:
        """One message, sent again under the same number until it is answered."""
        with self._changed:
            self._request += 1
            number = self._request
        message = encode(
            Exchange(
                session=session.session,
                request=number,
                reports=reports,
                want=want,
                wait_ms=wait_ms,
                bundles=self._events.bundles(),
            )
        )
        timeout = wait_ms / 1000 + 30.0
        answer = self._persist(
            session, lambda: line.call("POST", "/exchange", session.secret, message, timeout=timeout)
        )
        return decode(answer, Answer)

    def _send(self) -> None:
        line = Line(self._url)
        with suppress(Stopped):
            while True:
                called_back = False
                with self._changed:
                    self._changed.wait_for(self._must_send)
                    if self._events.stocked():
                        # Every slot has its next lease: what ends meanwhile shares one message and one transaction.
                        self._changed.wait_for(lambda: len(self._outbox) >= LINGER_REPORTS, LINGER_SECONDS)
                    if self._stop.is_set():
                        return
                    session = self.session
                    batch = [self._outbox.popleft() for _ in range(min(len(self._outbox), MOST_REPORTS))]
                    reports = tuple(report for name, report in batch if name == session.session)
                    called_back = self._draining and self._parked
                    if called_back:
                        self._parked = False
                    self._in_flight = 1
                    self._sent += 1
                if reports or called_back:
                    self._deliver(line, session, reports)
                with self._changed:
                    self._in_flight = 0
                    self._changed.notify_all()

    def _must_send(self) -> bool:
        return bool(self._outbox) or (self._draining and self._parked) or self._stop.is_set()

    def _deliver(self, line: Line, session: Session, reports: tuple[Report, ...], *, last: bool = False) -> None:
        """Sends the reports until each is answered. Of some that are not taken together each is sent alone; one that is
        not taken alone is sent as a failure, for a lease that nobody reports is held for ever; ``last`` says that it
        was."""
        want = 0 if self._draining else self._events.wanted(parked=False)
        try:
            answer = self._exchange(line, session, reports, want, wait_ms=0)
        except Unauthenticated:
            self._reopen(session)
            return
        except (Rejected, Failing) as exc:
            if len(reports) > 1:
                log.warning("%d reports were not taken together, each is sent alone: %s", len(reports), exc)
                for report in reports:
                    self._deliver(line, session, (report,))
            elif reports and not last:
                self._deliver(line, session, (_as_failure(reports[0], exc),), last=True)
            elif reports:
                log.error("the report of step %s can not be delivered: %s", reports[0].step, exc)
                gone = Result(step=reports[0].step, epoch=reports[0].epoch, status=422, reason=str(exc))
                self._events.answered(session.session, (gone,))
            return
        if answer.leases:
            self._events.leased(session.session, answer.leases)
        self._events.answered(session.session, answer.results)

    def _park(self) -> None:
        line = self._parking
        with suppress(Stopped):
            while True:
                with self._changed:
                    self._changed.wait_for(self._may_park)
                    if self._draining or self._stop.is_set():
                        return
                    session, sent = self.session, self._sent
                    self._parked = True
                want = self._events.wanted(parked=True)
                began = time.monotonic()
                try:
                    answer = self._exchange(line, session, (), want, PARK_MS)
                except Unauthenticated:
                    self._reopen(session)
                    continue
                except (Rejected, Failing) as exc:
                    log.error("asking for work was rejected: %s", exc)
                    answer = Answer()
                finally:
                    with self._changed:
                        self._parked = False
                if answer.leases:
                    self._events.leased(session.session, answer.leases)
                elif time.monotonic() - began < 0.05 and self._sent == sent:
                    # Called back for no reason we know of (the control plane is closing, or rejects): do not spin.
                    self._stop.wait(random.uniform(0.05, 0.15))  # noqa: S311 -- jitter, not a secret

    def _may_park(self) -> bool:
        if self._draining or self._stop.is_set():
            return True
        return not self._outbox and not self._in_flight and self._events.wanted(parked=True) > 0

    # -- heartbeats ----------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        line = Line(self._url)
        with suppress(Stopped):
            while not self._stop.wait(self.session.heartbeat_seconds * random.uniform(0.9, 1.0)):  # noqa: S311
                session = self.session
                try:
                    answer = persist(partial(self._beat_once, line, session), self._stop)
                except Unauthenticated:
                    self._reopen(session)
                except Rejected as exc:
                    log.error("a heartbeat was rejected: %s", exc)
                else:
                    if answer.revoked:
                        self._events.revoked(answer.revoked)

    def _beat_once(self, line: Line, session: Session) -> HeartbeatAnswer:
        """Encoded anew at every try: what is held changes while the control plane is away."""
        message = encode(Heartbeat(session=session.session, leases=self._events.held()))
        timeout = max(1.0, session.heartbeat_seconds)
        return decode(line.call("POST", "/heartbeat", session.secret, message, timeout=timeout), HeartbeatAnswer)


def _as_failure(report: Report, why: RiparianError) -> Report:
    """Returns the report of an attempt whose own report the control plane does not take."""
    error = f"the attempt ended as {report.outcome}, but its report was not taken: {why}"
    return replace(report, outcome="failed", outputs=(), error=error, retryable=False)
