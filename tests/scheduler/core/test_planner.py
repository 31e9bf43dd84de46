"""The planner's answers, case by case, on plain values."""

from dataclasses import replace

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec, TaskSpec, WorkflowSpec
from riparian.assets.partitions import One
from riparian.assets.triggers import Manual, OnUpdate
from riparian.scheduler.core.facts import Action, Blocker, Cause, Facts, InputFacts, Level, Unfinished, trigger_key
from riparian.scheduler.core.graph import Edge
from riparian.scheduler.core.planner import decide

A, B = AssetKey("x.a"), AssetKey("x.b")


def workflow(*, trigger=OnUpdate(), consumes=(A, B)) -> WorkflowSpec:  # noqa: B008 - a frozen value
    return WorkflowSpec(
        key="x.out",
        inputs=tuple(InputSpec(parameter=k[-1], asset=k, type="dict", mapping=One()) for k in consumes),
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
    ("rebuild asked, upstream unfinished", facts(ask=REBUILD, blocker=PENDING), Action.HOLD, "waiting_for"),
    ("rebuild asked", facts(ask=REBUILD), Action.RUN, "run"),
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


def test_untouched_run_is_superseded():
    """News while a run waits for a worker replaces that run, so that nothing old is computed."""
    assert "r1" == decide(facts(a=(8, "n"), unfinished=UNTOUCHED)).supersedes


def test_input_added_by_an_edit_does_not_run_by_itself():
    """A new input whose versions are older than the last run is shown as stale, and not run unasked."""
    given = facts(then_b=None, baseline=10)

    assert (Action.NONE, "not_triggered") == ((d := decide(given)).action, d.code)


def test_several_causes_read_well():
    """More than one asset were updated, and one was."""
    decision = decide(facts(a=(7, "n"), b=(8, "n")))

    assert "runs because x.a and x.b were updated" == decision.words
