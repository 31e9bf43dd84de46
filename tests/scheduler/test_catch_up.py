"""A workflow that runs for the window of a tick: what does it make up for when nobody heard the ticks?"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.partitions import Daily, Hourly, Static
from riparian.assets.triggers import on_cron, on_update
from riparian.scheduler import clock, register, request, tick
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.preview import preview
from riparian.storage.metadata import staleness

from .conftest import ME, declared, histories

DAY = Daily("day", "2024-01-01")
HOUR = Hourly("hour", "2024-01-01")
AT_ONE = on_cron("0 1 * * *")


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def apply(plant, edges, cuts, said, trigger=AT_ONE, triggers=None):
    named = triggers or dict.fromkeys(said, trigger)
    manifest = declared(plant, edges, cuts, triggers=named, said={k: {"catch_up": v} for k, v in said.items()})
    register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)
    return manifest


def sleep(plant, until: str) -> list[str]:
    """Nobody looks until then; returns what ran."""
    plant.now = instant(until)
    plant.session = plant.join()
    plant.plane.look()
    return plant.settle()


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("latest", [20]),
        (2, [20, 19]),
        (3, [20, 18, 19]),
        (9, [20, 17, 18, 19]),
        ("all", [20, 17, 18, 19]),
    ],
)
def test_what_is_made_up_for(plant, said, days):
    """Dagster [V] (34, 55): it runs the latest day alone. That is the default here; all, or so many, can be said,
    and run after the latest."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": said})
    assert ["b[2025-03-16]"] == sleep(plant, "2025-03-16T01:00")
    plant.close()
    plant.open()

    assert [f"b[2025-03-{day}]" for day in days] == sleep(plant, "2025-03-20T02:00")
    assert [] == sleep(plant, "2025-03-20T23:00")
    assert ["b[2025-03-21]"] == sleep(plant, "2025-03-21T01:00")


def test_a_new_workflow_does_no_historical_work(plant):
    """However it is to catch up: what was before it was declared nobody has missed, and its plan says so."""
    plant.now = instant("2025-03-15T12:00")
    manifest = declared(plant, {"b": []}, {"b": DAY}, triggers={"b": AT_ONE}, said={"b": {"catch_up": "all"}})
    told = preview(plant.plane, manifest, ME)
    register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)

    assert [] == told.runs
    assert [] == plant.settle()
    assert ["b[2025-03-16]"] == sleep(plant, "2025-03-16T02:00")


def test_the_schedule_of_an_edited_workflow_begins_with_the_edit(plant):
    """A schedule that is new has missed nothing; one that stays knows what it missed."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "latest"})
    plant.settle()
    plant.now = instant("2025-03-18T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "all"})
    assert ["b[2025-03-18]", "b[2025-03-16]", "b[2025-03-17]"] == sleep(plant, "2025-03-18T12:00")
    plant.now = instant("2025-03-21T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "all"}, trigger=on_cron("0 2 * * *"))

    assert [] == sleep(plant, "2025-03-21T12:00")
    assert ["b[2025-03-22]"] == sleep(plant, "2025-03-22T12:00")


def test_a_chain_is_made_up_for_in_the_order_of_the_data(plant):
    """Each window waits for the same one above it, and for what else is still to come."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"a": [], "b": ["a"]}, {"a": DAY, "b": DAY}, {"a": "all"}, triggers={"a": AT_ONE})
    plant.settle()
    days = ["2025-03-16", "2025-03-17", "2025-03-18"]
    ran = sleep(plant, "2025-03-18T12:00")

    assert sorted(f"{w}[{day}]" for w in "ab" for day in days) == sorted(ran)
    assert all(ran.index(f"a[{day}]") < ran.index(f"b[{day}]") for day in days)


def test_it_waits_for_what_is_above_it(plant):
    """Of a whole input that is about to change: nothing is made from what was before."""
    plant.now = instant("2025-03-15T12:00")
    trigger = {"b": AT_ONE & on_update()}
    apply(plant, {"a": ["s"], "b": ["a"]}, {"b": DAY}, {"b": "all"}, triggers=trigger)
    plant.drop("s", "one")
    plant.settle()
    plant.drop("s", "two")
    ran = sleep(plant, "2025-03-17T12:00")
    plant.plane.look()

    assert ["b[2025-03-17]", "b[2025-03-16]"] == [r for r in ran + plant.settle() if r.startswith("b")]
    assert ["b(=a(=two))"] * 2 == [plant.head("b", f"2025-03-{n}") for n in (16, 17)]


def test_several_ticks_of_a_window_are_one_run(plant):
    """Each window is made once, for the latest of its ticks; two schedules are answered together."""
    plant.now = instant("2025-03-15T23:30")
    often = on_cron("*/10 * * * *") | on_cron("5 */6 * * *")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "all"}, trigger=often)
    plant.settle()
    ran = sleep(plant, "2025-03-18T01:00")

    assert ["b[2025-03-18]", "b[2025-03-15]", "b[2025-03-16]", "b[2025-03-17]"] == ran
    causes = {r["partition"]: r["cause"] for r in plant.runs("b")}
    assert "*/10 * * * * (UTC) was due at 2025-03-16 23:50" in str(causes["2025-03-16"])
    assert "5 */6 * * * (UTC) was due at 2025-03-16 18:05" in str(causes["2025-03-16"])
    assert [] == sleep(plant, "2025-03-18T01:05")


def test_what_was_made_up_for_in_part_goes_on_after_a_restart(plant):
    """The windows that wait are kept with all else that is to be planned."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "all"})
    plant.settle()
    plant.now = instant("2025-03-19T12:00")
    plant.session = plant.join()
    plant.plane.look()
    (lease,) = plant.take(1)
    plant.ask(plant.done(lease))
    plant.close()
    plant.open()

    rest = [f"b[2025-03-{n}]" for n in (19, 16, 17, 18)]
    assert rest == [f"b[{lease.partition}]", *plant.settle()]


def test_what_a_person_asks_for_is_not_lost_beside_it(plant):
    """A tick that finds nothing to run for takes no request with it."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"b": []}, {"b": DAY}, {"b": "all"})
    plant.settle()
    tick = Cause(kind="tick", body={"ticks": {AT_ONE.name: instant("2025-03-14T01:00")}})
    plant.plane.db.write(lambda tx: staleness.mark_one(tx, "b", "2025-03-14", tick.to_json()))
    request.materialize(plant.plane, "b", "2025-03-14", ME)

    assert ["b[2025-03-14]"] == plant.settle()


def test_what_is_made_up_for_goes_behind_todays_work(plant):
    """With all that follows from it: months of windows do not delay an update of today."""
    plant.now = instant("2025-03-15T12:00")
    apply(plant, {"b": [], "c": ["b"], "y": ["x"]}, {"b": DAY, "c": DAY}, {"b": "all"}, triggers={"b": AT_ONE})
    plant.settle()
    plant.now = instant("2025-03-18T12:00")
    plant.session = plant.join()
    plant.plane.look()
    plant.drop("x", "today")
    ran = []
    while leases := plant.take():
        ran.append(f"{leases[0].workflow}[{leases[0].partition}]")
        plant.ask(plant.done(leases[0]))

    today = ["b[2025-03-18]", "x[]", "c[2025-03-18]", "y[]"]
    assert today == ran[:4]
    assert sorted(f"{w}[2025-03-{n}]" for w in "bc" for n in (16, 17)) == sorted(ran[4:])


def test_what_is_made_up_for_is_planned_behind_todays_work(plant, monkeypatch):
    """An update is not planned behind all the windows that wait, however many these are."""
    monkeypatch.setattr(tick, "SLICE", 2)
    monkeypatch.setattr(tick, "BATCH", 2)
    plant.now = instant("2025-03-15T00:30")
    apply(plant, {"b": [], "x": ["s"], "y": ["x"]}, {"b": HOUR}, {"b": "all"}, trigger=on_cron("0 * * * *"))
    plant.settle()
    plant.now = instant("2025-03-16T00:30")
    plant.session = plant.join()
    plant.plane.look()
    plant.drop("s", "today")
    ran = []
    while len(ran) < 4:
        (lease,) = plant.take()
        ran.append(f"{lease.workflow}[{lease.partition}]")
        plant.ask(plant.done(lease))
    planned = len(plant.runs("b"))
    while plant.plane.db.read(staleness.is_dirty):
        plant.plane.look()

    assert ["b[2025-03-16T00Z]", "s[]", "x[]", "y[]"] == ran
    assert (True, 24) == (planned < 16, len(plant.runs("b")))


def test_many_workflows_are_made_up_for_in_several_transactions(plant, monkeypatch):
    """None is left out, and each is found in one piece: two schedules of a window are one run."""
    monkeypatch.setattr(clock, "MOST_MISSED", 2)
    plant.now = instant("2025-03-15T12:00")
    keys = ["b", "c", "d"]
    apply(
        plant,
        {k: [] for k in keys},
        dict.fromkeys(keys, DAY),
        dict.fromkeys(keys, "all"),
        AT_ONE | on_cron("0 2 * * *"),
    )
    plant.settle()
    plant.now = instant("2025-03-18T12:00")
    due = [plant.plane.look() for _ in range(3)]
    plant.session = plant.join()

    assert [plant.now, plant.now, instant("2025-03-19T01:00")] == due
    assert sorted(f"{k}[2025-03-{n}]" for k in keys for n in (16, 17, 18)) == sorted(plant.settle())


@pytest.mark.parametrize("said", ["latest", "all"])
def test_a_window_that_is_held_is_not_overtaken(plant, said):
    """Its tick was heard: that the next one rings while it waits for what is above it takes nothing away. Of several
    ticks of the window it is one run."""
    plant.now = instant("2025-03-15T00:30")
    often = on_cron("0,40 * * * *") & on_update()
    apply(plant, {"a": ["s"], "b": ["a"]}, {"b": HOUR}, {"b": said}, trigger=often)
    plant.drop("s", "one")
    plant.settle()
    plant.drop("s", "two")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (slow,) = plant.take()
    for at in ("00:40", "01:00", "01:40", "02:00", "03:00"):
        plant.now = instant(f"2025-03-15T{at}")
        plant.plane.look()
    assert ("a", "waiting_for") == (slow.workflow, plant.why("b", "2025-03-15T03Z"))
    plant.ask(plant.done(slow))
    ran = plant.settle()

    assert [f"b[2025-03-15T0{n}Z]" for n in range(4)] == sorted(ran)
    assert [] == sleep(plant, "2025-03-15T03:30")


@histories(8)
@given(
    looks=st.lists(st.integers(1, 99), max_size=8),
    said=st.one_of(st.just("all"), st.just("latest"), st.integers(2, 5)),
)
def test_all_are_made_once_whenever_somebody_looks(make_plant, looks, said):
    """With all of them to be made, the rate of looks does not matter; in any case none is made twice, the latest is
    always there, and after each look at most so many more are."""
    plant = make_plant()
    plant.now = begun = instant("2025-03-15T00:30")
    apply(plant, {"b": []}, {"b": HOUR}, {"b": said}, trigger=on_cron("0 * * * *"))
    ran = plant.settle()
    for look in sorted({*looks, 100}):
        plant.now = begun + look * 1_800_000_000
        plant.session = plant.join()
        plant.plane.look()
        now = plant.settle()
        ran += now
        latest = f"b[{HOUR.key_at(plant.now)}]"
        assert latest in ran
        assert len(now) <= {"all": 100, "latest": 1}.get(said, said)

    assert sorted(set(ran)) == sorted(ran)
    every = [f"b[{HOUR.key_at(begun + n * 3_600_000_000)}]" for n in range(1, 51)]
    assert (every if said == "all" else sorted(ran)) == sorted(ran)


def test_keys_have_nothing_to_make_up_for(plant):
    """Of keys each runs once for all ticks that were missed."""
    plant.now = instant("2025-03-15T12:00")
    cuts = {"b": Static("k", ["x", "y"])}
    manifest = declared(plant, {"b": []}, cuts, triggers={"b": AT_ONE})
    workflows = tuple(replace(w, catch_up="latest") for w in manifest.workflows)
    register.apply(plant.plane, replace(manifest, workflows=workflows), plant.bundle("one")[1], ME)
    plant.settle()

    assert ["b[x]", "b[y]"] == sleep(plant, "2025-03-19T12:00")
