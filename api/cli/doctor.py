"""What is wrong with this machine or this project? ``doctor`` looks and says what to do.

It mends nothing. The modules of a project are imported, as ``check`` does; a folder that is none is only looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from riparian.api.cli import output
from riparian.api.cli.command import Cli, FailedWork, command
from riparian.assets.errors import Invalid

if TYPE_CHECKING:
    from riparian.api.cli.finding import Finding, Patient

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def install(app: typer.Typer) -> None:
    command(app, "doctor", "Begin")(doctor)


def doctor(cli: Cli) -> None:
    """Look whether this machine and this project are in order, and say what to do about what is not. To see what it
    declares, a project's modules are imported, as `riparian check` does."""
    found = examine(patient_of(cli))
    body = [{"check": name, "level": f.level, "words": f.words, "remedy": f.remedy} for name, f in found]
    cli.show(body, lambda: _print(found))
    failed = sum(f.level == "fail" for _, f in found)
    if failed:
        raise FailedWork(f"{failed} of {len(found)} checks failed")


def patient_of(cli: Cli) -> Patient:
    from riparian.api.cli.finding import Patient

    root = (cli.project or Path.cwd()).absolute()
    try:
        return Patient(root=cli.settings.root, settings=cli.settings, url=cli.url)
    except Invalid as exc:
        return Patient(root=root, settings=None, mistake=str(exc), url=cli.url)


def checks() -> dict[str, Callable[[Patient], Finding | None]]:
    """Returns every check by its name, in the order in which they are told. None: it does not apply here."""
    from riparian.api.cli import machine, upkeep

    return {
        "python": machine.python,
        "sqlite": machine.sqlite,
        "time zones": machine.time_zones,
        "watching": machine.watching,
        "start method": machine.start_method,
        "libraries": machine.libraries,
        "settings": upkeep.settings,
        "declarations": upkeep.declared,
        "state folder": upkeep.folder,
        "file system": upkeep.file_system,
        "database": upkeep.database,
        "disk": upkeep.disk,
        "secrets": upkeep.secrets,
        "lock": upkeep.lock,
        "server": upkeep.server,
        "clock": upkeep.clock,
        "worker": upkeep.worker,
        "left over": upkeep.left_over,
    }


def examine(patient: Patient) -> list[tuple[str, Finding]]:
    """Returns what each check that applies has found."""
    found = ((name, _look(check, patient)) for name, check in checks().items())
    return [(name, finding) for name, finding in found if finding is not None]


def _look(check: Callable[[Patient], Finding | None], patient: Patient) -> Finding | None:
    from riparian.api.cli.finding import warn

    try:
        return check(patient)
    except OSError as exc:
        return warn(f"it can not be looked at ({exc})", "may you read what is named there?")


def _print(found: list[tuple[str, Finding]]) -> None:
    if not output.is_terminal():
        output.print_rows((), ((f.level, name, f.words, f.remedy) for name, f in found))
        return
    for name, f in found:
        level = typer.style(f"{f.level:<5}", fg=COLOURS[f.level])
        output.print_line(f"{level} {name:<13} {output.plain(f.words)}")
        if f.remedy:
            output.print_line(f"{'':<20}→ {output.plain(f.remedy)}")
