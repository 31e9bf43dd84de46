"""How answers look to a person at a terminal, and to a program in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from riparian.api.cli import output, reads, rights, tree
from riparian.assets.partitions import KINDS, Cron, Daily, Dynamic, Hourly, Monthly, Product, Static, Weekly

Read = Callable[[], list[str]]


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def is_terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(output, "is_terminal", lambda: request.param)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    return bool(request.param)


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Read:
    return lambda: [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table(is_terminal: bool, read: Read) -> None:
    """At a terminal: a heading, and no column in which nothing stands. In a pipe: every cell, and nothing else."""
    output.print_rows(("run", "partition", "error"), [("01A", "", "one\ntwo"), ("01B", None, None)])

    expected = ["run  error", "01A  one", "     two", "01B"] if is_terminal else ["01A\t\tone two", "01B\t\t".rstrip()]
    assert expected == read()


def test_what_is_copied_stays_in_one_piece(is_terminal: bool, read: Read) -> None:
    """Only the last column takes several lines."""
    run = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    output.print_rows(("run", "workflow", "cause"), [(run, "air.flights_by_carrier", "word " * 20)])

    assert any(line.startswith(f"{run}  air.flights_by_carrier  word") for line in read()) is is_terminal


def test_a_narrow_terminal_shows_whole_words(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    """A spare column makes room for the last; when that is not enough the last has lines of its own, and no cell is
    cut off."""
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    run = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    told = []
    for columns in ("110", "100", "90", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        output.print_rows(
            ("run", "workflow", "state", "created", "ended", "cause"),
            [(run, "air.late_by_carrier", "succeeded", "2013-01-01", "2013-01-02", "air.late was updated")],
            spare=("ended",),
            spare_too=("created",),
        )
        told.append(read())

    fixed = f"{run}  air.late_by_carrier  succeeded"
    assert [f"{fixed}  2013-01-01  2013-01-02  air.late was updated"] == told[0][1:]
    assert [f"{fixed}  2013-01-01  air.late was updated"] == told[1][1:]
    assert [f"{fixed}  2013-01-01  2013-01-02", "  air.late was updated"] == told[2][1:]
    assert ["run" + " " * 25 + "workflow             state", fixed, "  air.late was updated"] == told[3]


def test_data_stays_a_table(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    """The last column of somebody's table is one like the others, and never under them."""
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    output.print_rows(["a" * 20, "b" * 20], [("1", "2")], tells=False)

    assert 1 == sum(line.startswith(("1", "  2")) for line in read())


def test_no_rows_are_nothing(is_terminal: bool, read: Read) -> None:
    """Also no heading."""
    output.print_rows(("run", "state"), [])
    output.print_rows(("run", "state"), [])

    assert [] == read()


def test_times_are_short_for_a_person(is_terminal: bool, read: Read) -> None:
    """Of today, the time of day; else date and time. A program gets them as they were."""
    today = datetime.now(UTC).replace(hour=6, minute=30, second=1, microsecond=5)
    told = [today.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "2013-02-08T06:30:01.000005Z"]
    output.print_fields(zip(("seen", "made"), told, strict=True))
    seen, made = read()

    assert (f"made: {told[1]}" == made) is not is_terminal
    assert (len("made: 2013-02-08 06:30") == len(made)) is is_terminal
    assert (f"seen: {told[0]}" == seen) is not is_terminal


def test_no_lineage_names_what_was_asked_for(is_terminal: bool, read: Read) -> None:
    """A source that nothing is made from has nothing above or below."""
    node = {"id": "1", "key": "air.total"}
    tree.print_lineage({"nodes": [node], "edges": [], "roots": ["1"], "truncated": False}, "air.total")

    assert (["air.total: nothing above or below"] if is_terminal else []) == read()


@pytest.mark.usefixtures("is_terminal")
@pytest.mark.parametrize(("past", "told"), [(True, "had no version at that time"), (False, "has no version yet")])
def test_no_version_is_not_no_lineage(past: bool, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told beside the answer, which is empty."""
    tree.print_lineage({"nodes": [], "edges": [], "roots": [], "truncated": False}, "air.total", past=past)

    assert ("", f"air.total {told}\n") == capsys.readouterr()


@pytest.mark.parametrize(
    ("partitions", "words"),
    [
        (None, ""),
        (Daily("day", start="2013-01-01").to_json(), "daily day from 2013-01-01"),
        (Daily("day", start="2013-01-01", end="2013-02-01").to_json(), "daily day from 2013-01-01 to 2013-02-01"),
        (Daily("day", start="2013-01-01", timezone="Europe/Rome").to_json(), "daily day from 2013-01-01 (Europe/Rome)"),
        (Hourly("hour", start="2013-01-01").to_json(), "hourly hour from 2013-01-01T00Z"),
        (Weekly("week", start="2013-01-07").to_json(), "weekly week from 2013-01-07"),
        (Monthly("month", start="2013-01").to_json(), "monthly month from 2013-01"),
        (Cron("shift", "0 6 * * *", "2013-01-01").to_json(), "cron shift at '0 6 * * *' from 2013-01-01T0600Z"),
        (Static("shop", ["north", "south"]).to_json(), "static shop (2 keys)"),
        (Static("shop", ["north"]).to_json(), "static shop (1 key)"),
        (
            Product(Monthly("month", start="2013-01"), Static("shop", ["north"])).to_json(),
            "monthly month from 2013-01, by static shop (1 key)",
        ),
        (Dynamic("customer").to_json(), "dynamic customer"),
        ({"kind": "lunar", "name": "moon", "since": 3}, "lunar moon"),
    ],
)
def test_every_kind_of_partitions_is_told(partitions: dict[str, Any] | None, words: str) -> None:
    """In words, and also one that only a newer server knows."""
    assert words == reads.describe_partitions(partitions)


def test_every_kind_of_partitions_is_tried() -> None:
    """The table above has them all."""
    assert {Hourly, Daily, Weekly, Monthly, Cron, Static, Dynamic, Product} == set(KINDS)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"readers": []}, "everybody"),
        ({"readers": [[]]}, "nobody"),
        ({"readers": [["ops"]]}, "ops"),
        ({"readers": [["ana", "ops"], ["finance"]], "tags": ["pii"]}, "(ana or ops) and finance, cleared for pii"),
        ({"readers": [["ops", "sales"]], "isolation": 1}, "ops or sales, isolation 1"),
        ({"readers": [], "expires": "2030-01-01T00:00:00Z"}, "everybody, until 2030-01-01T00:00:00Z"),
    ],
)
def test_policies_are_told_in_words(policy: dict[str, object], words: str, read: Read) -> None:
    """Not as the JSON that programs get."""
    whole = {"tags": [], "expires": None, "isolation": 0, **policy}
    body = {"asset": "air.total", "words": "you may read it", "owner": "user:me", "readers": None, "origins": []}
    rights.print_policy({**body, "declared": whole, "overlay": None, "effective": None, "pending": None})

    assert ["air.total: you may read it", "owner: user:me", f"declared: {words}"] == read()
