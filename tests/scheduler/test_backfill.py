"""Many partitions are made without today's work noticing: previewed, chunk by chunk, paused, resumed, cancelled."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec
from riparian.assets.partitions import Daily, Hourly, Offset
from riparian.assets.policy import Policy, Principal
from riparian.assets.retry import Retry
from riparian.assets.triggers import Manual, on_cron
from riparian.scheduler import backfill, cancel, refill, register, request
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.metadata import backfills
from riparian.storage.metadata.schema import audit, definition
from tests.scheduler.conftest import ME, Plant, declared, histories, task_of

STRANGER = Principal(name="eve")
GRAPH = {"air.b": ["air.a"], "air.c": ["air.b"]}
SOURCE = {"air.other": ["air.a"]}
DAILY = ("air.a", "air.b", "air.c")
HOURS = Hourly("hour", start="2020-01-01")
LAST = 999
REFILL = refill._refill


def day(n: int) -> str:
    return (date(2020, 1, 1) + timedelta(days=n)).isoformat()


def history(plant: Plant, days: int, **declared: Any) -> None:
    """A source of so many days, and ``air.b`` of it, which nobody has made: it is newer than they are. Only of the
    newest day is it made when it is declared."""
    plant.apply(SOURCE, daily=DAILY, triggers={"air.other": Manual()})
    for n in (*range(days), LAST):
        plant.drop("air.a", f"d{n}", day(n))
    plant.settle()
    plant.apply(GRAPH, daily=DAILY, **declared)
    plant.settle()


def show(plant: Plant, which: str) -> dict[str, Any]:
    """After the daemon's rounds, if there are any to do."""
    while plant.plane.db.write(lambda tx: plan_and_wake(tx, plant.plane)).more:
        pass
    return plant.plane.access.as_principal(ME).backfill(which)


def counts(plant: Plant, which: str) -> tuple[str, int, int, int, int]:
    """State, made, failed, under way, left."""
    told = show(plant, which)
    going = told["running"] + told["queued"] + told["waiting"]
    return told["state"], told["made"], told["failed"], going, told["left"]


def preview(plant: Plant, only: Any) -> dict[str, Any]:
    return plant.plane.access.as_principal(ME).backfill_preview("air.b", None, day(LAST - 1), only)


def start(plant: Plant, key: str = "air.b", **more: Any) -> str:
    return backfill.start(plant.plane, key, ME, **{"hi": day(LAST - 1)} | more)


def test_what_was_never_made_is_made(plant: Plant) -> None:
    """Each partition that there is an input for once; what depends on it follows."""
    history(plant, 3)
    which = start(plant)

    assert ("running", 0, 0, 3, 0) == counts(plant, which)
    assert [f"air.{k}[{day(n)}]" for k in "bc" for n in range(3)] == sorted(plant.settle())
    assert ("done", 3, 0, 0, 0) == counts(plant, which)
    assert {"me asked for a backfill"} == {r["cause"] for r in plant.runs("air.b")[:3]}


def test_only_the_partitions_that_were_named(plant: Plant) -> None:
    """From and to belong to it."""
    history(plant, 5)
    start(plant, lo=day(1), hi=day(3))

    assert [f"air.b[{day(n)}]" for n in (1, 2, 3)] == [r for r in plant.settle() if r.startswith("air.b")]


@pytest.mark.parametrize(("only", "made"), [("missing", [3]), ("stale", [1, 2, 3]), ("all", [0, 1, 2, 3])])
def test_what_is_made(plant: Plant, only: Any, made: list[int]) -> None:
    """Missing, that and what is not fresh, or everything; the others are told as skipped."""
    history(plant, 3)
    start(plant)
    plant.settle()
    plant.apply(GRAPH, daily=DAILY, triggers={"air.b": Manual()})
    for n in (1, 2, 3):
        plant.drop("air.a", "new", day(n))
    plant.settle()
    which = start(plant, only=only)
    ran = [r for r in plant.settle() if r.startswith("air.b")]

    assert [f"air.b[{day(n)}]" for n in made] == ran
    assert (4 - len(made), "done") == (show(plant, which)["skipped"], show(plant, which)["state"])


def test_other_code_and_a_persons_parameters_are_stale(plant: Plant) -> None:
    """The preview says for each reason how many, from where to where."""
    history(plant, 6, parameters={"air.b": {"x": 0}})
    start(plant, hi=day(3))
    plant.settle()
    request.materialize(plant.plane, "air.b", day(0), ME, {"x": 1})
    plant.settle()
    plant.apply(GRAPH, code="two", daily=DAILY, triggers={"air.b": Manual()}, parameters={"air.b": {"x": 0}})
    request.materialize(plant.plane, "air.b", day(1), ME)
    request.materialize(plant.plane, "air.b", day(2), ME)
    request.materialize(plant.plane, "air.b", day(0), ME, {"x": 1})
    plant.settle()
    plant.drop("air.a", "new", day(2))
    plant.settle()
    told = preview(plant, "stale")

    assert {
        "fresh": (1, day(1), day(1), False),
        "parameters": (1, day(0), day(0), True),
        "input": (1, day(2), day(2), True),
        "code": (1, day(3), day(3), True),
        "missing": (2, day(4), day(5), True),
    } == {s["state"]: (s["count"], s["first"], s["last"], s["made"]) for s in told["states"]}
    assert (5, 1, False) == (told["makes"], told["skips"], told["truncated"])


def test_the_estimate_is_by_what_runs_took(plant: Plant) -> None:
    """The median of the last ones, as many at once as the workers have slots; without any it says so."""
    history(plant, 8)
    before = preview(plant, "all")
    start(plant, hi=day(2))
    for _ in range(3):
        (lease,) = plant.take()
        plant.now += 10_000_000
        plant.ask(plant.done(lease))
    plant.settle()
    after = preview(plant, "all")

    assert (0.0, 1) == (before["seconds"], before["of_runs"])
    assert (20.0, 4, 4, 8) == (after["seconds"], after["of_runs"], after["at_once"], after["makes"])


def test_a_preview_changes_nothing(plant: Plant) -> None:
    """It is a read: nothing is planned, and nothing is written."""
    history(plant, 3)
    preview(plant, "all")

    assert ([], []) == (plant.settle(), plant.plane.access.as_principal(ME).backfills(None, 10).items)


def test_it_is_asked_for_a_chunk_at_a_time(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next when no more than half of one are left, so that the queue never holds more."""
    monkeypatch.setattr(refill, "CHUNK", 10)
    history(plant, 26)
    which = start(plant)
    first = counts(plant, which)
    plant.ask(*[plant.done(lease) for lease in plant.take(4)])
    before = counts(plant, which)
    plant.ask(*[plant.done(lease) for lease in plant.take(1)])
    after = counts(plant, which)

    assert [("running", 0, 0, 10, 16), ("running", 4, 0, 6, 16)] == [first, before]
    assert ("running", 5, 0, 10, 11) == after
    plant.settle()
    assert ("done", 26, 0, 0, 0) == counts(plant, which)


def test_many_are_looked_at_in_several_transactions(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no run is passed over without holding up the writer."""
    history(plant, 9)
    start(plant, hi=day(7))
    plant.settle()
    monkeypatch.setattr(refill, "LOOK", 2)
    which = start(plant)
    first = by_id_now(plant, which)

    assert (day(2), 2) == (first.next_partition, first.skipped)
    assert ("running", 0, 0, 1, 0) == counts(plant, which)
    plant.settle()
    assert ("done", 1, 8) == (show(plant, which)["state"], show(plant, which)["made"], show(plant, which)["skipped"])


def test_very_many_are_looked_at_in_several_transactions(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apply has all of them looked at, and may not hold up the writer for as long as that takes."""
    monkeypatch.setattr(refill, "AT_ONCE", 2)
    history(plant, 5)
    begun = [start(plant, lo=day(n), hi=day(n)) for n in range(5)]
    for which in begun:
        backfill.pause(plant.plane, which, ME)
    asked: list[int] = []
    monkeypatch.setattr(refill, "_refill", lambda *a: asked.append(len(asked)) or REFILL(*a))
    for which in begun:
        plant.plane.db.write(lambda tx, which=which: backfills.move(tx, which, "running"))
    plant.apply(GRAPH, daily=DAILY)
    first = len(asked)
    plant.settle()

    assert (2, ["done"] * 5) == (first, [show(plant, which)["state"] for which in begun])


def test_a_backfill_that_can_not_go_on_stops_nobody_else(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paused and says so; who resumes it has it tried again."""
    history(plant, 1)
    with monkeypatch.context() as patch:
        patch.setattr(refill, "is_wanted", lambda *_: 1 / 0)
        which = start(plant)
    plant.drop("air.a", "new", day(5))

    assert "air.a[2020-01-06]" == plant.settle()[0]
    assert ("paused", True) == (show(plant, which)["state"], "server's log" in show(plant, which)["words"])
    backfill.resume(plant.plane, which, ME)
    plant.settle()
    assert ("done", "") == (show(plant, which)["state"], show(plant, which)["words"])


def test_todays_update_goes_first(plant: Plant) -> None:
    """In the middle of a year of backfill, with all that follows from it."""
    history(plant, 366)
    start(plant, hi=day(364))
    plant.ask(*[plant.done(lease) for lease in plant.take(10)])
    plant.now += 3_600_000_000
    plant.drop("air.a", "today", day(366))
    order = []
    for _ in range(3):
        (lease,) = plant.take()
        order.append(f"{lease.workflow}[{lease.partition}]")
        plant.ask(plant.done(lease))

    assert [f"air.{k}[{day(366)}]" for k in "abc"] == order


def test_what_follows_goes_behind_too(plant: Plant) -> None:
    """A run that is there because of a backfill does not delay today's either, however long it waits."""
    history(plant, 3)
    start(plant, hi=day(0))
    (lease,) = plant.take()
    plant.ask(plant.done(lease))
    plant.now += 86_400_000_000
    plant.drop("air.a", "today", day(5))
    (first,) = plant.take()
    plant.ask(plant.done(first))
    (second,) = plant.take()

    assert ("air.a", ("air.b", day(5))) == (first.workflow, (second.workflow, second.partition))


def test_todays_work_waits_for_no_backfill_above(plant: Plant) -> None:
    """A summary of all days follows today's update at once, and the backfill's when that is through."""
    history(plant, 3)
    plant.apply({**GRAPH, "air.sum": ["air.b"]}, daily=DAILY)
    plant.settle()
    start(plant)
    plant.drop("air.a", "today", day(7))
    order = []
    while leases := plant.take():
        order.append(f"{leases[0].workflow}[{leases[0].partition}]")
        plant.ask(plant.done(leases[0]))

    assert [f"air.a[{day(7)}]", f"air.b[{day(7)}]"] == order[:2]
    assert {f"air.c[{day(7)}]", "air.sum[]"} == {*order[2:4]}
    assert 1 == order[4:].count("air.sum[]")
    assert "up_to_date" == plant.why("air.sum")


def test_what_is_planned_already_is_waited_for(plant: Plant) -> None:
    """A run that is queued for an update, or under way, makes the partition; it is not made twice."""
    history(plant, 1)
    plant.drop("air.a", "x", day(0))
    plant.drop("air.a", "y", day(1))
    for lease in plant.take(2):
        plant.ask(plant.done(lease))
    (granted,) = plant.take()
    which = start(plant, only="all")

    assert ("running", 0, 0, 2, 0) == counts(plant, which)
    plant.ask(plant.done(granted))
    plant.settle()
    assert [1, 1] == [len([r for r in plant.runs("air.b") if r["partition"] == day(n)]) for n in (0, 1)]
    assert ("done", 2) == (show(plant, which)["state"], show(plant, which)["skipped"])


def test_an_update_takes_the_place_of_a_queued_one(plant: Plant) -> None:
    """Today's news of a partition does not wait in the backfill's line; the backfill finds it fresh."""
    history(plant, 2)
    which = start(plant, only="all")
    plant.drop("air.a", "news", day(1))
    (lease,) = plant.take()
    plant.ask(plant.done(lease))
    (first,) = plant.take()

    assert ("air.b", day(1)) == (first.workflow, first.partition)
    plant.ask(plant.done(first))
    plant.settle()
    assert ("done", 1, 1) == (show(plant, which)["state"], show(plant, which)["made"], show(plant, which)["skipped"])
    assert "air.b(2020-01-02=news)" == plant.head("air.b", day(1))


def test_what_a_person_asks_for_does_not_wait_behind(plant: Plant) -> None:
    """A request takes the place of the backfill's queued run, and with parameters leaves it something to do."""
    history(plant, 1, parameters={"air.b": {"x": 0}})
    which = start(plant)
    request.materialize(plant.plane, "air.b", day(0), ME, {"x": 1})
    (lease,) = plant.take()
    told = plant.runs("air.b")[0]

    assert ("request", "running") == (told["cause_kind"], told["state"])
    plant.ask(plant.done(lease))
    plant.settle()
    assert ("done", 0, 1) == (show(plant, which)["state"], show(plant, which)["made"], show(plant, which)["skipped"])


def test_failures_are_told_and_stop_nothing(plant: Plant) -> None:
    """They are counted with their partitions, and tried again when somebody says so."""
    history(plant, 4, retry=Retry(attempts=1))
    which = start(plant)
    bad, *others = plant.take(4)
    plant.ask(plant.failed(bad), *[plant.done(lease) for lease in others])
    plant.settle()
    failed = show(plant, which)

    assert ("done", 3, 1, 0, 0) == counts(plant, which)
    assert [bad.partition] == [f["partition"] for f in failed["failures"]]
    with pytest.raises(Conflict, match="--retry-failed"):
        backfill.resume(plant.plane, which, ME)
    backfill.resume(plant.plane, which, ME, retry_failed=True)
    assert [f"air.b[{bad.partition}]", f"air.c[{bad.partition}]"] == plant.settle()
    assert ("done", 4, 0, 0, 0) == counts(plant, which)


def test_a_failure_holds_up_nobody_below(plant: Plant) -> None:
    """Nor of a partition that was never made: a summary of all days follows today's update all the same."""
    history(plant, 2, retry=Retry(attempts=1))
    plant.apply({**GRAPH, "air.sum": ["air.b"]}, daily=DAILY, retry=Retry(attempts=1))
    plant.settle()
    start(plant, hi=day(0))
    (bad,) = plant.take()
    plant.ask(plant.failed(bad))
    plant.drop("air.a", "today", day(5))

    assert ["air.a[2020-01-06]", "air.b[2020-01-06]", "air.c[2020-01-06]", "air.sum"] == plant.settle()
    assert "failed" == plant.why("air.b", day(0))


def test_what_is_done_goes_on_only_where_there_is_something_to_make(plant: Plant, monkeypatch: Any) -> None:
    """Not beside very many others, and not when its workflow is declared no more."""
    history(plant, 1, retry=Retry(attempts=1))
    which = start(plant)
    (bad,) = plant.take()
    plant.ask(plant.failed(bad))
    with monkeypatch.context() as patch:
        patch.setattr(backfill, "MOST_GOING", 0)
        with pytest.raises(Conflict, match="are running or paused"):
            backfill.resume(plant.plane, which, ME, retry_failed=True)
    plant.apply(SOURCE, daily=DAILY)
    with pytest.raises(Conflict, match="declared no more"):
        backfill.resume(plant.plane, which, ME, retry_failed=True)

    assert "done" == by_id_now(plant, which).state


def test_paused_and_resumed(plant: Plant) -> None:
    """What no worker has begun is taken back without harm; what runs ends; then it goes on where it was."""
    history(plant, 5)
    which = start(plant)
    (lease,) = plant.take()
    backfill.pause(plant.plane, which, ME)
    backfill.pause(plant.plane, which, ME)

    assert ("paused", 0, 0, 1, 4) == counts(plant, which)
    assert [] == plant.take()
    plant.ask(plant.done(lease))
    assert [f"air.c[{lease.partition}]"] == plant.settle()
    assert {"succeeded": 2, "superseded": 4} == states(plant)
    assert {"not_asked"} == {plant.why("air.b", day(n)) for n in range(5) if day(n) != lease.partition}
    backfill.resume(plant.plane, which, ME)
    plant.settle()
    assert ("done", 5, 0, 0, 0) == counts(plant, which)


def states(plant: Plant) -> dict[str, int]:
    found = [r["state"] for r in plant.runs("air.b")]
    return {state: found.count(state) for state in set(found)}


def test_a_paused_one_holds_nobody_up(plant: Plant) -> None:
    """What waited for a run that is taken back goes on."""
    history(plant, 2)
    which = start(plant)
    plant.drop("air.a", "news", day(0))
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    backfill.pause(plant.plane, which, ME)

    assert [f"air.b[{day(0)}]", f"air.c[{day(0)}]"] == plant.settle()
    backfill.resume(plant.plane, which, ME)
    plant.settle()
    assert ("done", 1) == (show(plant, which)["state"], show(plant, which)["made"])


def test_cancelled(plant: Plant) -> None:
    """It is final. What runs ends by itself, or now."""
    history(plant, 4)
    which = start(plant)
    one, other = plant.take(2)
    backfill.cancel(plant.plane, which, ME)
    plant.ask(plant.done(one))

    assert ("cancelled", 1, 0, 1, 2) == counts(plant, which)
    backfill.cancel(plant.plane, which, ME, now=True)
    assert [409] == [r.status for r in plant.ask(plant.done(other)).results]
    assert ("cancelled", 1, 1, 0, 2) == counts(plant, which)
    assert [f"air.c[{one.partition}]"] == plant.settle()
    for act in (backfill.pause, backfill.resume):
        with pytest.raises(Conflict, match="cancelled"):
            act(plant.plane, which, ME)


def test_a_failure_above_stops_nothing(plant: Plant) -> None:
    """What is there is what it is made from; the repair of what failed is followed as any update."""
    history(plant, 2, retry=Retry(attempts=1))
    plant.drop("air.a", "one", day(0))
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    plant.ask(plant.done(lease))
    plant.settle()
    plant.drop("air.a", "two", day(0))
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    which = start(plant, "air.c", only="all")

    assert [f"air.c[{day(0)}]"] == plant.settle()
    assert ("done", 1, 0, 0, 0) == counts(plant, which)


def test_who_waits_for_what_is_taken_back_goes_on(plant: Plant) -> None:
    """A backfill below another waits for its runs, and not for those that a pause took back."""
    history(plant, 1)
    request.materialize(plant.plane, "air.b", day(0), ME)
    plant.settle()
    above = start(plant, only="all")
    below = start(plant, "air.c", only="all")
    assert (("running", 0, 0, 1, 0), []) == (counts(plant, below), [r for r in plant.runs("air.c") if r["waits"]])
    assert 1 == show(plant, below)["waiting"]
    backfill.pause(plant.plane, above, ME)

    assert [f"air.c[{day(0)}]"] == plant.settle()
    assert ("done", 1) == (show(plant, below)["state"], show(plant, below)["made"])


def test_two_that_wait_for_the_same_do_not_wait_for_each_other(plant: Plant) -> None:
    """Of two backfills that something above holds up, the later one goes on when the earlier one is paused."""
    days, edges = (*DAILY, "air.x"), {"air.b": ["air.a"], "air.x": ["air.a"], "air.c": ["air.b", "air.x"]}
    plant.apply(edges, daily=days)
    plant.drop("air.a", "d0", day(0))
    plant.settle()
    start(plant, only="all"), start(plant, "air.x", only="all")
    one, other = start(plant, "air.c", only="all"), start(plant, "air.c", only="all")
    (lease,) = plant.take()
    plant.ask(plant.done(lease))
    backfill.pause(plant.plane, one, ME)
    plant.settle()

    assert [("paused", 0, 0, 0, 1), ("done", 1, 0, 0, 0)] == [counts(plant, which) for which in (one, other)]


def test_a_run_of_it_that_is_cancelled_counts_as_failed(plant: Plant) -> None:
    """The others go on."""
    history(plant, 2)
    which = start(plant)
    cancel.cancel(plant.plane, plant.runs("air.b")[0]["id"], ME)
    plant.settle()

    assert ("done", 1, 1, 0, 0) == counts(plant, which)


def test_without_what_follows(plant: Plant) -> None:
    """The heads move and nobody runs; why says so, and the next update or a request makes up for it."""
    history(plant, 2)
    start(plant)
    plant.settle()
    plant.apply(GRAPH, code="two", daily=DAILY)
    plant.settle()
    start(plant, only="all", propagate=False)
    plant.apply(GRAPH, code="three", daily=DAILY, triggers={"air.b": Manual()})

    plant.drop("air.a", "other", day(0))
    plant.settle()
    start(plant, only="stale", propagate=False, hi=day(0))
    assert [f"air.b[{day(0)}]"] == plant.settle()
    told = plant.plane.access.as_principal(ME).why("air.c", day(0))
    assert ("not_triggered", True) == (told["code"], "air.b was backfilled without what follows" in told["words"])
    assert "me asked for a backfill, which nothing is to follow" == plant.runs("air.b")[0]["cause"]
    request.materialize(plant.plane, "air.c", day(0), ME)
    assert [f"air.c[{day(0)}]"] == plant.settle()
    assert ("up_to_date", "air.c(2020-01-01=air.b(2020-01-01=other))") == (
        plant.why("air.c", day(0)),
        plant.head("air.c", day(0)),
    )


def test_a_window_of_days_is_told_as_one_day_is(plant: Plant) -> None:
    """What was backfilled without what follows is no news to it, and what follows goes behind today's work."""
    window = (InputSpec(parameter="days", asset=AssetKey("air.b"), mapping=Offset(-1, 0)),)
    graph = {"air.b": ["air.a"], "air.s": ["air.b"]}
    plant.apply(graph, daily=(*DAILY, "air.s"), triggers={"air.b": Manual()}, inputs={"air.s": window})
    for n in range(2):
        plant.drop("air.a", f"d{n}", day(n))
    plant.settle()
    start(plant)
    assert f"air.s[{day(1)}]" in plant.settle()
    for code, propagate in (("new", False), ("newer", True)):
        plant.drop("air.a", code, day(0))
        plant.settle()
        start(plant, only="stale", propagate=propagate)
        (lease,) = plant.take()
        plant.ask(plant.done(lease))
        assert propagate is (plant.why("air.s", day(1)) == "queued")
        assert propagate is (plant.why("air.s", day(1)) != "not_triggered")
    plant.drop("air.a", "today", day(9))

    assert f"air.a[{day(9)}]" == plant.settle()[0]


def test_the_next_update_brings_what_was_not_told(plant: Plant) -> None:
    """Nothing is lost: whoever runs next reads it."""
    graph = {"air.b": ["air.a"], "air.d": ["air.b", "air.x"]}
    plant.apply(graph, daily=DAILY, triggers={"air.b": Manual()})
    plant.drop("air.x", "x0")
    plant.drop("air.a", "d0", day(0))
    plant.settle()
    start(plant)
    assert [f"air.b[{day(0)}]", "air.d"] == plant.settle()
    plant.drop("air.a", "d1", day(0))
    plant.settle()
    start(plant, only="stale", propagate=False)
    assert [f"air.b[{day(0)}]"] == plant.settle()
    plant.drop("air.x", "x1")

    assert ["air.x", "air.d"] == plant.settle()
    assert "air.d(2020-01-01=air.b(2020-01-01=d1),=x1)" == plant.head("air.d")


def test_two_of_the_same_make_nothing_twice(plant: Plant) -> None:
    """The later one finds made what the earlier one made."""
    history(plant, 3)
    one, other = start(plant), start(plant, only="all")
    plant.settle()

    assert 3 + 1 == len(plant.runs("air.b"))
    assert [("done", 3, 0), ("done", 0, 3)] == [
        (t["state"], t["made"], t["skipped"]) for t in (show(plant, one), show(plant, other))
    ]


def test_it_survives_every_restart(plant: Plant) -> None:
    """All of its state is in the tables: the control plane may begin anew between any two transactions."""
    history(plant, 12)
    which = start(plant)
    work = Work(plant, 0)
    while leases := plant.take(3):
        work.restart()
        for lease in leases:
            assert [200] == [r.status for r in plant.ask(plant.done(lease)).results]
            work.restart()

    assert ("done", 12, 0, 0, 0) == counts(plant, which)
    assert 12 + 1 == len(plant.runs("air.b"))


@pytest.mark.parametrize("paused", [False, True])
def test_a_workflow_that_is_declared_no_more_ends_it(plant: Plant, paused: bool) -> None:
    """It says why to the owner of what it made, and to nobody else."""
    history(plant, 3)
    which = start(plant)
    plant.take()
    if paused:
        backfill.pause(plant.plane, which, ME)
    plant.apply(SOURCE, daily=DAILY)
    (told,) = plant.plane.access.as_principal(ME).backfills(None, 10).items

    assert (which, "cancelled", "air.b is declared no more") == (told["id"], told["state"], told["words"])
    assert (1, 2) == (told["running"], told["left"])
    assert [] == plant.plane.access.as_principal(STRANGER).backfills(None, 10).items
    with pytest.raises(NotFound):
        plant.plane.access.as_principal(STRANGER).backfill(which)


@pytest.mark.parametrize("paused", [False, True])
def test_a_workflow_that_is_cut_otherwise_ends_it(plant: Plant, paused: bool) -> None:
    """What was asked for is not there any more; it is not told as done. Another start or end changes nothing."""
    history(plant, 3)
    which = start(plant)
    if paused:
        backfill.pause(plant.plane, which, ME)
    edges = {"air.b": ["air.a"], "air.c": ["air.b"]}
    for cut in (Daily("day", start="2019-01-01"), HOURS):
        assert {"running", "paused"} > {show(plant, which)["state"]}
        manifest = declared(plant, edges, dict.fromkeys(DAILY, cut))
        register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)
    told = show(plant, which)

    assert ("cancelled", "air.b is cut otherwise now; start another") == (told["state"], told["words"])
    assert [] == plant.settle()


def test_a_project_that_can_not_be_read_is_waited_for(plant: Plant) -> None:
    """As after a change of this program: nothing is given up, and it goes on when the project is applied again."""
    history(plant, 3)
    start(plant, "air.c", only="all")
    which = start(plant)
    (lease,) = plant.take()
    broken = definition.update().values(body="[]")
    plant.plane.db.write(lambda tx: tx.conn.execute(broken))
    session = plant.session
    plant.close()
    plant.open()
    plant.session = session
    plant.ask(plant.done(lease))
    plant.settle()
    assert "running" == by_id_now(plant, which).state
    plant.apply(GRAPH, daily=DAILY)
    plant.settle()

    assert ["done", "done"] == [b["state"] for b in plant.plane.access.as_principal(ME).backfills(None, 10).items]
    assert ("done", 3, 0, 0, 0) == counts(plant, which)
    assert [f"air.c({day(n)}=air.b({day(n)}=d{n}))" for n in range(3)] == [
        plant.head("air.c", day(n)) for n in range(3)
    ]


def by_id_now(plant: Plant, which: str) -> Any:
    return plant.plane.db.read(lambda tx: backfills.by_id(tx, which))


def test_what_can_not_be_asked_for(plant: Plant) -> None:
    """A source, an asset in one piece, a partition that there is not, and the wrong order."""
    history(plant, 1)
    plant.apply({**GRAPH, "air.sum": ["air.b"]}, daily=DAILY)

    with pytest.raises(Conflict, match="source"):
        start(plant, "air.a")
    with pytest.raises(Invalid, match="not partitioned"):
        start(plant, "air.sum")
    with pytest.raises(Invalid, match="not a day"):
        start(plant, lo="2020")
    with pytest.raises(Invalid, match="earlier one first"):
        start(plant, lo=day(3), hi=day(1))
    with pytest.raises(NotFound):
        start(plant, "air.nothing")


def test_it_is_for_the_owner(plant: Plant) -> None:
    """Who may only read may look; to others there is none."""
    history(plant, 2, policies={"air.a": Policy(readers={"owners", "ops"})})
    which = start(plant)
    reader = Principal(name="ann", groups=frozenset({"ops"}))

    assert which == plant.plane.access.as_principal(reader).backfill(which)["id"]
    for act in (backfill.pause, backfill.resume, backfill.cancel):
        with pytest.raises(Refused):
            act(plant.plane, which, reader)
        with pytest.raises(NotFound):
            act(plant.plane, which, STRANGER)
    with pytest.raises(NotFound):
        plant.plane.access.as_principal(STRANGER).backfill_preview("air.b", None, None, "all")
    with pytest.raises(Refused):
        backfill.start(plant.plane, "air.b", reader)
    assert [] == plant.plane.access.as_principal(STRANGER).backfills(None, 10).items


def series(plant: Plant, days: int) -> None:
    """A daily asset that is made from its own day before and from a source, when somebody asks."""
    manifest = plant.manifest({"air.b": ["air.a"]}, "one", daily=DAILY, triggers={"air.b": Manual()})
    (workflow,) = manifest.workflows
    before = replace(workflow.inputs[0], parameter="before", asset=workflow.produces[0], mapping=Offset(-1))
    inputs = (*workflow.inputs, before)
    workflow = replace(workflow, inputs=inputs, tasks=(task_of("air.b", inputs, Retry(attempts=1)),))
    register.apply(plant.plane, replace(manifest, workflows=(workflow,)), plant.bundle("one")[1], ME)
    for n in range(days):
        plant.drop("air.a", f"d{n}", day(n))
    plant.settle()


def test_a_series_is_made_one_after_the_other(plant: Plant) -> None:
    """Each from the one before it, and not beyond one that failed."""
    series(plant, 5)
    assert [("missing", 5)] == [(s["state"], s["count"]) for s in preview(plant, "missing")["states"]]
    which = start(plant)
    for n in range(2):
        (lease,) = plant.take(4)
        assert (day(n), counts(plant, which)) == (lease.partition, ("running", n, 0, 1, 4 - n))
        plant.ask(plant.done(lease))
    (lease,) = plant.take(4)
    plant.ask(plant.failed(lease))
    assert [] == plant.settle()
    assert ("done", 2, 1, 0, 0) == counts(plant, which)
    again = start(plant)
    assert [f"air.b[{day(n)}]" for n in (2, 3, 4)] == plant.settle()
    assert ("done", 3) == (show(plant, again)["state"], show(plant, again)["made"])


def test_where_the_clock_alone_says_when(plant: Plant) -> None:
    """Every day is one that can be made, up to that of now."""
    plant.apply({"air.b": ["air.w"]}, daily=("air.b",), triggers={"air.b": on_cron("0 6 * * *")})
    plant.drop("air.w", "x")
    plant.settle()
    start(plant, lo="2023-11-11", hi="2024-01-01")  # it is the 14th

    assert [f"air.b[2023-11-{n}]" for n in (11, 12, 13, 14)] == plant.settle()


def test_each_act_is_in_the_record(plant: Plant) -> None:
    """With who did it, on what."""
    history(plant, 1)
    which = start(plant, lo=day(0))
    for act in (backfill.pause, backfill.resume, backfill.cancel):
        act(plant.plane, which, ME)
    rows = plant.plane.db.read(lambda tx: tx.conn.execute(select(audit).order_by(audit.c.id)).all())
    acts = ["backfill", "backfill pause", "backfill resume", "backfill cancel"]

    assert [("me", act, "air.b") for act in acts] == [(r.principal, r.act, r.object) for r in rows[-4:]]
    assert f"{which} {day(0)}..{day(LAST - 1)} missing" == rows[-4].detail


class Work:
    """Random work beside a backfill: updates, failures, pauses and restarts of the control plane."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self.plant = plant
        self.random = random.Random(seed)
        self.number = 0

    def update(self) -> None:
        self.number += 1
        self.plant.drop("air.a", f"u{self.number}", day(self.random.randrange(8)))

    def work(self) -> None:
        for lease in self.plant.take(self.random.randint(1, 3)):
            fails = lease.workflow == "air.b" and self.random.random() < 0.3
            self.plant.ask(self.plant.failed(lease) if fails else self.plant.done(lease))

    def restart(self) -> None:
        session = self.plant.session
        self.plant.close()
        self.plant.open()
        self.plant.session = session


@histories(10)
@given(seed=st.integers(0, 2**32), acts=st.lists(st.sampled_from("uuwwwrp"), max_size=25))
def test_whatever_happens_all_is_as_a_rebuild_would_make_it(make_plant: Any, seed: int, acts: list[str]) -> None:
    """Backfill, updates, failures, pauses, restarts: all is made from what is there, and nothing ran twice for one
    cause."""
    plant = make_plant()
    history(plant, 8, retry=Retry(attempts=1))
    work, which = Work(plant, seed), start(plant, only="all")
    for act in acts:
        if act == "p" and show(plant, which)["state"] == "running":
            backfill.pause(plant.plane, which, ME)
        elif act == "p" and show(plant, which)["state"] == "paused":
            backfill.resume(plant.plane, which, ME)
        else:
            {"u": work.update, "w": work.work, "r": work.restart, "p": work.work}[act]()
    if show(plant, which)["state"] == "paused":
        backfill.resume(plant.plane, which, ME)
    plant.settle()
    told = show(plant, which)
    if told["failed"]:
        backfill.resume(plant.plane, which, ME, retry_failed=True)
        plant.settle()
    last = start(plant, only="stale")
    plant.settle()

    assert "done" == show(plant, which)["state"] == show(plant, last)["state"]
    assert (0, 0) == (show(plant, which)["failed"], show(plant, which)["left"])
    for n in range(8):
        source = plant.head("air.a", day(n))
        assert f"air.b({day(n)}={source})" == plant.head("air.b", day(n))
        assert f"air.c({day(n)}=air.b({day(n)}={source}))" == plant.head("air.c", day(n))
    keys = [(r["partition"], r["cause"], r["id"]) for r in plant.runs("air.b")]
    assert len(keys) == len({k[2] for k in keys})
    assert {"succeeded", "failed", "superseded"} >= {r["state"] for r in plant.runs("air.b")}
