"""Should this workflow partition run now?

Level-triggered: the answer follows from how things stand, never from which event came. Two questions: does something
that it was made from differ (need), and has something happened that it waits for (trigger)?
"""

from __future__ import annotations

from dataclasses import replace

from riparian.assets.durations import instant
from riparian.assets.partitions import WHOLE
from riparian.assets.schedules import local
from riparian.scheduler.core.backfills import is_untold, is_wanted, state
from riparian.scheduler.core.facts import (
    CLOCK,
    Action,
    Blocker,
    Cause,
    Decision,
    Facts,
    InputFacts,
    Lack,
    due,
    trigger_key,
    updated,
)
from riparian.scheduler.core.graph import reads_otherwise
from riparian.scheduler.core.standing import Standing, stand


def decide(facts: Facts) -> Decision:
    """Returns what to do with one workflow partition, and why."""
    absent = [i for i in facts.inputs if i.now is None and i.edge.input is not None]
    if absent:
        return _none("waiting_for_input", _waiting(absent))
    if facts.ask is not None and facts.ask.kind != "tick" and not _is_rebuilt(facts, facts.ask):
        return _asked(facts, facts.ask)
    standing = stand(facts)
    if not standing.triggered:
        # Whatever is waited for else, time alone may change the answer.
        return replace(_untriggered(facts, standing), wake_at=standing.until)
    if facts.unfinished and (facts.unfinished.granted or facts.unfinished.asked or not standing.need):
        # What it was pinned to, not what was consumed before it, is what the news will be held against at its end.
        return _after_own(facts)
    if not standing.need:
        return _unneeded(facts, standing)
    cause = _cause(facts, standing)
    key = trigger_key(facts.workflow.key, facts.partition, cause)
    if facts.unfinished and facts.unfinished.trigger_key == key:
        return _unfinished(granted=False)
    if facts.attempted is not None and not _is_new(facts, standing, facts.attempted):
        return _failed(facts, standing, " for this same cause")
    if facts.blocker:
        return _held(facts.blocker)
    return _run(facts, cause, late=standing.late or (facts.ask is not None and "late" in facts.ask.body))


def _cause(facts: Facts, standing: Standing) -> Cause:
    """Events are what it runs for; where states alone let it run, absence, or else what differs."""
    ticks = {"ticks": dict(standing.ticks)} if standing.ticks else {}
    if standing.ticks and not standing.news:
        return Cause(kind="tick", body=ticks)
    if standing.fills and not standing.news:
        read = {i.edge.asset: i.now.seq for i in facts.inputs if i.now is not None}
        body = {"adopted": facts.adopted, "missing": sorted(facts.missing), "seqs": read}
        return Cause(kind="missing", body=body)
    seqs = dict(standing.news or standing.differs)
    return Cause(kind="update", body={"adopted": facts.adopted, "seqs": seqs, **ticks})


def _is_new(facts: Facts, standing: Standing, attempted: int) -> bool:
    """Whether there is something to run for that the last attempt, of inputs as of ``attempted``, was not for."""
    ticks = [s for s in facts.schedules if s.cron.name in standing.ticks]
    seqs = standing.news or ({} if ticks else standing.differs)
    return any(seq > attempted for seq in seqs.values()) or any(
        # A run that was planned after the tick was for it, but for one that a person asked for: that is not attempted.
        s.seq > attempted and s.tick > facts.attempted_ticks.get(s.cron.name, s.since)
        for s in ticks
    )


def _is_rebuilt(facts: Facts, ask: Cause) -> bool:
    """Whether what a rebuild asked for is so already, by a run or an edit since: it may have waited for long."""
    edges = [i.edge for i in facts.inputs]
    return (
        ask.kind == "fingerprint"
        and facts.consumed_fingerprint == facts.workflow.fingerprint
        and not reads_otherwise(edges, facts.consumed_inputs)
        and facts.attempted is None
        and facts.unfinished is None
    )


def _asked(facts: Facts, ask: Cause) -> Decision:
    going = facts.unfinished
    if going and going.trigger_key == trigger_key(facts.workflow.key, facts.partition, ask):
        return _unfinished(granted=going.granted)
    if ask.kind == "backfill":
        return _backfilled(facts, ask)
    # What a person asked for runs as it was asked for, and so do two requests one after the other. It is no substitute
    # for an update that waits: it may have parameters, or be cancelled, and a cause has one run.
    if going and (going.granted or going.asked or (ask.is_asked and not going.backfill)):
        return _after_own(facts, asked=True)
    # A person's request waits for nothing above; a rebuild goes in the order of the data.
    return _held(facts.blocker) if facts.blocker and ask.kind == "fingerprint" else _run(facts, ask)


def _backfilled(facts: Facts, ask: Cause) -> Decision:
    """What runs or is planned already comes first. A failure above is not waited for, or one would stop all."""
    if facts.unfinished:
        return _after_own(facts, asked=True)
    if not is_wanted(state(facts), ask.body["only"]):
        return _up_to_date()
    if facts.blocker and not facts.blocker.failed:
        return _held(facts.blocker)
    return _run(facts, ask, late=True)


def _after_own(facts: Facts, *, asked: bool = False) -> Decision:
    own = Blocker(facts.workflow.key, facts.partition, failed=False)
    words = "a run is going on; what arrived meanwhile is looked at when it ends"
    if asked and facts.unfinished and not facts.unfinished.granted:
        words = "a run is planned before it; what was asked for runs when that has ended"
    return Decision(action=Action.HOLD, code="running", words=words, blocker=own)


def _run(facts: Facts, cause: Cause, *, late: bool = False) -> Decision:
    supersedes = facts.unfinished.run if facts.unfinished else None
    words = f"runs because {cause.words}"
    return Decision(action=Action.RUN, code="run", words=words, cause=cause, supersedes=supersedes, late=late)


def _unneeded(facts: Facts, standing: Standing) -> Decision:
    if facts.consumed_fingerprint is None:
        return _not_asked()
    if not standing.news and not standing.ticks:
        return _up_to_date()
    said = [due(name, tick) for name, tick in standing.ticks.items()]
    if standing.news:
        said = [f"{updated(standing.news)} updated with equal content", *said]
    return Decision(action=Action.ADVANCE, code="unchanged", words=" and ".join(said), ticks=standing.ticks)


def _untriggered(facts: Facts, standing: Standing) -> Decision:
    if facts.unfinished:
        waits = standing.waits or standing.until is not None
        return _after_own(facts) if waits else _unfinished(granted=facts.unfinished.granted)
    if facts.workflow.trigger.is_manual:
        return _none("manual", "runs only when somebody asks")
    if standing.unchecked and standing.asked and (standing.news or standing.differs):
        return _none("check_failed", f"waits for checks to pass: {'; '.join(facts.unchecked.values())}")
    if standing.until is not None:
        return _until(facts, standing, standing.until)
    if standing.waits:
        return _hold_for_tick(facts, "waiting_for_tick", f"waits for {_next_tick(standing)}")
    if facts.consumed_fingerprint is None and facts.attempted is not None:
        return _failed(facts, standing)
    if not facts.inputs and facts.consumed_fingerprint is None:
        return _without_inputs(facts, standing)
    if untold := {i.edge.asset for i in facts.inputs if is_untold(i)}:
        words = f"{updated(untold)} backfilled without what follows; an update or a request runs it"
        return _none("not_triggered", words)
    if facts.consumed_fingerprint is None:
        never = _none("not_triggered", "never ran, and what its trigger waits for is not there")
        return never if standing.asked else _not_asked()
    if facts.consumed_fingerprint != facts.workflow.fingerprint:
        tick = "its next tick, " if standing.clock and facts.partition == WHOLE else ""
        return _none("code_changed", f"its code changed; {tick}`riparian apply --rebuild latest` or a request runs it")
    if reads_otherwise([i.edge for i in facts.inputs], facts.consumed_inputs):
        return _none("inputs_changed", "its inputs changed; `riparian apply --rebuild latest` or a request runs it")
    if _differs(facts, standing):
        return _none("not_triggered", "an input differs, but nothing that the trigger waits for has happened")
    return _up_to_date()


def _until(facts: Facts, standing: Standing, until: int) -> Decision:
    """Time alone will make the trigger true; not that what failed would run again by itself."""
    if facts.attempted is not None and not _is_new(facts, standing, facts.attempted):
        return _failed(facts, standing, " for this same cause")
    assert standing.awaits is not None  # noqa: S101 - the promise of `until`
    return _none(standing.awaits.held_as, f"waits until {instant(until)}: {standing.awaits.words(standing.signals)}")


def _differs(facts: Facts, standing: Standing) -> bool:
    now = {i.edge.name for i in facts.inputs if i.now is not None}
    return bool(standing.differs) or facts.is_of_own_parameters or facts.consumed_inputs != now


def _without_inputs(facts: Facts, standing: Standing) -> Decision:
    if standing.clock:
        # Not held: the clock knows by itself for which partitions such a workflow runs.
        return _none("waiting_for_tick", f"waits for {_next_tick(standing)}")
    if facts.baseline == 0 and facts.workflow.trigger.by_update:
        return _run(facts, Cause(kind="adopted", body={"adopted": facts.adopted}))
    return _none("not_asked", "has no inputs that could start it, and nobody asked for it")


def _failed(facts: Facts, standing: Standing, why: str = "") -> Decision:
    """The last run failed, or was cancelled, and nothing new has happened; the next tick is, so it is waited for."""
    if facts.cancelled:
        code, words = "cancelled", "was cancelled"
    elif facts.stopped_by:
        code, words = "check_failed", f"did not pass the check {facts.stopped_by}"
    elif facts.timed_out:
        code, words = "timed_out", f"took longer than it may{why}"
    else:
        code, words = "failed", f"failed{why}"
    ways = "an update or a request" if facts.cancelled else "an update, a repair or a request"
    if standing.clock:
        return _hold_for_tick(facts, code, f"its last run {words}; {ways} runs it again, or {_next_tick(standing)}")
    return _none(code, f"its last run {words}; {ways} runs it again")


def _hold_for_tick(facts: Facts, code: str, words: str) -> Decision:
    return Decision(
        action=Action.HOLD, code=code, words=words, blocker=Blocker(CLOCK, facts.workflow.key, failed=False)
    )


def _next_tick(standing: Standing) -> str:
    undue = [s for s in standing.clock if s.cron.name not in standing.ticks] or standing.clock
    at, cron = min(((s.next_at or 0, s.cron) for s in undue), key=lambda pair: pair[0])
    return f"the schedule {cron.name}, next at {local(at, cron.timezone):%Y-%m-%d %H:%M}"


def _not_asked() -> Decision:
    return _none("not_asked", "never ran; its inputs are older than the workflow, and nobody asked for them")


def _up_to_date() -> Decision:
    return _none("up_to_date", "made from the current versions of all its inputs")


def _unfinished(granted: bool) -> Decision:
    if granted:
        return _none("running", "a run is going on")
    return _none("queued", "a run is planned and waits for a worker")


def _held(blocker: Blocker) -> Decision:
    name = f"{blocker.workflow}[{blocker.partition}]" if blocker.partition else blocker.workflow
    code, words = ("upstream_failed", f"{name} failed") if blocker.failed else ("waiting_for", f"waiting for {name}")
    if blocker.failed and blocker.check:
        code, words = "check_failed", f"{name} did not pass the check {blocker.check}"
    return Decision(action=Action.HOLD, code=code, words=words, blocker=blocker)


def _none(code: str, words: str) -> Decision:
    return Decision(action=Action.NONE, code=code, words=words)


def _waiting(absent: list[InputFacts]) -> str:
    never = sorted({i.edge.asset for i in absent if i.lack is None})
    said = [f"waiting for a first version of {', '.join(never)}"] if never else []
    said += sorted(_lacking(i.edge.asset, i.lack) for i in absent if i.lack is not None)
    return " and ".join(said)


def _lacking(asset: str, lack: Lack) -> str:
    if not lack.need:
        return f"waiting for {asset}, which has no partition for it"
    if not lack.of:
        return f"waiting for partitions of {asset}: {lack.have:,} of at least {lack.need:,} are there"
    words = f"waiting for partitions of {asset}: {lack.have:,} of {lack.of:,} are there"
    if lack.need < lack.of:
        return f"{words}, and it needs {lack.need:,}"
    if not lack.some:
        return words
    more = lack.of - lack.have - len(lack.some)
    return f"{words}; missing: {', '.join(lack.some)}" + (f" and {more:,} more" if more > 0 else "")
