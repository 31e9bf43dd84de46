"""What is written of what was decided? The runs, and what the others wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from riparian.scheduler import clock
from riparian.scheduler.core.facts import ANY, Action, Blocker, Cause, Decision, Facts, Target
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.decisions import Decided
from riparian.scheduler.plan import Plan
from riparian.storage.metadata import backfills, levels, staleness
from riparian.storage.metadata.database import Tx


@dataclass(slots=True, kw_only=True)
class Written:
    """What came of decisions: the ``planned`` runs and how many ``steps`` they have; ``passed`` for want of room, and
    not settled, are the rest. ``sooner``: the next timer is another now."""

    planned: list[str] = field(default_factory=list)
    steps: int = 0
    passed: set[Target] = field(default_factory=set)
    sooner: bool = False


def write(tx: Tx, graph: Graph, found: Decided, room: int) -> Written:
    """Writes the outcome of each decision; of those that would run, of as many as come before ``room`` steps are
    planned."""
    rows, written = _Rows(tx, graph), Written()
    for target, decision in found.decisions.items():
        if decision.action is Action.RUN and rows.plan.steps >= room:
            written.passed.add(target)
        else:
            rows.add(target, decision, found.facts[target], found.asks[target])
    written.planned, written.sooner = rows.write()
    written.steps = rows.plan.steps
    return written


class _Rows:
    """Collects what is written, so that much is with few statements."""

    def __init__(self, tx: Tx, graph: Graph) -> None:
        self._tx = tx
        self._graph = graph
        self.plan = Plan(tx, graph)
        self._runs: dict[Target, str] = {}
        self._reasons: list[tuple[Target, str, str]] = []
        self._holds: list[dict[str, str]] = []
        self._unheld: list[Target] = []
        self._advances: list[tuple[Target, int, str, Mapping[str, int]]] = []
        self._wakes: list[tuple[Target, int]] = []

    def add(self, target: Target, decision: Decision, facts: Facts, asks: Sequence[Cause]) -> None:
        """Notes what one decision means, and settles what was asked and has no run."""
        self._reasons.append((target, decision.code, decision.words))
        if decision.wake_at is not None:
            self._wakes.append((target, decision.wake_at))
        if decision.action not in (Action.RUN, Action.HOLD):
            _settle(self._tx, target, decision, asks)
        if decision.code == "waiting_for_input":
            awaited = _awaited(self._graph, facts)
            self._holds += [held(target, awaited, ask) for ask in asks if ask.kind == "fingerprint"]
        match decision.action:
            case Action.RUN:
                self._runs[target] = self.plan.add(facts, decision)
                going = facts.unfinished.backfill if facts.unfinished is not None else None
                # One run at a time: what else was asked waits for its end.
                self._holds += [self._after_own(target, ask) for ask in (*asks[1:], *([going] if going else ()))]
            case Action.HOLD:
                for ask in asks or (None,):
                    self._hold(target, decision, ask)
            case Action.ADVANCE:
                self._advance(target, decision, facts)
        if decision.action is not Action.HOLD:
            self._unheld.append(target)

    def _after_own(self, target: Target, ask: Cause) -> dict[str, str]:
        return held(target, Blocker(*target, failed=False), _behind(self._tx, target, ask))

    def _hold(self, target: Target, decision: Decision, ask: Cause | None) -> None:
        assert decision.blocker is not None  # noqa: S101 - the planner's promise for HOLD
        after_own = (decision.blocker.workflow, decision.blocker.partition) == target
        after = _behind(self._tx, target, ask) if after_own and ask else ask
        self._holds.append(held(target, decision.blocker, after))

    def _advance(self, target: Target, decision: Decision, facts: Facts) -> None:
        found = [(i.edge.name, i.now) for i in facts.inputs if i.now is not None]
        ticks = {**facts.consumed_ticks, **decision.ticks}
        self._advances.append((target, self.plan.as_of, levels.to_json(found), ticks))
        if facts.attempted is not None:
            # What failed on the way is as it was before: nobody below has to wait for a repair.
            staleness.repair(self._tx, *target)

    def write(self) -> tuple[list[str], bool]:
        """Writes all of it. Returns the planned runs, and whether the next timer is another now."""
        planned = self.plan.write()
        staleness.forget_holds(self._tx, self._unheld)
        staleness.put_hold(self._tx, self._holds)
        for target in self._unheld:
            if target[0] in self._graph.made_from_themselves and self._runs.get(target) not in planned:
                # The next partition may have been held for a run of this one, of which there is none.
                staleness.release(self._tx, *target)
        staleness.advance(self._tx, self._advances)
        staleness.note_reasons(self._tx, self._reasons)
        sooner = clock.wake_at(self._tx, self._wakes)
        self.plan.finish()
        return planned, sooner


def _awaited(graph: Graph, facts: Facts) -> Blocker:
    """Returns whose end may bring the first input that is not there, for what a rebuild asked of the workflow
    partition: updates need not run it for that input, so it would never be made anew."""
    absent = next(i for i in facts.inputs if i.now is None and i.edge.input is not None)
    named = absent.lack.some if absent.lack is not None and absent.lack.need == absent.lack.of else ()
    one = named or [i.lo for i in absent.keys if i.lo == i.hi]
    return Blocker(graph.maker(absent.edge.asset), one[0] if one else ANY, failed=False)


def _settle(tx: Tx, target: Target, decision: Decision, asks: Sequence[Cause]) -> None:
    """Notes of a backfill that no run comes of what it asked; where there were several asks, each is looked at."""
    first = asks if decision.code == "waiting_for_input" else asks[:1]
    let_go(tx, target[1], first)
    for ask in asks[len(first) :]:
        is_backfill = ask.kind == "backfill"
        again = backfills.ask_again(tx, ask, target[1], ask.body["only"]) if is_backfill else ask
        staleness.mark_anew(tx, *target, again.to_json())


def let_go(tx: Tx, partition: str, asks: Sequence[Cause], to: str = "skipped") -> None:
    for ask in asks:
        if ask.kind == "backfill":
            backfills.settle(tx, ask, partition, to)


def _behind(tx: Tx, target: Target, ask: Cause) -> Cause:
    """Returns what is still asked for once another run of the same partition has ended."""
    return backfills.ask_again(tx, ask, target[1]) if ask.kind == "backfill" else ask


def held(target: Target, blocker: Blocker, ask: Cause | None) -> dict[str, str]:
    return {
        "workflow": target[0],
        "partition": target[1],
        "blocker": blocker.workflow,
        "blocker_partition": blocker.partition,
        "ask": ask.to_json() if ask else "",
    }
