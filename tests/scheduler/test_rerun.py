"""Running a run once more: the same target and parameters, today's inputs and code."""

import pytest

from riparian.assets.errors import Conflict, NotFound, Refused
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import events, request
from riparian.scheduler.rerun import rerun

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))
EVE = Principal(name="eve")


@pytest.fixture
def made(plant):
    """b was made from a with parameters, then a was updated and b's code changed."""
    plant.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})})
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
    made.apply({"b": ["a"]}, code="two", policies={"a": Policy(readers={"ops", "owners"})})
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
    made.apply({"b": ["a"]}, daily=("a", "b"), policies={"a": Policy(readers={"ops", "owners"})})

    with pytest.raises(Conflict, match="no partition"):
        rerun(made.plane, old, ME)
