"""What of what was made does an edit make stale, what runs because of it, and what not?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from riparian.assets.manifest import Manifest
from riparian.scheduler import rebuild
from riparian.scheduler.core import planner
from riparian.scheduler.core.edits import Change, edits
from riparian.scheduler.core.facts import Target
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.rebuild import Stale
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import planning, workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """See Preview, which tells these. ``stale`` holds at most so many as were asked for, of ``stale_counts``."""

    edits: list[dict[str, Any]]
    follow: list[str]
    stale: list[dict[str, Any]]
    stale_counts: dict[str, int]


def effects(judge: Judge, before: Manifest, after: Manifest, running: Collection[Target], limit: int) -> Effects:
    """Returns what it means that ``after`` takes the place of ``before``, where ``running`` would run."""
    tx, graph = judge.tx, judge.graph
    # A key that another project once had is not looked up: what ran there is not told here.
    known = workflows.of_project(tx, after.project)
    found = rebuild.stale(tx, graph, {w.key for w in after.workflows if w.key in known})
    counts: dict[str, int] = {}
    stays: list[Target] = []
    for key, of in sorted(found.items()):
        if left := [p for p in reversed(of.partitions) if (key, p) not in running]:
            counts[key] = len(left)
            stays += [(key, p) for p in left[: max(limit - len(stays), 1)]]
    decisions = {t: planner.decide(f) for t, f in planning.load_many(tx, graph, stays).items()}
    reasons = {t: judge.reason(t[0], d.code, d.words) for t, d in decisions.items()}
    why = {key: words for (key, _), (_, words) in reversed(reasons.items())}
    runs = Counter(key for key, _ in running if judge.awaits(key))
    changes = edits(before, after)
    keys = sorted({*changes, *found}, key=lambda key: (graph.depth.get(key, 0), key))
    judge.listen(c.words for of in changes.values() for c in of)
    return Effects(
        edits=[_edit(judge, key, changes.get(key, ()), found.get(key), runs[key], why.get(key, "")) for key in keys],
        follow=[key for key in _below(graph, runs) if key not in runs and judge.awaits(key)],
        stale=[
            {"workflow": t[0], "partition": t[1], "code": code, "why": words}
            for t, (code, words) in list(reasons.items())[:limit]
        ],
        stale_counts=counts,
    )


def _edit(judge: Judge, key: str, changes: Iterable[Change], of: Stale | None, runs: int, why: str) -> dict[str, Any]:
    spec = judge.graph.workflows.get(key)
    of = of or Stale()
    latest, every = (len(rebuild.chosen(spec, of, word)) if spec else 0 for word in ("latest", "all"))
    return {
        "key": key,
        "kind": "workflow" if spec else "source",
        "changes": [{"what": c.what, "words": judge.redact(c.words), "stale": c.stale} for c in changes],
        "stale": len(of.partitions),
        "first": of.partitions[0] if of.partitions else None,
        "last": of.partitions[-1] if of.partitions else None,
        "former": of.former,
        "runs": runs,
        "latest": latest,
        "all": every,
        "why": why,
    }


def _below(graph: Graph, roots: Iterable[str]) -> list[str]:
    """Returns whom updates of what the ``roots`` make can start, and so on, in the order of the data."""
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        for made in graph.makes(waiting.pop()):
            for edge in graph.edges(made):
                if edge.wakes and edge.workflow.key not in found:
                    found.add(edge.workflow.key)
                    waiting.append(edge.workflow.key)
    return sorted(found, key=lambda key: (graph.depth.get(key, 0), key))
