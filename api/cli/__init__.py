"""What can be typed after ``riparian``?

Importing this loads no server, no database and no HTTP: commands load what they need when they run.
"""

from __future__ import annotations

from typing import Annotated

import typer

from riparian.api.cli import (
    backfills,
    declarations,
    doctor,
    partitions,
    planning,
    processes,
    reads,
    rights,
    runs,
    starting,
)
from riparian.api.cli.command import Root

app = typer.Typer(
    name="riparian",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"riparian {version('riparian')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """A data-aware scheduler in which the right to read a dataset flows downstream with the data."""


for room in (starting, doctor, processes, declarations, planning, reads, runs, backfills, partitions, rights):
    room.install(app)


def main() -> None:
    """Runs the command line. Exit codes: see ``command.EXITS``."""
    app(prog_name="riparian")
