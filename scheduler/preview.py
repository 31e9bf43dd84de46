"""What would an apply do? It is done, looked at and undone, so that the answer is what would really happen."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from riparian.assets.errors import Problem
from riparian.assets.manifest import Manifest
from riparian.assets.policy import Principal
from riparian.scheduler import effects
from riparian.scheduler.core.facts import Cause, Target
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.readers import Reading, moved
from riparian.scheduler.plane import Plane
from riparian.scheduler.rebuild import Rebuild
from riparian.scheduler.register import Applied, InvalidProject, examine, put_in_force
from riparian.scheduler.tick import tick_safely
from riparian.storage.access import readers
from riparian.storage.access.rights import Judge
from riparian.storage.access.runs import said
from riparian.storage.metadata import audit, catalogue, definitions, policies, runs
from riparian.storage.metadata.database import Tx

MOST_RUNS = 2000
"""Runs that are planned for an answer. Nobody reads more of them, and while they are planned nobody else writes."""

MOST_TARGETS = 20_000
"""Workflow partitions that are looked at for an answer."""

MOST_SECONDS = 2.0
"""How long is looked for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an apply would change, by workflow key, and call for.

    ``edits`` say of each workflow or source that stays declared and changes what of it does, what that makes stale
    and how much of it would run now: {key, kind, changes (what, words, stale), stale (how many partitions), first,
    last, former (partitions that it is not cut into any more), runs, latest, all (so many a rebuild makes anew), why
    (of the newest that stays stale)}; those that are stale since an earlier edit have no changes. ``follow`` are the
    workflows below the runs that run too if these make something else. ``access`` says whose right to read moves (see
    storage.access.readers); ``code`` whether later runs execute other files, even if nothing is stale.

    ``runs`` are {workflow, partition, cause, state (queued, or held until another has ended), words}; ``stale`` what
    was made by other code and would not run: {workflow, partition, code, why}, newest partitions first, and
    ``stale_counts`` their number by workflow. What a list leaves out is counted; ``truncated``: there would be more
    runs than were looked for. With ``problems`` an apply would be refused for them.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    code: bool = False
    edits: list[dict[str, Any]] = field(default_factory=list)
    edits_left_out: int = 0
    follow: list[str] = field(default_factory=list)
    follow_left_out: int = 0
    access: list[dict[str, Any]] = field(default_factory=list)
    access_truncated: bool = False
    runs: list[dict[str, Any]] = field(default_factory=list)
    runs_left_out: int = 0
    truncated: bool = False
    stale: list[dict[str, Any]] = field(default_factory=list)
    stale_left_out: int = 0
    stale_counts: dict[str, int] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


def preview(plane: Plane, manifest: Manifest, by: Principal, rebuild: Rebuild = "none", limit: int = 100) -> Preview:
    """Returns what applying ``manifest`` would do now, with at most ``limit`` items in a list. It leaves no trace
    but a line in the record of who asked.

    Raises Refused where an apply would, and Invalid for a manifest that no project can write.
    """
    try:
        examine(plane, manifest, by)
        others = plane.db.read(definitions.current)
        before = others.pop(manifest.project, None) or Manifest(project=manifest.project, bundle="")
        old, new = (Graph([*others.values(), m]) for m in (before, manifest))
        fresh = {a.key for a in manifest.assets} - old.assets.keys()
        back = plane.db.read(lambda tx: policies.standings(tx, fresh))
        moving, more = moved(before, manifest, old, new, back)
        seen = plane.db.read(lambda tx: _seen(plane.access.judge(tx, by, old), moving))
        trial = plane.db.write(lambda tx: _tried(plane, tx, new, manifest, by, rebuild, seen, limit))
    except InvalidProject as exc:
        return Preview(problems=exc.problems)
    found = plane.db.read(
        lambda tx: effects.effects(plane.access.judge(tx, by, new), before, manifest, trial.targets, limit)
    )
    return Preview(
        added=trial.applied.added,
        changed=trial.applied.changed,
        removed=trial.applied.removed,
        pending=trial.applied.pending,
        code=bool(before.bundle) and before.bundle != manifest.bundle,
        edits=found.edits[:limit],
        edits_left_out=len(found.edits[limit:]),
        runs=trial.runs,
        runs_left_out=trial.runs_left_out,
        truncated=trial.truncated,
        follow=found.follow[:limit],
        follow_left_out=len(found.follow[limit:]),
        stale=found.stale,
        stale_left_out=sum(found.stale_counts.values()) - len(found.stale),
        stale_counts=found.stale_counts,
        access=trial.access[:limit],
        access_truncated=more or len(trial.access) > limit,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whom the policies let read before the trial, and what of it may be told."""

    readings: dict[str, Reading]
    told: dict[str, bool]


def _seen(judge: Judge, assets: Collection[str]) -> _Seen:
    return _Seen(readers.readings(judge, assets), readers.may_be_told(judge, assets))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    applied: Applied
    runs: list[dict[str, Any]]
    runs_left_out: int
    access: list[dict[str, Any]]
    targets: frozenset[Target]
    truncated: bool


def _tried(
    plane: Plane, tx: Tx, graph: Graph, manifest: Manifest, by: Principal, rebuild: Rebuild, seen: _Seen, limit: int
) -> _Trial:
    """Applies under a savepoint that is given up in any case."""
    trial = tx.conn.begin_nested()
    try:
        # What this one would do after its commit is never done.
        return _look(plane, Tx(tx.conn, tx.now), graph, manifest, by, rebuild, seen, limit)
    finally:
        trial.rollback()
        audit.append(tx, by=by.name, act="plan", on=manifest.project)


def _look(
    plane: Plane, tx: Tx, graph: Graph, manifest: Manifest, by: Principal, rebuild: Rebuild, seen: _Seen, limit: int
) -> _Trial:
    asked_before = set(catalogue.asked_holds(tx))
    applied = put_in_force(plane, tx, manifest, 0, by, rebuild)
    planned, looked, more = list(applied.planned), 0, True
    until = time.monotonic() + MOST_SECONDS
    while more and len(planned) < MOST_RUNS and looked < MOST_TARGETS and time.monotonic() < until:
        done = tick_safely(tx, graph)
        planned += done.planned
        looked += done.looked
        more = done.more
    asked = catalogue.asked_holds(tx)
    held = [(*h, "held") for h in asked if h not in asked_before]
    queued = [r for r in runs.by_id(tx, planned).values() if r.state == "queued"]
    found = [*((r.workflow, r.partition, r.cause, "queued") for r in queued), *held]
    # Judged by these declarations, and never through the cache of graphs: what it kept would outlive the trial.
    judge = plane.access.judge(tx, by, graph)
    awaits = {w: judge.awaits(w) for w in {workflow for workflow, *_ in found}}
    listed = [f for f in found if awaits[f[0]]]
    listed.sort(key=lambda f: (graph.depth.get(f[0], 0), f[0], f[1]))
    return _Trial(
        applied=applied,
        runs=_told(judge, listed[:limit]),
        runs_left_out=len(listed[limit:]),
        access=_access(plane, tx, graph, by, applied, seen),
        # What somebody asked for before runs too, and need not be asked for again.
        targets=frozenset((workflow, partition) for workflow, partition, *_ in (*found, *asked)),
        truncated=more,
    )


def _access(plane: Plane, tx: Tx, graph: Graph, by: Principal, applied: Applied, seen: _Seen) -> list[dict[str, Any]]:
    """Who gains or loses the right to read by what was tried, and by the approvals that it waits for. Comes last."""
    if not seen.readings:
        return []
    judge = plane.access.judge(tx, by, graph)
    after = readers.readings(judge, seen.readings)
    told = {**seen.told, **readers.may_be_told(judge, [a for a in seen.readings if a not in seen.told])}
    # What is visible on one side alone is told, but its policies only if those of both sides may be.
    both = readers.may_be_told(judge, list(told))
    told = {asset: shown and both.get(asset, False) for asset, shown in told.items()}
    for key, standing in policies.standings(tx, applied.pending).items():
        policies.approve(tx, key, standing.pending)
    approved = readers.readings(plane.access.judge(tx, by, graph), seen.readings) if applied.pending else after
    return readers.shifts(judge, told, seen.readings, after, approved)


def _told(judge: Judge, found: Sequence[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    reasons = [catalogue.standing_reason(judge.tx, workflow, partition) for workflow, partition, *_ in found]
    words = [reason.words if reason is not None else "" for reason in reasons]
    causes = [Cause.from_json(cause) for _, _, cause, _ in found]
    judge.listen([*words, *(cause.words for cause in causes)])
    return [
        {
            "workflow": workflow,
            "partition": partition,
            "cause": said(judge, cause),
            "state": state,
            "words": judge.reason(workflow, reason.code, reason.words)[1] if reason is not None else "",
        }
        for (workflow, partition, _, state), cause, reason in zip(found, causes, reasons, strict=True)
    ]
