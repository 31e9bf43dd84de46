"""Somebody adds keys to a dimension, or takes some out: may they, and what comes of it?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from riparian.assets.errors import Conflict, DeclarationError, Invalid
from riparian.assets.partitions.dynamic import judged
from riparian.assets.policy import Principal
from riparian.scheduler.core.dimensions import Dimension
from riparian.scheduler.core.facts import Cause, Target
from riparian.scheduler.plan import kept_out
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.access import dimensions as seen
from riparian.storage.metadata import audit, backfills, dimensions, files, origins, runs, staleness
from riparian.storage.metadata.database import Tx

TOLD = 20
"""Keys that the record of an act names."""

GONE = "removed"
"""The reason of a partition that was taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Which keys were added, or taken out; of the others nothing changed."""

    project: str
    name: str
    keys: list[str]


def add(plane: Plane, name: str, keys: Collection[str], by: Principal, project: str | None = None) -> Changed:
    """Adds keys to the dimension, also such as were taken out, and plans what can be made of them. Those that are there
    stay as they are.

    Raises NotFound for a dimension that ``by`` may not know of, Refused unless they own all that is partitioned by it,
    Invalid for what can be no key, Conflict when there would be too many.
    """
    wanted = _judged(name, keys)

    def write(tx: Tx) -> Changed:
        dimension = seen.owned(plane.access.judge(tx, by), name, project, "add partitions to")
        there = len(dimensions.live(tx, dimension, wanted))
        if dimensions.is_full(tx, dimension, len(wanted) - there):
            raise Conflict(f"{name} would have more than {dimensions.MOST_KEYS:,} partitions; take out some")
        added, again = dimensions.add(tx, dimension, wanted, origins.intern(tx, ()), by.name, anew=True)
        runs.forget_causes(tx, [(workflow, key) for workflow in dimension.workflows for key in again])
        return _done(plane, tx, dimension, by, "add partitions", added)

    # Whoever may not, is told without the writer.
    plane.db.read(lambda tx: seen.owned(plane.access.judge(tx, by), name, project, "add partitions to"))
    return plane.db.write(write)


def remove(plane: Plane, name: str, keys: Collection[str], by: Principal, project: str | None = None) -> Changed:
    """Takes keys out of the dimension: nothing is run for them any more, what no worker has begun is taken back, and
    nobody waits for them. What runs goes on to its end, and what was made of them stays. Those that are not there stay
    so. Raises as ``add`` does."""
    wanted = _judged(name, keys)

    def write(tx: Tx) -> Changed:
        dimension = seen.owned(plane.access.judge(tx, by), name, project, "take partitions out of")
        gone = dimensions.remove(tx, dimension, wanted, by.name)
        targets = [(workflow, key) for workflow in dimension.workflows for key in gone]
        _let_go(tx, targets)
        _put_back(tx, dimension, gone)
        words = f"was taken out of {name} by {by.name}; what was made of it stays, and it can be added again"
        staleness.note_reasons(tx, [(target, GONE, words) for target in targets])
        return _done(plane, tx, dimension, by, "remove partitions", gone)

    plane.db.read(lambda tx: seen.owned(plane.access.judge(tx, by), name, project, "take partitions out of"))
    return plane.db.write(write)


def _judged(name: str, keys: Collection[str]) -> list[str]:
    try:
        return judged(name, keys)
    except DeclarationError as exc:
        raise Invalid(str(exc)) from exc


def _let_go(tx: Tx, targets: Sequence[Target]) -> None:
    """Takes back the queued runs of partitions that are none any more, and has nobody wait for them."""
    queued = runs.queued(tx, targets)
    runs.supersede(tx, [(row.id, None) for row in queued])
    for row in queued:
        cause = Cause.from_json(row.cause)
        if cause.kind == "backfill":
            backfills.settle(tx, cause, row.partition, "skipped")
    failed = staleness.let_go(tx, targets)
    for target in sorted({*failed, *((row.workflow, row.partition) for row in queued)}):
        staleness.repair(tx, *target)


def _put_back(tx: Tx, dimension: Dimension, keys: Sequence[str]) -> None:
    """Has the files wait that no worker has begun to take in."""
    queued = runs.queued(tx, [(source, key) for source in dimension.sources for key in keys])
    runs.supersede(tx, [(row.id, None) for row in queued])
    for row in queued:
        files.put_back(tx, row.workflow, row.partition, kept_out(dimension))
        staleness.release(tx, row.workflow, row.partition)


def _done(plane: Plane, tx: Tx, dimension: Dimension, by: Principal, act: str, keys: list[str]) -> Changed:
    if keys:
        more = f" and {len(keys) - TOLD:,} more" if len(keys) > TOLD else ""
        told = f"{', '.join(keys[:TOLD])}{more}"
        audit.append(tx, by=by.name, act=act, on=f"{dimension.project}/{dimension.name}", detail=told)
        plan_and_wake(tx, plane)
    return Changed(project=dimension.project, name=dimension.name, keys=keys)
