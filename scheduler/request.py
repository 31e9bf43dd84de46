"""Somebody asks for a run: may they, and what comes of it?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import Conflict, Invalid
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.parameters import judged
from riparian.assets.policy import Principal
from riparian.scheduler.core import planner
from riparian.scheduler.core.facts import Cause, Target, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.access.partitions import expect_still, partition_of
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit, planning, runs, staleness
from riparian.storage.metadata.database import Tx

MAX_DEPTH = 32

MAX_PARAMS = 64 * 1024
"""Bytes of JSON; what is larger is data and belongs in an asset."""


MOST_WAITING = 1_000
"""Runs that may be asked for and wait: all that wait are looked at whenever the one before them ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What came of a request: the planned ``run``, or None with the reason in ``words`` when it starts later."""

    run: str | None
    words: str


def materialize(
    plane: Plane, key: str, partition: str, by: Principal, params: dict[str, Any] | None = None
) -> Requested:
    """Asks for a run of the workflow that makes ``key``, for one partition; it runs whether or not anything changed.

    ``params`` are judged by what the workflow declares. Raises NotFound (also for an asset that ``by`` may not know
    of), Refused when they may see but not operate it or what is made with it, Invalid for a bad partition or
    parameters, Conflict when it can not run now.
    """
    params = params or {}
    _check(params)

    # Before the one place at the writer is taken: what is close to a mistyped partition takes long to find.
    def named(tx: Tx) -> str:
        judge = plane.access.judge(tx, by)
        return partition_of(judge, asked_for(judge, key), partition)

    wanted = plane.db.read(named)

    def given(workflow: WorkflowSpec) -> dict[str, Any]:
        try:
            return judged(workflow.parameters, params)
        except Invalid as exc:
            raise Invalid(f"{key} can not be run so: {exc}") from exc

    def write(tx: Tx) -> Requested:
        graph = plane.graphs.at(tx)
        judge = plane.access.judge(tx, by)
        workflow = asked_for(judge, key)
        expect_still(judge, workflow, wanted)
        target = (workflow.key, wanted)
        cause = Cause(kind="request", body={"id": tx.new_id(), "by": by.name, "params": given(workflow)})
        audit.append(tx, by=by.name, act="materialize", on=key, detail=target[1])
        return ask(plane, tx, graph, target, cause, by, key)

    return plane.db.write(write)


def asked_for(judge: Judge, key: str) -> WorkflowSpec:
    """Returns the workflow that makes ``key`` and nothing that is not theirs.

    Raises NotFound (also for an asset that they may not know of), Refused where it is not theirs to run, Conflict for a
    source.
    """
    judge.require_own(key, "run")
    workflow = judge.graph.producer(AssetKey(key))
    if workflow is None:
        raise Conflict(f"{key} is a source: others produce it; drop a file, or ask for what is made from it")
    judge.require_makes(workflow, "run")
    return workflow


def ask(plane: Plane, tx: Tx, graph: Graph, target: Target, cause: Cause, by: Principal, key: str) -> Requested:
    """Plans what ``by``, whose rights were judged, asked of a declared workflow partition; ``key`` is what they call
    it. Raises Conflict when an input is missing, or when very many wait already."""
    facts = planning.load(tx, graph, *target, cause)
    assert facts is not None  # noqa: S101 - the caller found the workflow in this graph
    decision = planner.decide(facts)
    judge = plane.access.judge(tx, by)
    _, words = judge.reason(target[0], decision.code, decision.words)
    if decision.code == "waiting_for_input":
        raise Conflict(f"{key} can not run: {words}")
    if staleness.asked(tx, *target) >= MOST_WAITING:
        where = f"{key}[{target[1]}]" if target[1] else key
        raise Conflict(
            f"{MOST_WAITING} runs of {where} were asked for and wait already; ask again when some have ended"
        )
    staleness.mark_one(tx, *target, cause.to_json())
    plan_and_wake(tx, plane, graph)
    return Requested(run=runs.by_trigger_key(tx, trigger_key(*target, cause)), words=words)


def _check(params: dict[str, Any]) -> None:
    try:
        size = len(json.dumps(params, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, TypeError, RecursionError) as exc:
        raise Invalid(f"the parameters are no JSON: {exc}; NaN and infinity have no place in it") from exc
    if size > MAX_PARAMS:
        raise Invalid(f"the parameters are larger than {MAX_PARAMS} bytes; put data into an asset")
    if _is_deeper(params, MAX_DEPTH):
        raise Invalid(f"the parameters are nested deeper than {MAX_DEPTH} levels; flatten them, or use an asset")


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(v, levels - 1) for v in inner)
