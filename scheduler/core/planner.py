"""Should this workflow partition run now?

Level-triggered: the answer follows from how things stand, never from which event came. Two questions: does something
that it was made from differ (need), and has something happened that it waits for (trigger)?
"""

from __future__ import annotations

from riparian.assets.triggers import Manual
from riparian.scheduler.core.facts import Action, Blocker, Cause, Decision, Facts, InputFacts, trigger_key, updated


def decide(facts: Facts) -> Decision:
    """Returns what to do with one workflow partition, and why."""
    missing = [i for i in facts.inputs if i.now is None and i.edge.input is not None]
    if missing:
        return _none("waiting_for_input", f"waiting for a first version of {_names(missing)}")
    if facts.ask is not None:
        return _asked(facts, facts.ask)
    news = {i.edge.asset: i.now.seq for i in facts.inputs if i.now is not None and i.edge.wakes and _is_news(i, facts)}
    need = _need(facts)
    if not news:
        return _untriggered(facts, need)
    if facts.unfinished and (facts.unfinished.granted or facts.unfinished.asked or not need):
        # What it was pinned to, not what was consumed before it, is what the news will be held against at its end.
        return _after_own(facts)
    if not need:
        return Decision(action=Action.ADVANCE, code="unchanged", words=f"{updated(news)} updated with equal content")
    cause = Cause(kind="update", body={"adopted": facts.adopted, "seqs": dict(sorted(news.items()))})
    key = trigger_key(facts.workflow.key, facts.partition, cause)
    if facts.unfinished and facts.unfinished.trigger_key == key:
        return _unfinished(granted=False)
    if facts.attempted is not None and max(news.values()) <= facts.attempted:
        return _none(
            "failed", "its last run failed for this same cause; an update, a repair or a request runs it again"
        )
    if facts.blocker:
        return _held(facts.blocker)
    return _run(facts, cause)


def _asked(facts: Facts, ask: Cause) -> Decision:
    going = facts.unfinished
    if going and going.trigger_key == trigger_key(facts.workflow.key, facts.partition, ask):
        return _unfinished(granted=going.granted)
    # What a person asked for runs as it was asked for, and so do two requests one after the other.
    if going and (going.granted or going.asked):
        return _after_own(facts)
    # A person's request waits for nothing above; a rebuild goes in the order of the data.
    return _held(facts.blocker) if facts.blocker and ask.kind == "fingerprint" else _run(facts, ask)


def _after_own(facts: Facts) -> Decision:
    own = Blocker(facts.workflow.key, facts.partition, failed=False)
    words = "a run is going on; what arrived meanwhile is looked at when it ends"
    return Decision(action=Action.HOLD, code="running", words=words, blocker=own)


def _run(facts: Facts, cause: Cause) -> Decision:
    supersedes = facts.unfinished.run if facts.unfinished else None
    return Decision(
        action=Action.RUN, code="run", words=f"runs because {cause.words}", cause=cause, supersedes=supersedes
    )


def _is_news(i: InputFacts, facts: Facts) -> bool:
    return i.now is not None and i.now.seq > (i.then.seq if i.then else facts.baseline)


def _need(facts: Facts) -> bool:
    """Whether the inputs' content or origins, the code or the parameters differ from what was last consumed."""
    if facts.consumed_fingerprint is None or facts.consumed_fingerprint != facts.workflow.fingerprint:
        return True
    if facts.consumed_params != "{}":  # a person's parameters made it, and what runs by itself has none
        return True
    if facts.consumed_inputs != {i.edge.name for i in facts.inputs if i.now is not None}:
        return True
    return any(i.now is not None and (i.then is None or i.now.differs(i.then)) for i in facts.inputs)


def _untriggered(facts: Facts, need: bool) -> Decision:
    if facts.unfinished:
        return _unfinished(granted=facts.unfinished.granted)
    if isinstance(facts.workflow.trigger, Manual):
        return _none("manual", "runs only when somebody asks")
    if not facts.inputs and facts.consumed_fingerprint is None and facts.attempted is None:
        if facts.baseline == 0:
            return _run(facts, Cause(kind="adopted", body={"adopted": facts.adopted}))
        return _none("not_asked", "has no inputs that could start it, and nobody asked for it")
    if facts.consumed_fingerprint is None and facts.attempted is not None:
        return _none("failed", "its last run failed; an update, a repair or a request runs it again")
    if facts.consumed_fingerprint is None:
        return _none("not_asked", "never ran; its inputs are older than the workflow, and nobody asked for them")
    if facts.consumed_fingerprint != facts.workflow.fingerprint:
        return _none("code_changed", "its code changed; `riparian apply --rebuild latest` or a request runs it")
    if need:
        return _none("not_triggered", "an input differs, but nothing that the trigger waits for has happened")
    return _none("up_to_date", "made from the current versions of all its inputs")


def _unfinished(granted: bool) -> Decision:
    if granted:
        return _none("running", "a run is going on")
    return _none("queued", "a run is planned and waits for a worker")


def _held(blocker: Blocker) -> Decision:
    name = f"{blocker.workflow}[{blocker.partition}]" if blocker.partition else blocker.workflow
    code, words = ("upstream_failed", f"{name} failed") if blocker.failed else ("waiting_for", f"waiting for {name}")
    return Decision(action=Action.HOLD, code=code, words=words, blocker=blocker)


def _none(code: str, words: str) -> Decision:
    return Decision(action=Action.NONE, code=code, words=words)


def _names(inputs: list[InputFacts]) -> str:
    return ", ".join(sorted(i.edge.asset for i in inputs))
