"""Commands for partitions whose keys are added in use: ``partitions add|remove|list``."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from riparian.api.cli import output
from riparian.api.cli.arguments import Limit
from riparian.api.cli.command import Cli, command
from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.partitions.dynamic import MOST_ADDED, judged

Name = Annotated[str, typer.Argument(metavar="NAME", help="The dimension, such as customer.")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY…", help="The keys; - reads them from stdin, one a line.")]
Of = Annotated[str | None, typer.Option("--of", help="Its project, where several have a dimension of that name.")]


def install(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The keys of partitions that are added in use.")
    for name, function, looks in (("add", add, False), ("remove", remove, False), ("list", list_, True)):
        command(group, name, looks=looks)(function)
    app.add_typer(group, name="partitions", rich_help_panel="Do")


def add(cli: Cli, name: Name, keys: Keys, of: Of = None) -> None:
    """Add keys, also such as were taken out; what can be made of them runs."""
    _change(cli, name, keys, of, "added", "")


def remove(cli: Cli, name: Name, keys: Keys, of: Of = None) -> None:
    """Take keys out: nothing runs for them any more, and what was made of them stays."""
    _change(cli, name, keys, of, "removed", "/remove")


def _change(cli: Cli, name: str, keys: list[str], project: str | None, done: str, act: str) -> None:
    wanted = [line.strip() for line in sys.stdin if line.strip()] if keys == ["-"] else keys
    # All are judged before any is sent.
    batches = [_judged(name, wanted[n : n + MOST_ADDED]) for n in range(0, max(len(wanted), 1), MOST_ADDED)]
    changed: list[str] = []
    told: dict[str, Any] = {}
    with cli.connect() as client:
        for batch in batches:
            told = client.post(_path(name, act, project), {"keys": batch})
            changed += told["keys"]
    told["keys"] = sorted(changed)
    cli.show(told, lambda: _print_changed(told["keys"], len(set(wanted)), done))


def _judged(name: str, keys: list[str]) -> list[str]:
    try:
        return judged(name, keys)
    except DeclarationError as exc:
        raise Invalid(str(exc)) from exc


def _print_changed(keys: list[str], asked: int, done: str) -> None:
    for key in keys:
        output.print_line(key)
    left = asked - len(keys)
    output.print_note(f"{output.number(len(keys), 'key')} {done}" + (f", {left:,} as before" if left else ""))


def list_(
    cli: Cli,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The keys of this dimension.")] = None,
    of: Of = None,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that were taken out.")] = False,
    limit: Limit = 100,
) -> None:
    """List the dimensions whose keys are added in use; or the keys of one."""
    with cli.connect() as client:
        if name is None:
            found = client.get("partitions")["items"]
            cli.show(found, lambda: _print_dimensions(found))
            return
        asked = {"project": of, "removed": "true" if removed else None, "limit": min(limit, 500)}
        keys = list(islice(client.pages(_path(name), **asked), limit))
    cli.show(keys, lambda: _print_keys(keys))


def _path(name: str, act: str = "", project: str | None = None) -> str:
    asked = f"?{urlencode({'project': project})}" if project else ""
    return f"partitions/{quote(name, safe='')}{act}{asked}"


def _print_dimensions(found: list[dict[str, Any]]) -> None:
    output.print_rows(
        ("dimension", "project", "keys", "assets"),
        ((d["name"], d["project"], d["keys"], ", ".join(d["assets"])) for d in found),
    )


def _print_keys(found: list[dict[str, Any]]) -> None:
    output.print_rows(
        ("key", "added", "by", "removed", "by"),
        ((k["key"], k["added_at"], k["added_by"], k["removed_at"], k["removed_by"]) for k in found),
    )
