"""Running a run once more: the same target and parameters, today's inputs and code."""

import json
from dataclasses import replace

import pytest

from riparian.assets.errors import Conflict, NotFound, Refused
from riparian.assets.policy import Policy, Principal
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import on_cron
from riparian.scheduler import events, register, request
from riparian.scheduler.rerun import rerun

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))
EVE = Principal(name="eve")
N = {"b": {"n": 0}}


def task(name, *refs, output=""):
    """A task that takes these."""
    taken = tuple(Argument(parameter=f"p{n}", type="dict", ref=ref) for n, ref in enumerate(refs))
    return TaskSpec(name=name, module="code", qualname=name, returns="dict", arguments=taken, output=output)


FOUR = (
    task("one", Ref(kind="input", name="a")),
    task("two", Ref(kind="task", name="one")),
    task("three", Ref(kind="input", name="a")),
    task("end", Ref(kind="task", name="two"), Ref(kind="task", name="three"), output="w"),
)


@pytest.fixture
def made(plant):
    """b was made from a with parameters, then a was updated and b's code changed."""
    plant.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})}, parameters=N)
    plant.drop("a", "one")
    plant.settle()
    request.materialize(plant.plane, "b", "", ME, {"n": 7})
    plant.settle()
    return plant


def test_it_runs_with_the_same_parameters_and_todays_inputs_and_code(made):
    """And says who asked, and as which run."""
    old = made.runs("b")[0]
    made.drop("a", "two")
    made.settle()
    made.apply({"b": ["a"]}, code="two", policies={"a": Policy(readers={"ops", "owners"})}, parameters=N)
    asked = rerun(made.plane, old["id"], ME)
    [lease] = made.take()
    made.ask(made.done(lease))
    run = made.runs("b")[0]

    assert (asked.run, {"n": 7}) == (run["id"], run["params"])
    assert {"n": 7} == lease.params
    assert f"me asked to run it again (as {old['id']})" == run["cause"]
    assert "b(=two)" == made.head("b")
    assert made.bundle("two")[0] == lease.entry.bundle


def test_asked_twice_it_runs_twice(made):
    """As two requests do, one after the other."""
    old = made.runs("b")[0]["id"]
    first, second = rerun(made.plane, old, ME), rerun(made.plane, old, ME)

    assert first.run is not None
    assert None is second.run
    assert ["b", "b"] == made.settle()


def test_an_update_waits_for_it(made):
    """What somebody asked for runs as it was asked for; news is looked at afterwards."""
    asked = rerun(made.plane, made.runs("b")[0]["id"], ME)
    made.drop("a", "two")
    made.ask(made.done(next(lease for lease in made.take(8) if lease.workflow == "a")))

    assert "superseded" != next(r["state"] for r in made.runs("b") if r["id"] == asked.run)


def test_a_failed_run_is_repaired_by_it(plant):
    """The usual reason for asking."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    [lease] = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    rerun(plant.plane, lease.run, ME)

    assert ["b"] == plant.settle()
    assert "b(=one)" == plant.head("b")


def test_readers_may_not_rerun_and_strangers_may_not_know(made):
    """As for any request."""
    run = made.runs("b")[0]["id"]
    with pytest.raises(Refused, match="not yours to run again"):
        rerun(made.plane, run, ANA)
    with pytest.raises(NotFound) as hidden:
        rerun(made.plane, run, EVE)
    with pytest.raises(NotFound) as missing:
        rerun(made.plane, "nothing", EVE)

    assert str(missing.value).replace("nothing", run) == str(hidden.value)
    assert [] == made.settle()


def test_files_and_updates_are_not_run_again(made):
    """They are no work of ours."""
    events.record(made.plane, "a", 1, ME)
    update, file = made.runs("a")

    with pytest.raises(Conflict, match="report it again"):
        rerun(made.plane, update["id"], ME)
    with pytest.raises(Conflict, match="drop it again"):
        rerun(made.plane, file["id"], ME)


def test_a_removed_workflow_is_not_run(made):
    """Nobody knows its code any more."""
    old = made.runs("b")[0]["id"]
    made.apply({"c": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})})

    with pytest.raises(Conflict, match="declared no more"):
        rerun(made.plane, old, ME)


def test_a_partition_that_is_no_more_is_not_run(made):
    """b was in one piece, and is cut into days now."""
    old = made.runs("b")[0]["id"]
    made.apply({"b": ["a"]}, daily=("a", "b"), policies={"a": Policy(readers={"ops", "owners"})}, parameters=N)

    with pytest.raises(Conflict, match="no partition"):
        rerun(made.plane, old, ME)


def take_all(plant):
    """Leases until nothing is ready, by task."""
    return {lease.task: lease for lease in plant.take(8)}


@pytest.fixture
def failed(plant):
    """w of four tasks: one succeeded, two failed, three made a value, end never began."""
    plant.apply({"w": ["a"], "below": ["w"]}, tasks={"w": FOUR})
    plant.drop("a", "first")
    plant.ask(plant.done(plant.take()[0]))
    begun = take_all(plant)
    plant.ask(plant.done(begun["one"]))
    plant.ask(plant.done(begun["three"]))
    plant.ask(plant.failed(take_all(plant)["two"]))
    return plant


def test_what_failed_goes_on_with_its_own_inputs_and_code(failed):
    """What succeeded is not done again; the rest receives it, and the heads move as if nothing had failed."""
    (old,) = failed.runs("w")
    asked = rerun(failed.plane, old["id"], ME, from_failed=True)
    begun = take_all(failed)

    assert ["two"] == list(begun)
    assert (asked.run, "one(=first)") == (begun["two"].run, json.loads(begun["two"].inputs[0].pieces[0].content))
    failed.ask(failed.done(begun["two"]))
    (end,) = failed.take()
    assert "end" == end.task
    failed.ask(failed.done(end))
    new = failed.plane.access.as_principal(ME).run(asked.run)
    assert ("succeeded", f"me asked to go on from where it failed (as {old['id']})") == (new["state"], new["cause"])
    assert failed.head("w").startswith("end(=two(=one(=first))")
    assert ["below"] == failed.settle()
    assert "up_to_date" == failed.why("w")


def test_steps_of_a_map_that_succeeded_are_kept(plant):
    """Only the items that failed, or were not reached, are done again."""
    items = Argument(parameter="n", type="", ref=Ref(kind="value", value=[1, 2, 3]))
    each = TaskSpec(name="each", module="code", qualname="each", returns="dict", mapped="n", arguments=(items,))
    total = Argument(parameter="p", type="", ref=Ref(kind="results", name="each"))
    end = TaskSpec(name="end", module="code", qualname="end", returns="dict", output="w", arguments=(total,))
    plant.apply({"w": []}, tasks={"w": (each, end)})
    first, second, _ = plant.take(8)
    plant.ask(plant.done(first, "made"))
    plant.ask(plant.failed(second))
    rerun(plant.plane, first.run, ME, from_failed=True)
    again = plant.take(8)

    assert [{"n": 2}, {"n": 3}] == [lease.constants for lease in again]
    plant.ask(*[plant.done(lease) for lease in again])
    (last,) = plant.take()
    assert 3 == len(last.inputs[0].pieces)


def test_it_goes_on_only_from_the_last_run_and_only_if_that_failed(failed):
    """Results of other inputs than the heads were made from must not come after them."""
    (old,) = failed.runs("w")
    first = rerun(failed.plane, old["id"], ME, from_failed=True)
    with pytest.raises(Conflict, match="under way"):
        rerun(failed.plane, old["id"], ME, from_failed=True)
    failed.settle()
    with pytest.raises(Conflict, match="another run came since"):
        rerun(failed.plane, old["id"], ME, from_failed=True)
    with pytest.raises(Conflict, match="it succeeded"):
        rerun(failed.plane, first.run, ME, from_failed=True)


def test_what_came_meanwhile_is_not_lost(failed):
    """News that arrives while it goes on is run for when it has ended."""
    (old,) = failed.runs("w")
    rerun(failed.plane, old["id"], ME, from_failed=True)
    two = take_all(failed)["two"]
    failed.drop("a", "second")
    (ingest,) = failed.take()
    failed.ask(failed.done(ingest))
    failed.ask(failed.done(two))
    failed.settle()

    assert "second" in failed.head("w")
    assert "up_to_date" == failed.why("w")


def test_only_its_owner_lets_it_go_on(failed):
    """As only its owner runs it again."""
    with pytest.raises(Refused):
        rerun(failed.plane, failed.runs("w")[0]["id"], EVE, from_failed=True)


def test_parameters_that_are_declared_no_more_are_not_given_again(made):
    """The answer says which, and what there is now."""
    made.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})}, parameters={"b": {"m": 1}})

    with pytest.raises(Conflict, match=r"no parameter 'n'; there are: m \(int, otherwise 1\)"):
        rerun(made.plane, made.runs("b")[0]["id"], ME)


def test_it_goes_on_from_a_run_that_somebody_asked_for(failed):
    """The last run is the last one, whoever asked for it, and also where something was made before."""
    (old,) = failed.runs("w")
    first = rerun(failed.plane, old["id"], ME, from_failed=True)
    failed.ask(failed.done(take_all(failed)["two"]))
    failed.ask(failed.failed(take_all(failed)["end"]))
    with pytest.raises(Conflict, match="another run came since"):
        rerun(failed.plane, old["id"], ME, from_failed=True)
    second = rerun(failed.plane, first.run, ME, from_failed=True)

    assert ["w"] == failed.settle()[:1]
    assert ("succeeded", "up_to_date") == (failed.runs("w")[0]["state"], failed.why("w"))
    assert second.run == failed.runs("w")[0]["id"]
    third = request.materialize(failed.plane, "w", "", ME)
    failed.ask(failed.failed(take_all(failed)["one"]))
    assert rerun(failed.plane, third.run, ME, from_failed=True).run is not None


@pytest.mark.parametrize("from_failed", [False, True])
@pytest.mark.parametrize("reads", [[], ["a"]])
def test_a_tick_whose_run_is_repaired_is_answered(plant, reads, from_failed):
    """No run is told for the tick that had its own."""
    plant.now = 1_704_067_200_000_000  # 2024-01-01
    plant.apply({"w": reads}, triggers={"w": on_cron("0 * * * *")})
    for source in reads:
        plant.drop(source, "one")
        plant.settle()
    plant.now += 3_600_000_000
    plant.plane.look()
    (lease,) = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    rerun(plant.plane, lease.run, ME, from_failed=from_failed)
    assert ["w"] == plant.settle()
    plant.plane.look()

    assert [] == plant.settle()
    assert "up_to_date" == plant.why("w")


def test_it_does_not_go_on_with_what_it_no_longer_makes(plant):
    """What another workflow makes by now, or nobody, is not made by the code of before."""
    both = (task("one", Ref(kind="input", name="a"), output="w"), task("two", Ref(kind="input", name="a"), output="x"))

    def declare(code, producers, made):
        manifest = plant.manifest({"w": ["a"], "x": ["a"]}, code, tasks={"w": both[: len(made)]})
        assets = [replace(a, producer=producers.get(a.key, a.producer)) for a in manifest.assets]
        flows = [replace(w, produces=made) if w.key == "w" else w for w in manifest.workflows]
        kept = [w for w in flows if w.key in {a.producer for a in assets}]
        manifest = replace(manifest, assets=tuple(assets), workflows=tuple(kept))
        register.apply(plant.plane, manifest, plant.bundle(code)[1], ME)

    declare("one", {"x": "w"}, ("w", "x"))
    plant.drop("a", "first")
    plant.ask(plant.done(plant.take()[0]))
    lease = plant.take()[0]
    plant.ask(plant.failed(lease))
    declare("two", {}, ("w",))
    with pytest.raises(Conflict, match="w does not make x any more"):
        rerun(plant.plane, lease.run, ME, from_failed=True)
    plant.settle()

    assert plant.head("x").startswith("x(")


@pytest.mark.parametrize(
    ("state", "said"), [("superseded", "it was superseded by a newer one"), ("queued", "it is queued")]
)
def test_what_did_not_fail_is_told_as_it_is(plant, state, said):
    """In words that follow from how it ended, or stands."""
    plant.apply({"w": ["a"]})
    for content in ("one", "two"):
        events.record(plant.plane, "a", content, ME)
    found = {run["state"]: run["id"] for run in plant.runs("w")}
    with pytest.raises(Conflict, match=said):
        rerun(plant.plane, found[state], ME, from_failed=True)


def test_it_goes_on_with_its_own_parameters(made):
    """What is declared today is for today's code."""
    made.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})}, parameters={"b": {"n": 1}})
    asked = request.materialize(made.plane, "b", "", ME, {"n": 2})
    made.ask(made.failed(made.take()[0]))
    made.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})}, parameters={"b": {"m": 1}})
    rerun(made.plane, asked.run, ME, from_failed=True)

    assert [{"n": 2}] == [lease.params for lease in made.take()]
