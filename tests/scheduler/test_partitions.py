"""Partitions of different sizes: which of them run, in which order, and what does the one that waits say?

Where a test names a case of Dagster's suite (its file and test) it says whether we do the same, or why not.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from riparian.assets.arrival import FileDrop
from riparian.assets.partitions import (
    AllPartitions,
    ByKey,
    Cron,
    Daily,
    Fixed,
    Hourly,
    Identity,
    Last,
    Monthly,
    Offset,
    Overlapping,
    Static,
    Weekly,
)
from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import on_cron, on_update
from riparian.scheduler import policies, register, request

from .conftest import ME, declared, task_of

HOUR = Hourly("hour", "2024-01-01")
DAY = Daily("day", "2024-01-01")
BERLIN = Daily("day", "2024-01-01", timezone="Europe/Berlin")
MONTH = Monthly("month", "2024-01")
SHOPS = Static("shop", ["n1", "n2", "s1", "s2"])
AREAS = Static("area", ["north", "south"])


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def declare(plant, edges, cuts, mappings=None, triggers=None, code="one", *, said=None, rebuild="none"):
    """Applies what ``declared`` returns (see there)."""
    manifest = declared(plant, edges, cuts, mappings, triggers, code, said=said)
    return register.apply(plant.plane, manifest, plant.bundle(code)[1], ME, rebuild)


def drop_hours(plant, asset: str, day: str, hours, content: str = "x") -> None:
    for h in hours:
        plant.drop(asset, f"{content}{h}", f"{day}T{h:02}Z")


def made(ran: list[str], workflow: str) -> list[str]:
    """What ran of one workflow, in order."""
    return [r for r in ran if r == workflow or r.startswith(f"{workflow}[")]


def words(plant, asset: str, partition: str = "") -> str:
    return plant.plane.access.as_principal(ME).why(asset, partition)["words"]


def test_hours_of_hours(plant):
    """Dagster TE:test_eager_hourly_partitioned (29). The latest hour runs when its input comes, and a new hour that
    begins runs nothing by itself, as there. An old hour runs here too: what was delivered is not left out."""
    declare(plant, {"b": ["a"]}, {"a": HOUR, "b": HOUR})
    plant.drop("a", "one", "2024-01-02T00Z")
    assert ["b[2024-01-02T00Z]"] == made(plant.settle(), "b")
    plant.drop("a", "old", "2024-01-01T05Z")
    assert ["b[2024-01-01T05Z]"] == made(plant.settle(), "b")
    plant.now += 3_600_000_000
    plant.plane.look()

    assert [] == plant.settle()
    plant.drop("a", "two", "2024-01-02T01Z")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    assert [] == plant.settle()
    assert "failed" == plant.why("b", "2024-01-02T01Z")


def test_a_day_waits_for_all_of_its_hours(plant):
    """Dagster [V] (31). 23 of 24 hours run nothing, the last one the day, as there. A late hour of any day makes that
    day again, where Dagster looks at the latest day alone: a late file would silently be missing from its day."""
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": DAY})
    drop_hours(plant, "h", "2024-01-01", range(23))
    assert [] == made(plant.settle(), "d")
    assert "waiting_for_input" == plant.why("d", "2024-01-01")
    said = "waiting for partitions of h: 23 of 24 are there; missing: 2024-01-01T23Z"
    assert said == words(plant, "d", "2024-01-01")
    drop_hours(plant, "h", "2024-01-01", [23])
    assert ["d[2024-01-01]"] == made(plant.settle(), "d")
    drop_hours(plant, "h", "2024-01-02", range(24))
    assert ["d[2024-01-02]"] == made(plant.settle(), "d")

    drop_hours(plant, "h", "2024-01-01", [7], "late")
    assert ["d[2024-01-01]"] == made(plant.settle(), "d")
    assert "2024-01-01T07Z=late7" in (plant.head("d", "2024-01-01") or "")
    drop_hours(plant, "h", "2024-01-02", [7])
    assert [] == made(plant.settle(), "d")
    assert "up_to_date" == plant.why("d", "2024-01-02")


def test_a_window_that_has_not_ended_waits(plant):
    """Dagster TR:test_unguarded, test_guarded (40). Hours that are still to come are required all the same: there the
    default makes a day of 22 hours, and the guard has to be asked for."""
    plant.now = instant("2024-01-02T00:01")
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": DAY})
    drop_hours(plant, "h", "2024-01-01", range(22))
    assert [] == made(plant.settle(), "d")
    assert "missing: 2024-01-01T22Z, 2024-01-01T23Z" in words(plant, "d", "2024-01-01")
    plant.now = instant("2024-01-02T02:01")
    drop_hours(plant, "h", "2024-01-01", [22, 23])

    assert ["d[2024-01-01]"] == made(plant.settle(), "d")


def test_what_is_required_and_not_there(plant):
    """Dagster TR (41). What a partition needs and there is not, is waited for and told; at the start of its own series
    an asset needs nothing. There the clock releases such a wait, for hours come into being with it; here an hour's
    data does."""
    declare(
        plant, {"b": ["a", "w"]}, {"a": Static("k", ["p1"]), "b": Static("k", ["p1", "p2"])}, {("b", "a"): Identity()}
    )
    plant.drop("w", "w")
    plant.drop("a", "one", "p1")
    assert ["b[p1]"] == made(plant.settle(), "b")
    assert "waiting for a first version of a" == words(plant, "b", "p2")


def test_several_days_at_once(plant):
    """Dagster [V] (32): without a window on time, each day that was delivered runs, as there with that condition."""
    declare(plant, {"b": ["a"]}, {"a": DAY, "b": DAY})
    plant.drop("a", "two", "2024-01-02")
    plant.drop("a", "three", "2024-01-03")

    assert ["b[2024-01-02]", "b[2024-01-03]"] == sorted(made(plant.settle(), "b"))


def series(plant, code: str = "one") -> None:
    """A daily asset that is made from its own day before and from a source."""
    manifest = plant.manifest({"b": ["a"]}, code)
    (workflow,) = manifest.workflows
    own = replace(workflow.inputs[0], parameter="before", asset=workflow.produces[0], mapping=Offset(-1))
    inputs = (replace(workflow.inputs[0], mapping=Identity()), own)
    workflow = replace(workflow, inputs=inputs, partitions=DAY, tasks=(task_of("b", inputs),))
    assets = [replace(a, partitions=DAY, arrives=a.arrives and FileDrop("a_{day}.json")) for a in manifest.assets]
    manifest = replace(manifest, assets=tuple(assets), workflows=(workflow,))
    register.apply(plant.plane, manifest, plant.bundle(code)[1], ME)


def test_an_asset_is_made_from_its_own_day_before(plant):
    """Dagster TE:test_eager_self_dependency (35): the day after runs when the day before was made, and when it is made
    again and differs. At the series' start there is none, and it runs with None."""
    series(plant)
    plant.drop("a", "x", "2024-01-02")
    assert [] == made(plant.settle(), "b")
    assert "waiting for a first version of b" == words(plant, "b", "2024-01-02")
    plant.drop("a", "x", "2024-01-01")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    assert {"before": True, "a": False} == {i.parameter: i.none for i in lease.inputs}
    plant.ask(plant.done(lease))
    assert ["b[2024-01-02]"] == plant.settle()
    assert "b(2024-01-02=x,2024-01-01=b(2024-01-01=x))" == plant.head("b", "2024-01-02")

    request.materialize(plant.plane, "b", "2024-01-01", ME)
    assert ["b[2024-01-01]"] == plant.settle()
    plant.drop("a", "y", "2024-01-01")
    assert ["b[2024-01-01]", "b[2024-01-02]"] == made(plant.settle(), "b")
    assert [] == plant.settle()


def test_a_series_runs_in_turn(plant):
    """However many days are delivered at once, each runs once and after the one before it, never from a day that is
    about to be made again."""
    series(plant)
    days = [f"2024-01-{n:02}" for n in range(1, 10)]
    for d in reversed(days):
        plant.drop("a", "x", d)
    assert [f"b[{d}]" for d in days] == made(plant.settle(), "b")
    for d in reversed(days):
        plant.drop("a", "y", d)

    assert [f"b[{d}]" for d in days] == made(plant.settle(), "b")
    assert 8 == (plant.head("b", days[-1]) or "").count("b(") - 1


def test_a_failed_day_holds_the_later_ones(plant):
    """They would be made from what is about to change; a repair lets them go on."""
    series(plant)
    for d in ("2024-01-01", "2024-01-02", "2024-01-03"):
        plant.drop("a", "x", d)
    plant.settle()
    for d in ("2024-01-01", "2024-01-02", "2024-01-03"):
        plant.drop("a", "y", d)
    for lease in plant.take(8):
        plant.ask(plant.done(lease))
    (lease,) = plant.take(8)
    assert "2024-01-01" == lease.partition
    plant.ask(plant.failed(lease, retryable=False))
    assert [] == plant.settle()
    assert {"upstream_failed"} == {plant.why("b", d) for d in ("2024-01-02", "2024-01-03")}
    request.materialize(plant.plane, "b", "2024-01-01", ME)

    assert ["b[2024-01-01]", "b[2024-01-02]", "b[2024-01-03]"] == plant.settle()


def test_keys_and_the_whole(plant):
    """Dagster [V] (37), with static keys. One piece makes each key, as there. All of the keys make one piece as soon as
    any is there, and again with each; to wait for both, as there, is said."""
    declare(
        plant,
        {"b": ["w"], "any": ["b"], "both": ["a"]},
        {"a": AREAS, "b": AREAS},
        {("both", "a"): AllPartitions(at_least=2)},
    )
    plant.drop("w", "w")
    assert ["any", "b[north]", "b[south]", "w"] == sorted(plant.settle())
    plant.drop("a", "n", "north")
    assert ["a[north]"] == plant.settle()
    assert "waiting for partitions of a: 1 of at least 2 are there" == words(plant, "both")
    plant.drop("a", "s", "south")

    assert ["both"] == made(plant.settle(), "both")


def test_the_last_day(plant):
    """Dagster [V] (38, LastPartitionMapping): news of an old day runs nothing, the latest day does, as there. The last
    is here the newest that is there: a day without data can be nobody's input."""
    declare(plant, {"b": ["a"]}, {"a": DAY}, {("b", "a"): Last()})
    plant.drop("a", "one", "2024-01-05")
    assert ["b"] == made(plant.settle(), "b")
    plant.drop("a", "old", "2024-01-04")
    assert [] == made(plant.settle(), "b")
    assert "b(2024-01-05=one)" == plant.head("b")
    plant.drop("a", "two", "2024-01-06")

    assert ["b"] == made(plant.settle(), "b")
    assert "b(2024-01-06=two)" == plant.head("b")
    assert [("a", "2024-01-06", "2024-01-06")] == pins(plant, "b")


def pins(plant, workflow: str) -> list[tuple[str, str, str]]:
    """What the workflow's newest run was pinned to."""
    from riparian.storage.metadata import runs

    newest = plant.runs(workflow)[0]["id"]
    row = plant.plane.db.read(lambda tx: runs.by_id(tx, [newest])[newest])
    return [(p["asset"], p["lo"], p["hi"]) for p in json.loads(row.pins)]


def test_one_fixed_day(plant):
    """Whatever runs needs that one day, and no other day's news is anything to it."""
    declare(plant, {"b": ["a"]}, {"a": DAY}, {("b", "a"): Fixed("2024-01-02")})
    plant.drop("a", "one", "2024-01-01")
    assert ["a[2024-01-01]"] == plant.settle()
    plant.drop("a", "two", "2024-01-02")

    assert ["b"] == made(plant.settle(), "b")
    plant.drop("a", "three", "2024-01-03")
    assert [] == made(plant.settle(), "b")


def test_keys_of_two_inputs(plant):
    """Dagster TD:test_dep_missing_partitioned (46): with any input a key runs by its own news alone; with all, when
    each input had news for that same key."""
    declare(
        plant,
        {"any": ["a", "b"], "all": ["a", "b"]},
        dict.fromkeys(("a", "b", "any", "all"), AREAS),
        triggers={"all": on_update(all=True)},
    )
    for key in AREAS.keys:
        plant.drop("a", "x", key)
        plant.drop("b", "x", key)
    plant.settle()
    plant.drop("a", "y", "north")
    plant.drop("b", "y", "south")
    assert ["any[north]", "any[south]"] == sorted(
        r for r in plant.settle() if r.startswith("a") and "[" in r and r[1] != "["
    )
    plant.drop("b", "y", "north")

    assert ["all[north]", "any[north]"] == sorted(r for r in plant.settle() if r.startswith(("all", "any")))


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)])
def test_a_day_of_changed_clocks_has_its_own_hours(plant, day, hours):
    """A local day is made of the hours that it lasts."""
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": BERLIN})
    start, _ = BERLIN.window(day)
    keys = [HOUR.key_at(start + n * 3_600_000_000) for n in range(hours)]
    for key in keys[:-1]:
        plant.drop("h", "x", key)
    assert [] == made(plant.settle(), "d")
    plant.drop("h", "x", keys[-1])

    assert [f"d[{day}]"] == made(plant.settle(), "d")


def test_at_least_some_hours(plant):
    """With a number to wait for, it runs as soon as that many are there and again with each that comes after."""
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": DAY}, {("d", "h"): Overlapping(at_least=20)})
    drop_hours(plant, "h", "2024-01-01", range(19))
    assert [] == made(plant.settle(), "d")
    said = "waiting for partitions of h: 19 of 24 are there, and it needs 20"
    assert said == words(plant, "d", "2024-01-01")
    drop_hours(plant, "h", "2024-01-01", [20])
    assert ["d[2024-01-01]"] == made(plant.settle(), "d")
    drop_hours(plant, "h", "2024-01-01", [21])

    assert ["d[2024-01-01]"] == made(plant.settle(), "d")


def test_a_day_fans_out(plant):
    """Each hour of a day is made from the day; news of the day makes them again."""
    declare(plant, {"h": ["d"]}, {"h": HOUR, "d": DAY})
    plant.drop("d", "x", "2024-01-01")
    hours = [f"h[2024-01-01T{n:02}Z]" for n in range(24)]
    assert hours == sorted(made(plant.settle(), "h"))
    plant.drop("d", "y", "2024-01-01")

    assert hours == sorted(made(plant.settle(), "h"))
    assert "h(2024-01-01=y)" == plant.head("h", "2024-01-01T05Z")


def test_hours_to_days_to_months(plant):
    """A late hour makes its day again and the day its month; the other days are left alone."""
    declare(plant, {"d": ["h"], "m": ["d"]}, {"h": HOUR, "d": DAY, "m": MONTH}, {("d", "h"): Overlapping(at_least=1)})
    for n in range(1, 32):
        plant.drop("h", "x", f"2024-01-{n:02}T00Z")
    assert ["m[2024-01]"] == made(plant.settle(), "m")
    plant.drop("h", "late", "2024-01-07T05Z")

    assert ["h[2024-01-07T05Z]", "d[2024-01-07]", "m[2024-01]"] == plant.settle()


def test_a_roll_up_waits_for_its_own_hours_alone(plant):
    """While an hour of one day is still being taken in, that day is held; the day before runs."""
    declare(plant, {"x": ["h"], "d": ["x", "h"]}, {"h": HOUR, "x": HOUR, "d": DAY})
    for day in ("2024-01-01", "2024-01-02"):
        drop_hours(plant, "h", day, range(24))
    plant.settle()
    drop_hours(plant, "h", "2024-01-01", [3], "y")
    drop_hours(plant, "h", "2024-01-02", [3], "y")
    first, second = plant.take(8)
    plant.ask(plant.done(first))
    ran = []
    for _ in range(3):
        for lease in plant.take(8):
            ran.append(f"{lease.workflow}[{lease.partition}]")
            plant.ask(plant.done(lease))

    assert ["x[2024-01-01T03Z]", "d[2024-01-01]"] == ran
    plant.ask(plant.done(second))
    assert ["x[2024-01-02T03Z]", "d[2024-01-02]"] == plant.settle()


def test_a_table_of_keys(plant):
    """An area is made from just its shops, whichever keys lie between them; so is its lineage."""
    table = ByKey({"north": ["n1", "s2"], "south": ["n2"]})
    declare(plant, {"b": ["a"]}, {"a": SHOPS, "b": AREAS}, {("b", "a"): table})
    plant.drop("a", "x", "n1")
    plant.drop("a", "x", "n2")
    assert ["b[south]"] == made(plant.settle(), "b")
    assert "waiting for partitions of a: 1 of 2 are there" == words(plant, "b", "north")
    plant.drop("a", "x", "s2")

    assert ["b[north]"] == made(plant.settle(), "b")
    assert "b(n1=x,s2=x)" == plant.head("b", "north")
    lineage = plant.plane.access.as_principal(ME).lineage("b", partition="north", level="version")
    assert {("b", "north"), ("a", "n1"), ("a", "s2")} == {(n["key"], n["partition"]) for n in lineage["nodes"]}
    plant.drop("a", "y", "n2")
    assert ["b[south]"] == made(plant.settle(), "b")


def test_a_week_of_days_back(plant):
    """The seven days up to this one, fewer at the start of the series; a late day makes all again that hold it."""
    declare(plant, {"b": ["a"]}, {"a": DAY, "b": DAY}, {("b", "a"): Offset(-2, 0)})
    for n in (1, 2, 3, 4):
        plant.drop("a", f"{n}", f"2024-01-0{n}")
    plant.settle()
    assert "b(2024-01-01=1)" == plant.head("b", "2024-01-01")
    assert "b(2024-01-02=2,2024-01-03=3,2024-01-04=4)" == plant.head("b", "2024-01-04")
    plant.drop("a", "late", "2024-01-02")

    assert ["b[2024-01-02]", "b[2024-01-03]", "b[2024-01-04]"] == sorted(made(plant.settle(), "b"))


def test_today_and_yesterday_of_one_asset(plant):
    """Two looks at one asset are told apart."""
    declare(plant, {"b": ["a"]}, {"a": DAY, "b": DAY}, {("b", "a'"): Offset(-1)})
    plant.drop("a", "one", "2024-01-01")
    plant.drop("a", "two", "2024-01-02")
    assert ["b[2024-01-01]", "b[2024-01-02]"] == sorted(made(plant.settle(), "b"))
    assert "b(2024-01-02=two,2024-01-01=one)" == plant.head("b", "2024-01-02")
    plant.drop("a", "uno", "2024-01-01")

    assert ["b[2024-01-01]", "b[2024-01-02]"] == sorted(made(plant.settle(), "b"))
    assert "b(2024-01-02=two,2024-01-01=uno)" == plant.head("b", "2024-01-02")


@pytest.mark.parametrize(
    ("cut", "expression", "ran"),
    [
        (Hourly("hour", "2024-01-01"), "30 * * * *", ["t[2024-03-30T22Z]", "t[2024-03-30T23Z]"]),
        (Daily("day", "2024-01-01", timezone="Europe/Berlin"), "30 22,23 * * *", ["t[2024-03-30]", "t[2024-03-31]"]),
        (Weekly("week", "2024-01-01", timezone="Asia/Tokyo"), "30 23 * * *", ["t[2024-03-25]"]),
        (Monthly("month", "2024-01", timezone="Asia/Tokyo"), "30 23 * * *", ["t[2024-03]"]),
        (Cron("shift", "0 */6 * * *", "2024-01-01"), "30 22,23 * * *", ["t[2024-03-30T1800Z]"] * 2),
        (Static("k", ["a", "b"]), "30 23 * * *", ["t[a]", "t[b]"]),
    ],
)
def test_a_tick_is_for_its_own_window(plant, cut, expression, ran):
    """What nothing feeds runs, for every kind, for the window in which its tick lies."""
    plant.now = instant("2024-03-30T22:00")
    declare(plant, {"t": []}, {"t": cut}, triggers={"t": on_cron(expression)})

    assert ran == plant.go_on(instant("2024-03-31T00:15"))


def test_a_new_roll_up_begins_with_the_last_complete_window(plant):
    """It runs once for the newest day that is all there; older ones nobody asked for, and the day that goes on runs
    when it is complete."""
    cuts = {"h": HOUR, "x": HOUR, "d": DAY}
    declare(plant, {"x": ["h"]}, cuts)
    for day in ("2024-01-01", "2024-01-02"):
        drop_hours(plant, "h", day, range(24))
    drop_hours(plant, "h", "2024-01-03", range(5))
    plant.settle()
    declare(plant, {"x": ["h"], "d": ["h"]}, cuts)
    assert ["d[2024-01-02]"] == plant.settle()
    assert "not_asked" == plant.why("d", "2024-01-01")
    drop_hours(plant, "h", "2024-01-03", range(5, 24))

    assert ["d[2024-01-03]"] == made(plant.settle(), "d")


def test_a_new_input_in_one_piece_makes_every_window_again(plant):
    """What touches all windows finds those that there are, of whatever size the inputs that cut them."""
    cuts = {"h": HOUR, "d": DAY, "f": HOUR}
    mappings = {("d", "h"): Overlapping(at_least=1)}
    declare(plant, {"d": ["h", "w"], "f": ["d"]}, cuts, mappings)
    plant.drop("w", "one")
    for n in (1, 3, 4):
        plant.drop("h", "x", f"2024-01-0{n}T05Z")
        plant.drop("h", "x", f"2024-01-0{n}T06Z")
    plant.settle()
    plant.drop("w", "two")
    ran = plant.settle()

    assert ["d[2024-01-01]", "d[2024-01-03]", "d[2024-01-04]"] == sorted(made(ran, "d"))
    assert 72 == len(made(ran, "f"))


def test_partitions_that_are_declared_anew_break_nothing(plant):
    """What was made for other partitions is there still; it is nobody's to wait for."""
    declare(plant, {"d": ["h"]}, {"h": DAY, "d": DAY})
    plant.drop("h", "x", "2024-01-05")
    plant.settle()
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": DAY})
    drop_hours(plant, "h", "2024-01-05", range(24))

    assert ["d[2024-01-05]"] == made(plant.settle(), "d")
    declare(plant, {"d": ["h"]}, {"h": DAY, "d": MONTH}, {("d", "h"): Overlapping(at_least=2)})
    plant.drop("h", "x", "2024-01-06")
    assert ["d[2024-01]"] == made(plant.settle(), "d")


def test_what_was_cut_otherwise_is_not_received(plant):
    """Hours that were taken in before the days lie between them by their names: a roll-up of the days is made from the
    days alone, and carries the origins of those alone."""
    declare(plant, {"h": ["s"]}, {"s": HOUR, "h": HOUR})
    drop_hours(plant, "s", "2024-01-05", (5, 6))
    plant.settle()
    declare(plant, {"h": ["r"], "m": ["h"]}, {"r": DAY, "h": DAY, "m": MONTH}, {("m", "h"): Overlapping(at_least=2)})
    plant.drop("r", "x", "2024-01-05")
    plant.drop("r", "y", "2024-01-06")

    assert ["m[2024-01]"] == made(plant.settle(), "m")
    received = "2024-01-05=h(2024-01-05=x),2024-01-06=h(2024-01-06=y)"
    assert f"m({received})" == plant.head("m", "2024-01")
    assert [("h", "2024-01-01", "2024-01-05"), ("h", "2024-01-06", "2024-01-31")] == intervals(plant, "m")


def intervals(plant, workflow: str) -> list[tuple[str, str, str]]:
    """All that the workflow's newest run was pinned to."""
    from riparian.storage.metadata import runs

    newest = plant.runs(workflow)[0]["id"]
    row = plant.plane.db.read(lambda tx: runs.by_id(tx, [newest])[newest])
    return [(p["asset"], lo, hi) for p in json.loads(row.pins) for lo, hi in ((p["lo"], p["hi"]), *p["more"])]


def test_the_last_of_the_windows_there_are(plant):
    """A day of before sorts behind the month that it lies in: the newest month is the last all the same, and a new
    workflow begins with it."""
    declare(plant, {"a": ["s"]}, {"s": DAY, "a": DAY})
    plant.drop("s", "day", "2024-01-20")
    plant.settle()
    declare(plant, {"a": ["s"]}, {"s": MONTH, "a": MONTH})
    plant.drop("s", "month", "2024-01")
    plant.settle()
    declare(plant, {"a": ["s"], "b": ["a"], "c": ["a"]}, {"s": MONTH, "a": MONTH, "c": MONTH}, {("b", "a"): Last()})

    assert ["b", "c[2024-01]"] == sorted(plant.settle())
    assert "b(2024-01=a(2024-01=month))" == plant.head("b")


def test_how_much_of_a_hidden_input_is_there_is_not_told(plant):
    """Whoever owns the day, and may not see its hours, learns neither their name nor how many there are."""
    declare(plant, {"d": ["h"]}, {"h": HOUR, "d": DAY})
    plant.plane.db.write(lambda tx: tx.conn.execute(text("UPDATE asset SET owner = 'user:ana' WHERE key = 'd'")))
    graph = plant.plane.db.read(plant.plane.graphs.at)
    policies.set_overlay(plant.plane.db, graph, "h", Policy(readers={"ops"}), ME)
    drop_hours(plant, "h", "2024-01-01", range(23))
    plant.settle()
    ana = plant.plane.access.as_principal(Principal(name="ana"))

    assert "waiting for partitions of h: 23 of 24 are there" in words(plant, "d", "2024-01-01")
    assert "waiting for partitions of a restricted asset" == ana.why("d", "2024-01-01")["words"]
