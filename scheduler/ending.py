"""What follows when a run ends? What it made is published or given up, and who waited for it is woken."""

from __future__ import annotations

import json
from typing import Literal

from riparian.assets.partitions import WHOLE
from riparian.scheduler import added
from riparian.scheduler.core.facts import Cause, Level
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.pinned import Pin
from riparian.scheduler.core.protocol import decode
from riparian.scheduler.core.ranks import RunClass
from riparian.storage.metadata import backfills, dimensions, files, levels, origins, runs, staleness, versions
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx


def complete(tx: Tx, graph: Graph, run: AnyRow) -> None:
    """Publishes what the run made, and wakes who looks at it or waited for it."""
    cause = Cause.from_json(run.cause)
    if run.kind == "ingest":
        # Files are seen in an order; the later one wins, however long its copy took.
        moved = versions.publish(tx, run.id, {"": cause.body["seq"]})
        taken = versions.of_run(tx, run.id)
        files.end(tx, run.id, "committed", version=taken)
        staleness.mark_one(tx, run.workflow, run.partition)
        # What was seen while the source was in one piece brings no key.
        if (dimension := graph.dimensions.of(run.workflow)) is not None and run.partition != WHOLE:
            learned = origins.intern(tx, [run.workflow])
            dimensions.add(tx, dimension, [run.partition], learned, run.workflow)
    else:
        pins = decode(run.pins, list[Pin])
        moved = versions.publish(
            tx,
            run.id,
            {p.name: p.seq for p in pins},
            is_news=bool(cause.body.get("propagate", True)),
            is_current=run.run_class == RunClass.CURRENT,
        )
        consumed = [(p.name, Level(p.seq, p.digest, p.origins)) for p in pins]
        staleness.consume(
            tx,
            {
                "workflow": run.workflow,
                "partition": run.partition,
                "run": run.id,
                "fingerprint": run.fingerprint,
                "params": run.params,
                "as_of": run.as_of,
                "inputs": levels.to_json(consumed),
                "ticks": json.dumps(cause.body.get("ticks", {}), sort_keys=True),
            },
        )
        if cause.kind == "backfill":
            backfills.settle(tx, cause, run.partition, "made", run.id)
        spec = graph.workflows.get(run.workflow)
        if spec is not None and spec.trigger.schedules:
            # An input that moved back meanwhile, to what was consumed before, differs only now: it waits for a tick.
            staleness.mark_one(tx, run.workflow, run.partition)
        if graph.dimensions:
            added.settle(tx, graph, run)
    runs.end(tx, run, "succeeded")
    staleness.mark_consumers(tx, graph, [(m.asset, m.partition) for m in moved])
    staleness.release(tx, run.workflow, run.partition)


def fail(tx: Tx, run: AnyRow, error: str, outcome: Literal["failed", "timed_out", "cancelled"] = "failed") -> None:
    """Ends the run without anything of it being seen; what else of it goes on is fenced."""
    runs.end(tx, run, "cancelled" if outcome == "cancelled" else "failed", error)
    if run.kind == "ingest":
        files.end(tx, run.id, "superseded" if files.is_outdated(tx, run.id) else "quarantined", reason=error)
        staleness.mark_one(tx, run.workflow, run.partition)
    else:
        cause = Cause.from_json(run.cause)
        ticks = cause.body.get("ticks", {})
        asked = cause.is_asked or cause.kind == "backfill"
        staleness.fail(tx, run.workflow, run.partition, run.id, run.as_of, ticks, outcome, asked=asked)
        if cause.kind == "backfill":
            backfills.settle(tx, cause, run.partition, "failed", run.id)
    staleness.release(tx, run.workflow, run.partition)
