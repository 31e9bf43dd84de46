"""What do backfills make, how far are they, and how long would one take?"""

from __future__ import annotations

import statistics
import time
from typing import Any

from riparian.assets.errors import Conflict, Invalid
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.partitions.boxes import Box, cut_off
from riparian.assets.partitions.latest import from_to
from riparian.scheduler.core.backfills import STATES, Only, State, is_wanted
from riparian.scheduler.core.limits import WORKFLOW
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.partitions import partition_of
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import backfills
from riparian.storage.metadata.catalogue import AnyRow

MOST_LOOKED = 100_000
"""Partitions that are looked at for an answer."""

MOST_LEFT = 10_000
"""Partitions that are counted of those that a backfill has not looked at."""

MOST_SECONDS = 5.0
"""How long is looked for an answer."""

FAILURES = 100
"""Failed partitions that an answer names."""

_SLICE = 400


def interval(judge: Judge, workflow: WorkflowSpec, lo: str | None, hi: str | None) -> Interval:
    """Returns the partitions that are meant, of several dimensions from the one to the other in each; None is the
    first, or the last. Raises Invalid for what there is not."""
    if workflow.partitions is None:
        raise Invalid(f"{workflow.key} is not partitioned: `riparian run {workflow.key}` makes it anew")
    found = from_to(
        workflow.partitions,
        EVERYTHING.lo if lo is None else partition_of(judge, workflow, lo),
        EVERYTHING.hi if hi is None else partition_of(judge, workflow, hi),
    )
    if found.lo > found.hi or (isinstance(found, Box) and any(i.lo > i.hi for side in found.sides for i in side)):
        raise Invalid(f"from {lo} to {hi} there is nothing: write the earlier one first")
    return found


def preview(judge: Judge, key: str, lo: str | None, hi: str | None, only: Only) -> dict[str, Any]:
    """What a backfill would make and why, and how long that may take by what runs took; for who may know what the
    workflow waits for.

    Raises NotFound for an asset that they may not know of, Invalid for partitions that there are not, Conflict for a
    source.
    """
    workflow = judge.graph.producer(AssetKey(key))
    if not judge.visible(key) or (workflow is not None and not judge.awaits(workflow.key)):
        raise judge.missing("asset", key)
    if workflow is None:
        raise Conflict(f"{key} is a source: others produce it; what is made from it can be backfilled")
    wanted = interval(judge, workflow, lo, hi)
    found: dict[State, dict[str, Any]] = {}
    until, looked, first, truncated = time.monotonic() + MOST_SECONDS, 0, wanted.lo, False
    while True:
        keys = backfills.candidates(judge.tx, judge.graph, workflow.key, cut_off(wanted, first), _SLICE + 1)
        for partition, state in backfills.states(judge.tx, judge.graph, workflow.key, keys[:_SLICE], _SLICE):
            group = found.setdefault(state, {"count": 0, "first": partition})
            group |= {"count": group["count"] + 1, "last": partition}
        looked += len(keys[:_SLICE])
        if len(keys) <= _SLICE:
            break
        first = keys[_SLICE]
        if looked >= MOST_LOOKED or time.monotonic() > until:
            truncated = True
            break
    makes = sum(group["count"] for state, group in found.items() if is_wanted(state, only))
    return {
        "asset": key,
        "workflow": workflow.key,
        "from": _end(wanted.lo),
        "to": _end(wanted.hi),
        "only": only,
        "makes": makes,
        "skips": looked - makes,
        "truncated": truncated,
        "states": [
            {"state": state, "made": is_wanted(state, only), **found[state]} for state in STATES if state in found
        ],
        **_estimate(judge, key, workflow, makes),
    }


def _estimate(judge: Judge, key: str, workflow: WorkflowSpec, makes: int) -> dict[str, Any]:
    """By the median of the last runs, as many at once as the workflow's limit and the workers let."""
    took = backfills.seconds(judge.tx, key)
    most = judge.limits.most(f"{WORKFLOW}{workflow.key}")
    at_once = max(1, min(n for n in (most, backfills.slots(judge.tx)) if n is not None))
    seconds = statistics.median(took) * -(-makes // at_once) if took else None
    return {"seconds": seconds, "of_runs": len(took), "at_once": at_once}


def listing(judge: Judge, cursor: str | None, limit: int) -> Page:
    """The backfills that the reader may know of, the newest first."""
    found, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: backfills.newest(judge.tx, after[0] if after else None, most),
        keep=lambda some: [row for row in some if _knows(judge, row)],
        place=lambda row: [row.id],
    )
    return Page([_told(judge, row) for row in found], following)


def one(judge: Judge, backfill: str) -> dict[str, Any]:
    """One backfill, with the partitions that failed."""
    row = find(judge, backfill)
    failed = backfills.items(judge.tx, backfill, "failed", FAILURES)
    failed = [i for i in failed if judge.knows_partition(row.workflow, i.partition)]
    return {**_told(judge, row), "failures": [{"partition": i.partition, "run": i.run} for i in failed]}


def find(judge: Judge, backfill: str) -> AnyRow:
    """Returns the backfill; raises NotFound when it does not exist or is hidden."""
    row = backfills.by_id(judge.tx, backfill)
    if row is None or not _knows(judge, row):
        raise judge.missing("backfill", backfill)
    return row


def _knows(judge: Judge, row: AnyRow) -> bool:
    """Whether the reader may know of it; of what is declared no more, or cut otherwise now, the owner does."""
    if row.workflow not in judge.graph.workflows:
        return judge.owns(row.asset)
    ends = [p for p in (_end(row.lo), _end(row.hi)) if p is not None]
    return judge.awaits(row.workflow) and all(judge.knows_partition(row.workflow, p) for p in ends)


def _told(judge: Judge, row: AnyRow) -> dict[str, Any]:
    counts = backfills.counts(judge.tx, row.id)
    going = [r.state for r in backfills.unfinished(judge.tx, row)] if counts.get("open") else []
    left, truncated = _left(judge, row)
    return {
        "id": row.id,
        "asset": judge.name(row.asset),
        "workflow": row.workflow,
        "from": _end(row.lo),
        "to": _end(row.hi),
        "only": row.only,
        "propagate": row.propagate,
        "state": row.state,
        "words": judge.redact(row.words),
        "by": row.by,
        "created_at": iso(row.created_at),
        "ended_at": iso(row.ended_at),
        "made": counts.get("made", 0),
        "failed": counts.get("failed", 0),
        "skipped": row.skipped + counts.get("skipped", 0),
        "running": going.count("running"),
        "queued": going.count("queued"),
        # Asked for, and behind another run of the same partition or above it.
        "waiting": counts.get("open", 0) - len(going),
        "left": counts.get("left", 0) + left,
        "truncated": truncated,
    }


def _left(judge: Judge, row: AnyRow) -> tuple[int, bool]:
    """Returns how many partitions were not looked at, and whether there may be more."""
    if row.next_partition is None or row.state in ("cancelled", "done") or row.workflow not in judge.graph.workflows:
        return 0, False
    rest = backfills.rest(judge.graph, row)
    found = len(backfills.candidates(judge.tx, judge.graph, row.workflow, rest, MOST_LEFT + 1))
    return min(found, MOST_LEFT), found > MOST_LEFT


def _end(partition: str) -> str | None:
    return None if partition in (EVERYTHING.lo, EVERYTHING.hi) else partition
