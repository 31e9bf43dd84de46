"""Which keys does a run add to dimensions? What its tasks report waits with their steps, until the run succeeds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.dynamic import MOST_ADDED, judged
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.pinned import StepSpec
from riparian.scheduler.core.protocol import Report
from riparian.storage.metadata import dimensions, origins, runs
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx

MOST_OF_RUN = 5 * MOST_ADDED
"""New keys of one run, whatever the number of its steps: they come in one moment, in which nobody else writes."""


def fault(tx: Tx, graph: Graph, run: AnyRow, spec: StepSpec, report: Report) -> str:
    """Returns what is said of the added partitions that can not be so, or nothing."""
    if run.kind != "workflow" or spec.check:
        return "and is no task of a workflow"
    for name, keys in report.partitions.items():
        try:
            judged(name, keys)
        except DeclarationError as exc:
            return f"that can not be: {exc}"
        # A run is of the code that it was planned with: an apply may have taken the dimension away since.
        is_current = graph.bundles.get(run.workflow) == run.bundle
        if is_current and graph.dimensions.beside(run.workflow, name) is None:
            return f"of {name[:80]!r}; nothing in its project is partitioned by Dynamic({name[:80]!r})"
    together = _of_run(tx, run)
    for name, new in _new(tx, graph, run, report.partitions).items():
        together[name].update(new)
        dimension = graph.dimensions.beside(run.workflow, name)
        if dimension is not None and dimensions.is_full(tx, dimension, len(together[name])):
            return f"of {name!r}, which would have more than {dimensions.MOST_KEYS:,}; take out some"
    if (count := sum(map(len, together.values()))) > MOST_OF_RUN:
        return (
            f"to those of its run: {count:,} partitions that there are not yet; {MOST_OF_RUN:,} are allowed, and more "
            "by `riparian partitions add`"
        )
    return ""


def note(tx: Tx, graph: Graph, run: AnyRow, step: AnyRow, report: Report) -> None:
    """Keeps what a step adds until its run ends: what is known by then needs no adding, and what was taken out stays
    so, whoever names it."""
    if new := _new(tx, graph, run, report.partitions):
        runs.note_partitions(tx, step.id, json.dumps(new, sort_keys=True))


def settle(tx: Tx, graph: Graph, run: AnyRow) -> None:
    """Adds what the tasks of a run that succeeded asked for. Who may not read what they were made from may not know the
    keys either."""
    for name, keys in _of_run(tx, run).items():
        if (dimension := graph.dimensions.beside(run.workflow, name)) is not None:
            learned = origins.union(tx, [run.origins], graph.makes(run.workflow))
            dimensions.add(tx, dimension, keys, learned, run.workflow)


def _of_run(tx: Tx, run: AnyRow) -> defaultdict[str, set[str]]:
    """Returns what the steps of the run that have succeeded add, by dimension."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for text in runs.added_partitions(tx, run.id):
        for name, keys in json.loads(text).items():
            found[name].update(keys)
    return found


def _new(tx: Tx, graph: Graph, run: AnyRow, added: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns those of the keys, by dimension, that were never there."""
    found: dict[str, list[str]] = {}
    for name, keys in added.items():
        if (dimension := graph.dimensions.beside(run.workflow, name)) is not None:
            found[name] = sorted({*keys} - dimensions.known(tx, dimension, keys))
    return {name: keys for name, keys in found.items() if keys}
