"""What runs and is about to, and what would an apply do? ``plan`` shows both and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from riparian.api.cli import declarations, output
from riparian.api.cli.command import Cli, InvalidDeclarations, command
from riparian.api.cli.declarations import Rebuild
from riparian.api.cli.edits import print_access, print_edits
from riparian.assets.errors import Problem, Refused

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client

CHANGES = ("added", "changed", "removed", "pending")
CODE = ", but the files that later runs execute"


def install(app: typer.Typer) -> None:
    command(app, "plan", "Declare", looks=True)(plan)


def plan(cli: Cli, rebuild: Rebuild = "none") -> None:
    """Show what `riparian apply` would change and run; when that is nothing, what runs, is queued, held or waiting
    now. It changes nothing."""
    declarations.require_known(rebuild)
    # Without a project here the question is only what the server is about to do.
    declared = declarations.describe(cli.settings)[0] if declarations.is_project(cli.settings) else None
    would, refused = None, None
    with cli.connect() as client:
        if declared is not None:
            try:
                would = client.post("plan", {"manifest": declared.to_json(), "rebuild": rebuild})
            except Refused as exc:
                refused = str(exc)  # who may not apply may still know what is about to happen
        if would and would["problems"]:
            raise InvalidDeclarations(tuple(Problem.from_json(p) for p in would["problems"]))
        now = [*_running(client), *client.pages("plan", limit=500)]
    cli.show({"apply": would, "refused": refused, "now": now}, lambda: _print(would, refused, now, rebuild))


def _running(client: Client) -> Iterator[dict[str, Any]]:
    """Yields the runs that go on, in the form of what is about to happen."""
    for run in client.pages("runs", state="running", limit=500):
        told = {name: run[name] for name in ("workflow", "partition", "state", "cause")}
        yield {**told, "run": run["id"], "code": None, "words": "", "since": run["started_at"]}


def _print(would: dict[str, Any] | None, refused: str | None, now: list[dict[str, Any]], rebuild: str) -> None:
    if would is not None and any(would[word] for word in (*CHANGES, "runs", "stale", "edits", "access")):
        _print_apply(would, rebuild)
        return
    output.print_rows(
        ("state", "workflow", "run", "since", "why"),
        ((n["state"], _subject(n), n["run"], n["since"], n["words"] or n["cause"]) for n in now),
        spare=("since",),
    )
    told = [] if would is None else [f"nothing would change{CODE if would['code'] else ''}"]
    told += [] if now else ["nothing runs or is about to"]
    if told:
        output.print_note(", and ".join(told))
    if refused is not None:
        output.print_note(f"what an apply would do is not shown: {output.plain(refused)}")


def _print_apply(would: dict[str, Any], rebuild: str) -> None:
    declarations.print_changes(would)
    print_edits(would["edits"], would["edits_left_out"])
    output.print_rows(
        ("would run", "workflow", "cause", "why not at once"),
        (("run", _subject(r), r["cause"], r["words"] if r["state"] == "held" else "") for r in would["runs"]),
    )
    if would["runs_left_out"] or would["truncated"]:
        output.print_line(f"run\t{would['runs_left_out']:,} more" + (" or still more" if would["truncated"] else ""))
    for key in would["follow"]:
        output.print_line(f"follows\t{key}\tif what it reads comes out different")
    if would["follow_left_out"]:
        output.print_line(f"follows\t{would['follow_left_out']:,} more")
    if not output.is_terminal():  # a person reads it above, in sum
        output.print_rows(("", "workflow", "why"), (("stale", _subject(s), s["why"]) for s in would["stale"]))
        if would["stale_left_out"]:
            output.print_line(f"stale\t{would['stale_left_out']:,} more partitions")
    print_access(would["access"], truncated=would["access_truncated"])
    if any(would[word] for word in (*CHANGES, "runs")) or any(e["changes"] for e in would["edits"]):
        words = "riparian apply" if rebuild == "none" else f"riparian apply --rebuild {rebuild}"
        output.print_note(f"`{words}` does this")
    if would["stale"]:
        more = "`riparian apply --rebuild all`" if rebuild == "latest" else "`riparian apply --rebuild latest` (or all)"
        output.print_note(f"{more} also makes anew what other code made")


def _subject(item: dict[str, Any]) -> str:
    return f"{item['workflow']}[{item['partition']}]" if item["partition"] else str(item["workflow"])
