"""How does an attempt end? Takes a worker's report, and if the attempt is still the worker's own, makes it true.

All in the caller's one transaction: the epoch is checked, versions and lineage are written, the heads of the run move
together, and whoever looks at them is marked. What fails here leaves nothing behind but garbage in a directory that
nobody refers to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from riparian.assets.tasks import label_of
from riparian.scheduler import added, ending, verdicts
from riparian.scheduler.core.checking import Verdict
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.pinned import Pin, StepSpec
from riparian.scheduler.core.protocol import CONTENT_LIMIT, Report, Result, Written, decode, encode
from riparian.scheduler.core.retries import TIMED_OUT, admits, delay_after, may_repeat_lost
from riparian.scheduler.plan import go_on
from riparian.storage.metadata import files, origins, runs, timers, versions
from riparian.storage.metadata.database import Tx
from riparian.storage.objects import WrongValue, layout
from riparian.storage.objects.formats.json import checked

MOST = 2**63 - 1
"""Bytes or rows that the catalogue can note."""

MOST_SAID = 20 * 1024
"""Characters that are kept of what a worker says went wrong; ours cut theirs shorter."""

MOST_SCHEMA = 4 * 1024 * 1024
"""Characters of a table's schema."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORMAT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One report with what was found wrong with its objects before the transaction; empty: they lie as reported."""

    report: Report
    fault: str = ""


def accept(tx: Tx, graph: Graph, session: str, accepted: Accepted) -> Result:
    """Records how the attempt ended. 409 when it is not this session's attempt any more; then nothing happened."""
    report = accepted.report
    step = runs.step_row(tx, report.step)
    if step is None or (step.state, step.epoch, step.session) != ("leased", report.epoch, session):
        now = "unknown" if step is None else f"{step.state} at epoch {step.epoch}"
        return _result(report, 409, f"fenced: epoch {report.epoch} of this step is over, it is {now}")
    run = runs.by_id(tx, [step.run])[step.run]
    match report.outcome:
        case "succeeded":
            fault = _cut(accepted.fault or _fault(tx, graph, run, step, report))
            if fault:
                _fail(tx, graph, run, step, "failed", fault, retryable=True)
                return _result(report, 422, fault)
            _succeed(tx, graph, run, step, report)
        case "failed" | "timed_out":
            error = _cut(report.error or "the worker gave no reason")
            raised = TIMED_OUT if report.outcome == "timed_out" else report.raised
            _fail(tx, graph, run, step, report.outcome, error, retryable=report.retryable, raised=raised)
        case "released":
            runs.end_attempt(tx, step, "released", None)
            runs.move_step(tx, step.id, "ready", epoch=step.epoch + 1, attempts=step.attempts - 1)
        case "lost":
            lose(tx, graph, step, _cut(report.error or "its process died"))
        case other:
            known = "succeeded, failed, timed_out, released and lost"
            fault = f"unknown outcome {other[:80]!r}; this control plane knows {known}"
            _fail(tx, graph, run, step, "failed", fault, retryable=False)
            return _result(report, 422, fault)
    return _result(report, 200)


def _cut(said: str) -> str:
    return said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]}… {len(said) - MOST_SAID} characters left out"


def lose(tx: Tx, graph: Graph, step: Row[Any], why: str) -> None:
    """Revokes the lease of a step whose worker or process is gone, and lets another try it at once."""
    runs.end_attempt(tx, step, "lost", why)
    losses = step.losses + 1
    if may_repeat_lost(losses):
        runs.move_step(tx, step.id, "ready", epoch=step.epoch + 1, losses=losses, ready_at=tx.now)
        return
    runs.move_step(tx, step.id, "failed", epoch=step.epoch + 1, losses=losses)
    run = runs.by_id(tx, [step.run])[step.run]
    _give_up(tx, graph, run, step, f"lost {losses} times, the last time because {why}")


def _result(report: Report, status: int, reason: str = "") -> Result:
    return Result(step=report.step, epoch=report.epoch, status=status, reason=reason)


def _fault(tx: Tx, graph: Graph, run: Row[Any], step: Row[Any], report: Report) -> str:
    """Returns why a success can not be taken as it was reported, or nothing."""
    spec = decode(step.spec, StepSpec)
    if report.bundle != run.bundle:
        return f"this run executes bundle {run.bundle}, the attempt ran {report.bundle}; it was not committed"
    makes = [result_name(run.workflow, spec, a) for a in spec.outputs or ("",)]
    if sorted([*(w.asset for w in report.outputs), *report.unchanged]) != sorted(makes):
        return f"the step makes {makes}, the attempt reported {[w.asset for w in report.outputs]}"
    if run.kind == "ingest" and report.unchanged:
        return "a file that is taken in becomes a version, the attempt reported that there is nothing new"
    for written in report.outputs:
        if fault := _misfit(written):
            return f"the attempt reported of {written.asset} {fault}"
    if spec.check and (fault := verdicts.fault(report)):
        return fault
    if spec.labels and (fault := _no_road(spec, report)):
        return fault
    if report.partitions and (fault := added.fault(tx, graph, run, spec, report)):
        return f"the attempt added partitions {fault}"
    if not any(written.objects for written in report.outputs):
        return ""
    attempt = runs.attempt_row(tx, step.id, step.epoch)
    assert attempt is not None  # noqa: S101 - written with the lease
    for written in report.outputs:
        own = output_directory(attempt.nonce, makes.index(written.asset)) + "/"
        for stored in written.objects:
            if not stored.name.startswith(own):
                return f"the object {stored.name} does not lie in the attempt's own directory {own}"
    return ""


def _misfit(written: Written) -> str:
    """Returns what is said of a result that can not be so, or nothing. What is taken here others rely on unseen."""
    if not _DIGEST.fullmatch(written.digest):
        return f"the digest {written.digest[:80]!r}, which is not 64 hexadecimal digits"
    if not _FORMAT.fullmatch(written.format):
        return f"the format {written.format[:80]!r}, which is no name of one"
    if not 0 <= written.bytes <= MOST:
        return f"{_number(written.bytes)} bytes"
    if written.rows is not None and not 0 <= written.rows <= MOST:
        return f"{_number(written.rows)} rows"
    if written.schema is not None and (fault := _bad_schema(written.schema)):
        return fault
    if (written.content is None) == (not written.objects):
        return "both content and objects" if written.objects else "neither content nor objects"
    return "" if written.content is None else _bad_content(written, written.content)


def _bad_content(written: Written, content: str) -> str:
    if written.format != "json":
        return f"content in the format {written.format}; only JSON travels in a report"
    if len(content) > CONTENT_LIMIT or len(content.encode(errors="replace")) > CONTENT_LIMIT:
        return f"content of {len(content)} characters; {CONTENT_LIMIT} bytes are allowed, more belongs into an object"
    try:
        value = checked(content)
    except WrongValue as exc:
        return f"content that can not be read again: {exc}"
    items = len(value) if isinstance(value, list) else None
    if written.rows != items:
        return f"{written.rows} rows of {'what is no list' if items is None else f'a list that has {items} items'}"
    return ""


def _bad_schema(schema: str) -> str:
    if len(schema) > MOST_SCHEMA:
        return f"a schema of {len(schema)} characters; {MOST_SCHEMA} are allowed"
    try:
        checked(schema)
    except WrongValue as exc:
        return f"a schema that can not be read again: {exc}"
    return ""


def _number(value: int) -> str:
    return str(value) if abs(value) <= MOST else "far too many"


def _no_road(spec: StepSpec, report: Report) -> str:
    """Returns why the decision leads nowhere, or nothing."""
    text = next((w.content for w in report.outputs), "")
    if text == "":
        return ""  # it decided nothing, and all roads are skipped
    label = None if text is None else label_of(checked(text))
    if label in spec.labels:
        return ""
    said = repr(label) if text else "a long value"
    return f"returned {said}; the branch on it has the roads {', '.join(spec.labels)}"


def result_name(workflow: str, spec: StepSpec, output: str) -> str:
    """Returns what a result is called: the asset that it becomes, or for an intermediate its workflow and task."""
    return output or f"{workflow}/{spec.task}"


def output_directory(nonce: str, number: int) -> str:
    """Returns where an attempt writes its n-th output."""
    return f"{layout.attempt_directory(nonce)}/{number}"


def _succeed(tx: Tx, graph: Graph, run: Row[Any], step: Row[Any], report: Report) -> None:
    pins = decode(run.pins, list[Pin])
    cause = Cause.from_json(run.cause)
    spec = decode(step.spec, StepSpec)
    if spec.check:
        runs.end_attempt(tx, step, "succeeded", None)
        _judge(tx, graph, run, step, spec, verdicts.verdict_of(report))
        return
    for written in report.outputs:
        version = tx.new_id()
        becomes = written.asset in spec.outputs
        values = {
            "id": version,
            "asset": written.asset,
            "partition": run.partition,
            "run": run.id,
            "step": step.id,
            "epoch": step.epoch,
            "bundle": run.bundle,
            "format": written.format,
            "digest": written.digest,
            # All of what the run was granted: the heads of a run move together, so each input decides each output.
            "origins": origins.union(tx, [run.origins], [written.asset]) if becomes else run.origins,
            "rows": written.rows,
            "bytes": written.bytes,
            "objects": encode(written.objects).decode(),
            "content": written.content,
            "schema": written.schema,
            "committed_at": tx.now,
            "state": "staged" if becomes else "intermediate",
            "file": cause.body["path"] if cause.kind == "file" else None,
        }
        inputs = [
            {
                "version": version,
                # A row for each interval of the partitions that were meant; the first bears the parameter's name.
                "parameter": f"{p.parameter}#{n}" if n else p.parameter,
                "asset": p.asset,
                "lo": lo,
                "hi": hi,
                "as_of": p.as_of,
                "input_version": p.version,
            }
            for p in pins
            for n, (lo, hi) in enumerate(p.intervals)
            if lo <= hi  # else nothing was meant
            if becomes and p.parameter in spec.made_from
        ]
        versions.add(tx, values, inputs)
    runs.end_attempt(tx, step, "succeeded", None)
    runs.move_step(tx, step.id, "succeeded")
    if report.partitions:
        added.note(tx, graph, run, step, report)
    _go_on(tx, graph, run, step, pins)


def _judge(tx: Tx, graph: Graph, run: Row[Any], step: Row[Any], spec: StepSpec, verdict: Verdict) -> None:
    """Notes what a check found. Where it stops the run nothing of it is seen; else the run goes on."""
    fault = verdicts.settle(tx, run, spec, verdict)
    runs.move_step(tx, step.id, "failed" if fault else "succeeded")
    if fault:
        ending.fail(tx, run, fault)
    else:
        _go_on(tx, graph, run, step, decode(run.pins, list[Pin]))


def _go_on(tx: Tx, graph: Graph, run: Row[Any], step: Row[Any], pins: list[Pin]) -> None:
    through, fault = go_on(tx, run.id, step.task, pins)
    if fault:
        ending.fail(tx, run, fault)
    elif through:
        ending.complete(tx, graph, run)


def _fail(
    tx: Tx,
    graph: Graph,
    run: Row[Any],
    step: Row[Any],
    outcome: str,
    error: str,
    *,
    retryable: bool,
    raised: Sequence[str] = (),
) -> None:
    runs.end_attempt(tx, step, outcome, error)
    failures = step.failures + 1
    if run.kind == "ingest":
        # A share that is away comes back; only a file that was written anew since is not worth another try.
        retryable = not files.is_outdated(tx, run.id)
    retry = decode(step.spec, StepSpec).retry
    delay = delay_after(retry, failures, retryable=retryable and admits(retry, raised))
    if delay is not None:
        ready_at = tx.now + int(delay * 1_000_000)
        runs.move_step(tx, step.id, "ready", failures=failures, ready_at=ready_at)
        timers.put(tx, "step", step.id, ready_at)
        return
    runs.move_step(tx, step.id, "failed", failures=failures)
    _give_up(tx, graph, run, step, error)


def _give_up(tx: Tx, graph: Graph, run: Row[Any], step: Row[Any], error: str) -> None:
    """Ends the run of a step that failed for good; but for a check that does not block: that is only noted."""
    spec = decode(step.spec, StepSpec)
    if not spec.check or verdicts.settle(tx, run, spec, verdicts.broken(error)):
        ending.fail(tx, run, f"{step.task}: {error}")
    else:
        _go_on(tx, graph, run, step, decode(run.pins, list[Pin]))
