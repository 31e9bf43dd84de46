"""The planner's answers, case by case, on plain values."""

from dataclasses import replace

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec, WorkflowSpec
from riparian.assets.partitions import Daily, Identity, One
from riparian.assets.tasks import TaskSpec
from riparian.assets.triggers import Manual, OnUpdate, missing, on_cron, on_update
from riparian.scheduler.core.facts import (
    CLOCK,
    Action,
    Blocker,
    Cause,
    Facts,
    InputFacts,
    Level,
    Schedule,
    Unfinished,
    trigger_key,
)
from riparian.scheduler.core.graph import Edge
from riparian.scheduler.core.planner import decide

A, B = AssetKey("x.a"), AssetKey("x.b")


def workflow(*, trigger=OnUpdate(), consumes=(A, B)) -> WorkflowSpec:  # noqa: B008 - a frozen value
    return WorkflowSpec(
        key="x.out",
        inputs=tuple(InputSpec(parameter=k[-1], asset=k, mapping=One()) for k in consumes),
        produces=(AssetKey("x.out"),),
        tasks=(TaskSpec(name="out", module="m", qualname="out"),),
        trigger=trigger,
        fingerprint="f1",
    )


def facts(a=(5, "da"), b=(6, "db"), *, then_a=(5, "da"), then_b=(6, "db"), spec=None, **more) -> Facts:
    """Facts of a workflow of two inputs that last ran on then_a and then_b; None for what is not there."""
    spec = spec or workflow()

    def level(pair):
        return Level(pair[0], pair[1], ("o",)) if pair else None

    inputs = tuple(
        InputFacts(edge=Edge(workflow=spec, asset=key, input=spec.inputs[n]), now=level(now), then=level(then))
        for n, (key, now, then) in enumerate([(A, a, then_a), (B, b, then_b)])
    )
    consumed = frozenset(i.edge.asset for i in inputs if i.then)
    ran = bool(consumed)
    values = {"consumed_fingerprint": "f1" if ran else None, "consumed_inputs": consumed, "baseline": 0, **more}
    return Facts(workflow=spec, partition="", inputs=inputs, **values)


UNTOUCHED = Unfinished(run="r1", trigger_key="other", granted=False)
GRANTED = Unfinished(run="r1", trigger_key="other", granted=True)
PENDING = Blocker("x.up", "", failed=False)
FAILED = Blocker("x.up", "", failed=True)
ASK = Cause(kind="request", body={"id": "1", "by": "ana", "params": {}})
REBUILD = Cause(kind="fingerprint", body={"fingerprint": "f1", "definition": 2})
EDITED = {"ask": REBUILD, "consumed_fingerprint": "f0"}
SAME = Unfinished(run="r1", trigger_key=trigger_key("x.out", "", ASK), granted=False, asked=True)
ASKED = Unfinished(run="r1", trigger_key="other", granted=False, asked=True)
NO_INPUTS = Facts(workflow=workflow(consumes=()), partition="", inputs=(), baseline=0)

CASES = [
    ("nothing new", facts(), Action.NONE, "up_to_date"),
    ("new content", facts(a=(7, "new")), Action.RUN, "run"),
    ("new seq, equal content", facts(a=(7, "da")), Action.ADVANCE, "unchanged"),
    ("an input has no version", facts(b=None), Action.NONE, "waiting_for_input"),
    ("never ran, inputs are there", facts(then_a=None, then_b=None), Action.RUN, "run"),
    ("never ran, inputs are history", facts(then_a=None, then_b=None, baseline=9), Action.NONE, "not_asked"),
    ("code changed, no news", facts(consumed_fingerprint="f0"), Action.NONE, "code_changed"),
    ("code changed, equal news", facts(a=(7, "da"), consumed_fingerprint="f0"), Action.RUN, "run"),
    ("upstream unfinished", facts(a=(7, "n"), blocker=PENDING), Action.HOLD, "waiting_for"),
    ("upstream failed", facts(a=(7, "n"), blocker=FAILED), Action.HOLD, "upstream_failed"),
    ("upstream unfinished, nothing new", facts(blocker=PENDING), Action.NONE, "up_to_date"),
    ("upstream unfinished, equal content", facts(a=(7, "da"), blocker=PENDING), Action.ADVANCE, "unchanged"),
    ("failed for this cause", facts(a=(7, "n"), attempted=7), Action.NONE, "failed"),
    ("failed, then news", facts(a=(8, "n"), attempted=7), Action.RUN, "run"),
    ("running, news", facts(a=(7, "n"), unfinished=GRANTED), Action.HOLD, "running"),
    ("running, news of what was consumed before it", facts(a=(7, "da"), unfinished=GRANTED), Action.HOLD, "running"),
    ("running, no news", facts(unfinished=GRANTED), Action.NONE, "running"),
    ("queued, newer news", facts(a=(8, "n"), unfinished=UNTOUCHED), Action.RUN, "run"),
    ("queued, news of equal content", facts(a=(8, "da"), unfinished=UNTOUCHED), Action.HOLD, "running"),
    ("asked, nothing new", facts(ask=ASK), Action.RUN, "run"),
    ("asked, upstream unfinished", facts(ask=ASK, blocker=PENDING), Action.RUN, "run"),
    ("rebuild asked, upstream unfinished", facts(**EDITED, blocker=PENDING), Action.HOLD, "waiting_for"),
    ("rebuild asked", facts(**EDITED), Action.RUN, "run"),
    ("rebuild asked, made so since", facts(ask=REBUILD), Action.NONE, "up_to_date"),
    ("rebuild asked, made so since, news", facts(a=(7, "n"), ask=REBUILD), Action.RUN, "run"),
    ("rebuild asked, made so since, then failed", facts(ask=REBUILD, attempted=6), Action.RUN, "run"),
    ("asked while running", facts(ask=ASK, unfinished=GRANTED), Action.HOLD, "running"),
    ("asked, an input has no version", facts(b=None, ask=ASK), Action.NONE, "waiting_for_input"),
    ("asked for the same twice", facts(ask=ASK, unfinished=SAME), Action.NONE, "queued"),
    ("asked for another while one is queued", facts(ask=ASK, unfinished=ASKED), Action.HOLD, "running"),
    ("news while what was asked for is queued", facts(a=(7, "n"), unfinished=ASKED), Action.HOLD, "running"),
    ("made with parameters, equal news", facts(a=(7, "da"), consumed_params='{"x":1}'), Action.RUN, "run"),
    ("made with parameters, no news", facts(consumed_params='{"x":1}'), Action.NONE, "not_triggered"),
    ("no inputs, new", NO_INPUTS, Action.RUN, "run"),
    ("no inputs, another partition than the first", replace(NO_INPUTS, baseline=3), Action.NONE, "not_asked"),
    ("no inputs, failed", replace(NO_INPUTS, attempted=0), Action.NONE, "failed"),
    ("no inputs, ran", replace(NO_INPUTS, consumed_fingerprint="f1"), Action.NONE, "up_to_date"),
    ("manual", facts(a=(7, "n"), spec=workflow(trigger=Manual())), Action.NONE, "manual"),
    ("manual, asked", facts(spec=workflow(trigger=Manual()), ask=ASK), Action.RUN, "run"),
    ("another is waited for", facts(a=(7, "n"), spec=workflow(trigger=OnUpdate((B,)))), Action.NONE, "not_triggered"),
    ("the named asset came", facts(b=(7, "n"), spec=workflow(trigger=OnUpdate((B,)))), Action.RUN, "run"),
]


@pytest.mark.parametrize(("name", "given", "action", "code"), CASES, ids=[c[0] for c in CASES])
def test_decision(name, given, action, code):
    """Each situation has one action and one reason."""
    decision = decide(given)

    assert (action, code) == (decision.action, decision.code)
    assert decision.words


def test_origins_alone_are_need():
    """Equal content that carries other origins runs again: versions downstream must carry them too."""
    given = facts(a=(7, "da"))
    changed = replace(given.inputs[0], now=Level(7, "da", ("other",)))

    assert Action.RUN is decide(replace(given, inputs=(changed, given.inputs[1]))).action


def test_cause_names_the_news_and_only_it():
    """A run's cause holds the seq of each input that has news."""
    decision = decide(facts(a=(7, "n")))

    assert Cause(kind="update", body={"adopted": 0, "seqs": {"x.a": 7}}) == decision.cause
    assert "runs because x.a was updated" == decision.words


def test_same_cause_is_not_planned_twice():
    """A queued run of the very same cause stays; its trigger key is equal."""
    cause = Cause(kind="update", body={"adopted": 0, "seqs": {"x.a": 7}})
    queued = Unfinished(run="r1", trigger_key=trigger_key("x.out", "", cause), granted=False)

    assert (Action.NONE, "queued") == ((d := decide(facts(a=(7, "n"), unfinished=queued))).action, d.code)


def test_a_request_waits_for_the_run_that_is_planned():
    """It is no substitute for an update: it may have parameters, and be cancelled. A rebuild takes its place."""
    asked = Cause(kind="request", body={"id": "1", "by": "me", "params": {}})
    rebuild = Cause(kind="fingerprint", body={"of": "f", "definition": 1})
    waits = decide(facts(a=(8, "n"), unfinished=UNTOUCHED, ask=asked))

    assert (Action.HOLD, None) == (waits.action, waits.supersedes)
    assert "r1" == decide(facts(a=(8, "n"), unfinished=UNTOUCHED, ask=rebuild)).supersedes


def test_untouched_run_is_superseded():
    """News while a run waits for a worker replaces that run, so that nothing old is computed."""
    assert "r1" == decide(facts(a=(8, "n"), unfinished=UNTOUCHED)).supersedes


def test_input_added_by_an_edit_does_not_run_by_itself():
    """A new input whose versions are older than the last run is shown as stale, and not run unasked."""
    given = facts(then_b=None, baseline=10)

    assert (Action.NONE, "inputs_changed") == ((d := decide(given)).action, d.code)


def test_several_causes_read_well():
    """More than one asset were updated, and one was."""
    decision = decide(facts(a=(7, "n"), b=(8, "n")))

    assert "runs because x.a and x.b were updated" == decision.words


DAY = 86_400_000_000
T0, T1, T2 = 6 * 3_600_000_000, 6 * 3_600_000_000 + DAY, 6 * 3_600_000_000 + 2 * DAY
"""Six o'clock on three days. The schedule began at T0, and rang at T1 when the change_seq was 10."""
SIX = on_cron("0 6 * * *")
RANG = Schedule(cron=SIX, since=T0, tick=T1, seq=10, next_at=T2)
SILENT = Schedule(cron=SIX, since=T0, tick=T0, seq=0, next_at=T1)
ANSWERED = {SIX.name: T1}
CRON, BOTH, EITHER = workflow(trigger=SIX), workflow(trigger=on_update(A) & SIX), workflow(trigger=on_update(A) | SIX)
DAYS = replace(
    CRON,
    inputs=tuple(replace(i, mapping=Identity()) for i in CRON.inputs),
    partitions=Daily("day", start="1970-01-01"),
)


def at(tick, spec, a=(5, "da"), b=(6, "db"), **more):
    """Facts of a workflow with a schedule, which last ran on x.a at 5 and x.b at 6."""
    return facts(a, b, spec=spec, schedules=(tick,), **more)


TRUTH = [
    # on_cron alone: what differs at the tick runs, whatever came since waits for the next one
    ("cron: nothing differs, no tick", at(SILENT, CRON), "up_to_date"),
    ("cron: data, no tick", at(SILENT, CRON, a=(7, "n")), "waiting_for_tick"),
    ("cron: nothing differs at the tick", at(RANG, CRON), "unchanged"),
    ("cron: equal content at the tick", at(RANG, CRON, a=(7, "da")), "unchanged"),
    ("cron: data before the tick", at(RANG, CRON, a=(7, "n")), "run"),
    ("cron: data after the tick, which found nothing", at(RANG, CRON, a=(12, "n")), "waiting_for_tick"),
    ("cron: data before and after the tick", at(RANG, CRON, a=(7, "n"), b=(12, "n")), "run"),
    ("cron: data, the tick is answered", at(RANG, CRON, a=(12, "n"), consumed_ticks=ANSWERED), "waiting_for_tick"),
    ("cron: the tick was before adoption", at(replace(RANG, since=T1), CRON, a=(7, "n")), "waiting_for_tick"),
    ("cron: code changed, no tick", at(SILENT, CRON, consumed_fingerprint="f0"), "code_changed"),
    ("cron: code changed at the tick", at(RANG, CRON, consumed_fingerprint="f0"), "run"),
    ("cron: never ran, no tick", at(SILENT, CRON, then_a=None, then_b=None), "waiting_for_tick"),
    ("cron: never ran, at the tick", at(RANG, CRON, then_a=None, then_b=None), "run"),
    ("cron: never ran, history", at(RANG, DAYS, then_a=None, then_b=None, baseline=9), "not_asked"),
    ("cron: an input is missing at the tick", at(RANG, CRON, b=None), "waiting_for_input"),
    (
        "cron: upstream unfinished is for the tick's caller to say",
        at(RANG, CRON, a=(7, "n"), blocker=PENDING),
        "waiting_for",
    ),
    # a failure is tried again by the next tick, not by data that does not trigger
    ("cron: failed at this tick", at(RANG, CRON, a=(7, "n"), attempted=11, attempted_ticks=ANSWERED), "failed"),
    ("cron: failed at this tick, then data", at(RANG, CRON, (7, "n"), (12, "n"), attempted=11), "failed"),
    ("cron: failed before this tick", at(RANG, CRON, a=(7, "n"), attempted=8), "run"),
    ("cron: cancelled at this tick", at(RANG, CRON, a=(7, "n"), attempted=11, cancelled=True), "cancelled"),
    # while a run is going on
    ("cron: running, data since the tick", at(RANG, CRON, a=(12, "n"), unfinished=GRANTED), "running"),
    ("cron: queued, another tick", at(RANG, CRON, a=(7, "n"), unfinished=UNTOUCHED), "run"),
    # on_update(A) & on_cron: both, in any order
    ("both: data at 05:00, no tick", at(SILENT, BOTH, a=(7, "n")), "waiting_for_tick"),
    ("both: data at 05:00, at the tick", at(RANG, BOTH, a=(7, "n")), "run"),
    ("both: the tick, no data", at(RANG, BOTH), "up_to_date"),
    ("both: the tick, then data at 06:30", at(RANG, BOTH, a=(12, "n")), "run"),
    ("both: the tick is answered, then data", at(RANG, BOTH, a=(12, "n"), consumed_ticks=ANSWERED), "waiting_for_tick"),
    ("both: the tick, data of another", at(RANG, BOTH, b=(12, "n")), "not_triggered"),
    ("both: equal content at 05:00", at(SILENT, BOTH, a=(7, "da")), "waiting_for_tick"),
    ("both: equal content at the tick", at(RANG, BOTH, a=(7, "da")), "unchanged"),
    ("both: failed, data since", at(RANG, BOTH, a=(12, "n"), attempted=11, attempted_ticks=ANSWERED), "run"),
    ("both: failed, no data since", at(RANG, BOTH, a=(12, "n"), attempted=13, attempted_ticks=ANSWERED), "failed"),
    # on_update(A) | on_cron: A at once, everything else at the tick
    ("either: data of A", at(SILENT, EITHER, a=(7, "n")), "run"),
    ("either: data of B", at(SILENT, EITHER, b=(7, "n")), "waiting_for_tick"),
    ("either: data of B at the tick", at(RANG, EITHER, b=(7, "n")), "run"),
    ("either: data of B after the tick", at(RANG, EITHER, b=(12, "n")), "waiting_for_tick"),
    ("either: data of A after the tick", at(RANG, EITHER, a=(12, "n")), "run"),
]


@pytest.mark.parametrize(("name", "given", "code"), TRUTH, ids=[t[0] for t in TRUTH])
def test_truth_table_of_ticks(name, given, code):
    """What is new, which tick, what was answered: each row has one reason."""
    assert code == (found := decide(given)).code, found.words


@pytest.mark.parametrize("given", [g for _, g, code in TRUTH if code in ("waiting_for_tick", "failed", "cancelled")])
def test_what_a_tick_would_change_is_held_for_it(given):
    """The clock finds, by what is held, all that its next tick is about."""
    decision = decide(given)

    assert (Action.HOLD, Blocker(CLOCK, "x.out", failed=False)) == (decision.action, decision.blocker)
    assert "0 6 * * * (UTC), next at 1970-01-0" in decision.words


def test_a_cause_names_the_tick_in_its_own_time():
    """What ran by the clock says which schedule, and when it was due by that clock."""
    tick = decide(at(RANG, CRON, a=(7, "n")))
    both = decide(at(RANG, BOTH, a=(7, "n")))

    assert Cause(kind="tick", body={"ticks": {SIX.name: T1}}) == tick.cause
    assert "runs because the schedule 0 6 * * * (UTC) was due at 1970-01-02 06:00" == tick.words
    assert {"adopted": 0, "seqs": {"x.a": 7}, "ticks": {SIX.name: T1}} == both.cause.body
    assert both.words.endswith("x.a was updated and the schedule 0 6 * * * (UTC) was due at 1970-01-02 06:00")


def test_an_answer_says_what_it_answers():
    """Where nothing differs, the tick counts as answered, for its partition alone."""
    assert {SIX.name: T1} == decide(at(RANG, CRON)).ticks


def test_two_schedules_are_told_apart():
    """Each has ticks of its own; with &, both must have come since the last answer."""
    noon = on_cron("0 12 * * *")
    spec = workflow(trigger=SIX & noon)
    schedules = (RANG, Schedule(cron=noon, since=T0, tick=T0, seq=0, next_at=T1 + 1))
    half = facts(a=(7, "n"), spec=spec, schedules=schedules)
    full = replace(half, schedules=(RANG, replace(schedules[1], tick=T1 + 1, seq=11)))

    assert "waiting_for_tick" == decide(half).code
    assert "0 12 * * * (UTC), next at" in decide(half).words
    assert {SIX.name: T1, noon.name: T1 + 1} == decide(full).cause.body["ticks"]
    # The tick at noon was enough together with the one before it, and found nothing.
    assert "waiting_for_tick" == decide(replace(full, inputs=facts(a=(12, "n"), spec=spec).inputs)).code


ALONE = Facts(workflow=workflow(trigger=SIX, consumes=()), partition="", inputs=(), baseline=0, schedules=(SILENT,))


def test_without_inputs_each_tick_is_one():
    """It does not run when it is new, runs at every tick, and a failure waits for the next."""
    ran = replace(ALONE, consumed_fingerprint="f1", schedules=(RANG,))

    assert "waiting_for_tick" == decide(ALONE).code
    assert "run" == decide(replace(ALONE, schedules=(RANG,))).code
    assert "run" == decide(ran).code
    assert "up_to_date" == decide(replace(ran, consumed_ticks=ANSWERED)).code
    assert "failed" == decide(replace(ran, attempted=10, attempted_ticks=ANSWERED)).code


def test_without_partitioned_inputs_a_tick_is_for_its_day():
    """The partition of the tick's own day runs; others, whatever differs in them, are not what it is about."""
    spec = replace(workflow(trigger=SIX, consumes=()), partitions=Daily("day", start="1970-01-01"))
    day = replace(ALONE, workflow=spec, schedules=(RANG,), partition="1970-01-02", baseline=9)

    assert "run" == decide(day).code
    assert "not_asked" == decide(replace(day, partition="1970-01-01")).code
    assert "up_to_date" == decide(replace(day, partition="1970-01-01", consumed_fingerprint="f1")).code


MISSING = workflow(trigger=missing())
NEVER = {"then_a": None, "then_b": None, "spec": MISSING, "missing": frozenset({"x.out"})}


def test_missing_asks_for_history_once():
    """What was never made is made, though its inputs are older than the workflow; then news alone does nothing."""
    first = decide(facts(baseline=9, **NEVER))

    assert ("run", "runs because x.out has no version") == (first.code, first.words)
    assert "failed" == decide(facts(baseline=9, attempted=9, **NEVER)).code
    assert "run" == decide(facts(a=(12, "da"), baseline=9, attempted=9, **NEVER)).code
    assert "not_triggered" == decide(facts(a=(7, "n"), spec=MISSING)).code
    assert "up_to_date" == decide(facts(spec=MISSING, missing=frozenset({"x.out"}))).code


def test_a_state_gates_an_event():
    """An update waits until the state allows it, and a run for it names the update."""
    spec = workflow(trigger=on_update() & ~missing("x.ref"))
    shut = facts(a=(7, "n"), spec=spec, missing=frozenset({"x.ref"}))

    assert "not_triggered" == decide(shut).code
    assert "update" == decide(replace(shut, missing=frozenset())).cause.kind


def test_a_state_alone_runs_nothing_for_an_edit():
    """A state that lasts is no reason to run what only its code made stale."""
    given = facts(spec=workflow(trigger=~missing("x.ref")), consumed_fingerprint="f0")

    assert Action.NONE is decide(given).action
