"""What has to happen with workflow partitions? Looks up how they stand, and what they have to wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from riparian.assets.partitions.latest import moment
from riparian.scheduler.core import planner
from riparian.scheduler.core.facts import Action, Blocker, Cause, Decision, Facts, Target, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import blockers, planning, runs
from riparian.storage.metadata.database import Tx

_ORDER = {"fingerprint": 1, "tick": 2, "backfill": 3}
"""What is asked is decided on in the order of these; what a person asked goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided on ``targets``, but for those that are no workflows' any more: from which facts, and of which
    ``asks``, those that were answered left out."""

    targets: Sequence[Target]
    asks: Mapping[Target, list[Cause]]
    facts: Mapping[Target, Facts]
    decisions: Mapping[Target, Decision]


def decide(tx: Tx, graph: Graph, targets: Sequence[Target], asks: Mapping[Target, list[Cause]]) -> Decided:
    """Decides on targets, which are in the order of their depths: on all down to the first that runs. Only a run
    matters to what lies below: what is deeper is left, for when it can be seen."""
    asks = _unanswered(tx, targets, asks)
    facts = planning.load_many(tx, graph, targets, {t: a[0] for t, a in asks.items() if a})
    decisions = {target: planner.decide(found) for target, found in facts.items()}
    first = min((graph.depth.get(t[0], 0) for t, d in decisions.items() if d.action is Action.RUN), default=None)
    if first is not None:
        targets = [t for t in targets if graph.depth.get(t[0], 0) <= first]
        decisions = {t: decisions[t] for t in targets if t in decisions}
    # Most that is touched has no need to run; only for the rest does anybody ask what is still going on above.
    eager = [t for t, d in decisions.items() if d.action is Action.RUN and not _is_urgent(asks[t])]
    for late in {decisions[t].late for t in eager}:
        of_class = [t for t in eager if decisions[t].late == late]
        for target, blocker in blockers.of_targets(tx, graph, of_class, late=late).items():
            decisions[target] = planner.decide(replace(facts[target], blocker=blocker))
    for target, blocker in _in_turn(graph, decisions, asks).items():
        decisions[target] = planner.decide(replace(facts[target], blocker=blocker))
    return Decided(targets=targets, asks=asks, facts=facts, decisions=decisions)


def _unanswered(tx: Tx, targets: Sequence[Target], asks: Mapping[Target, list[Cause]]) -> dict[Target, list[Cause]]:
    """Returns what was asked of each target and has not had its run: to ask for the same twice is to ask once, and a
    rebuild is also what the rebuilds before it asked for."""
    keys = {(t, n): trigger_key(*t, ask) for t in targets for n, ask in enumerate(asks[t])}
    if not keys:
        return {t: [] for t in targets}
    known = runs.known_causes(tx, list(keys.values()))
    left = {t: _but_older_rebuilds([a for n, a in enumerate(asks[t]) if keys[t, n] not in known]) for t in targets}
    # What a person asked runs in any case; of what else comes first, nothing may come, and a backfill finds it made.
    return {t: sorted(found, key=lambda ask: _ORDER.get(ask.kind, 0)) for t, found in left.items()}


def _but_older_rebuilds(asks: list[Cause]) -> list[Cause]:
    definitions = [ask.body["definition"] for ask in asks if ask.kind == "fingerprint"]
    return [ask for ask in asks if ask.kind != "fingerprint" or ask.body["definition"] == max(definitions)]


def _in_turn(
    graph: Graph, decisions: Mapping[Target, Decision], asks: Mapping[Target, list[Cause]]
) -> dict[Target, Blocker]:
    """Returns what has to wait because an earlier partition of the same workflow, which it is made from, is to run
    now, or waits for one that is: each is planned when the one before it has ended."""
    found: dict[Target, Blocker] = {}
    turn: dict[tuple[str, str], str] = {}
    own = {key: graph.workflows[key].partitions for key, _ in decisions if key in graph.made_from_themselves}
    for target in sorted((t for t in decisions if t[0] in own), key=lambda t: (t[0], moment(own[t[0]], t[1]), t[1])):
        if decisions[target].action is not Action.RUN:
            continue
        series = (target[0], _series(graph, *target))
        if series in turn and not _is_urgent(asks[target]):
            found[target] = Blocker(target[0], turn[series], failed=False)
        turn[series] = target[1]
    return found


def _series(graph: Graph, key: str, partition: str) -> str:
    """Returns in which of the workflow's series the partition lies; those of several do not wait for each other."""
    found = {e.input.mapping.series(partition, e.cut) for e in graph.inputs(key) if e.is_own and e.input is not None}
    return found.pop() if len(found) == 1 else ""


def _is_urgent(asks: Sequence[Cause]) -> bool:
    """Whether a person asked: then nothing above is waited for. What time, a rebuild or a backfill asks for goes in the
    order of the data."""
    return bool(asks) and asks[0].kind not in ("fingerprint", "tick", "backfill")
