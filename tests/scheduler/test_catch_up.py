"""A workflow that runs for the window of a tick: what does it make up for when nobody heard the ticks?"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riparian.assets.partitions import Daily, Hourly, Static
from riparian.assets.triggers import on_cron
from riparian.scheduler import register
from riparian.scheduler.preview import preview

from .conftest import ME, declared

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
    trigger = {"b": AT_ONE}
    apply(plant, {"a": ["s"], "b": ["a"]}, {"b": DAY}, {"b": "all"}, triggers=trigger)
    plant.drop("s", "one")
    plant.settle()
    plant.drop("s", "two")
    ran = sleep(plant, "2025-03-17T12:00")
    plant.plane.look()

    assert ["b[2025-03-17]", "b[2025-03-16]"] == [r for r in ran + plant.settle() if r.startswith("b")]


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


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
