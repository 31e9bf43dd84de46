"""Who works on what? Takes reports, plans what they made stale, and grants what is ready, in one transaction."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import OperationalError

from riparian.assets.errors import RiparianError, Unauthenticated
from riparian.scheduler import ending
from riparian.scheduler.commit import Accepted, accept, output_directory, result_name
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.pinned import StepSpec
from riparian.scheduler.core.protocol import (
    Answer,
    Entry,
    Exchange,
    Ingest,
    Lease,
    Output,
    Report,
    Result,
    decode,
    encode,
)
from riparian.scheduler.core.seeds import step_seed
from riparian.scheduler.granted import Granted
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.metadata import runs, sessions
from riparian.storage.metadata.database import Tx

log = logging.getLogger(__name__)

MAX_GRANT = 64
"""Leases in one answer: what one worker is given no other can start."""


def verify(plane: Plane, reports: Sequence[Report]) -> list[Accepted]:
    """Looks whether the reported objects lie in the store as reported. Before the transaction: it reads the store."""
    return [Accepted(r, _fault(plane, r)) for r in reports]


def _fault(plane: Plane, report: Report) -> str:
    try:
        for written in report.outputs:
            for stored in written.objects:
                plane.objects.verify(stored)
    except (RiparianError, OSError) as exc:
        return str(exc)
    return ""


def exchange(tx: Tx, plane: Plane, message: Exchange, accepted: Sequence[Accepted]) -> Answer:
    """Takes the reports and grants up to ``want`` leases. A repeated request gets the answer it got before."""
    session = sessions.live(tx, message.session)
    if session is None:
        raise Unauthenticated("this session is over; open a new one")
    if (before := sessions.answered(tx, message.session, message.request)) is not None:
        return _with_secrets(plane, decode(before, Answer))
    graph = plane.graphs.at(tx)
    results = tuple(_accept(tx, plane, graph, message.session, a) for a in accepted)
    if results:
        plan_and_wake(tx, plane, graph)
    leases = grant(tx, plane, graph, session, min(message.want, MAX_GRANT)) if message.want > 0 else ()
    answer = Answer(results=results, leases=leases)
    if results or leases:
        sessions.keep_answer(tx, message.session, message.request, encode(_without_secrets(answer)))
    if results:
        if runs.is_ready(tx, session.pool):
            tx.after_commit.append(lambda: plane.bells.ring(session.pool))
        if any(a.report.outcome in ("failed", "timed_out") for a in accepted):
            # A new try may be due later; the daemon sets the alarm.
            tx.after_commit.append(plane.bells.ring_daemon)
    return answer


def _accept(tx: Tx, plane: Plane, graph: Graph, session: str, accepted: Accepted) -> Result:
    report = accepted.report
    if not opens(plane.key, report.step, report.epoch, report.secret):
        return Result(step=report.step, epoch=report.epoch, status=409, reason="fenced: this is not the lease's secret")
    try:
        with tx.conn.begin_nested():
            return accept(tx, graph, session, accepted)
    except OperationalError:
        raise
    except Exception as exc:
        # One report that can not be written must not hold up the others of its worker for ever.
        log.exception(
            "the report of step %s at epoch %s could not be written; its attempt fails", report.step, report.epoch
        )
        error = f"the control plane could not write the report ({_said(exc)})"
        return _spoil(tx, graph, session, replace(report, outcome="failed", outputs=()), error)


def _spoil(tx: Tx, graph: Graph, session: str, report: Report, error: str) -> Result:
    """Ends the attempt as failed, and where not even that can be written its run."""
    try:
        with tx.conn.begin_nested():
            taken = accept(tx, graph, session, Accepted(replace(report, error=error)))
            return replace(taken, status=422, reason=error) if taken.status == 200 else taken
    except OperationalError:
        raise
    except Exception:
        # The same outside loop as above: what is left is to end the run, so that nobody waits for it.
        log.exception("the failure of step %s could not be written; its run fails", report.step)
    step = runs.step_row(tx, report.step)
    assert step is not None  # noqa: S101 - the first look at the report found it
    ending.fail(tx, runs.by_id(tx, [step.run])[step.run], f"{step.task}: {error}")
    return Result(step=report.step, epoch=report.epoch, status=422, reason=error)


def _said(exc: Exception) -> str:
    # Of what a worker sent: it may be long, and no text that the catalogue can keep.
    return f"{type(exc).__name__}: {exc}"[:500].encode(errors="backslashreplace").decode()


def grant(tx: Tx, plane: Plane, graph: Graph, session: Row[Any], want: int) -> tuple[Lease, ...]:
    """Leases ready steps to the session: pinned inputs, an own directory for each attempt, and a secret.

    The run of a step that can not be granted fails, with the reason; the others are granted.
    """
    steps, more = runs.lease(tx, session.id, session.pool, want, plane.limits(graph))
    if more:
        tx.after_commit.append(lambda: plane.bells.ring(session.pool))
    if not steps:
        return ()
    of = runs.by_id(tx, [s.run for s in steps])
    runs.start(tx, of.values())
    if any(run.state == "queued" and run.timeout_seconds is not None for run in of.values()):
        tx.after_commit.append(plane.bells.ring_daemon)  # which sets the alarm
    granted = Granted(tx, of.values(), len(steps))
    attempts: list[dict[str, Any]] = []
    leases: list[Lease] = []
    spoiled: dict[str, str] = {}
    for step in steps:
        nonce = secrets.token_hex(16)
        try:
            lease = _lease(plane, granted, step, of[step.run], nonce)
            encode(lease)  # what can not be sent must not keep the others of the answer from their worker
        except OperationalError:
            raise
        except Exception as exc:
            # One step that can not be granted must not keep all workers from all others for ever.
            log.exception("step %s of run %s can not be granted; its run fails", step.id, step.run)
            spoiled.setdefault(step.run, f"{step.task}: it can not be granted ({_said(exc)})")
            continue
        leases.append(lease)
        attempts.append(
            {
                "step": step.id,
                "epoch": step.epoch,
                "number": step.attempts,
                "session": session.id,
                "nonce": nonce,
                "leased_at": tx.now,
            }
        )
    runs.add_attempts(tx, [a for a, lease in zip(attempts, leases, strict=True) if lease.run not in spoiled])
    for run, why in spoiled.items():
        ending.fail(tx, of[run], why)
    if spoiled:
        plan_and_wake(tx, plane, graph)
    return tuple(lease for lease in leases if lease.run not in spoiled)


def _lease(plane: Plane, granted: Granted, step: Row[Any], run: Row[Any], nonce: str) -> Lease:
    spec = decode(step.spec, StepSpec)
    inputs, constants = granted.arguments(run, spec, step.map_index)
    entry = ingest = None
    if spec.path is not None:
        path = str(Path(plane.settings.root, spec.path))
        ingest = Ingest(path=path, fingerprint=spec.fingerprint or "", format=spec.format or "bytes")
    else:
        entry = Entry(
            bundle=run.bundle,
            module=spec.module or "",
            qualname=spec.qualname or "",
            context=spec.context,
            returns=spec.returns,
        )
    outputs = tuple(
        Output(asset=result_name(run.workflow, spec, a), partition=run.partition, directory=output_directory(nonce, n))
        for n, a in enumerate(spec.outputs or ("",))
    )
    return Lease(
        step=step.id,
        run=run.id,
        workflow=run.workflow,
        task=step.task,
        epoch=step.epoch,
        attempt=step.attempts,
        secret=lease_secret(plane.key, step.id, step.epoch),
        partition=run.partition,
        seed=step_seed(run.seed, step.task, step.map_index),
        inputs=inputs,
        outputs=outputs,
        params=json.loads(run.params),
        constants=constants,
        dimensions=spec.dimensions,
        dates=tuple(a.parameter for a in spec.arguments if a.type == "date" and a.parameter in constants),
        entry=entry,
        ingest=ingest,
        timeout_seconds=spec.timeout_seconds,
    )


def lease_secret(key: bytes, step: str, epoch: int) -> str:
    """Returns the secret of one lease. Derived, so that it is stored nowhere and can be given again."""
    return hmac.new(key, f"lease\n{step}\n{epoch}".encode(), hashlib.sha256).hexdigest()


def opens(key: bytes, step: str, epoch: int, secret: str) -> bool:
    """Whether ``secret`` is that of this step's lease at this epoch."""
    return hmac.compare_digest(secret.encode("utf-8", "replace"), lease_secret(key, step, epoch).encode())


def _without_secrets(answer: Answer) -> Answer:
    return replace(answer, leases=tuple(replace(lease, secret="") for lease in answer.leases))


def _with_secrets(plane: Plane, answer: Answer) -> Answer:
    leases = tuple(replace(x, secret=lease_secret(plane.key, x.step, x.epoch)) for x in answer.leases)
    return replace(answer, leases=leases)
