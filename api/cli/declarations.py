"""Commands about what a project declares: ``check`` and ``apply``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riparian.api.cli import output
from riparian.api.cli.arguments import one_of
from riparian.api.cli.command import Cli, InvalidDeclarations, command
from riparian.assets.errors import Invalid, NotFound

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client
    from riparian.api.settings import Settings
    from riparian.assets.manifest import Manifest

REBUILD = ("none", "latest", "all")
Rebuild = Annotated[
    str,
    typer.Option(
        "--rebuild",
        help="What edited code made stale becomes runs: none, latest (partition) or all.",
        autocompletion=one_of(*REBUILD),
    ),
]
MOST_LINES = 20
"""More changes of one kind are told by their number: nobody reads a thousand lines."""


def install(app: typer.Typer) -> None:
    command(app, "check", "Declare")(check)
    command(app, "apply", "Declare")(apply)


def check(cli: Cli) -> None:
    """Find everything that is wrong with the project's declarations, without running any of it."""
    manifest, _ = describe(cli.settings)
    assets, workflows = len(manifest.assets), len(manifest.workflows)
    cli.show(
        {"project": cli.settings.name, "assets": assets, "workflows": workflows, "problems": []},
        lambda: _print_checked(cli.settings, manifest),
    )


def _print_checked(settings: Settings, manifest: Manifest) -> None:
    output.print_line(f"{settings.name}: {counted(manifest)}, no problems")
    if not manifest.assets and not manifest.workflows:
        where = ", ".join(settings.modules) or f"the modules in {settings.root}"
        output.print_note(f"nothing is declared in {where}; `riparian init FOLDER` writes a project to begin with")


def apply(cli: Cli, rebuild: Rebuild = "none") -> None:
    """Make the project's declarations the ones in force."""
    require_known(rebuild)
    manifest, bundle = describe(cli.settings)
    with cli.connect(new=True) as client:
        applied = post(client, manifest, bundle, rebuild)
    cli.show(applied, lambda: print_applied(applied))


def require_known(rebuild: str) -> None:
    """Raises Invalid for a word that says nothing of what to rebuild."""
    if rebuild not in REBUILD:
        raise Invalid(f"--rebuild {rebuild!r} is not known; write one of {', '.join(REBUILD)}")


def is_project(settings: Settings) -> bool:
    """Whether somebody said that this is a project, by a configuration or by applying it. To look at a project is to
    import it, and what lies in a folder by chance must not be run by who only looks."""
    return settings.file is not None or settings.state.is_dir()


def require_project(settings: Settings) -> None:
    """Raises NotFound where nobody said that this is a project: to look must not make one."""
    if not is_project(settings):
        raise NotFound(
            f"there is no project here ({settings.root}); `riparian init` makes one, or name it by --project"
        )


def counted(manifest: Manifest) -> str:
    """Returns in words how much is declared."""
    return f"{output.number(len(manifest.assets), 'asset')}, {output.number(len(manifest.workflows), 'workflow')}"


def describe(settings: Settings) -> tuple[Manifest, bytes]:
    """Returns what the project declares and the bundle that runs it; raises InvalidDeclarations with all problems."""
    from riparian.scheduler.worker import describe as worker_describe

    described = worker_describe.describe(settings.root, settings.name, settings.modules)
    if described.manifest is None:
        raise InvalidDeclarations(described.problems)
    return described.manifest, described.bundle


def post(client: Client, manifest: Manifest, bundle: bytes, rebuild: str) -> Any:
    """Makes what was described the definitions in force; returns what changed."""
    encoded = base64.b64encode(bundle).decode("ascii")
    return client.post("definitions", {"manifest": manifest.to_json(), "bundle": encoded, "rebuild": rebuild})


def print_applied(applied: dict[str, Any]) -> None:
    """Prints what an apply changed and planned."""
    print_changes(applied)
    planned = output.number(applied["planned"], "run")
    output.print_line(f"definition {applied['definition']} is in force, {planned} planned")


def print_changes(applied: dict[str, Any]) -> None:
    """Prints what is or would be changed: a line for each key, or one for many."""
    for word in ("added", "changed", "removed"):
        if len(applied[word]) > MOST_LINES:
            output.print_line(f"{len(applied[word]):,} {word}")
            continue
        for key in applied[word]:
            output.print_line(f"{word}\t{key}")
    for key in applied["pending"]:
        output.print_line(f"pending\t{key}\tits policy was loosened; the owner says `riparian policy approve {key}`")
