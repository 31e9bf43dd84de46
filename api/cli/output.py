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


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table; columns in which nothing stands are left out. In a pipe: a line for each row, with every column,
    cells separated by tabs, without a heading."""
    if not is_terminal():
        for row in rows:
            typer.echo("\t".join(one_line(_cell(value)) for value in row))
        return
    cells = [[plain(_short_time(_cell(value))) for value in row] for row in rows]
    told = [place for place in range(len(columns)) if any(row[place] for row in cells)]
    if not told:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for place in told:
        # The last column tells, and may take many lines; what the others hold is copied, and must stay in one piece.
        table.add_column(columns[place], overflow="fold", no_wrap=place != told[-1])
    for row in cells:
        # Text, not str: what a user named must not be read as markup.
        table.add_row(*(Text(row[place]) for place in told))
    Console().print(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Prints a line for each thing that is known of one subject."""
    for name, value in fields:
        if value not in (None, "", [], {}):
            typer.echo(f"{name}: {plain(_short_time(_cell(value)) if is_terminal() else _cell(value))}")


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
