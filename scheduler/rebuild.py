"""What was made by other declarations than those in force, and which of it does a rebuild make anew?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import fits
from riparian.assets.partitions.latest import moment
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.graph import Graph, reads_otherwise
from riparian.storage.metadata import dimensions, made, staleness
from riparian.storage.metadata.database import Tx

Rebuild = Literal["none", "latest", "all"]


@dataclass(slots=True)
class Stale:
    """Of one workflow: the ``partitions`` that its code or its inputs of before made, are making or failed at, in
    order; which of them code did not touch (``same_code``); the newest partition of all; and how many it is not cut
    into any more (``former``)."""

    partitions: list[str] = field(default_factory=list)
    same_code: set[str] = field(default_factory=set)
    newest: str = ""
    former: int = 0


def stale(tx: Tx, graph: Graph, keys: Collection[str]) -> dict[str, Stale]:
    """Returns what ``graph`` makes stale of what each of these workflows made, in one pass over all of it."""
    found: dict[str, Stale] = defaultdict(Stale)
    last = made.last(tx)
    gone = dimensions.gone(tx, graph, ((one.workflow, one.partition) for one in last))
    for one in last:
        if one.workflow not in keys or (spec := graph.workflows.get(one.workflow)) is None:
            continue
        of = found[one.workflow]
        if not fits(spec.partitions, one.partition) or (one.workflow, one.partition) in gone:
            of.former += 1
            continue
        of.newest = max(of.newest, one.partition, key=lambda p: (moment(spec.partitions, p), p))
        same_code = one.fingerprint == spec.fingerprint
        if not same_code or reads_otherwise(graph.inputs(spec.key), one.reads):
            of.partitions.append(one.partition)
            if same_code:
                of.same_code.add(one.partition)
    for of in found.values():
        of.partitions.sort()
    return {key: of for key, of in found.items() if of.partitions or of.former}


def chosen(workflow: WorkflowSpec, of: Stale, rebuild: Rebuild) -> list[str]:
    """Returns the stale partitions that a rebuild makes anew: the latest are all keys of the latest window, and what is
    manual is made only by request."""
    if rebuild == "none" or workflow.trigger.is_manual:
        return []
    if rebuild == "all":
        return of.partitions
    latest = moment(workflow.partitions, of.newest)
    return [p for p in of.partitions if moment(workflow.partitions, p) == latest]


def ask(tx: Tx, graph: Graph, workflows: Iterable[WorkflowSpec], rebuild: Rebuild, definition: int) -> None:
    """Marks what a rebuild makes anew. What is being made by other code is made again when that has ended."""
    specs = {w.key: w for w in workflows}
    for key, of in stale(tx, graph, specs).items():
        for partition in chosen(specs[key], of, rebuild):
            body = {"fingerprint": specs[key].fingerprint, "definition": definition}
            if partition in of.same_code:
                body["edited"] = "inputs"
            staleness.mark_one(tx, key, partition, Cause(kind="fingerprint", body=body).to_json())
