"""What is there to know of runs: their causes, attempts, outputs and logs?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import Invalid, Refused
from riparian.assets.keys import AssetKey
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.lifecycle import RUN, UNFINISHED
from riparian.storage.access import assets, checks
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import UNNAMED, Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow

MOST_STEPS = 500
"""Steps that an answer about a run lists; of the others it gives the numbers."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run, what it makes, and whether the principal may read it, or (as owner of what it makes) at least see it."""

    row: AnyRow
    makes: tuple[str, ...]
    readable: bool
    visible: bool


def listing(
    judge: Judge,
    cursor: str | None,
    limit: int,
    *,
    workflow: str | None,
    asset: str | None,
    state: str | None,
    partition: str | None,
) -> Page:
    """The visible runs, newest first; ``asset`` asks for those of the workflow that makes it."""
    if asset is not None:
        assets.require(judge, asset)
        maker = judge.graph.maker(AssetKey(asset))
        if workflow not in (None, maker):
            return Page([])
        workflow = maker
    if state is not None and state not in RUN:
        raise Invalid(f"state={state!r} is no state of a run; write one of {', '.join(RUN)}")
    if workflow is not None and asset is None and not _sees_workflow(judge, workflow):
        raise judge.missing("workflow", workflow)
    found, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: [
            judged(judge, row)
            for row in catalogue.runs(
                judge.tx, after[0] if after else None, most, workflow=workflow, state=state, partition=partition
            )
        ],
        keep=lambda some: [j for j in some if j.visible],
        place=lambda j: [j.row.id],
    )
    judge.listen(Cause.from_json(j.row.cause).words for j in found)
    return Page(_summaries(judge, found), following)


def one(judge: Judge, run_id: str) -> dict[str, Any]:
    """One run: cause, steps with their attempts, what it was made from and what it made."""
    found = find(judge, run_id)
    outputs = [v for v in catalogue.made_by(judge.tx, [run_id]) if _sees_version(judge, v)]
    return {
        **_summaries(judge, [found])[0],
        "bundle": found.row.bundle if found.readable else None,
        "definition": found.row.definition,
        **_steps(judge, run_id, found),
        # A parameter is named after its asset.
        "pins": [_pin(pin) for pin in json.loads(found.row.pins)] if found.readable else [],
        "outputs": assets.version_summaries(judge, outputs),
        "checks": checks.of_run(judge, run_id) if found.readable else [],
    }


def last_of(judge: Judge, workflow: str, partition: str, count: int) -> list[dict[str, Any]]:
    """The workflow partition's last visible runs, newest first."""
    rows = catalogue.runs(judge.tx, None, count, workflow=workflow, state=None, partition=partition)
    return _summaries(judge, [j for j in (judged(judge, row) for row in rows) if j.visible])


def find(judge: Judge, run_id: str) -> Judged:
    """Returns the run; raises NotFound when it does not exist or is hidden."""
    row = catalogue.run_of_id(judge.tx, run_id)
    found = None if row is None else judged(judge, row)
    if found is None or not found.visible:
        raise judge.missing("run", run_id)
    return found


def logs(judge: Judge, run_id: str, step: str | None, epoch: int | None) -> list[tuple[str, int]]:
    """Returns where the logs lie: each object as JSON, and its length. Raises Refused for who only owns what the run
    makes: logs tell of the data."""
    found = find(judge, run_id)
    if not found.readable:
        chain = judge.because(judge.denials(found.row.origins, *found.makes))
        raise Refused(f"the logs of run {run_id} tell of data that you may not read: {chain}")
    if step is not None and not catalogue.has_step(judge.tx, run_id, step):
        raise judge.missing("step", step)
    return [(c.object, c.length) for c in catalogue.log_chunks(judge.tx, run_id, step, epoch)]


def judged(judge: Judge, row: AnyRow) -> Judged:
    """Returns what the principal may know of the run: by the origins of what it was given, and of what it makes."""
    makes = _makes(judge, row)
    readable = judge.permits(row.origins, *makes)
    return Judged(row, makes, readable, readable or any(judge.owns(a) for a in makes))


def _makes(judge: Judge, row: AnyRow) -> tuple[str, ...]:
    """What the run made or was to make, by the declarations of its own time: a later change of the code must not
    change who may read what it logged."""
    if row.kind in ("ingest", "event"):
        return (row.workflow,)
    # When nobody knows what it makes, only the asset of that name, if any, can say who owns it.
    return judge.outputs_of(row.definition, row.workflow) or (row.workflow,)


def _sees_workflow(judge: Judge, workflow: str) -> bool:
    return judge.sees_workflow(workflow) or (not judge.graph.makes(workflow) and judge.visible(workflow))


def _sees_version(judge: Judge, row: AnyRow) -> bool:
    return judge.permits(row.origins, row.asset) or judge.owns(row.asset)


def _summaries(judge: Judge, found: Sequence[Judged]) -> list[dict[str, Any]]:
    waits = at_limit(judge, [j.row.id for j in found if j.row.state in UNFINISHED])
    return [_summary(judge, j, waits.get(j.row.id)) for j in found]


def _summary(judge: Judge, found: Judged, waits: str | None) -> dict[str, Any]:
    row = found.row
    cause = Cause.from_json(row.cause)
    return {
        "id": row.id,
        "workflow": row.workflow,
        "partition": row.partition,
        "kind": row.kind,
        "state": row.state,
        "readable": found.readable,
        "makes": [a for a in found.makes if judge.visible(a)],
        "cause": said(judge, cause),
        "cause_kind": cause.kind,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "seconds": _seconds(row.started_at, row.ended_at),
        # Who cancelled it tells nothing of the data.
        "error": row.error if found.readable or row.state == "cancelled" else None,
        "params": json.loads(row.params) if found.readable else None,
        "waits": waits,
    }


def said(judge: Judge, cause: Cause) -> str:
    """Returns the cause in words. A file's path is the source's own: to look for names in it would tell which there are
    to whoever drops files."""
    return cause.words if cause.kind == "file" else judge.redact(cause.words)


def _steps(judge: Judge, run_id: str, found: Judged) -> dict[str, Any]:
    """The steps in the order in which they began; of very many MOST_STEPS, those that failed before all others.

    To who may not read the run none, once the data decides which of them run, or how many.
    """
    readable = found.readable
    specs = [] if readable else catalogue.step_specs(judge.tx, run_id)
    if any(spec.get(field) for spec in specs for field in ("roads", "labels", "mapped")):
        return {"steps": [], "steps_left_out": 0, "step_counts": [], "steps_withheld": True}
    # How a check ended tells of the data too, and its name what is looked for in it.
    withheld = {spec["task"] for spec in specs if spec.get("check")}
    # The task of an asset may have its name, and who owns one output need not know of the others.
    hidden = {a: UNNAMED for a in found.makes if not readable and not judge.visible(a)}
    counts = [c for c in catalogue.step_counts(judge.tx, run_id) if c.task not in withheld]
    rows = [row for row in catalogue.steps(judge.tx, run_id, MOST_STEPS) if row.task not in withheld]
    ids = [row.id for row in rows]
    results = catalogue.results(judge.tx, ids) if readable else {}
    attempts: dict[str, list[AnyRow]] = {}
    for a in catalogue.attempts(judge.tx, ids):
        attempts.setdefault(a.step, []).append(a)
    left_out = sum(c.steps for c in counts) - len(rows)
    if not left_out:
        rows = sorted(rows, key=lambda row: _began(row, attempts.get(row.id, ())))
    return {
        "steps": [
            _step(row, hidden.get(row.task, row.task), readable, results.get(row.id), attempts.get(row.id, ()))
            for row in rows
        ],
        "steps_left_out": left_out,
        "step_counts": [{"task": hidden.get(c.task, c.task), "state": c.state, "steps": c.steps} for c in counts],
        "steps_withheld": False,
    }


def _began(row: AnyRow, attempts: Sequence[AnyRow]) -> tuple[Any, ...]:
    return (attempts[0].leased_at if attempts else math.inf, row.task, row.map_index or 0)


def _step(row: AnyRow, task: str, readable: bool, result: AnyRow | None, attempts: Sequence[AnyRow]) -> dict[str, Any]:
    return {
        "id": row.id,
        "task": task,
        "map_index": row.map_index,
        "state": row.state,
        # Which road was not taken tells what was decided, and that was decided by the data.
        "reason": row.reason if readable else None,
        "pool": row.pool,
        "result": {"format": result.format, "rows": result.rows, "bytes": result.bytes} if result is not None else None,
        "attempts": [_attempt(a, readable) for a in attempts],
    }


def _attempt(a: AnyRow, readable: bool) -> dict[str, Any]:
    return {
        "epoch": a.epoch,
        "number": a.number,
        "outcome": a.outcome,
        "leased_at": iso(a.leased_at),
        "ended_at": iso(a.ended_at),
        "seconds": _seconds(a.leased_at, a.ended_at),
        "error": a.error if readable else None,
        "log_bytes": a.log_bytes if readable else None,
    }


def _pin(pin: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameter": pin["parameter"],
        "asset": pin["asset"],
        "lo": pin["lo"],
        "hi": pin["hi"],
        "as_of": pin["as_of"],
        "version": pin.get("version"),
    }


def at_limit(judge: Judge, run_ids: Iterable[str]) -> dict[str, str]:
    """Returns, of those runs of which a step waits for a limit, for which in words that the reader may read."""
    return {
        run: judge.redact(judge.limits.words(name))
        for run, name in catalogue.at_limit(judge.tx, run_ids, judge.limits).items()
    }


def _seconds(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1_000_000


def after_offset(chunks: Sequence[tuple[str, int]], offset: int) -> list[tuple[str, int]]:
    """Returns the chunks from ``offset`` on, each with the number of its first bytes to leave out."""
    if offset < 0:
        raise Invalid(f"offset={offset} lies before the beginning; write 0 or more")
    kept, begin = [], 0
    for stored, length in chunks:
        if begin + length > offset:
            kept.append((stored, max(0, offset - begin)))
        begin += length
    return kept
