"""How is an answer printed? Tables and trees for a person at a terminal, plain tab-separated lines for a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

_ESCAPED = {n: f"\\x{n:02x}" for n in (*range(0x20), *range(0x7F, 0xA0)) if chr(n) not in "\n\t"}


def plain(text: str) -> str:
    """Returns text that a terminal shows and does not obey: control characters but ends of lines are escaped."""
    return text.translate(_ESCAPED)


def one_line(text: str) -> str:
    """Like ``plain``, with ends of lines and tabs as spaces."""
    return plain(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def print_json(body: Any) -> None:
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None, default=str))


def print_line(text: str) -> None:
    typer.echo(text)


def print_note(text: str) -> None:
    """Prints what a person should know but a pipe should not read: to stderr."""
    typer.echo(text, err=True)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table. In a pipe: a line for each row, cells separated by tabs, without a heading."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(one_line(_cell(value)) for value in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, not str: what a user named must not be read as markup.
        table.add_row(*(Text(plain(_cell(value))) for value in row))
    Console().print(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Prints a line for each thing that is known of one subject."""
    for name, value in fields:
        if value not in (None, "", [], {}):
            typer.echo(f"{name}: {plain(_cell(value))}")


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
