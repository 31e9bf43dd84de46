"""How is an answer printed? Tables and trees for a person at a terminal, plain tab-separated lines for a pipe."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

_ESCAPED = {n: f"\\x{n:02x}" for n in (*range(0x20), *range(0x7F, 0xA0)) if chr(n) not in "\n\t"}


GAP = 2
LEAST_TOLD = 24
"""Cells of the last column: with fewer, words fold to pieces."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def plain(text: str) -> str:
    """Returns text that a terminal shows and does not obey: control characters but ends of lines are escaped."""
    return text.translate(_ESCAPED)


def one_line(text: str) -> str:
    """Like ``plain``, with ends of lines and tabs as spaces."""
    return plain(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def print_json(body: Any, *, err: bool = False) -> None:
    """Prints one JSON document: of many lines for a person at a terminal, of one line for a program."""
    indent = 2 if (sys.stderr if err else sys.stdout).isatty() else None
    typer.echo(json.dumps(body, ensure_ascii=False, indent=indent, default=str), err=err)


def is_terminal() -> bool:
    """Whether a person looks at what is printed."""
    return sys.stdout.isatty()


def print_line(text: str) -> None:
    typer.echo(text)


def print_note(text: str) -> None:
    """Prints what a person should know but a pipe should not read: to stderr."""
    typer.echo(text, err=True)


def print_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    tells: bool = True,
    spare: Sequence[str] = (),
    spare_too: Sequence[str] = (),
) -> None:
    """Prints a table; columns in which nothing stands are left out.

    The last column ``tells`` of the others, except in a table that is itself somebody's data. At a narrow terminal,
    columns that are ``spare`` make room for it, the first of them first; when that is not enough it has lines of its
    own, and then ``spare_too`` are left out as well if the others need the room. In a pipe: a line for each row, with
    every column, cells separated by tabs, without a heading.
    """
    if not is_terminal():
        for row in rows:
            typer.echo("\t".join(one_line(_cell(value)) for value in row))
        return
    cells = [[plain(_short_time(_cell(value))) for value in row] for row in rows]
    told = [place for place in range(len(columns)) if any(row[place] for row in cells)]
    if not told:
        return
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console()
    width = {place: max(cell_len(text) for text in (columns[place], *(r[place] for r in cells))) for place in told}
    first, then = ([columns.index(name) for name in names] for names in (spare, spare_too))
    told, beside = _layout(width, first, then, console.width) if tells else (told, True)
    if not beside:
        for row in [heading := list(columns), *cells]:
            fixed = (set_cell_size(row[place].replace("\n", " "), width[place]) for place in told[:-1])
            line = Text((" " * GAP).join(fixed).rstrip(), style="bold" if row is heading else "")
            # The terminal breaks what is too long even so; nothing of it is cut off.
            console.print(line, soft_wrap=True)
            if row is not heading and row[told[-1]]:
                console.print(Padding(Text(row[told[-1]]), (0, 0, 0, GAP), expand=False))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place in told:
        # The last column tells, and may take many lines; what the others hold is copied, and must stay in one piece.
        table.add_column(columns[place], overflow="fold", no_wrap=place != told[-1])
    for row in cells:
        # Text, not str: what a user named must not be read as markup.
        table.add_row(*(Text(row[place]) for place in told))
    console.print(table)


def _layout(width: dict[int, int], spare: list[int], spare_too: list[int], room: int) -> tuple[list[int], bool]:
    """Returns the columns that are shown in so many cells, and whether the last stands beside the others."""
    every = [*spare, *spare_too]
    tried = [(True, n) for n in range(len(spare) + 1)] + [(False, n) for n in range(len(every) + 1)]
    for beside, leave_out in tried:
        told = [place for place in width if place not in every[:leave_out]]
        taken = sum(width[place] + GAP for place in told[:-1])
        needed = min(width[told[-1]], LEAST_TOLD) if beside else -GAP
        if taken + needed <= room:
            break
    return told, beside or len(told) == 1


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Prints a line for each thing that is known of one subject."""
    for name, value in fields:
        if value not in (None, "", [], {}):
            typer.echo(f"{name}: {plain(_short_time(_cell(value)) if is_terminal() else _cell(value))}")


def number(how_many: int, thing: str) -> str:
    """Returns ``1 run``, ``2 runs``."""
    return f"{how_many:,} {thing}{'' if how_many == 1 else 's'}"


def time(text: str) -> str:
    """Returns a time as the reader of stdout wants it: short for a person, whole for a program."""
    return _short_time(text) if is_terminal() else text


def _short_time(text: str) -> str:
    """A time as a person reads it: where they are, and without the date when that is today's. Any other text as it
    is."""
    if not _TIME.fullmatch(text):
        return text
    there = datetime.fromisoformat(text).astimezone()
    today = there.date() == datetime.now(UTC).astimezone().date()
    return there.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(v) for v in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
