"""What is about to happen, and what would an apply do? ``plan`` shows both and changes nothing."""

from __future__ import annotations

from typing import Any

import typer

from riparian.api.cli import declarations, output
from riparian.api.cli.command import Cli, InvalidDeclarations, command, problem_of
from riparian.api.cli.declarations import Rebuild

CHANGES = ("added", "changed", "removed", "pending")


def install(app: typer.Typer) -> None:
    command(app, "plan", "Declare")(plan)


def plan(cli: Cli, rebuild: Rebuild = "none") -> None:
    """Show what `riparian apply` would change and run, and what is queued, held or waiting now. It changes nothing."""
    declarations.require_known(rebuild)
    # Without a project here the question is only what the server is about to do.
    declared = declarations.describe(cli.settings)[0] if declarations.is_project(cli.settings) else None
    with cli.connect() as client:
        would = client.post("plan", {"manifest": declared.to_json(), "rebuild": rebuild}) if declared else None
        if would and would["problems"]:
            raise InvalidDeclarations(tuple(problem_of(p) for p in would["problems"]))
        now = list(client.pages("plan", limit=500))
    cli.show({"apply": would, "now": now}, lambda: _print(would, now, rebuild))


def _print(would: dict[str, Any] | None, now: list[dict[str, Any]], rebuild: str) -> None:
    if would is not None and any(would[word] for word in (*CHANGES, "runs", "stale")):
        _print_apply(would, rebuild)
    elif now:
        output.print_rows(
            ("state", "workflow", "why", "since", "run"),
            ((n["state"], _subject(n), n["words"] or n["cause"], n["since"], n["run"]) for n in now),
        )
    else:
        output.print_note("nothing would change, and nothing is about to happen")


def _print_apply(would: dict[str, Any], rebuild: str) -> None:
    declarations.print_changes(would)
    output.print_rows(
        ("would run", "workflow", "cause", "why not at once"),
        (("run", _subject(r), r["cause"], r["words"] if r["state"] == "held" else "") for r in would["runs"]),
    )
    if would["runs_left_out"] or would["truncated"]:
        output.print_line(f"run\t{would['runs_left_out']:,} more" + (" or still more" if would["truncated"] else ""))
    output.print_rows(
        ("would stay stale", "workflow", "why"), (("stale", _subject(s), s["why"]) for s in would["stale"])
    )
    if would["stale_left_out"]:
        output.print_line(f"stale\t{would['stale_left_out']:,} more partitions")
    if any(would[word] for word in (*CHANGES, "runs")):
        words = "riparian apply" if rebuild == "none" else f"riparian apply --rebuild {rebuild}"
        output.print_note(f"`{words}` does this")
    if would["stale"]:
        output.print_note("`riparian apply --rebuild latest` (or all) also makes anew what other code made")


def _subject(item: dict[str, Any]) -> str:
    return f"{item['workflow']}[{item['partition']}]" if item["partition"] else str(item["workflow"])
