"""How does a long-lived command tell what happens? A line for each event: coloured at a terminal, plain in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

import typer

from riparian.api.cli import output
from riparian.api.events import Event

STYLES = {
    "committed": "green",
    "applied": "green",
    "listening": "bold",
    "failed": "red",
    "problem": "red",
    "not applied": "red",
    "quarantined": "yellow",
    "unmatched": "yellow",
    "cancelled": "yellow",
}


def teller(*, as_json: bool) -> Callable[[Event], None]:
    """Returns what prints events, from any thread, one whole line at a time."""
    lock = threading.Lock()
    line = _json_line if as_json else _rich_line if sys.stdout.isatty() else _plain_line

    def tell(event: Event) -> None:
        with lock:
            line(event)

    return tell


def _json_line(event: Event) -> None:
    output.print_json(asdict(event))


def _plain_line(event: Event) -> None:
    told = (output.one_line(text) for text in (event.what, event.subject, event.detail))
    typer.echo("\t".join((time.strftime("%H:%M:%S"), *told)))


def _rich_line(event: Event) -> None:
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble(
        (time.strftime("%H:%M:%S  "), "dim"),
        (f"{event.what:<12}", STYLES.get(event.what, "")),
        (f"{output.one_line(event.subject)}  ", "bold"),
        output.one_line(event.detail),
    )
    Console(soft_wrap=True).print(line)
