"""Asking for a run: who may, with what, and what the answer tells."""

import threading

import pytest

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.assets.policy import Policy, Principal
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.scheduler import events, policies, request
from riparian.scheduler.cancel import cancel
from riparian.scheduler.rerun import rerun
from riparian.storage.access.rights import Judge

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))
EVE = Principal(name="eve")
TASK = TaskSpec(
    name="b",
    module="code",
    qualname="b",
    returns="dict",
    arguments=(Argument(parameter="n", type="int", ref=Ref(kind="param", name="days")),),
    output="b",
)


@pytest.fixture
def made(plant):
    """b was made from a, which only ops may read."""
    plant.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops"})})
    plant.drop("a", "one")
    plant.settle()
    return plant


def test_a_request_runs_whether_or_not_anything_changed(made):
    """The answer names the run, whose cause names who asked."""
    asked = request.materialize(made.plane, "b", "", ME)

    assert ["b"] == made.settle()
    assert asked.run == made.runs("b")[0]["id"]
    assert "me asked for it" in made.runs("b")[0]["cause"]


def test_readers_may_not_run_and_strangers_may_not_know(made):
    """Seeing an asset is not operating it; not seeing it is not knowing of it."""
    with pytest.raises(Refused):
        request.materialize(made.plane, "b", "", ANA)
    with pytest.raises(NotFound) as hidden:
        request.materialize(made.plane, "b", "", EVE)
    with pytest.raises(NotFound) as missing:
        request.materialize(made.plane, "nothing", "", EVE)

    assert str(missing.value).replace("nothing", "b") == str(hidden.value)


def test_sources_are_not_run(made):
    """A source is made by others."""
    with pytest.raises(Conflict, match="drop a file"):
        request.materialize(made.plane, "a", "", ME)


@pytest.mark.parametrize("params", [{"a": float("nan")}, {"a": "x" * 70_000}, {"a": object()}, {"\ud800": 1}])
def test_bad_parameters_are_refused(made, params):
    """What is no JSON, or is data, is refused before anything is planned."""
    with pytest.raises(Invalid, match="parameters"):
        request.materialize(made.plane, "b", "", ME, params)


@pytest.mark.parametrize("params", [{"day": 1}, {"days": "7"}, {"days": 7.0}, {"days": True}, {"days": 2**70}])
def test_parameters_are_judged_by_what_is_declared(plant, params):
    """Who errs in a name or a type reads which there are."""
    plant.apply({"b": ["a"]}, parameters={"b": {"days": 7}})

    with pytest.raises(Invalid, match=r"there are: days \(int, otherwise 7\)"):
        request.materialize(plant.plane, "b", "", ME, params)


def test_a_parameter_that_nobody_gives_has_its_default(plant):
    """The run shows the value either way; other values are another seed, and what they made is made anew by news."""
    plant.apply({"b": ["a"]}, parameters={"b": {"days": 7}}, tasks={"b": (TASK,)})
    plant.drop("a", "one")
    plant.settle()
    seen = []
    for params in ({}, {"days": 7}, {"days": 30}):
        request.materialize(plant.plane, "b", "", ME, params)
        [lease] = plant.take()
        seen.append((lease.constants, lease.seed))
        plant.ask(plant.done(lease))

    assert [{"n": 7}, {"n": 7}, {"n": 30}] == [constants for constants, _ in seen]
    assert [True, False] == [seen[0][1] == seed for _, seed in seen[1:]]
    assert [{"days": n} for n in (30, 7, 7, 7)] == [run["params"] for run in plant.runs("b")]
    plant.drop("a", "one")
    assert ["a", "b"] == plant.settle()
    plant.drop("a", "one")
    assert ["a"] == plant.settle()


def test_what_is_queued_shows_its_parameters(plant):
    """So that the plan tells what it is about to do; only to who may read the data."""
    plant.apply({"b": ["a"]}, parameters={"b": {"days": 7}}, policies={"a": Policy(readers={"ops"})})
    plant.drop("a", "one")
    plant.settle()
    request.materialize(plant.plane, "b", "", ME, {"days": 1})
    shown = [plant.plane.access.as_principal(p).plan().items for p in (ME, ANA)]

    assert [[None], [{"days": 1}]] == [[item["params"] for item in items] for items in shown]


def test_deep_parameters_are_refused(made):
    """Nesting that would break whoever shows the run is refused."""
    deep: dict = {}
    for _ in range(900):
        deep = {"a": deep}

    with pytest.raises(Invalid, match="nested"):
        request.materialize(made.plane, "b", "", ME, deep)


@pytest.mark.parametrize("partition", ["2020-01-01", "x"])
def test_a_partition_of_a_whole_asset_is_refused(made, partition):
    """An asset in one piece has no partitions."""
    with pytest.raises(Invalid, match="not partitioned"):
        request.materialize(made.plane, "b", partition, ME)


def test_a_partition_must_be_said_and_exist(plant):
    """A daily asset runs for one day of its range."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))

    for partition in ("", "2019-12-31", "2020-13-01"):
        with pytest.raises(Invalid, match=r"^b"):
            request.materialize(plant.plane, "b", partition, ME)


def test_what_is_missing_is_told_without_hidden_names(plant):
    """The owner of an asset who may not see its source is not told the source's name."""
    owner = Principal(name="olga")
    plant.apply({"b": ["secret_name"]}, policies={"secret_name": Policy(readers={"ops"})})
    plant.plane.db.write(lambda tx: _give(tx, "b", "user:olga"))

    with pytest.raises(Conflict) as told:
        request.materialize(plant.plane, "b", "", owner)
    assert "secret_name" not in str(told.value)


def _give(tx, key, owner):
    from sqlalchemy import text

    from riparian.storage.metadata import counters

    tx.conn.execute(text("UPDATE asset SET owner = :o WHERE key = :k"), {"o": owner, "k": key})
    counters.advance(tx, "policy_epoch")


def test_a_request_does_not_wait_for_what_the_asset_waits_for(plant):
    """A held asset runs when somebody asks, and is held no more; what it waited for still runs it again."""
    plant.apply({"b": ["a"], "c": ["a", "b"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take(1)[0]))
    assert "waiting_for" == plant.why("c")

    asked = request.materialize(plant.plane, "c", "", ME)
    assert asked.run is not None
    leases = plant.take(8)
    assert {"b", "c"} == {lease.workflow for lease in leases}
    for lease in leases:
        plant.ask(plant.done(lease))
    plant.settle()
    assert "up_to_date" == plant.why("c")


def test_a_mistyped_partition_holds_up_no_writer(plant, monkeypatch):
    """What was meant is looked for while others write, and not for who may not run the asset."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    monkeypatch.setattr(plant.plane.db, "write", None)

    with pytest.raises(Invalid, match="2020-01-0"):
        request.materialize(plant.plane, "b", "2020-01-0", ME)
    with pytest.raises(Refused):
        request.materialize(plant.plane, "b", "2020-01-0", EVE)


def test_a_partition_that_an_apply_takes_away_meanwhile_is_refused(plant, monkeypatch):
    """Between the look at it and the request."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    write = plant.plane.db.write

    def late(act):
        monkeypatch.setattr(plant.plane.db, "write", write)
        plant.apply({"b": ["a"]})
        return write(act)

    monkeypatch.setattr(plant.plane.db, "write", late)
    with pytest.raises(Invalid, match="any more"):
        request.materialize(plant.plane, "b", "2020-01-01", ME)


def test_a_request_that_fails_holds_up_nobody(plant):
    """What was made before it is as good as it was: what is made from that goes on."""
    plant.apply({"b": ["a"], "c": ["b", "x"]}, parameters={"b": {"bad": 0}})
    plant.drop("a", "one")
    plant.drop("x", "one")
    plant.settle()
    request.materialize(plant.plane, "b", "", ME, {"bad": 1})
    [lease] = plant.take(8)
    plant.ask(plant.failed(lease, retryable=False))
    assert ("failed", "up_to_date") == (plant.runs("b")[0]["state"], plant.why("b"))

    plant.drop("x", "two")
    assert ["x", "c"] == plant.settle()


def test_a_request_that_fails_is_the_reason_of_what_was_never_made(plant):
    """Nothing else says why there is nothing."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    for day in ("2020-01-01", "2020-01-02"):
        plant.drop("a", day, day)
    plant.settle()
    plant.apply({"b": ["a"], "c": ["b"]}, daily=("a", "b", "c"))
    plant.settle()
    assert "not_asked" == plant.why("c", "2020-01-01")
    request.materialize(plant.plane, "c", "2020-01-01", ME)
    [lease] = plant.take(8)
    plant.ask(plant.failed(lease, retryable=False))

    assert "failed" == plant.why("c", "2020-01-01")
    plant.drop("a", "again", "2020-01-01")
    assert ["a[2020-01-01]", "b[2020-01-01]", "c[2020-01-01]"] == plant.settle()


@pytest.mark.parametrize(
    "act",
    [
        lambda plane, run, by: request.materialize(plane, "b", "", by),
        lambda plane, run, by: events.record(plane, "b", 1, by),
        lambda plane, run, by: policies.approve(plane.db, plane.db.read(plane.graphs.at), "b", by),
        lambda plane, run, by: cancel(plane, run, by),
        lambda plane, run, by: rerun(plane, run, by),
    ],
)
def test_who_may_not_takes_no_time_of_the_writer(made, monkeypatch, act):
    """What is close to a name, and what a run once made, takes long to find; all others would wait for that."""
    judged_by: list[str] = []
    missing, outputs_of = Judge.missing, Judge.outputs_of

    def noting(found):
        def note(*arguments):
            judged_by.append(threading.current_thread().name)
            return found(*arguments)

        return note

    monkeypatch.setattr(Judge, "missing", noting(missing))
    monkeypatch.setattr(Judge, "outputs_of", noting(outputs_of))
    run = made.runs("b")[0]["id"]
    judged_by.clear()

    with pytest.raises(NotFound):
        act(made.plane, run, EVE)
    assert judged_by
    assert "metadata-writer" not in judged_by


def test_very_many_requests_are_refused_until_some_have_run(made, monkeypatch):
    """Those that wait are all looked at again whenever a run ends."""
    monkeypatch.setattr(request, "MOST_WAITING", 2)
    for _ in range(3):
        request.materialize(made.plane, "b", "", ME)

    with pytest.raises(Conflict, match="2 runs of b were asked for and wait already"):
        request.materialize(made.plane, "b", "", ME)
    made.ask(made.done(made.take()[0]))
    request.materialize(made.plane, "b", "", ME)
    assert ["b"] * 3 == made.settle()
