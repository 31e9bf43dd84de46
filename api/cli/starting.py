"""What is a project made of at its beginning? ``init`` writes it."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riparian.api.cli import output
from riparian.api.cli.command import Cli, command
from riparian.api.settings import STATE_FOLDER
from riparian.assets.errors import Conflict, Invalid

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

STARTER_NAME = "starter"
"""How the project calls itself in the files that are copied."""

NAMED = ("riparian.toml", "README.md")
"""The files that say the project's name."""

RENAMED = {"gitignore": ".gitignore"}
"""In the package under another name: there it would hide files from git and from who builds the package."""

DROP = "drop"
"""Where files arrive; `riparian dev` would make it too, but a file may be dropped before."""

LEFT_ALONE = frozenset({".git", STATE_FOLDER})
LONGEST_NAME = 60


def install(app: typer.Typer) -> None:
    command(app, "init", "Begin")(init)


def init(
    cli: Cli,
    folder: Annotated[Path, typer.Argument(help="Where: a new or an empty folder.")] = Path(),
) -> None:
    """Write a small project that runs: a source, two assets, a test, a file to try it with."""
    name = project_name(folder.absolute().name)
    written = write(folder, name)
    if name != folder.absolute().name:
        output.print_note(f"the project is called {name}: of letters a to z, digits and _ (riparian.toml says so)")
    cli.show(
        {"project": name, "folder": str(folder.absolute()), "files": written},
        lambda: _print_next(folder, name, len(written)),
    )


def project_name(folder: str) -> str:
    """Returns the name of a project in a folder of this name; raises Invalid when nothing of it can be used."""
    # Ä is an A with something above it, and that is left out.
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].strip("_")
    if not name:
        raise Invalid(f"no project can be called {folder!r}: it has no letter a to z and no digit; rename the folder")
    return name if name[0].isalpha() else f"project_{name}"


def write(folder: Path, name: str) -> list[str]:
    """Writes the project's files; returns their names. Raises Conflict that names what is in the way."""
    from importlib.resources import files

    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file; name a new or an empty folder")
    if found := sorted(p.name for p in folder.iterdir() if p.name not in LEFT_ALONE) if folder.exists() else []:
        raise Conflict(
            f"{folder / found[0]} is there already, and nothing is overwritten; name a new or an empty folder"
        )
    written = []
    try:
        for path, template in _templates(files("riparian.api") / "starter"):
            text = template.read_text(encoding="utf-8")
            if path in NAMED:
                text = text.replace(STARTER_NAME, name)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
            written.append(path)
        (folder / DROP).mkdir()
    except OSError as exc:
        raise Conflict(f"{exc.filename or folder} can not be written: {exc.strerror}; choose another folder") from exc
    return written


def _templates(folder: Traversable, below: str = "") -> Iterator[tuple[str, Traversable]]:
    for found in sorted(folder.iterdir(), key=lambda f: f.name):
        if found.is_dir():
            if found.name != "__pycache__":
                yield from _templates(found, f"{below}{found.name}/")
        else:
            yield below + RENAMED.get(found.name, found.name), found


def _print_next(folder: Path, name: str, number: int) -> None:
    output.print_line(f"{name}: {number} files in {folder.absolute()}. Next:")
    if folder.absolute() != Path.cwd():
        dashes = "-- " if str(folder).startswith("-") else ""
        output.print_line(f"  cd {dashes}{shlex.quote(str(folder))}")
    output.print_line("  riparian dev                    # serves and works; stays in this terminal")
    output.print_line("  cp sample/orders.csv drop/      # in another one: a file arrives, two assets are made")
    output.print_line("  riparian data shop.sales        # look at one; README.md goes on from here")
