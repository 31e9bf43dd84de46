"""From a dropped file to the assets made of it, with everything in processes of their own."""

from __future__ import annotations

import pytest

PIPELINE = """
    import pyarrow as pa
    import pyarrow.compute as pc
    from riparian import Daily, FileDrop, Policy, asset, source

    DAYS = Daily("day", start="2013-01-01")
    flights_csv = source("air.flights_csv", arrives=FileDrop("drop/flights_{day:%Y-%m-%d}.csv"),
                         partitions=DAYS, policy=Policy())

    @asset("air.flights", partitions=DAYS)
    def flights(flights_csv: pa.Table) -> pa.Table:
        print("cleaning", flights_csv.num_rows, "rows")
        return flights_csv.filter(pc.is_valid(flights_csv["delay"]))

    @asset("air.delays")
    def delays(flights: pa.Table) -> pa.Table:
        return flights.group_by("carrier").aggregate([("delay", "mean")]).sort_by("carrier")

    @asset("air.report")
    def report(delays: pa.Table) -> dict:
        return {row["carrier"]: row["delay_mean"] for row in delays.to_pylist()}

    crew_csv = source("air.crew_csv", arrives=FileDrop("drop/crew_{day:%Y-%m-%d}.csv"),
                      partitions=DAYS, policy=Policy())

    @asset("air.crew", partitions=DAYS)
    def crew(crew_csv: pa.Table) -> pa.Table:
        return crew_csv
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A site in which the first day of January has arrived and everything is made of it."""
    site = make_site(PIPELINE)
    site.worker(slots=2)
    site.drop("flights_2013-01-01.csv", "carrier,delay\nUA,2\nUA,4\nAA,\n")
    site.until(lambda: site.value("air.report") == {"UA": 3.0}, "the report is made of the first file")
    return site


def counted(site):
    keys = ("air.flights_csv", "air.flights", "air.delays", "air.report")
    return [len(site.versions(k)) for k in keys]


def files(site, name):
    return [f for f in site.get("files")["items"] if f["path"] == f"drop/{name}"]


def test_file_becomes_assets_and_lineage_names_it(site):
    """A dropped file runs through the chain; the lineage of the last asset leads back to the file by its name."""
    body = site.get("assets/air.report/lineage", level="version", up=10)
    node = {n["id"]: n for n in body["nodes"]}
    (root,) = body["roots"]
    chain = {(node[e["from"]]["key"], node[e["to"]]["key"]) for e in body["edges"]}

    assert "air.report" == node[root]["key"]
    assert "drop/flights_2013-01-01.csv" in {n["file"] for n in node.values()}
    assert {
        ("air.flights_csv", "air.flights"),
        ("air.flights", "air.delays"),
        ("air.delays", "air.report"),
    } == chain


def test_run_tells_cause_and_log(site):
    """Every run says why it was and what its code printed."""
    (run,) = site.runs("air.flights", partition="2013-01-01")

    assert ("succeeded", "air.flights_csv was updated") == (run["state"], run["cause"])
    assert "cleaning 3 rows" in site.log(run["id"])


def test_same_file_again_changes_nothing(site):
    """A delivery that is known by path, size, time and inode is a no-op, also when it went and came back."""
    before = counted(site), len(site.runs("air.flights_csv"))
    (site.drops / "flights_2013-01-01.csv").rename(site.drops.parent / "aside.csv")
    (site.drops.parent / "aside.csv").rename(site.drops / "flights_2013-01-01.csv")
    site.drop("marker.txt", "seen")
    site.until(lambda: files(site, "marker.txt"), "what came after the file was seen")

    assert before == (counted(site), len(site.runs("air.flights_csv")))
    assert ["committed"] == [f["state"] for f in files(site, "flights_2013-01-01.csv")]


def test_equal_content_delivered_anew_stops_at_the_first_asset(site):
    """Equal content in a new file is a new version of the source, and nothing downstream is made again."""
    made = counted(site)
    site.drop("flights_2013-01-03.csv", "carrier,delay\nUA,3\n")
    site.until(lambda: counted(site)[2] > made[2], "the delays are made of the third day too")
    # The mean is the same, so that the report is not made again.
    before = counted(site)
    site.drop("flights_2013-01-03.csv", "carrier,delay\nUA,3\n")
    site.until(lambda: counted(site)[0] > before[0], "the second delivery is in")

    assert [before[0] + 1, *before[1:]] == counted(site)
    assert 1 == len(site.runs("air.flights", partition="2013-01-03"))
    noted = site.get("assets/air.flights/why", partition="2013-01-03")["noted"]
    assert "air.flights_csv was updated with equal content" == noted


def test_changed_content_is_a_new_version(site):
    """New content under the same name is a second version; the first is kept, and what follows from it is made anew."""
    site.drop("flights_2013-01-02.csv", "carrier,delay\nBB,10\n")
    site.until(lambda: (site.value("air.report") or {}).get("BB") == 10.0, "the report has the second day")
    site.drop("flights_2013-01-02.csv", "carrier,delay\nBB,30\n")
    site.until(lambda: site.value("air.report").get("BB") == 30.0, "the report has the corrected day")
    versions = site.versions("air.flights_csv", partition="2013-01-02")

    assert [True, False] == [v["head"] for v in versions]
    assert 2 == len({v["digest"] for v in versions})


def test_unmatched_file_is_listed_with_its_reason(site):
    """A file that no pattern takes is no silence: it is listed, with what the patterns are."""
    site.drop("passengers.csv", "name\nana\n")
    (file,) = site.until(lambda: files(site, "passengers.csv"), "the stray file is listed")

    assert "unmatched" == file["state"]
    assert "flights_{day:%Y-%m-%d}.csv" in file["reason"]


def test_file_that_can_not_be_parsed_fails_its_own_partition_only(site):
    """A broken file fails the asset made of it, naming the line, and touches no other day."""
    site.drop("crew_2013-01-01.csv", "name,age\nana,1\n")
    site.drop("crew_2013-01-02.csv", "name,age\nana,1\nbob,1,1\n")
    site.new_run("air.crew", count=2)
    for run in site.runs("air.crew"):
        site.run_ended(run["id"])
    states = {r["partition"]: (r["state"], r["error"] or "") for r in site.runs("air.crew")}

    assert ("succeeded", "") == states["2013-01-01"]
    assert "failed" == states["2013-01-02"][0]
    assert "line 3" in states["2013-01-02"][1]
