"""The planner's answers where time alone may change them, case by case, and the explanation beside each."""

from dataclasses import replace

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec, WorkflowSpec
from riparian.assets.partitions import One
from riparian.assets.tasks import TaskSpec
from riparian.assets.triggers import fresher_than, missing, not_more_often_than, on_cron, on_update
from riparian.scheduler.core.explain import explain
from riparian.scheduler.core.facts import (
    Action,
    Blocker,
    Cause,
    Facts,
    InputFacts,
    Level,
    Moments,
    Schedule,
    Unfinished,
)
from riparian.scheduler.core.graph import Edge
from riparian.scheduler.core.planner import decide

A = AssetKey("x.a")
MINUTE = 60_000_000
CAME = 100 * MINUTE
"""When the update at seq 7 came."""

QUIET = on_update().debounce("5m")
LIMITED = on_update().not_more_often_than("5m")
ALONE = not_more_often_than("5m")
FRESH = fresher_than("5m")
HOURLY = on_cron("0 * * * *")
EARLY, LATE = CAME + 4 * MINUTE, CAME + 5 * MINUTE
NEWS = Moments(first={A: CAME}, untried={A: CAME}, last={A: CAME}, created=CAME)
TRIED = replace(NEWS, untried={})
GOING = Unfinished(run="r1", trigger_key="other", granted=True)
QUEUED = Unfinished(run="r1", trigger_key="other", granted=False)
UP = Blocker("x.up", "", failed=False)
ASK = Cause(kind="request", body={"id": "1", "by": "ana", "params": {}})
RANG = Schedule(cron=HOURLY, since=0, tick=60 * MINUTE, seq=6, next_at=120 * MINUTE)
SILENT = Schedule(cron=HOURLY, since=0, tick=0, seq=0, next_at=120 * MINUTE)


def facts(trigger, now, *, a=(7, "new"), then=(5, "da"), moments=NEWS, **more) -> Facts:
    """Facts of a workflow that last ran on x.a at 5, and looks at it at ``now``."""
    spec = WorkflowSpec(
        key="x.out",
        inputs=(InputSpec(parameter="a", asset=A, mapping=One()),),
        produces=(AssetKey("x.out"),),
        tasks=(TaskSpec(name="out", module="m", qualname="out"),),
        trigger=trigger,
        fingerprint="f1",
    )
    level = [None if pair is None else Level(pair[0], pair[1], ("o",)) for pair in (a, then)]
    inputs = (InputFacts(edge=Edge(workflow=spec, asset=A, input=spec.inputs[0]), now=level[0], then=level[1]),)
    ran = {} if then is None else {"consumed_fingerprint": "f1", "consumed_inputs": frozenset({A})}
    return Facts(
        workflow=spec, partition="", inputs=inputs, **{"baseline": 0, "now": now, "moments": moments, **ran, **more}
    )


SAME = {"a": (5, "da"), "moments": Moments(created=CAME)}
EQUAL = {"a": (7, "da")}
TRUTH = [
    # trigger, what is so, the reason before the time has come and after it
    ("nothing new", QUIET, SAME, "up_to_date", "up_to_date"),
    ("nothing new", LIMITED, SAME, "up_to_date", "up_to_date"),
    ("nothing new", ALONE, SAME, "up_to_date", "up_to_date"),
    ("nothing new", FRESH, SAME, "up_to_date", "up_to_date"),
    ("news", QUIET, {}, "debounced", "run"),
    ("news", LIMITED, {}, "limited", "run"),
    ("news", ALONE, {}, "limited", "run"),
    ("news", FRESH, {}, "fresh_enough", "run"),
    ("news", QUIET.label("q"), {}, "debounced", "run"),
    ("news", FRESH & LIMITED, {}, "fresh_enough", "run"),
    ("news", FRESH | LIMITED, {}, "fresh_enough", "run"),
    ("news", on_update() | QUIET, {}, "run", "run"),
    ("news of equal content", QUIET, EQUAL, "debounced", "unchanged"),
    ("news of equal content", LIMITED, EQUAL, "limited", "unchanged"),
    ("news of equal content", ALONE, EQUAL, "up_to_date", "up_to_date"),
    ("news of equal content", FRESH, EQUAL, "fresh_enough", "unchanged"),
    ("never ran", QUIET, {"then": None}, "debounced", "run"),
    ("never ran", FRESH, {"then": None}, "fresh_enough", "run"),
    ("never ran", LIMITED, {"then": None, "moments": replace(NEWS, created=None)}, "run", "run"),
    ("never ran, history", QUIET, {"then": None, "baseline": 9}, "not_asked", "not_asked"),
    ("no version", QUIET, {"a": None}, "waiting_for_input", "waiting_for_input"),
    ("failed for this", QUIET, {"attempted": 8, "moments": TRIED}, "failed", "failed"),
    ("failed for this", LIMITED, {"attempted": 8, "moments": TRIED}, "failed", "failed"),
    ("failed for this", FRESH, {"attempted": 8, "moments": TRIED}, "failed", "failed"),
    ("failed before this", QUIET, {"attempted": 6}, "debounced", "run"),
    ("failed before this", LIMITED, {"attempted": 6}, "limited", "run"),
    ("failed before this", FRESH, {"attempted": 6}, "fresh_enough", "run"),
    ("a run goes on", QUIET, {"unfinished": GOING}, "running", "running"),
    ("a run goes on", LIMITED, {"unfinished": GOING}, "running", "running"),
    ("a run is queued", QUIET, {"unfinished": QUEUED}, "running", "run"),
    ("a run is queued", FRESH, {"unfinished": QUEUED}, "running", "run"),
    ("above is unfinished", QUIET, {"blocker": UP}, "debounced", "waiting_for"),
    ("above is unfinished", LIMITED, {"blocker": UP}, "limited", "waiting_for"),
    ("asked", QUIET, {"ask": ASK}, "run", "run"),
    ("asked", LIMITED, {"ask": ASK}, "run", "run"),
    ("asked", FRESH, {"ask": ASK}, "run", "run"),
    ("code changed", QUIET, {**SAME, "consumed_fingerprint": "f0"}, "code_changed", "code_changed"),
    ("code changed", ALONE, {**SAME, "consumed_fingerprint": "f0"}, "code_changed", "up_to_date"),
    ("a tick is due", HOURLY & ALONE, {"schedules": (replace(RANG, seq=8),)}, "limited", "run"),
    ("a tick is due", HOURLY & QUIET, {"schedules": (replace(RANG, seq=8),)}, "debounced", "run"),
    ("a tick is due", HOURLY | QUIET, {"schedules": (replace(RANG, seq=8),)}, "run", "run"),
    ("no tick", HOURLY & ALONE, {"schedules": (SILENT,)}, "waiting_for_tick", "waiting_for_tick"),
    ("no tick", HOURLY & QUIET, {"schedules": (SILENT,)}, "waiting_for_tick", "waiting_for_tick"),
    ("no tick", HOURLY | QUIET, {"schedules": (SILENT,)}, "debounced", "run"),
    ("data after the tick", HOURLY & ALONE, {"schedules": (RANG,)}, "waiting_for_tick", "waiting_for_tick"),
    ("missing", missing() & LIMITED, {"missing": frozenset({"x.out"})}, "limited", "run"),
    ("not missing", missing() & LIMITED, {}, "not_triggered", "not_triggered"),
]


@pytest.mark.parametrize(
    ("name", "trigger", "given", "early", "late"), TRUTH, ids=[f"{name}: {trigger}" for name, trigger, *_ in TRUTH]
)
def test_truth_table_of_times(name, trigger, given, early, late):
    """Before the time has come, and from then on; what waits for it says so, and is woken then."""
    before, after = (decide(facts(trigger, now, **given)) for now in (EARLY, LATE))

    assert (early, late) == (before.code, after.code), (before.words, after.words)
    assert after.wake_at is None
    if early in ("debounced", "limited", "fresh_enough"):
        assert LATE == before.wake_at
        assert "waits until 1970-01-01 01:45:00 UTC: " in before.words


@pytest.mark.parametrize(("name", "trigger", "given"), [row[:3] for row in TRUTH if "missing" not in row[0]])
@pytest.mark.parametrize("now", [EARLY, LATE])
def test_an_explanation_and_the_decision_agree(name, trigger, given, now):
    """What would run by itself is explained as true, and what only time is missing to as until then."""
    found = facts(trigger, now, **given)
    root = explain(found)
    decision = decide(found)

    if decision.action is Action.RUN and found.ask is None:
        assert root.holds
    if decision.code in ("debounced", "limited", "fresh_enough"):
        assert (False, decision.wake_at) == (root.holds, root.until)


def test_since_when():
    """Of what is true: the update, the tick, or the time that came. Of what is not: the answer, or where the wait
    began. Of what nobody knows: nothing."""
    moments = Moments(first={A: CAME}, untried={A: CAME}, last={A: CAME + MINUTE}, created=CAME - MINUTE)
    states = ~missing("x.ref")
    trigger = (QUIET | HOURLY) & ALONE & states & FRESH.label("fresh")
    early = explain(facts(trigger, CAME + 4 * MINUTE, moments=moments, schedules=(SILENT,)))
    late = explain(facts(trigger, CAME + 9 * MINUTE, moments=moments, schedules=(SILENT,)))

    assert (False, None) == (early.holds, early.since)
    either, limit, state, fresh = early.parts
    quiet, cron = either.parts
    assert [(False, CAME + MINUTE), (False, None)] == [(n.holds, n.since) for n in (quiet, cron)]
    assert [(True, CAME + 4 * MINUTE), (True, None)] == [(n.holds, n.since) for n in (limit, state)]
    assert (("behind", "fresh", False, CAME + 5 * MINUTE)) == (fresh.kind, fresh.label, fresh.holds, fresh.until)
    assert ("on_update", True, CAME) == ((n := quiet.parts[0]).kind, n.holds, n.since)
    either, _, _, fresh = late.parts
    assert [(True, CAME + 6 * MINUTE), (True, CAME + 5 * MINUTE)] == [(n.holds, n.since) for n in (either, fresh)]
    assert (True, None) == (late.holds, late.since)


def test_since_when_a_run_has_answered():
    """What the last run was for is false since that run ended; what it was not for is not known."""
    answered = Moments(answered={A: CAME})
    both = explain(facts(on_update() | HOURLY, LATE, a=(5, "da"), moments=answered, schedules=(SILENT,)))

    assert [(False, CAME), (False, None)] == [(n.holds, n.since) for n in both.parts]
    assert (False, None) == (both.holds, both.since)
    assert CAME == explain(facts(QUIET, LATE, a=(5, "da"), moments=answered)).since
