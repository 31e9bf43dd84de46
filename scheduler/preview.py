"""What would an apply do? It is done, looked at and undone, so that the answer is what would really happen."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from riparian.assets.errors import Problem
from riparian.assets.manifest import Manifest
from riparian.assets.policy import Principal
from riparian.scheduler.core import planner
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.plane import Plane
from riparian.scheduler.register import Applied, InvalidProject, Rebuild, examine, put_in_force
from riparian.scheduler.tick import tick_safely
from riparian.storage.access.rights import Judge
from riparian.storage.access.runs import said
from riparian.storage.metadata import audit, catalogue, definitions, planning, runs, workflows
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.planning import Target

MOST_RUNS = 2000
"""Runs that are planned for an answer. Nobody reads more of them, and while they are planned nobody else writes."""

MOST_TARGETS = 20_000
"""Workflow partitions that are looked at for an answer."""

MOST_SECONDS = 2.0
"""How long is looked for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an apply would change, by workflow key, and call for.

    ``runs`` are {workflow, partition, cause, state (queued, or held until another has ended), words}; ``stale`` what
    was made by other code and would not run: {workflow, partition, code, why}, newest partitions first, and
    ``stale_counts`` their number by workflow. What a list leaves out is counted; ``truncated``: there would be more
    runs than were looked for. With ``problems`` an apply would be refused for them.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
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
        graph = Graph([*(m for project, m in others.items() if project != manifest.project), manifest])
        trial = plane.db.write(lambda tx: _tried(plane, tx, graph, manifest, by, rebuild, limit))
    except InvalidProject as exc:
        return Preview(problems=exc.problems)
    counts, stale = plane.db.read(lambda tx: _stale(plane.access.judge(tx, by, graph), manifest, trial.targets, limit))
    return Preview(
        added=trial.applied.added,
        changed=trial.applied.changed,
        removed=trial.applied.removed,
        pending=trial.applied.pending,
        runs=trial.runs,
        runs_left_out=trial.runs_left_out,
        truncated=trial.truncated,
        stale=stale,
        stale_left_out=sum(counts.values()) - len(stale),
        stale_counts=counts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    applied: Applied
    runs: list[dict[str, Any]]
    runs_left_out: int
    targets: frozenset[Target]
    truncated: bool


def _tried(
    plane: Plane, tx: Tx, graph: Graph, manifest: Manifest, by: Principal, rebuild: Rebuild, limit: int
) -> _Trial:
    """Applies under a savepoint that is given up in any case."""
    trial = tx.conn.begin_nested()
    try:
        # What this one would do after its commit is never done.
        return _look(plane, Tx(tx.conn, tx.now), graph, manifest, by, rebuild, limit)
    finally:
        trial.rollback()
        audit.append(tx, by=by.name, act="plan", on=manifest.project)


def _look(
    plane: Plane, tx: Tx, graph: Graph, manifest: Manifest, by: Principal, rebuild: Rebuild, limit: int
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
    held = [(*h, "held") for h in catalogue.asked_holds(tx) if h not in asked_before]
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
        targets=frozenset((workflow, partition) for workflow, partition, *_ in found),
        truncated=more,
    )


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
            "words": judge.redact(why),
        }
        for (workflow, partition, _, state), cause, why in zip(found, causes, words, strict=True)
    ]


def _stale(
    judge: Judge, manifest: Manifest, runs: Collection[Target], limit: int
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Returns how many partitions of each of the project's workflows other code made, and the newest of them with what
    the planner says; without those of ``runs``."""
    tx, graph = judge.tx, judge.graph
    counts: dict[str, int] = {}
    found: list[Target] = []
    # A key that another project once had is not looked up: what ran there is not told here.
    known = workflows.of_project(tx, manifest.project)
    prints = {w.key: w.fingerprint for w in manifest.workflows if w.key in known}
    for key in sorted(catalogue.made_by_other_code(tx, prints)):
        running = {partition for workflow, partition in runs if workflow == key}
        made = [p for p in catalogue.other_code_partitions(tx, key, prints[key]) if p not in running]
        if made:
            counts[key] = len(made)
            found += [(key, p) for p in made[: limit - len(found)]]
    told = []
    for target, facts in planning.load_many(tx, graph, found).items():
        decision = planner.decide(facts)
        told.append(
            {"workflow": target[0], "partition": target[1], "code": decision.code, "why": judge.redact(decision.words)}
        )
    return counts, told
