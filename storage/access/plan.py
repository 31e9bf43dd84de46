"""What is about to happen? Runs that wait for a worker, what waits for other runs, and what for something else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from riparian.scheduler.core.facts import Cause
from riparian.storage.access import runs
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow

_SECTIONS = (("queued", catalogue.queued), ("held", catalogue.held), ("waiting", catalogue.waiting))


@dataclass(frozen=True, slots=True)
class _Pending:
    section: int
    row: AnyRow


def pending(judge: Judge, cursor: str | None, limit: int) -> Page:
    """What the reader may know of, first the queued runs, then what is held, then what waits; by workflow in each."""
    awaits: dict[str, bool] = {}

    def is_told(row: AnyRow) -> bool:
        return awaits[row.workflow] and judge.knows_partition(row.workflow, row.partition)

    def keep(found: Sequence[_Pending]) -> list[_Pending]:
        awaits.update((w, judge.awaits(w)) for w in {p.row.workflow for p in found} - awaits.keys())
        # What a queued run reads is known; of what waits, only what it is declared to read.
        return [p for p in found if (runs.judged(judge, p.row).visible if _is_run(p) else is_told(p.row))]

    found, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: _fetch(judge, after, most),
        keep=keep,
        place=lambda p: [p.section, p.row.workflow, p.row.partition],
    )
    reasons = [catalogue.standing_reason(judge.tx, p.row.workflow, p.row.partition) for p in found]
    judge.listen(reason.words for reason in reasons if reason is not None)
    waits = runs.at_limit(judge, [p.row.id for p in found if _is_run(p)])
    return Page([_told(judge, p, reason, waits) for p, reason in zip(found, reasons, strict=True)], following)


def _is_run(pending: _Pending) -> bool:
    return _SECTIONS[pending.section][0] == "queued"


def _fetch(judge: Judge, after: list[Any] | None, most: int) -> list[_Pending]:
    first, workflow, partition = after if after and len(after) == 3 else (0, "", "")
    found: list[_Pending] = []
    for section, (_, read) in enumerate(_SECTIONS):
        if section >= first and len(found) < most:
            begin = (workflow, partition) if section == first else ("", "")
            found += [_Pending(section, row) for row in read(judge.tx, begin, most - len(found))]
    return found


def _told(judge: Judge, pending: _Pending, reason: AnyRow | None, waits: Mapping[str, str]) -> dict[str, Any]:
    row, state = pending.row, _SECTIONS[pending.section][0]
    queued = row if _is_run(pending) else None
    code, words = None, ""
    if reason is not None:
        code, words = judge.reason(row.workflow, reason.code, reason.words)
    if queued is not None and queued.id in waits:
        code, words = "at_limit", waits[queued.id]
    since = queued.created_at if queued is not None else reason.since if reason is not None else None
    return {
        "workflow": row.workflow,
        "partition": row.partition,
        "state": state,
        "run": queued.id if queued is not None else None,
        "cause": runs.said(judge, Cause.from_json(queued.cause)) if queued is not None else None,
        "params": json.loads(queued.params) if queued is not None and runs.judged(judge, queued).readable else None,
        "code": code,
        "words": words,
        "since": iso(since),
    }
