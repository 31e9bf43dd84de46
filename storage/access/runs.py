"""What is there to know of runs: their causes, attempts, outputs and logs?"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import Invalid, Refused
from riparian.assets.keys import AssetKey
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.lifecycle import RUN
from riparian.storage.access import assets
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow


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
    judged, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: [
            _judge(judge, row)
            for row in catalogue.runs(
                judge.tx, after[0] if after else None, most, workflow=workflow, state=state, partition=partition
            )
        ],
        keep=lambda found: [j for j in found if j.visible],
        place=lambda j: [j.row.id],
    )
    return Page([_summary(judge, j) for j in judged], following)


def one(judge: Judge, run_id: str) -> dict[str, Any]:
    """One run: cause, steps with their attempts, what it was made from and what it made."""
    found = find(judge, run_id)
    outputs = [v for v in catalogue.made_by(judge.tx, [run_id]) if _sees_version(judge, v)]
    return {
        **_summary(judge, found),
        "bundle": found.row.bundle if found.readable else None,
        "definition": found.row.definition,
        "steps": _steps(judge, run_id, found.readable),
        # A parameter is named after its asset.
        "pins": [_pin(pin) for pin in json.loads(found.row.pins)] if found.readable else [],
        "outputs": assets.version_summaries(judge, outputs),
    }


def last_of(judge: Judge, workflow: str, partition: str, count: int) -> list[dict[str, Any]]:
    """The workflow partition's last visible runs, newest first."""
    rows = catalogue.runs(judge.tx, None, count, workflow=workflow, state=None, partition=partition)
    return [_summary(judge, j) for j in (_judge(judge, row) for row in rows) if j.visible]


def find(judge: Judge, run_id: str) -> Judged:
    """Returns the run; raises NotFound when it does not exist or is hidden."""
    row = catalogue.run_of_id(judge.tx, run_id)
    found = None if row is None else _judge(judge, row)
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
    if step is not None and step not in {s.id for s in catalogue.steps(judge.tx, run_id)}:
        raise judge.missing("step", step)
    return [(c.object, c.length) for c in catalogue.log_chunks(judge.tx, run_id, step, epoch)]


def _judge(judge: Judge, row: AnyRow) -> Judged:
    makes = _makes(judge, row)
    readable = judge.permits(row.origins, *makes)
    return Judged(row, makes, readable, readable or any(judge.owns(a) for a in makes))


def _makes(judge: Judge, row: AnyRow) -> tuple[str, ...]:
    """What the run made or was to make, by the declarations of its own time: a later change of the code must not
    change who may read what it logged."""
    if row.kind == "ingest":
        return (row.workflow,)
    # When nobody knows what it makes, only the asset of that name, if any, can say who owns it.
    return judge.outputs_of(row.definition, row.workflow) or (row.workflow,)


def _sees_workflow(judge: Judge, workflow: str) -> bool:
    makes = judge.graph.makes(workflow)
    return any(judge.visible(a) for a in (*makes, *(() if makes else (workflow,))))


def _sees_version(judge: Judge, row: AnyRow) -> bool:
    return judge.permits(row.origins, row.asset) or judge.owns(row.asset)


def _summary(judge: Judge, found: Judged) -> dict[str, Any]:
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
        "cause": judge.redact(cause.words, _named(judge, cause, row.workflow)),
        "cause_kind": cause.kind,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "seconds": _seconds(row.started_at, row.ended_at),
        "error": row.error if found.readable else None,
        "params": json.loads(row.params) if found.readable else None,
    }


def _named(judge: Judge, cause: Cause, workflow: str) -> Collection[str]:
    return {*cause.body.get("seqs", ()), *(e.asset for e in judge.graph.inputs(workflow))}


def _steps(judge: Judge, run_id: str, readable: bool) -> list[dict[str, Any]]:
    attempts: dict[str, list[dict[str, Any]]] = {}
    for a in catalogue.attempts(judge.tx, run_id):
        attempts.setdefault(a.step, []).append(
            {
                "epoch": a.epoch,
                "number": a.number,
                "outcome": a.outcome,
                "leased_at": iso(a.leased_at),
                "ended_at": iso(a.ended_at),
                "seconds": _seconds(a.leased_at, a.ended_at),
                "error": a.error if readable else None,
                "log_bytes": a.log_bytes if readable else None,
            }
        )
    return [
        {"id": s.id, "task": s.task, "state": s.state, "pool": s.pool, "attempts": attempts.get(s.id, [])}
        for s in catalogue.steps(judge.tx, run_id)
    ]


def _pin(pin: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameter": pin["parameter"],
        "asset": pin["asset"],
        "lo": pin["lo"],
        "hi": pin["hi"],
        "as_of": pin["as_of"],
        "version": pin.get("version"),
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
