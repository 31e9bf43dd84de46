"""What can be typed after ``riparian``?

Importing this loads no server, no database and no HTTP: commands load what they need when they run.
"""

from __future__ import annotations

import typer

from riparian.api.cli import acts, declarations, processes, reads

app = typer.Typer(
    name="riparian",
    help="A data-aware scheduler in which the right to read a dataset flows downstream with the data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (processes, declarations, reads, acts):
    room.install(app)


def main() -> None:
    """Runs the command line. Exit codes: see ``command.EXITS``."""
    app(prog_name="riparian")
