"""Partitions of several dimensions: what an update makes, what waits for what, and what time and people ask for."""

import pytest
from sqlalchemy import text

from riparian.assets.partitions import (
    AllPartitions,
    ByDimension,
    ByKey,
    Daily,
    Hourly,
    Monthly,
    Offset,
    Overlapping,
    Product,
    Static,
)
from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import on_cron, on_update
from riparian.scheduler import backfill, policies, request
from riparian.scheduler.preview import preview
from tests.scheduler.conftest import ME, declared

from .test_partitions import declare, instant, intervals, made, words

DAY = Daily("day", start="2024-01-01")
HOUR = Hourly("hour", start="2024-01-01")
MONTH = Monthly("month", start="2024-01")
REGION = Static("region", ["eu", "eu-west", "us"])
SHOP = Static("shop", ["a", "b"])
SALES = Product(DAY, REGION)
BY_REGION = Product(REGION, DAY)


def days(*numbers: int, of: str) -> list[str]:
    return sorted(f"{of}[2024-01-{n:02},{region}]" for n in numbers for region in REGION.keys)


def test_the_same_partition(plant):
    """An update of one region of one day makes just that."""
    declare(plant, {"b": ["a"], "c": ["b"]}, {"a": SALES, "b": SALES, "c": BY_REGION})
    plant.drop("a", "x", "2024-01-01,eu")
    plant.drop("a", "x", "2024-01-02,us")
    assert ["b[2024-01-01,eu]", "b[2024-01-02,us]"] == sorted(made(plant.settle(), "b"))
    plant.drop("a", "y", "2024-01-01,eu")

    assert ["a[2024-01-01,eu]", "b[2024-01-01,eu]", "c[eu,2024-01-01]"] == plant.settle()
    assert "c(2024-01-01,eu=b(2024-01-01,eu=y))" == plant.head("c", "eu,2024-01-01")


def test_a_sum_over_one_dimension(plant):
    """A day is made of the regions that there are, a region of the days, and each again with what comes after."""
    declare(plant, {"d": ["a"], "r": ["a"], "w": ["a"]}, {"a": SALES, "d": DAY, "r": REGION})
    plant.drop("a", "x", "2024-01-01,eu")
    assert ["a[2024-01-01,eu]", "d[2024-01-01]", "r[eu]", "w"] == plant.settle()
    plant.drop("a", "y", "2024-01-01,us")
    assert ["d[2024-01-01]", "r[us]"] == plant.settle()[1:3]
    plant.drop("a", "z", "2024-01-02,us")
    assert ["d[2024-01-02]", "r[us]"] == plant.settle()[1:3]

    assert "d(2024-01-01,eu=x,2024-01-01,us=y)" == plant.head("d", "2024-01-01")
    assert "r(2024-01-01,us=y,2024-01-02,us=z)" == plant.head("r", "us")
    assert [("a", "2024-01-02,eu", "2024-01-02,us")] == intervals(plant, "d")
    assert [("a", f"2024-01-0{n},us", f"2024-01-0{n},us") for n in (1, 2)] == intervals(plant, "r")
    lineage = plant.plane.access.as_principal(ME).lineage("r", partition="us", level="version")
    assert {("r", "us"), ("a", "2024-01-01,us"), ("a", "2024-01-02,us")} == {
        (n["key"], n["partition"]) for n in lineage["nodes"]
    }


def test_a_sum_waits_for_so_many(plant):
    """``at_least`` counts the keys of its dimension, for each key that the others need."""
    hours = Product(HOUR, REGION)
    cuts = {"a": SALES, "d": DAY, "h": hours, "m": DAY}
    rules = {
        ("d", "a"): ByDimension(region=AllPartitions(at_least=2)),
        ("m", "h"): ByDimension(hour=Overlapping(at_least=2), region=AllPartitions(at_least=2)),
    }
    declare(plant, {"d": ["a"], "m": ["h"]}, cuts, rules)
    plant.drop("a", "x", "2024-01-01,eu")
    assert [] == made(plant.settle(), "d")
    assert "waiting for partitions of a: 1 of at least 2 are there" == words(plant, "d", "2024-01-01")
    plant.drop("a", "y", "2024-01-01,us")
    assert ["d[2024-01-01]"] == made(plant.settle(), "d")
    for hour in range(4):
        plant.drop("h", "x", f"2024-01-01T{hour:02}Z,eu")
    assert [] == made(plant.settle(), "m")
    plant.drop("h", "x", "2024-01-01T03Z,us")
    assert [] == made(plant.settle(), "m")
    assert "waiting for partitions of h: 1 of 24 are there, and it needs 2" == words(plant, "m", "2024-01-01")
    plant.drop("h", "x", "2024-01-01T01Z,us")

    assert ["m[2024-01-01]"] == made(plant.settle(), "m")


def test_windows_of_two_sizes_beside_a_key(plant):
    """A day of a region waits for all 24 of its hours of that region, and for no other's."""
    declare(plant, {"d": ["h"]}, {"h": Product(HOUR, REGION), "d": SALES})
    for hour in range(24):
        plant.drop("h", "x", f"2024-01-01T{hour:02}Z,eu")
    plant.drop("h", "x", "2024-01-01T00Z,us")

    assert ["d[2024-01-01,eu]"] == made(plant.settle(), "d")
    assert "waiting for partitions of h: 1 of 24 are there" == words(plant, "d", "2024-01-01,us")


def test_an_input_that_lacks_a_dimension(plant):
    """It feeds all regions of its day, or all days that there are of its region."""
    declare(plant, {"b": ["d"], "c": ["b", "r"]}, {"d": DAY, "r": REGION, "b": SALES, "c": SALES})
    plant.drop("d", "x", "2024-01-01")
    plant.drop("d", "y", "2024-01-02")
    assert days(1, 2, of="b") == sorted(made(plant.settle(), "b"))
    plant.drop("r", "one", "us")
    assert ["c[2024-01-01,us]", "c[2024-01-02,us]"] == sorted(made(plant.settle(), "c"))
    plant.drop("r", "two", "us")
    assert ["r[us]", "c[2024-01-01,us]", "c[2024-01-02,us]"] == plant.settle()
    plant.drop("d", "z", "2024-01-02")

    ran = plant.settle()
    assert days(2, of="b") == sorted(made(ran, "b"))
    assert ["c[2024-01-02,us]"] == made(ran, "c")


def test_what_touches_everything_finds_what_there_is(plant):
    """An input in one piece that comes late calls for each partition that the others have something for, in whatever
    order these stand there."""
    cuts = {"a": SALES, "r": REGION, "c": BY_REGION, "d": DAY, "m": Product(MONTH, REGION)}
    late = {key: ["a", "w"] for key in "rcdm"}
    declare(plant, late, cuts, {("m", "a"): ByDimension(day=Overlapping(at_least=1))})
    for key in ("2024-01-01,us", "2024-01-02,eu", "2024-02-03,eu", "2024-01-03,us"):
        plant.drop("a", "x", key)
    assert 4 == len(plant.settle())
    plant.drop("w", "x")
    ran = set(plant.settle())

    assert {"r[eu]", "r[us]"} == {r for r in ran if r[0] == "r"}
    assert {"m[2024-01,eu]", "m[2024-01,us]", "m[2024-02,eu]"} == {r for r in ran if r[0] == "m"}
    assert {f"d[2024-{day}]" for day in ("01-01", "01-02", "01-03", "02-03")} == {r for r in ran if r[0] == "d"}
    in_order = ("eu,2024-01-02", "eu,2024-02-03", "us,2024-01-01", "us,2024-01-03")
    assert {f"c[{key}]" for key in in_order} == {r for r in ran if r[0] == "c"}


def test_what_was_there_before_is_leapt_over(plant):
    """A region that is no more lies between two that are: neither hides the other."""
    edges = {"r": ["a", "w"], "c": ["a", "w"]}
    declare(plant, {"x": ["a"]}, {"a": SALES})
    for region in REGION.keys:
        plant.drop("a", "x", f"2024-01-01,{region}")
    plant.settle()
    fewer = Static("region", ["eu", "us"])
    declare(plant, edges, {"a": Product(DAY, fewer), "r": fewer, "c": Product(fewer, DAY)})
    for region in fewer.keys:
        plant.drop("a", "y", f"2024-01-02,{region}")
    plant.settle()
    plant.drop("w", "x")

    wanted = {f"c[{region},2024-01-0{day}]" for region in ("eu", "us") for day in (1, 2)}
    assert {"w", "r[eu]", "r[us]", *wanted} == set(plant.settle())


def test_a_table_beside_a_day(plant):
    """Each area of a day is made from just its shops of that day."""
    area = Static("area", ["north", "south"])
    table = ByDimension(shop=ByKey({"north": ["a"], "south": ["a", "b"]}))
    declare(plant, {"b": ["a"]}, {"a": Product(SHOP, DAY), "b": Product(DAY, area)}, {("b", "a"): table})
    plant.drop("a", "x", "a,2024-01-01")
    assert ["b[2024-01-01,north]"] == made(plant.settle(), "b")
    assert "waiting for partitions of a: 1 of 2 are there" == words(plant, "b", "2024-01-01,south")
    plant.drop("a", "y", "b,2024-01-01")

    assert ["b[2024-01-01,south]"] == made(plant.settle(), "b")
    assert "b(a,2024-01-01=x,b,2024-01-01=y)" == plant.head("b", "2024-01-01,south")


@pytest.mark.parametrize("cut", [SALES, BY_REGION])
def test_each_key_has_a_series_of_its_own(plant, cut):
    """A region of a day is made from the day before of that region: a late one makes the later days of that region
    again, one after the other, and those of no other; a failure holds up its own region alone."""

    def key(day: int, region: str) -> str:
        return f"2024-01-0{day},{region}" if cut is SALES else f"{region},2024-01-0{day}"

    declare(plant, {"b": ["a", "b"]}, {"a": cut, "b": cut}, {("b", "b"): ByDimension(day=Offset(-1))})
    for region in ("eu", "us"):
        for day in (1, 2, 3):
            plant.drop("a", f"{day}", key(day, region))
    plant.settle()
    last = f"b({key(3, 'us')}=3,{key(2, 'us')}=b({key(2, 'us')}=2,{key(1, 'us')}=b({key(1, 'us')}=1)))"
    assert last == plant.head("b", key(3, "us"))
    plant.drop("a", "late", key(1, "us"))
    assert [f"b[{key(n, 'us')}]" for n in (1, 2, 3)] == made(plant.settle(), "b")
    plant.drop("a", "x", key(1, "eu"))
    plant.ask(plant.done(*plant.take()))
    plant.ask(plant.failed(*plant.take(), retryable=False))
    plant.drop("a", "x", key(1, "us"))
    assert [f"b[{key(n, 'us')}]" for n in (1, 2, 3)] == made(plant.settle(), "b")
    plant.drop("a", "y", key(2, "us"))
    plant.drop("a", "y", key(1, "eu"))
    plant.ask(*[plant.done(x) for x in plant.take(8)])

    assert {f"b[{key(2, 'us')}]", f"b[{key(1, 'eu')}]"} == {f"{x.workflow}[{x.partition}]" for x in plant.take(8)}


def test_a_diamond_of_one_region_runs_once(plant):
    """What joins waits for its own region and day, and not for what is under way beside it."""
    declare(plant, {"b": ["a"], "c": ["a"], "d": ["b", "c"]}, dict.fromkeys("abcd", SALES))
    for region in ("eu", "us"):
        plant.drop("a", "x", f"2024-01-01,{region}")
    for lease in plant.take(8):
        plant.ask(plant.done(lease))
    leases = {(x.workflow, x.partition): x for x in plant.take(8)}
    plant.ask(plant.done(leases.pop(("b", "2024-01-01,eu"))), plant.done(leases.pop(("c", "2024-01-01,eu"))))

    assert ["d[2024-01-01,eu]"] == plant.settle()
    plant.ask(*[plant.done(x) for x in leases.values()])
    assert ["d[2024-01-01,us]"] == plant.settle()


def test_a_failure_holds_up_its_own_key_alone(plant):
    """A sum of a region over all days waits for the repair of a day of that region, and of no other's."""
    declare(plant, {"b": ["a"], "r": ["a", "b"]}, {"a": SALES, "b": SALES, "r": REGION})
    plant.drop("a", "x", "2024-01-02,eu")
    plant.drop("a", "x", "2024-01-01,us")
    plant.drop("a", "x", "2024-01-03,us")
    plant.settle()
    plant.drop("a", "y", "2024-01-02,eu")
    plant.ask(plant.done(*plant.take()))
    plant.ask(plant.failed(*plant.take(), retryable=False))
    assert "upstream_failed" == plant.why("r", "eu")
    plant.drop("a", "y", "2024-01-01,us")

    assert ["a[2024-01-01,us]", "b[2024-01-01,us]", "r[us]"] == plant.settle()


def test_a_new_workflow_begins_with_the_latest_of_each_key(plant):
    """Of the newest day all regions that there are, wherever time stands in the key; older ones nobody asked for."""
    declare(plant, {"w": ["a", "x"]}, {"a": SALES, "x": BY_REGION})
    for day in (1, 2):
        for region in ("eu", "us"):
            plant.drop("a", "1", f"2024-01-0{day},{region}")
    plant.drop("x", "1", "eu,2024-01-03")
    plant.drop("x", "1", "eu,2024-01-02")
    plant.drop("x", "1", "us,2024-01-02")
    plant.settle()
    cuts = {"a": SALES, "x": BY_REGION, "b": SALES, "c": BY_REGION, "d": DAY}
    declare(plant, {"w": ["a", "x"], "b": ["a"], "c": ["x"], "d": ["a"]}, cuts)

    assert ["b[2024-01-02,eu]", "b[2024-01-02,us]", "c[eu,2024-01-03]", "d[2024-01-02]"] == sorted(plant.settle())
    assert "not_asked" == plant.why("b", "2024-01-01,eu")
    plant.drop("a", "2", "2024-01-01,eu")
    assert ["a[2024-01-01,eu]", "b[2024-01-01,eu]", "d[2024-01-01]", "w"] == sorted(plant.settle())


@pytest.mark.parametrize("cut", [SALES, BY_REGION])
def test_a_tick_is_for_all_keys_of_its_window(plant, cut):
    """What nothing feeds runs for each region of the day; days whose ticks nobody heard are made up for as said."""

    def keys(*numbers: int) -> list[str]:
        pairs = [(f"2024-03-{n:02}", region) for n in numbers for region in REGION.keys]
        return sorted(f"t[{','.join(p if cut is SALES else p[::-1])}]" for p in pairs)

    plant.now = instant("2024-03-05T12:00")
    declare(plant, {"t": []}, {"t": cut}, triggers={"t": on_cron("0 6 * * *")}, said={"t": {"catch_up": 2}})
    assert keys(6) == sorted(plant.go_on(instant("2024-03-06T06:00")))
    plant.now = instant("2024-03-10T12:00")
    plant.session = plant.join()
    plant.plane.look()

    assert keys(9, 10) == sorted(plant.settle())
    assert [] == plant.settle()


@pytest.mark.parametrize("cut", [Product(HOUR, REGION), Product(REGION, HOUR)])
def test_no_held_key_of_a_window_is_overtaken(plant, monkeypatch, cut):
    """Each key keeps its tick while it waits for what is above it, also of more keys than are made up for at once."""
    monkeypatch.setattr("riparian.scheduler.clock.MOST_CAUGHT_UP", 1)
    plant.now = instant("2024-03-05T00:30")
    declare(plant, {"a": ["s"], "b": ["a"]}, {"b": cut}, triggers={"b": on_cron("0 * * * *") & on_update()})
    plant.drop("s", "one")
    plant.settle()
    plant.drop("s", "two")
    plant.ask(plant.done(*plant.take()))
    (slow,) = plant.take()
    for hour in (1, 2, 3):
        plant.now = instant(f"2024-03-05T0{hour}:00")
        plant.plane.look()
    plant.ask(plant.done(slow))
    pairs = [(f"2024-03-05T0{hour}Z", region) for hour in (1, 2, 3) for region in REGION.keys]

    assert sorted(f"b[{','.join(p if cut.dimensions[0] is HOUR else p[::-1])}]" for p in pairs) == sorted(
        plant.settle()
    )


def test_people_name_the_key(plant):
    """A request is for one partition; what is none is told how it is written."""
    declare(plant, {"b": ["a"]}, {"a": SALES, "b": SALES})
    plant.drop("a", "x", "2024-01-01,eu")
    plant.settle()
    request.materialize(plant.plane, "b", "2024-01-01,eu", ME)
    assert ["b[2024-01-01,eu]"] == plant.settle()
    for wrong, said in (
        ("", "b has a partition for every day and region; say which"),
        ("2024-01-01", "does not say day and region; write 'day,region'"),
        ("2024-01-01,uk", "the region of it: partition 'uk' is none of 'region'"),
    ):
        with pytest.raises(Exception, match=said):
            request.materialize(plant.plane, "b", wrong, ME)


def test_a_backfill_goes_from_the_one_to_the_other_in_each_dimension(plant):
    """January of one region is that region alone; what no input feeds is made up to now."""
    declare(plant, {"b": ["a"], "t": []}, {"a": SALES, "b": SALES, "t": SALES}, triggers={"t": on_cron("0 6 1 1 *")})
    for day in (1, 2, 3):
        for region in REGION.keys:
            plant.drop("a", "x", f"2024-01-0{day},{region}")
    plant.settle()
    plant.now = instant("2024-01-03T12:00")
    plant.session = plant.join()
    for key, lo, hi, wanted in (
        ("b", "2024-01-01,us", "2024-01-02,us", ["2024-01-01,us", "2024-01-02,us"]),
        ("b", "2024-01-02,eu", None, [f"2024-01-0{n},{r}" for n in (2, 3) for r in REGION.keys]),
        ("t", None, "2024-01-31,eu", ["2024-01-01,eu", "2024-01-02,eu", "2024-01-03,eu"]),
    ):
        seen = plant.plane.access.as_principal(ME).backfill_preview(key, lo, hi, "all")
        assert len(wanted) == seen["makes"] + seen["skips"]
        backfill.start(plant.plane, key, ME, lo=lo, hi=hi, only="all")
        assert sorted(f"{key}[{w}]" for w in wanted) == sorted(plant.settle())


def test_a_rebuild_makes_the_latest_of_each_key(plant):
    """Other code makes anew all regions of the newest day, or all there is."""
    cuts = {"a": BY_REGION, "b": BY_REGION}
    declare(plant, {"b": ["a"]}, cuts)
    keys = [f"{region},2024-01-0{n}" for region in ("eu", "us") for n in (1, 2)]
    for key in keys:
        plant.drop("a", "x", key)
    plant.settle()
    declare(plant, {"b": ["a"]}, cuts, code="two", rebuild="latest")
    assert ["b[eu,2024-01-02]", "b[us,2024-01-02]"] == sorted(plant.settle())
    declare(plant, {"b": ["a"]}, cuts, code="three", rebuild="all")

    assert [f"b[{key}]" for key in keys] == sorted(plant.settle())


def test_what_was_cut_by_one_dimension_before(plant):
    """Versions of before stay, and what is made now is made of what is cut so."""
    declare(plant, {"b": ["a"]}, {"a": DAY, "b": DAY})
    plant.drop("a", "x", "2024-01-01")
    plant.settle()
    declare(plant, {"b": ["a"]}, {"a": SALES, "b": SALES})
    assert "b(2024-01-01=x)" == plant.head("b", "2024-01-01")
    plant.drop("a", "y", "2024-01-01,eu")

    assert ["a[2024-01-01,eu]", "b[2024-01-01,eu]"] == plant.settle()
    declare(plant, {"b": ["a"]}, {"a": SALES, "b": DAY})
    assert ["b[2024-01-01]"] == plant.settle()
    plant.drop("a", "z", "2024-01-01,us")
    assert ["b[2024-01-01]"] == made(plant.settle(), "b")
    assert "b(2024-01-01,eu=y,2024-01-01,us=z)" == plant.head("b", "2024-01-01")


def test_four_dimensions(plant):
    """Any number of them: Dagster has two (#21177). What the others are summed over is told apart by what is shared."""
    size, shop = Static("size", ["l", "s"]), SHOP
    whole = Product(DAY, REGION, shop, size)
    cuts = {"a": whole, "b": Product(shop, DAY), "c": Product(size, REGION, DAY)}
    declare(plant, {"b": ["a"], "c": ["a"]}, cuts, triggers={"c": on_update()})
    for key in ("2024-01-01,eu,a,l", "2024-01-01,us,a,s", "2024-01-01,us,b,s"):
        plant.drop("a", key[11:], key)
    plant.settle()

    assert "b(2024-01-01,eu,a,l=eu,a,l,2024-01-01,us,a,s=us,a,s)" == plant.head("b", "a,2024-01-01")
    assert "c(2024-01-01,us,a,s=us,a,s,2024-01-01,us,b,s=us,b,s)" == plant.head("c", "s,us,2024-01-01")
    plant.drop("a", "new", "2024-01-01,us,b,s")
    assert ["b[b,2024-01-01]", "c[s,us,2024-01-01]"] == plant.settle()[1:]


def test_an_edit_is_told_with_its_keys(plant):
    """What a rebuild of the latest would make, before it does."""
    cuts = {"a": SALES, "b": SALES}
    declare(plant, {"b": ["a"]}, cuts)
    for key in ("2024-01-01,us", "2024-01-02,eu", "2024-01-02,us"):
        plant.drop("a", "x", key)
    plant.settle()
    seen = preview(plant.plane, declared(plant, {"b": ["a"]}, cuts, code="two"), ME, "latest")

    assert ["2024-01-02,eu", "2024-01-02,us"] == [r["partition"] for r in seen.runs]
    (edit,) = seen.edits
    assert (3, "2024-01-01,us", "2024-01-02,us", 2, 3) == tuple(
        edit[name] for name in ("stale", "first", "last", "latest", "all")
    )


def test_a_hidden_partition_is_not_named(plant):
    """Whoever may not see an asset learns none of its keys from what waits for it."""
    declare(plant, {"b": ["a"], "d": ["a", "b"]}, dict.fromkeys("abd", SALES))
    plant.plane.db.write(lambda tx: tx.conn.execute(text("UPDATE asset SET owner = 'user:ana' WHERE key = 'd'")))
    graph = plant.plane.db.read(plant.plane.graphs.at)
    policies.set_overlay(plant.plane.db, graph, "b", Policy(readers={"ops"}), ME)
    plant.drop("a", "x", "2024-01-01,eu")
    plant.settle()
    plant.drop("a", "y", "2024-01-01,eu")
    plant.ask(plant.done(*plant.take()))
    plant.ask(plant.failed(*plant.take(), retryable=False))
    ana = plant.plane.access.as_principal(Principal(name="ana"))

    assert "b[2024-01-01,eu] failed" == words(plant, "d", "2024-01-01,eu")
    assert "a restricted asset failed" == ana.why("d", "2024-01-01,eu")["words"]
