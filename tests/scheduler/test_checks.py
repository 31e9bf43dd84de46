"""Checks of what a run makes: what blocks, what only warns, what is noted, and what others wait for."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from riparian.assets.checks import CheckSpec
from riparian.assets.errors import Conflict, NotFound, Refused
from riparian.assets.keys import AssetKey
from riparian.assets.policy import Policy, Principal
from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.assets.triggers import checks_passed, on_update
from riparian.scheduler import policies, sessions
from riparian.scheduler.cancel import cancel
from riparian.scheduler.core.lifecycle import LOST_ATTEMPTS
from riparian.scheduler.core.protocol import Lease
from riparian.scheduler.register import InvalidProject
from riparian.scheduler.rerun import rerun
from riparian.storage.metadata import schema
from tests.scheduler.conftest import histories

ME = Principal(name="me", groups=frozenset({"owners"}))


def check_of(key: str, name: str = "good", **declared: Any) -> CheckSpec:
    """A check of an asset, warning unless it says otherwise."""
    said = {"module": "code", "qualname": name, "parameter": key, "type": "str", "returns": "bool"}
    return CheckSpec(asset=AssetKey(key), name=name, **said, **declared)


OPS = Principal(name="ana", groups=frozenset({"ops"}))
BOB = Principal(name="bob")
CLOSED = Policy(readers={"ops"})

BLOCKING = {"a": (check_of("a", blocking=True),)}
WARNING = {"a": (check_of("a"),)}


def step(plant, content: Any = None) -> Lease:
    """Does what is ready next, as ``content`` says where it is given."""
    (lease,) = plant.take()
    assert [200] == [r.status for r in plant.ask(plant.done(lease, content)).results]
    return lease


def made(plant, verdict: Any, content: str = "1") -> None:
    """A file arrives, ``a`` is made of it and its check says ``verdict``."""
    plant.drop("s", content)
    assert ["s", "a", "a"] == [step(plant).workflow, step(plant).workflow, step(plant, verdict).workflow]


def results(plant, run: str) -> dict[str, bool]:
    page = plant.plane.access.as_principal(ME).run(run)
    return {r["check"]: r["passed"] for r in page["checks"]}


def test_a_check_runs_after_its_asset_and_before_the_head_moves(plant) -> None:
    """It receives the very version that was just made; until it has answered nobody sees that."""
    plant.apply({"a": ["s"]}, checks=WARNING)
    plant.drop("s", "1")
    step(plant)
    step(plant)
    (check,) = plant.take()

    assert ("a.good", None) == (check.task, plant.head("a"))
    assert ['"a(=1)"'] == [p.content for i in check.inputs for p in i.pieces]
    plant.ask(plant.done(check))
    assert "a(=1)" == plant.head("a")


def test_what_a_blocking_check_refuses_never_becomes_the_head(plant) -> None:
    """The former head stays, its consumers run on that no more, and both reasons name the check."""
    plant.apply({"a": ["s"], "b": ["a"], "c": ["a", "s"]}, checks=BLOCKING)
    made(plant, True)
    plant.settle()
    made(plant, {"passed": False, "metadata": {"bad": 2}, "description": "two rows are bad"}, "2")

    assert ("a(=1)", "b(=a(=1))", []) == (plant.head("a"), plant.head("b"), plant.settle())
    run = plant.runs("a")[0]
    assert ("failed", "a did not pass the check a.good: two rows are bad") == (run["state"], run["error"])
    assert ["check_failed", "up_to_date", "check_failed"] == [plant.why(key) for key in ("a", "b", "c")]
    words = plant.plane.access.as_principal(ME).why("c")["words"]
    assert "a did not pass the check a.good" == words


def test_a_warning_is_noted_and_the_head_moves(plant) -> None:
    """Its consumers run as always."""
    plant.apply({"a": ["s"], "b": ["a"]}, checks=WARNING)
    made(plant, False)

    assert ["b"] == plant.settle()
    assert ("a(=1)", "up_to_date") == (plant.head("a"), plant.why("a"))
    assert {"good": False} == results(plant, plant.runs("a")[0]["id"])


@pytest.mark.parametrize("repair", ["rerun", "upstream"])
def test_after_a_correction_it_goes_on(plant, repair: str) -> None:
    """Run again, or made of a corrected input, it passes; its consumers follow and the reasons are gone."""
    plant.apply({"a": ["s"], "b": ["a"]}, checks=BLOCKING)
    made(plant, False)
    assert ("check_failed", "waiting_for_input") == (plant.why("a"), plant.why("b"))
    if repair == "rerun":
        rerun(plant.plane, plant.runs("a")[0]["id"], ME)
        step(plant, "better")
        step(plant, True)
    else:
        made(plant, True, "2")

    assert ["b"] == plant.settle()
    assert ["up_to_date", "up_to_date"] == [plant.why("a"), plant.why("b")]


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_a_check_that_breaks_has_not_passed(plant, outcome: str) -> None:
    """Nobody knows what it would have said: one that blocks does, a warning is noted with the error."""
    plant.apply({"a": ["s"], "c": ["t"]}, checks={**BLOCKING, "c": (check_of("c"),)})
    for source in ("s", "t"):
        plant.drop(source, "1")
    while leases := plant.take(8):
        is_check = [lease.task in ("a.good", "c.good") for lease in leases]
        plant.ask(*(plant.failed(x, outcome) if it else plant.done(x) for x, it in zip(leases, is_check, strict=True)))

    assert (None, "c(=1)") == (plant.head("a"), plant.head("c"))
    (blocked,), (warned,) = plant.runs("a"), plant.runs("c")
    assert ("failed", "a.good: it broke", "succeeded") == (blocked["state"], blocked["error"], warned["state"])
    assert "check_failed" == plant.why("a")
    (found,) = plant.plane.access.as_principal(ME).run(warned["id"])["checks"]
    assert (False, "it broke") == (found["passed"], found["description"])


@pytest.mark.parametrize("content", ["yes", 1, None, {}, {"passed": 1}, {"passed": True, "metadata": []}])
def test_what_is_no_answer_does_not_pass(plant, content: Any) -> None:
    """A check answers True, False or a CheckResult; of anything else the run says so."""
    plant.apply({"a": ["s"]}, checks=BLOCKING)
    plant.drop("s", "1")
    step(plant)
    step(plant)
    (check,) = plant.take()
    answer = plant.done(check, content)
    if content is None:
        answer = replace(answer, outputs=(), unchanged=tuple(o.asset for o in check.outputs))

    assert [422] == [r.status for r in plant.ask(answer).results]
    assert "CheckResult" in plant.runs("a")[0]["error"]
    assert plant.head("a") is None


def test_a_lost_check_is_tried_again_and_then_given_up(plant) -> None:
    """Its worker may die; one that kills each of its workers has not passed, and a warning stops nobody."""
    plant.apply({"a": ["s"]}, checks=WARNING)
    plant.drop("s", "1")
    step(plant)
    step(plant)
    tries = 0
    while leases := plant.take():
        plant.ask(plant.failed(leases[0], "lost"))
        tries += 1

    assert ("a(=1)", 1 + LOST_ATTEMPTS) == (plant.head("a"), tries)
    assert {"good": False} == results(plant, plant.runs("a")[0]["id"])


def test_nothing_new_needs_no_check(plant) -> None:
    """An asset that keeps its head by NoUpdate is not looked at; the step says why it was skipped."""
    plant.apply({"a": ["s"]}, checks=BLOCKING)
    plant.drop("s", "1")
    step(plant)
    (lease,) = plant.take()
    plant.ask(replace(plant.done(lease), outputs=(), unchanged=("a",)))
    run = plant.plane.access.as_principal(ME).run(plant.runs("a")[0]["id"])

    assert ("succeeded", []) == (run["state"], plant.take())
    assert {"a": ("succeeded", None), "a.good": ("skipped", "'a' was not made")} == {
        s["task"]: (s["state"], s["reason"]) for s in run["steps"]
    }


def test_several_checks_and_the_first_that_blocks_ends_the_run(plant) -> None:
    """What was answered before it stays noted; what still works on it is fenced."""
    plant.apply({"a": ["s"]}, checks={"a": tuple(check_of("a", n, blocking=n != "warns") for n in ("x", "y", "warns"))})
    plant.drop("s", "1")
    step(plant)
    step(plant)
    leases = {lease.task: lease for lease in plant.take(3)}
    answers = [plant.done(leases["a.warns"], False), plant.done(leases["a.x"], False), plant.done(leases["a.y"], False)]

    assert [200, 200, 409] == [plant.ask(a).results[0].status for a in answers]
    run = plant.runs("a")[0]
    assert {"warns": False, "x": False} == results(plant, run["id"])
    assert "a did not pass the check a.x" == run["error"]


def test_what_tasks_of_two_roads_make_is_checked_on_the_road_that_was_taken(plant) -> None:
    """One step for each of the tasks that can make it; the other is skipped with its road."""
    raw = Argument(parameter="s", type="dict", ref=Ref(kind="input", name="s"))
    base = TaskSpec(name="a", module="code", qualname="a", returns="dict", output="a")
    tasks: tuple[TaskSpec, ...] = (
        replace(base, name="road", arguments=(raw,), output="", returns="str", labels=("x", "y")),
        replace(base, name="left", arguments=(raw,), roads=(Road(decision="road", label="x"),)),
        replace(base, name="right", arguments=(raw,), roads=(Road(decision="road", label="y"),)),
    )
    plant.apply({"a": ["s"]}, tasks={"a": tasks}, checks=BLOCKING)
    plant.drop("s", "1")
    step(plant)
    step(plant, "y")
    step(plant)
    (check,) = plant.take()

    assert "a.good (right)" == check.task
    plant.ask(plant.done(check, False))
    assert ("check_failed", None) == (plant.why("a"), plant.head("a"))


def test_an_edit_of_a_check_makes_nothing_stale(plant) -> None:
    """The workflow is told as changed, and no run follows; the next run has the new check."""
    plant.apply({"a": ["s"]}, checks=WARNING)
    made(plant, True)
    applied = plant.apply({"a": ["s"]}, checks={"a": (check_of("a", "other", blocking=True),)})

    assert (["a"], [], "up_to_date") == (applied.changed, applied.planned, plant.why("a"))
    made(plant, False, "2")
    assert "a(=1)" == plant.head("a")


def test_others_wait_until_the_checks_pass(plant) -> None:
    """A trigger may ask for passed checks, of warnings too: what it waits for is said, and a good version releases it.

    Dagster 1.13 (TK:test_blocking_checks_with_eager): there it is a condition of each consumer; here a blocking check
    holds everybody by itself, and this asks for more.
    """
    plant.apply({"a": ["s"], "b": ["a"], "c": ["a"]}, checks=WARNING, triggers={"b": on_update() & checks_passed("a")})
    made(plant, False)
    assert ["c"] == plant.settle()
    words = plant.plane.access.as_principal(ME).why("b")["words"]
    assert ("check_failed", "waits for checks to pass: a.good did not pass") == (plant.why("b"), words)

    made(plant, True, "2")
    assert ["b", "c"] == sorted(plant.settle())


def test_all_that_is_consumed_is_asked_for_where_no_asset_is_named(plant) -> None:
    """What has no checks holds nobody; the state by itself runs what differs, and once.

    Dagster 1.13 (TK:test_all_deps_blocking_checks_passed_condition) requests again at every tick while all pass.
    """
    plant.apply({"a": ["s"], "b": ["a", "t"]}, checks=WARNING, triggers={"b": checks_passed()})
    plant.drop("t", "1")
    step(plant)
    made(plant, False)
    assert ([], "check_failed") == (plant.settle(), plant.why("b"))
    made(plant, True, "2")

    assert (["b"], []) == (plant.settle(), plant.settle())


def test_what_fails_its_check_can_be_what_is_waited_for(plant) -> None:
    """~checks_passed runs on what is not good, such as a report about it."""
    plant.apply({"a": ["s"], "b": ["a"]}, checks=WARNING, triggers={"b": on_update() & ~checks_passed("a")})
    made(plant, True)
    assert [] == plant.settle()
    made(plant, False, "2")

    assert ["b"] == plant.settle()


def test_a_check_that_is_declared_anew_has_passed_on_nothing(plant) -> None:
    """Who waits for checks waits for it too, and no longer once it is taken away."""
    edges = {"a": ["s"], "b": ["a"]}
    triggers = {"b": on_update() & checks_passed("a")}
    both = {"a": (check_of("a"), check_of("a", "new"))}
    plant.apply(edges, checks=WARNING, triggers=triggers)
    plant.apply(edges, checks=both, triggers=triggers)
    plant.drop("s", "1")
    step(plant)
    step(plant)
    for lease in plant.take(2):
        plant.ask(plant.done(lease, lease.task == "a.good"))
    assert ([], "check_failed") == (plant.settle(), plant.why("b"))
    plant.apply(edges, checks=WARNING, triggers=triggers)

    assert ["b"] == plant.settle()


def test_each_partition_has_its_own_results(plant) -> None:
    """A bad day holds up what is made of that day, and no other."""
    plant.apply({"a": ["s"], "b": ["a"]}, daily=("s", "a", "b"), checks=BLOCKING)
    for day in ("2020-01-01", "2020-01-02"):
        plant.drop("s", day, day)
        while leases := plant.take():
            is_bad = leases[0].task == "a.good" and leases[0].partition == "2020-01-02"
            plant.ask(plant.done(leases[0], False if is_bad else None))

    assert ["b(2020-01-01=a(2020-01-01=2020-01-01))", None] == [
        plant.head("b", day) for day in ("2020-01-01", "2020-01-02")
    ]
    assert ["up_to_date", "check_failed"] == [plant.why("a", day) for day in ("2020-01-01", "2020-01-02")]


def test_a_foreign_manifest_can_not_have_a_check_of_what_it_does_not_make(plant) -> None:
    """A check of another's asset would decide over it."""
    with pytest.raises(InvalidProject, match="does not make that asset"):
        plant.apply({"a": ["s"], "b": ["a"]}, checks={"b": (replace(check_of("b"), asset=AssetKey("a")),)})


@pytest.mark.parametrize("name", ["a.good", "a.good (a)"])
def test_a_task_can_not_be_called_as_a_check_is(plant, name: str) -> None:
    """Its run would have two steps of one name, and no end."""
    raw = Argument(parameter="s", type="dict", ref=Ref(kind="input", name="s"))
    makes = TaskSpec(name="a", module="code", qualname="a", returns="dict", output="a", arguments=(raw,))
    with pytest.raises(InvalidProject, match="called as a task"):
        plant.apply({"a": ["s"]}, tasks={"a": (makes, replace(makes, name=name, output=""))}, checks=BLOCKING)


def test_what_checks_found_last_is_told_to_readers(plant) -> None:
    """Each declared check with its newest result; one that looked at nothing yet is there without."""
    plant.apply({"a": ["s"]}, checks=BLOCKING)
    made(plant, True)
    made(plant, {"passed": False, "metadata": {"bad": 2}, "description": "two are bad"}, "2")
    plant.apply({"a": ["s"]}, checks={"a": (*BLOCKING["a"], check_of("a", "new"))})
    good, new = plant.plane.access.as_principal(ME).checks("a")["checks"]

    assert ("good", True, "new", None) == (good["name"], good["blocking"], new["name"], new["result"])
    found = good["result"]
    assert (False, True, {"bad": 2}, "two are bad", False) == tuple(
        found[name] for name in ("passed", "blocked", "metadata", "description", "head")
    )


def test_who_may_not_read_the_asset_learns_nothing_of_its_checks(plant) -> None:
    """To the owner neither names nor results, in no list, step, reason or error; to others there is no asset."""
    plant.apply({"a": ["s"], "c": ["a", "s"]}, checks=BLOCKING, policies={"s": CLOSED})
    made(plant, {"passed": False, "metadata": {"bad": 2}, "description": "two are bad"})
    plant.settle()
    owner, reader, bob = (plant.plane.access.as_principal(p) for p in (ME, OPS, BOB))
    run = reader.runs(None, 9, workflow="a").items[0]["id"]

    assert ["good", "check_failed", "a.good"] == [
        reader.checks("a")["checks"][0]["name"],
        reader.why("a")["code"],
        reader.run(run)["steps"][-1]["task"],
    ]
    with pytest.raises(Refused, match="only ops may read"):
        owner.checks("a")
    with pytest.raises(NotFound):
        bob.checks("a")
    told = json.dumps([owner.run(run), owner.why("a"), owner.why("c"), owner.plan().items, owner.asset("a")])
    assert [False] * 4 == [word in told for word in ("good", "check_failed", "two are bad", "not pass")]
    assert "withheld" == owner.why("a")["code"]


def test_a_source_that_is_tightened_later_closes_what_checks_found(plant) -> None:
    """The results carry the origins of the version that they are of."""
    plant.apply({"a": ["s"]}, checks=WARNING)
    made(plant, {"passed": True, "metadata": {"rows": 3}})
    before = plant.plane.access.as_principal(BOB).checks("a")["checks"][0]["result"]["metadata"]
    graph = plant.plane.db.read(plant.plane.graphs.at)
    policies.set_overlay(plant.plane.db, graph, "s", CLOSED, ME)

    assert {"rows": 3} == before
    with pytest.raises(NotFound):
        plant.plane.access.as_principal(BOB).checks("a")


def test_going_on_from_a_failure_checks_what_was_not_passed(plant) -> None:
    """What passed is known of what is taken over too; what blocked is asked again, and still decides."""
    plant.apply({"a": ["s"]}, checks={"a": (check_of("a", "x"), check_of("a", "y", blocking=True))})
    plant.drop("s", "1")
    step(plant)
    step(plant)
    checks = {lease.task: lease for lease in plant.take(2)}
    plant.ask(plant.done(checks["a.x"], True), plant.done(checks["a.y"], False))
    (failed,) = plant.runs("a")
    rerun(plant.plane, failed["id"], ME, from_failed=True)
    (again,) = plant.take(8)

    assert ("a.y", None) == (again.task, plant.head("a"))
    plant.ask(plant.done(again, True))
    assert ("a(=1)", {"x": True, "y": True}) == (plant.head("a"), results(plant, plant.runs("a")[0]["id"]))


OFTEN = {"drop": 6, "take": 12, "pass": 12, "refuse": 4, "resume": 3}
KINDS = [*OFTEN, "fail", "lost", "silence", "rerun", "cancel", "apply"]


@histories(30)
@given(seed=st.integers(0, 99_999), length=st.integers(0, 100))
def test_no_head_was_refused_by_a_blocking_check(make_plant, seed: int, length: int) -> None:
    """Whatever is dropped, killed, cancelled, run again or declared anew, and in whatever order work ends: each head of
    an asset passed every blocking check that its run had."""
    plant = make_plant()
    rng, held = random.Random(seed), []
    edges = {"a": ["s"], "b": ["a", "s"]}
    some = tuple(check_of("a", n, blocking=n != "warns") for n in ("x", "y", "warns"))
    plant.apply(edges, checks={"a": some, "b": (check_of("b", blocking=True),)})
    for _ in range(length):
        (kind,) = rng.choices(KINDS, [OFTEN.get(k, 1) for k in KINDS])
        act(plant, kind, rng, held, edges, some)

    def look(tx: Any) -> list[Any]:
        h, r, c, step = schema.head, schema.version, schema.check_result, schema.step
        bad = select(h.c.asset).join(c, c.c.version == h.c.version).where(c.c.blocking.is_(True), c.c.passed.is_(False))
        open_ = (
            select(step.c.task)
            .join(r, r.c.run == step.c.run)
            .join(h, h.c.version == r.c.id)
            .where(step.c.state.not_in(("succeeded", "skipped", "failed")))
        )
        return [*tx.conn.execute(bad), *tx.conn.execute(open_)]

    assert [] == plant.plane.db.read(look)


def act(plant, kind: str, rng: random.Random, held: list[Lease], edges: Any, some: Any) -> None:
    """One thing that can happen at any time."""
    if kind == "drop":
        plant.drop("s", str(rng.randrange(4)))
    elif kind == "take":
        held += plant.take(rng.randint(1, 3))
    elif kind == "silence":
        plant.now += 11_000_000
        sessions.expire(plant.plane)
        plant.session = plant.join()
    elif kind == "apply":
        plant.apply(edges, checks={"a": some[: rng.randrange(4)], "b": (check_of("b", blocking=rng.random() < 0.5),)})
    elif kind in ("rerun", "cancel", "resume"):
        known = [r["id"] for key in edges for r in plant.runs(key)]
        how = {"rerun": rerun, "cancel": cancel, "resume": partial(rerun, from_failed=True)}[kind]
        with suppress(Conflict, NotFound):
            how(plant.plane, rng.choice(known or ["none"]), ME)
    elif held:
        lease = held.pop(rng.randrange(len(held)))
        is_check = "." in lease.task
        answers = {"pass": plant.done(lease), "refuse": plant.done(lease, False if is_check else None)}
        plant.ask(answers.get(kind) or plant.failed(lease, "lost" if kind == "lost" else "failed"))
