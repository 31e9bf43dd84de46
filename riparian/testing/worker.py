"""Who does the work in a test? This process, one attempt after the other, with the worker's own code.

Leases, reports and commits are those of any worker. What differs: there is no process to kill, so a time-out and
``isolation`` are not enforced, and the project's modules are those that the test imported, not the bundle's copy.
"""

from __future__ import annotations

import itertools
import logging
import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select, update

from riparian.scheduler import dispatch, sessions
from riparian.scheduler.core.protocol import (
    DEFAULT_POOL,
    PROTOCOL_VERSION,
    Answer,
    Exchange,
    Lease,
    OpenSession,
    Report,
    Result,
    Session,
)
from riparian.scheduler.dispatch import MAX_GRANT
from riparian.scheduler.plane import Plane
from riparian.scheduler.worker import runner
from riparian.scheduler.worker.messages import Outcome
from riparian.storage.metadata.schema import run, step
from riparian.testing.told import RunFailed, target_of
from riparian.testing.traces import outside

ARRIVALS = "@arrivals"
"""The pool of the steps that take files in: they can be performed alone, and what is queued beside them stays so."""

_SET_APART = (
    update(step)
    .where(step.c.state == "ready", step.c.run.in_(select(run.c.id).where(run.c.kind == "ingest")))
    .values(pool=ARRIVALS)
)

_STATE = select(step.c.state).where(step.c.id == bindparam("id"))

Failures = dict[str, deque[BaseException]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """One attempt that was made. ``error`` is what the user's code raised, or why its result was not taken; nothing of
    what the test had ``asked`` for."""

    run: str
    workflow: str
    partition: str
    task: str
    error: BaseException | None = None
    asked: bool = False


class Worker:
    """One session of a worker. ``root`` is the project's folder: what is under it is shown in errors."""

    def __init__(self, plane: Plane, root: Path) -> None:
        self._plane = plane
        self._root = root
        self._requests = itertools.count(1)
        self._sessions = {pool: sessions.open(plane, _hello(pool)) for pool in (ARRIVALS, DEFAULT_POOL)}
        self.failures: Failures = {}

    def perform(self, *, arrivals_only: bool = False) -> list[Performed]:
        """Performs what is ready now; of what becomes ready by that, nothing, and nothing of a run that ends by it."""
        self._plane.db.write(lambda tx: tx.conn.execute(_SET_APART))
        pools = [ARRIVALS] if arrivals_only else [ARRIVALS, DEFAULT_POOL]
        taken = [(self._sessions[pool], lease) for pool in pools for lease in self._take(self._sessions[pool])]
        performed = []
        for session, lease in sorted(taken, key=lambda pair: _order(pair[1])):
            if self._is_held(lease):
                performed.append(self._attempt(session, lease))
        return performed

    def _is_held(self, lease: Lease) -> bool:
        return self._plane.db.read(lambda tx: tx.conn.scalar(_STATE, {"id": lease.step})) == "leased"

    def _take(self, session: Session) -> list[Lease]:
        leases: list[Lease] = []
        while granted := self._exchange(session, (), MAX_GRANT).leases:
            leases += granted
        return leases

    def _exchange(self, session: Session, reports: tuple[Report, ...], want: int = 0) -> Answer:
        message = Exchange(session=session.session, request=next(self._requests), reports=reports, want=want)
        accepted = dispatch.verify(self._plane, reports)
        return self._plane.db.write(lambda tx: dispatch.exchange(tx, self._plane, message, accepted))

    def _attempt(self, session: Session, lease: Lease) -> Performed:
        asked = self._asked_failure(lease)
        raised: list[BaseException] = []
        if asked is not None:
            outcome = runner.failure(asked, self._root)
        else:
            with _as_it_was():
                outcome = runner.attempt(lease, session.storage_url, self._root, raised.append)
        report = _report(lease, "succeeded" if outcome.succeeded else "failed", outcome)
        (result,) = self._exchange(session, (report,)).results
        for error in raised:
            # Somebody ended the test, or what they called did: that is not the task's failure alone.
            if not isinstance(error, Exception):
                raise error
        return Performed(
            run=lease.run,
            workflow=lease.workflow,
            partition=lease.partition,
            task=lease.task,
            error=_told(raised, result, lease),
            asked=asked is not None,
        )

    def _asked_failure(self, lease: Lease) -> BaseException | None:
        for name in (lease.task, lease.workflow, *(output.asset for output in lease.outputs)):
            if waiting := self.failures.get(name):
                return waiting.popleft()
        return None


def _hello(pool: str) -> OpenSession:
    return OpenSession(protocol=PROTOCOL_VERSION, incarnation="test", pool=pool, slots=1, host="test")


def _order(lease: Lease) -> tuple[Any, ...]:
    # What is ready together may be done in any order; a test sees always the same.
    return (lease.workflow, lease.partition, lease.task, lease.step)


def _report(lease: Lease, how: str, outcome: Outcome) -> Report:
    return Report(
        step=lease.step,
        epoch=lease.epoch,
        secret=lease.secret,
        outcome=how,
        bundle=None if lease.entry is None else lease.entry.bundle,
        outputs=outcome.outputs,
        unchanged=outcome.unchanged,
        error=outcome.error,
        retryable=outcome.retryable,
        raised=outcome.raised,
        partitions=outcome.partitions,
    )


def _told(raised: list[BaseException], result: Result, lease: Lease) -> BaseException | None:
    """Returns what a person should see of the attempt; of an error, the traceback from where ours ends."""
    if not raised:
        return None if result.status == 200 else RunFailed(f"{lease.task} of {lease.workflow}: {result.reason}")
    (error,) = raised
    error.add_note(f"raised by {lease.task}, a task of {target_of(lease.workflow, lease.partition)}")
    return error.with_traceback(outside(error.__traceback__))


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Leaves the generators of random numbers, which an attempt seeds, as the test has them, and hands what tasks log
    to whoever listens to the test's logging."""
    log = logging.getLogger("riparian.task")
    logged = (log.handlers[:], log.level, log.propagate)
    log.handlers, log.propagate = [logging.NullHandler()], True
    log.setLevel(logging.INFO)
    drawn = random.getstate()
    numpy = sys.modules.get("numpy")
    drawn_by_numpy = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        random.setstate(drawn)
        if numpy is not None:
            numpy.random.set_state(drawn_by_numpy)
        log.handlers, _, log.propagate = logged
        log.setLevel(logged[1])
