"""Why was this made, why not, and why may I read it? Answers in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from riparian.assets.keys import AssetKey
from riparian.assets.partitions import WHOLE
from riparian.assets.policy import Policy
from riparian.scheduler.core import planner
from riparian.scheduler.core.effective import effective, policy_of
from riparian.scheduler.core.explain import Node, explain
from riparian.scheduler.core.facts import Facts
from riparian.storage.access import runs
from riparian.storage.access.assets import require
from riparian.storage.access.pages import iso
from riparian.storage.access.partitions import check_partition, may_name, partition_of
from riparian.storage.access.rights import RESTRICTED, Judge
from riparian.storage.metadata import catalogue, dimensions, moments, planning, principals

AT_LIMIT = "at_limit"

RUNS = 5
"""The last runs that an answer to why names."""


def why(judge: Judge, key: str, partition: str | None) -> dict[str, Any]:
    """What the planner says of the asset's partition now, since when it said so, and the last runs."""
    require(judge, key)
    workflow = judge.graph.maker(AssetKey(key))
    check_partition(judge, key, partition)
    partition = partition if partition is not None else _newest_partition(judge, key)
    facts = (
        None if AssetKey(key) not in judge.graph.assets else planning.load(judge.tx, judge.graph, workflow, partition)
    )
    code, words = _decided(judge, key, facts)
    stored = catalogue.standing_reason(judge.tx, workflow, partition)
    code, words = judge.reason(workflow, code, words)
    return {
        "asset": key,
        "partition": partition,
        "workflow": workflow,
        "code": code,
        "words": words,
        "noted": judge.reason(workflow, stored.code, stored.words)[1] if stored is not None else None,
        "since": iso(stored.since) if stored is not None else None,
        "trigger": _explained(judge, workflow, partition, facts),
        "runs": runs.last_of(judge, workflow, partition, RUNS),
    }


def policy(judge: Judge, key: str) -> dict[str, Any]:
    """The asset's own policy, and the chain of origins that its heads carry; to its owner also who passes it."""
    require(judge, key)
    standing = judge.standing(key)
    own = judge.owns(key)
    sets = judge.head_origins(key)
    chain = judge.origins(list(sets)) | {key} if sets else judge.bound(key)
    judge.prepare(list(chain))
    all_seen = judge.admits(chain) or all(judge.visible(a) for a in chain)
    # Who only reads learns the policies in force, not those that are planned.
    return {
        "asset": key,
        "owner": standing.restriction.owner if standing else "",
        "yours": own,
        "declared": _json(standing.restriction.declared) if standing else None,
        "overlay": _json(standing.restriction.overlay) if standing else None,
        "pending": {"policy": _json(standing.pending)} if own and standing and standing.waits else None,
        "removed_at": iso(standing.removed_at) if standing else None,
        "from": "heads" if sets else "declarations",
        "effective": _json(effective(judge.restriction(a) for a in chain)) if all_seen else None,
        "origins": [_origin(judge, a) for a in sorted(chain, key=lambda a: (a != key, a))],
        "readable": judge.readable(key),
        "words": _words(judge, key, chain),
        "readers": _readers(judge, chain) if own else None,
    }


def _decided(judge: Judge, key: str, facts: Facts | None) -> tuple[str, str]:
    if AssetKey(key) not in judge.graph.assets:
        return "removed", "it is declared no more; its versions are kept"
    if facts is None:
        return "source", "it is a source: a new version comes when what it observes changes"
    target = (facts.workflow.key, facts.partition)
    if dimensions.gone(judge.tx, judge.graph, [target]):
        return "removed", "there is no such partition now; what was made of it is kept, and it can be added again"
    decision = planner.decide(facts)
    if decision.code in ("queued", "running") and facts.unfinished is not None:
        waits = runs.at_limit(judge, [facts.unfinished.run])
        if facts.unfinished.run in waits:
            return AT_LIMIT, f"a run is planned and is {waits[facts.unfinished.run]}"
    return decision.code, decision.words


def _explained(judge: Judge, workflow: str, partition: str, facts: Facts | None) -> dict[str, Any] | None:
    """How each part of the trigger stands; None for a source."""
    if facts is None:
        return None
    target = (workflow, partition)
    root = explain(moments.added(judge.tx, {target: facts})[target])
    judge.listen(_said(root))
    return _node(judge, root)[0]


def _said(node: Node) -> Iterator[str]:
    yield from (node.text, node.label, node.words)
    for part in node.parts:
        yield from _said(part)


def _node(judge: Judge, node: Node) -> tuple[dict[str, Any], bool]:
    """The part without the names that the reader may not know, nor the times of what has such names; and whether
    nothing of it was hidden."""
    parts = [_node(judge, part) for part in node.parts]
    text, words = judge.redact(node.text), judge.redact(node.words)
    whole = (text, words) == (node.text, node.words) and all(seen for _, seen in parts)
    body = {
        "kind": node.kind,
        "label": judge.redact(node.label),
        "text": text,
        "holds": node.holds,
        "since": iso(node.since) if whole else None,
        "until": iso(node.until) if whole else None,
        "words": words,
        "parts": [part for part, _ in parts],
    }
    return body, whole


def _newest_partition(judge: Judge, key: str) -> str:
    newest = catalogue.newest_heads(judge.tx, [key]).get(key)
    if newest is None:
        return WHOLE
    if may_name(judge, key, newest.partition, newest):
        return str(newest.partition)
    spec = judge.graph.assets.get(AssetKey(key))
    return WHOLE if spec is None else partition_of(judge, spec, WHOLE)  # which says where one is to be named


def _origin(judge: Judge, asset: str) -> dict[str, Any]:
    if not judge.visible(asset):
        return {"origin": RESTRICTED, "policy": None, "admits_you": judge.admits([asset]), "why": []}
    whys = [d.why for d in judge.denials_of([asset])]
    return {"origin": asset, "policy": _json(policy_of(judge.restriction(asset))), "admits_you": not whys, "why": whys}


def _words(judge: Judge, key: str, chain: frozenset[str]) -> str:
    denied = judge.denials_of(chain)
    if not denied:
        return "you may read it: every origin admits you"
    if judge.readable(key):
        return f"you may read some of its partitions; not those that carry {judge.because(denied)}"
    return f"you may not read it: {judge.because(denied)}"


def _readers(judge: Judge, chain: frozenset[str]) -> list[str]:
    policy = effective(judge.restriction(a) for a in chain)
    return [p.name for p in principals.users(judge.tx) if policy.permits(p, judge.now)]


def _json(policy: Policy | None) -> dict[str, Any] | None:
    return None if policy is None else policy.to_json()
