"""How answers look to a person at a terminal, and to a program in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from riparian.api.cli import output, rights, tree

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
    """An asset that had no version at that time has nothing above or below."""
    tree.print_lineage({"nodes": [], "edges": [], "roots": [], "truncated": False}, "air.total")

    assert (["air.total: nothing above or below"] if is_terminal else []) == read()


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
