"""What a long-lived command tells of what happened."""

from __future__ import annotations

import pytest

from riparian.api.cli import output, terminal
from riparian.api.events import MOST_CHARACTERS, Event, last_line

TRACEBACK = "Traceback (most recent call last):\n  air.py:3 in late\nValueError: no wind\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TRACEBACK, "ValueError: no wind (riparian logs R)"),
        ("killed", "killed (riparian logs R)"),
        ("", "(riparian logs R)"),
        (None, "(riparian logs R)"),
        ("x" * 16_384, "x" * MOST_CHARACTERS + "… (riparian logs R)"),
    ],
)
def test_of_an_error_its_last_line_is_told(error: str | None, told: str) -> None:
    """It says what was wrong; the rest is where the line says."""
    assert told == last_line(error, "R")


def test_what_happened_is_one_line_that_a_terminal_only_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """No file's name and no error moves the cursor, clears the screen or begins a line of its own."""
    terminal.teller(as_json=False)(Event(what="failed", subject="a\x1b[2J.csv", detail="one\ntwo\x00\x9b\tthree\x7f"))

    [line] = capsys.readouterr().out.splitlines()
    assert ["failed", r"a\x1b[2J.csv", r"one two\x00\x9b three\x7f"] == line.split("\t")[1:]


def test_cells_and_errors_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables too show what others named."""
    output.print_rows(("file",), [["a\x1b]0;title\x07"]])

    assert "a\\x1b]0;title\\x07\n" == capsys.readouterr().out
    assert "line one\nline two\\x00 é" == output.plain("line one\nline two\x00 é")
