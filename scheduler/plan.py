"""How does a decision become a run? The rows of runs and their steps, with inputs pinned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from riparian.assets.manifest import WorkflowSpec
from riparian.assets.parameters import effective
from riparian.assets.partitions import NOTHING, Dynamic, Product, dimensions_of
from riparian.assets.retry import Retry
from riparian.scheduler import ending
from riparian.scheduler.core import flow, limits
from riparian.scheduler.core.checking import check_steps
from riparian.scheduler.core.dimensions import Dimension
from riparian.scheduler.core.facts import Cause, Decision, Facts, InputFacts, Level, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.pinned import Pin, StepSpec
from riparian.scheduler.core.protocol import decode, encode
from riparian.scheduler.core.ranks import RunClass, lift
from riparian.scheduler.core.seeds import seed
from riparian.storage.metadata import counters, dimensions, files, origins, runs, versions
from riparian.storage.metadata.database import Tx

MOST_MAPPED = 10 * flow.MOST_ITEMS
"""Steps of mapped tasks that one run may come to at once: while their rows are written nobody else writes."""


class Plan:
    """Collects the rows of new runs, so that many are written with few statements."""

    def __init__(self, tx: Tx, graph: Graph) -> None:
        self._tx = tx
        self._graph = graph
        self.as_of = counters.value(tx, "change_seq")
        self._definition = counters.value(tx, "definitions")
        self._origins: dict[tuple[frozenset[str], frozenset[str]], str] = {}
        self.runs: list[dict[str, Any]] = []
        self._steps: list[dict[str, Any]] = []
        self._superseded: list[tuple[str, str]] = []
        self._settled: dict[str, str] = {}

    def add(self, facts: Facts, decision: Decision) -> str:
        """Plans the run with its inputs pinned as they stand in this transaction, and returns its id."""
        assert decision.cause is not None  # noqa: S101 - the planner's promise for RUN
        workflow, partition = facts.workflow, facts.partition
        run = self._tx.new_id()
        run_class = RunClass.BACKFILL if decision.late else RunClass.CURRENT
        pins = [self._pin(i, i.now) for i in facts.inputs if i.now is not None]
        sets = frozenset(o for i in facts.inputs if i.now is not None for o in i.now.origins)
        # What is made for a key tells that there is this key.
        sets |= self._learned(workflow, partition)
        # What is waited for decides that and when the run is made, so it restricts too, consumed or not.
        named = frozenset(i.edge.asset for i in facts.inputs)
        params = effective(workflow.parameters, decision.cause.body.get("params", {}))
        contents = {p.parameter: p.digest for p in pins if p.parameter}
        self.runs.append(
            {
                "id": run,
                "workflow": workflow.key,
                "partition": partition,
                "kind": "workflow",
                "state": "queued",
                "bundle": self._graph.bundles[workflow.key],
                "fingerprint": workflow.fingerprint,
                "definition": self._definition,
                "trigger_key": trigger_key(workflow.key, partition, decision.cause),
                "cause": decision.cause.to_json(),
                "as_of": self.as_of,
                "pins": encode(pins).decode(),
                "origins": self._union(sets, named),
                "params": encode(params).decode(),
                "seed": seed(workflow.fingerprint, contents, params, partition, workflow.key),
                "created_at": self._tx.now,
                "keeps_place": any(limit.key is None for limit in workflow.limits),
                "timeout_seconds": workflow.run_timeout_seconds,
                "run_class": run_class,
            }
        )
        steps, fault = _steps(self._tx, run, workflow, pins, params, run_class)
        self._steps.extend(steps)
        if fault or not any(s["state"] in ("ready", "blocked") for s in steps):
            self._settled[run] = fault
        if decision.supersedes:
            self._superseded.append((decision.supersedes, run))
        return run

    @property
    def steps(self) -> int:
        """How many rows the runs' steps are."""
        return len(self._steps)

    def write(self) -> list[str]:
        """Writes the runs and returns their ids. A cause that had its run already gets no second one."""
        known = runs.known_causes(self._tx, [r["trigger_key"] for r in self.runs])
        new = {r["id"]: r for r in self.runs if r["trigger_key"] not in known}
        runs.supersede(self._tx, [(old, run) for old, run in self._superseded if run in new])
        runs.add(self._tx, list(new.values()), [s for s in self._steps if s["run"] in new])
        self._settled = {run: fault for run, fault in self._settled.items() if run in new}
        return list(new)

    def finish(self) -> None:
        """Ends those of the written runs that no worker has anything to do for, after all else is noted of them."""
        if not self._settled:
            return
        settled = runs.by_id(self._tx, self._settled).values()
        runs.start(self._tx, settled)
        for run in settled:
            if fault := self._settled[run.id]:
                ending.fail(self._tx, run, fault)
            else:
                ending.complete(self._tx, self._graph, run)

    def _learned(self, workflow: WorkflowSpec, partition: str) -> frozenset[str]:
        dimension = self._graph.dimensions.of(workflow.key) if isinstance(workflow.partitions, Dynamic) else None
        row = dimensions.get(self._tx, dimension, partition) if dimension is not None else None
        return frozenset() if row is None else frozenset([str(row.origins)])

    def _union(self, sets: frozenset[str], named: frozenset[str]) -> str:
        key = (sets, named)
        if key not in self._origins:
            self._origins[key] = origins.union(self._tx, sets, named)
        return self._origins[key]

    def _pin(self, fact: InputFacts, now: Level) -> Pin:
        edge = fact.edge
        first, *more = fact.keys or (NOTHING,)
        return Pin(
            parameter=edge.input.parameter if edge.input else "",
            asset=edge.asset,
            many=edge.many,
            lo=first.lo,
            hi=first.hi,
            as_of=self.as_of,
            seq=now.seq,
            digest=now.digest,
            origins=now.origins,
            version=now.version,
            label=edge.label,
            more=tuple((i.lo, i.hi) for i in more),
            dimensions=tuple(d.name for d in edge.cut.dimensions) if isinstance(edge.cut, Product) else (),
        )


def _steps(
    tx: Tx, run: str, workflow: WorkflowSpec, pins: Sequence[Pin], params: Mapping[str, Any], run_class: RunClass
) -> tuple[list[dict[str, Any]], str]:
    """Returns the rows of a new run's steps: one for each task and check, and for each item where the items are
    known already; and why the run can not be, or nothing."""
    sources = flow.made_from(workflow.tasks)
    specs = [
        StepSpec(
            task=task.name,
            module=task.module,
            qualname=task.qualname,
            context=task.context,
            returns=task.returns,
            arguments=tuple(replace(a, ref=flow.with_parameters(a.ref, params)) for a in task.arguments)
            if params
            else task.arguments,
            outputs=(task.output,) if task.output else (),
            made_from=tuple(sorted(sources[task.name])),
            mapped=task.mapped,
            roads=task.roads,
            labels=task.labels,
            retry=task.retry,
            timeout_seconds=task.timeout_seconds,
            limits=limits.names(workflow),
            lift=lift(workflow.priority, run_class),
            dimensions=tuple(d.name for d in dimensions_of(workflow.partitions)),
        )
        for task in workflow.tasks
    ]
    specs += check_steps(workflow)
    found = {m.task: m for m in flow.moves(specs, {}, lengths(tx, specs, pins))}
    if fault := _fault([*found.values()]):
        return [step_values(tx, run, spec, "blocked") for spec in specs], fault
    return [row for spec in specs for row in _rows(tx, run, spec, found.get(spec.task))], ""


def _fault(moves: Sequence[flow.Move]) -> str:
    if fault := next((m.reason or "" for m in moves if m.to == "failed"), ""):
        return fault
    if (items := sum(m.items or 0 for m in moves)) <= MOST_MAPPED:
        return ""
    tasks = sum(m.items is not None for m in moves)
    return f"{tasks} tasks are mapped over {items} items at once; {MOST_MAPPED} are allowed; let each item hold more"


def lengths(tx: Tx, specs: Sequence[StepSpec], pins: Sequence[Pin]) -> dict[str, int | None]:
    """Returns how many items each input has that a task goes through."""
    wanted = flow.mapped_inputs(specs)
    pinned = {p.parameter: p.version for p in pins if p.parameter in wanted and p.version}
    found = versions.by_id(tx, pinned.values()) if pinned else {}
    return {parameter: _items(found[version]) for parameter, version in pinned.items()}


def _items(version: Row[Any]) -> int | None:
    """Returns how many items the version has; None for what is no list, or too large to be looked into here."""
    if version.format != "json":
        return None  # its rows are no items
    known: int | None = version.rows
    if known is not None or version.content is None:
        return known
    try:
        value = json.loads(version.content)
    except (ValueError, RecursionError):
        return None
    return len(value) if isinstance(value, list) else None


def _rows(tx: Tx, run: str, spec: StepSpec, move: flow.Move | None) -> list[dict[str, Any]]:
    if move is None:
        return [step_values(tx, run, spec, "blocked")]
    if move.items is None:
        return [step_values(tx, run, spec, move.to) | {"reason": move.reason}]
    return _children(tx, run, spec, move)


def _children(tx: Tx, run: str, spec: StepSpec, move: flow.Move) -> list[dict[str, Any]]:
    """Returns the rows of a mapped task's steps, one for each item."""
    assert move.over is not None  # noqa: S101 - the promise of a move with items
    first = step_values(tx, run, spec)
    rows = [first | {"id": tx.new_id(), "map_index": index} for index in range(move.items or 0)]
    if move.over.kind == "value":
        # Each its own item: with the whole list in every row, ten thousand items would be a hundred million.
        for index, row in enumerate(rows):
            row["spec"] = encode(flow.of_item(spec, move.over, index)).decode()
    elif move.over.kind == "results":
        for row, made in zip(rows, runs.made_items(tx, run, move.over.name), strict=True):
            if made != row["map_index"]:
                row["spec"] = encode(replace(spec, item=made)).decode()
    return rows


def step_values(tx: Tx, run: str, spec: StepSpec, state: str = "ready") -> dict[str, Any]:
    """Returns the row of a new step."""
    return {
        "id": tx.new_id(),
        "run": run,
        "task": spec.task,
        "map_index": None,
        "spec": encode(spec).decode(),
        "state": state,
        "reason": None,
        "pool": spec.pool,
        "ready_at": tx.now,
        "rank": tx.now - spec.lift,
        "limits": json.dumps(spec.limits) if spec.limits else None,
    }


def go_on(tx: Tx, run: str, task: str, pins: Sequence[Pin]) -> tuple[bool, str]:
    """Lets the steps go on that waited for ``task``, of which one has just ended.

    Returns whether the run is through, and why it can not go on, or nothing.
    """
    waits, is_open = runs.waits(tx, run, task)
    if is_open or not waits:
        return not waits, ""
    return _let_go_on(tx, run, pins, encode(task).decode())


def begin(tx: Tx, run: str, pins: Sequence[Pin]) -> tuple[bool, str]:
    """Like ``go_on``, of a run that took over what had ended: whatever is blocked is looked at."""
    return _let_go_on(tx, run, pins, "")


def _let_go_on(tx: Tx, run: str, pins: Sequence[Pin], named: str) -> tuple[bool, str]:
    """As ``go_on``, of the blocked steps whose specs hold the text ``named``."""
    blocked = {row.task: row for row in runs.blocked(tx, run)}
    # Of a long workflow most steps wait for others: only those that name the task are looked at, and all once more
    # when one of them is settled without running.
    near = _specs(row for row in blocked.values() if named in row.spec)
    while near:
        ended = runs.ended(tx, run, flow.looked_at(near), flow.decisions(near))
        found = flow.moves(near, ended, lengths(tx, near, pins))
        if fault := _fault(found):
            return False, fault
        specs = {spec.task: spec for spec in near}
        for move in found:
            _unblock(tx, run, blocked.pop(move.task).id, specs[move.task], move)
        near = _specs(blocked.values()) if any(m.to != "ready" for m in found) else []
    return not runs.waits(tx, run, "")[0], ""


def _specs(rows: Iterable[Row[Any]]) -> list[StepSpec]:
    return [decode(row.spec, StepSpec) for row in rows]


def _unblock(tx: Tx, run: str, step: str, spec: StepSpec, move: flow.Move) -> None:
    if not move.items:
        runs.unblock(tx, step, move.to, move.reason)
        return
    # The row that stood for all of the items becomes the first of them.
    first, *more = _children(tx, run, spec, move)
    runs.unblock(tx, step, move.to, move.reason, 0, first["spec"])
    runs.add_steps(tx, more)


INGEST_RETRY = Retry(attempts=6, delay_seconds=1.0, factor=3.0)
"""Reading a drop folder fails for reasons that pass: a network share that is away for a moment."""


def plan_ingest(tx: Tx, graph: Graph, source: str, partition: str) -> str | None:
    """Plans the taking in of the source partition's next ready file and returns the run; None when none is ready, or
    when one is being taken in: files of one partition become versions in the order in which they were seen. A file of a
    key that was taken out, or for which there is no room, waits."""
    spec = graph.assets.get(source)  # type: ignore[call-overload]  # a text is looked up among keys
    row = files.next_ready(tx, source, partition)
    if spec is None or spec.arrives is None or row is None or runs.is_unfinished(tx, source, partition):
        return None
    if isinstance(spec.partitions, Dynamic) and (why := _kept_out(tx, graph, source, partition)):
        files.wait(tx, row, why)
        return None
    cause = Cause(kind="file", body={"path": row.path, "fingerprint": row.fingerprint, "seq": row.seq})
    values = source_run(tx, source, partition, cause)
    run = str(values["id"])
    step = StepSpec(
        task="ingest",
        outputs=(source,),
        path=row.path,
        fingerprint=row.fingerprint,
        format=spec.format,
        retry=INGEST_RETRY,
    )
    runs.add(tx, [values], [step_values(tx, run, step)])
    files.ingesting(tx, row, run)
    return run


def kept_out(dimension: Dimension) -> str:
    """Returns in words why a file of a key that was taken out waits."""
    return f"the key was taken out of {dimension.name}; the file is taken in when somebody adds it again"


def _kept_out(tx: Tx, graph: Graph, source: str, partition: str) -> str:
    dimension = graph.dimensions.of(source)
    assert dimension is not None  # noqa: S101 - the source is partitioned by one
    row = dimensions.get(tx, dimension, partition)
    if row is not None and row.removed_at is not None:
        return kept_out(dimension)
    if row is None and dimensions.is_full(tx, dimension):
        return f"{dimension.name} has {dimensions.MOST_KEYS:,} keys already; take out some, and add this one"
    return ""


def source_run(tx: Tx, source: str, partition: str, cause: Cause) -> dict[str, Any]:
    """Returns the row of a queued run that takes in something for a source: it has no code and no inputs."""
    return {
        "id": tx.new_id(),
        "workflow": source,
        "partition": partition,
        "kind": "ingest",
        "state": "queued",
        "bundle": None,
        "fingerprint": "",
        "definition": counters.value(tx, "definitions"),
        "trigger_key": trigger_key(source, partition, cause),
        "cause": cause.to_json(),
        "as_of": counters.value(tx, "change_seq"),
        "pins": "[]",
        "origins": origins.intern(tx, ()),
        "params": "{}",
        "seed": "",
        "created_at": tx.now,
        "keeps_place": False,
        "timeout_seconds": None,
        "run_class": RunClass.CURRENT,
    }
