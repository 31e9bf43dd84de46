"""What does the trigger of a workflow partition see, and what differs from what its last run was made from?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from riparian.assets.partitions.latest import ticked
from riparian.assets.triggers import Signals, Trigger
from riparian.scheduler.core.facts import Facts, InputFacts, Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The two questions to one workflow partition, with what they were answered from.

    ``news`` are the seqs of assets that the trigger waits for and that moved; ``ticks`` those that are due and not
    answered; ``differs`` the seqs of inputs that a run would find changed. ``fills``: something that the trigger wants
    made is missing. ``unchecked``: it waits for checks alone. ``clock`` are the schedules whose next tick could make
    the trigger true; ``until`` is when time alone will, by what ``awaits`` says, where that is worth waiting for.
    ``signals`` is what the trigger was asked. ``late``: nothing of it is today's work, all that moved did so for a
    backfill.
    """

    news: Mapping[str, int]
    ticks: Mapping[str, int]
    differs: Mapping[str, int]
    fills: bool
    triggered: bool
    need: bool
    asked: bool
    unchecked: bool
    clock: tuple[Schedule, ...]
    signals: Signals
    until: int | None = None
    awaits: Trigger | None = None
    late: bool = False

    @property
    def waits(self) -> bool:
        """Whether there is something that the next tick would be about."""
        return bool(self.clock and (self.news or (self.differs and self.asked)))


def stand(facts: Facts) -> Standing:
    """Answers both questions from the facts alone."""
    trigger = facts.workflow.trigger
    moved = [i for i in facts.inputs if i.edge.wakes and _is_news(i, facts)]
    news = _newest((i.edge.asset, i.now.told) for i in moved if i.now is not None)
    differs = _newest((i.edge.asset, i.now.seq) for i in facts.inputs if i.now and _counts(i) and _differs(i))
    ticks = _unanswered(facts, differs)
    state = _signals(facts)
    fills = trigger.fills(state)
    asked = (
        facts.consumed_fingerprint is not None
        or fills
        or bool(ticks and not facts.has_partitioned_input)
        or any(_counts(i) and i.now is not None and i.now.told > facts.baseline for i in facts.inputs)
    )
    ringing = tuple(s for s in facts.schedules if s.next_at is not None and _concerns(facts, s, s.next_at))
    later = {**ticks, **{s.cron.name: 0 for s in ringing}}
    signals = _signals(facts, news, ticks)
    at = trigger.when(signals)
    need = asked and _need(facts, news, ticks, differs, fills)
    until = at if at is not None and at > facts.now and (need or news) else None
    return Standing(
        news=news,
        ticks=ticks,
        differs=differs,
        fills=fills,
        triggered=at is not None and at <= facts.now,
        need=need,
        asked=asked,
        unchecked=bool(facts.unchecked) and trigger.holds(replace(signals, unchecked=frozenset())),
        # Whether it could hold at all: what only has to wait after its tick is about that tick too.
        clock=ringing if trigger.when(_signals(facts, news, later)) is not None else (),
        signals=signals,
        until=until,
        awaits=None if until is None else trigger.waits(signals),
        late=bool(moved) and not ticks and not any(i.now and i.now.told_today > _known(i, facts) for i in moved),
    )


def _need(
    facts: Facts, news: Mapping[str, int], ticks: Mapping[str, int], differs: Mapping[str, int], fills: bool
) -> bool:
    """Whether the inputs' content or origins, the code or the parameters differ from what was last consumed."""
    if not news and not ticks:
        # By its states alone it runs for data or absence, not for an edit.
        return bool(differs) or (fills and facts.consumed_fingerprint is None)
    if facts.consumed_fingerprint is None or facts.consumed_fingerprint != facts.workflow.fingerprint:
        return True
    if facts.is_of_own_parameters:
        return True
    ignored = {i.edge.name for i in facts.inputs if not _counts(i)}
    if facts.consumed_inputs - ignored != {i.edge.name for i in facts.inputs if _counts(i)}:
        return True
    # Without inputs, time is what it is made from.
    return bool(differs) or (bool(ticks) and not facts.reads)


def _unanswered(facts: Facts, differs: Mapping[str, int]) -> dict[str, int]:
    """Returns the ticks that rang and that no run was for.

    Nobody looks at a partition when a tick rings that could only find it unchanged. So a tick that was enough for the
    trigger, and before all that differs now, was answered then: what came after it waits for the next one.
    """
    rang = [
        s
        for s in sorted(facts.schedules, key=lambda s: (s.tick, s.cron.name))
        if s.tick > max(s.since, facts.consumed_ticks.get(s.cron.name, s.since)) and _concerns(facts, s, s.tick)
    ]
    for n in range(len(rang), 0, -1):
        ticks = {s.cron.name: s.tick for s in rang[:n]}
        before = differs and all(seq > rang[n - 1].seq for seq in differs.values())
        if before and facts.workflow.trigger.when(_signals(facts, ticks=ticks)) is not None:
            rang = rang[n:]
            break
    return {s.cron.name: s.tick for s in rang}


def _concerns(facts: Facts, schedule: Schedule, tick: int) -> bool:
    """Whether the tick is about this partition: where only the clock says for which window to run, about one."""
    cut = facts.workflow.partitions
    if cut is None or facts.has_partitioned_input:
        return True
    return any(facts.partition in keys for keys in ticked(cut, tick, schedule.cron.timezone))


def _signals(facts: Facts, news: Iterable[str] = (), ticks: Mapping[str, int] = MappingProxyType({})) -> Signals:
    moments = facts.moments
    return Signals(
        now=facts.now,
        updated=frozenset(news),
        due=frozenset(ticks),
        missing=facts.missing,
        unchecked=frozenset(facts.unchecked),
        consumes=frozenset(i.edge.asset for i in facts.inputs if i.edge.input),
        makes=frozenset(facts.workflow.produces),
        first={**moments.first, **ticks},
        untried=moments.untried,
        last=moments.last,
        rings={s.cron.name: s.next_at for s in facts.schedules if s.next_at is not None},
        answered=moments.answered,
        created=moments.created,
        took=moments.took,
    )


def _counts(i: InputFacts) -> bool:
    """Whether a change of it is a change of what the workflow is made from, or waits for."""
    return i.now is not None and (i.edge.input is not None or i.edge.wakes)


def _is_news(i: InputFacts, facts: Facts) -> bool:
    return i.now is not None and i.now.told > _known(i, facts)


def _known(i: InputFacts, facts: Facts) -> int:
    return i.then.seq if i.then else facts.baseline


def _differs(i: InputFacts) -> bool:
    return i.now is not None and (i.then is None or i.now.differs(i.then))


def _newest(seqs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The newest seq of each asset, in the order of their keys: one may be read both as a partition and as a set."""
    found: dict[str, int] = {}
    for asset, seq in seqs:
        found[asset] = max(seq, found.get(asset, 0))
    return dict(sorted(found.items()))
