"""Commands that make many partitions: ``backfill KEY``, ``backfill pause|resume|cancel``, ``backfills``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from riparian.api.cli import output
from riparian.api.cli.arguments import Key, Limit, one_of
from riparian.api.cli.command import Cli, command
from riparian.assets.errors import Invalid

ONLY = ("missing", "stale", "all")

Which = Annotated[str, typer.Argument(metavar="BACKFILL", help="The backfill.")]

WHY = {
    "missing": "never made",
    "code": "made by other code",
    "parameters": "made with a person's parameters",
    "input": "an input differs",
    "fresh": "made from what is there",
    "no_input": "an input has no version",
}


class _Started(TyperGroup):
    """``riparian backfill KEY`` is ``riparian backfill start KEY``."""

    # The context is handed on as it is.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["start", *args]
        return super().parse_args(ctx, args)


def install(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=_Started,
        no_args_is_help=True,
        help="Make many partitions: `backfill KEY` begins; pause, resume or cancel.",
    )
    for name, function in (("start", start), ("pause", pause), ("resume", resume), ("cancel", cancel)):
        command(group, name)(function)
    app.add_typer(group, name="backfill", rich_help_panel="Do")
    command(app, "backfills", "Look", looks=True)(backfills)


def start(
    cli: Cli,
    key: Key,
    first: Annotated[str | None, typer.Option("--from", help="The first partition (default: from the start).")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last partition (default: to the end).")] = None,
    only: Annotated[
        str,
        typer.Option(
            "--only",
            help="missing: what was never made; stale: also what is not fresh; all: everything.",
            autocompletion=one_of(*ONLY),
        ),
    ] = "missing",
    propagate: Annotated[
        bool, typer.Option("--propagate/--no-propagate", help="Whether what depends on it runs too.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would make, and why.")] = False,
) -> None:
    """Begin to make partitions of an asset, behind today's work."""
    if only not in ONLY:
        raise Invalid(f"--only {only!r} is none that there is; write {', '.join(ONLY)}")
    body = {"asset": key, "from": first, "to": last, "only": only, "propagate": propagate}
    with cli.connect() as client:
        if dry_run:
            told = client.post("plan/backfill", body)
            cli.show(told, lambda: _print_preview(told))
            return
        begun = client.post("backfills", body)
        cli.show(begun, lambda: output.print_line(begun["id"]))
        if client.in_process and begun["state"] == "running":
            output.print_note("it is planned; it goes on when `riparian dev` or `riparian serve` runs")


def _print_preview(told: dict[str, Any]) -> None:
    output.print_rows(
        ("partitions", "from", "to", "is made", "why"),
        ((s["count"], s["first"], s["last"], s["made"], WHY[s["state"]]) for s in told["states"]),
    )
    more = "at least " if told["truncated"] else ""
    said = f"{more}{output.number(told['makes'], 'run')}, {told['skips']:,} skipped"
    if told["seconds"] is None:
        said += "; no run has succeeded yet that could say how long that takes"
    else:
        runs = output.number(told["of_runs"], "last run")
        said += f"; about {_long(told['seconds'])}, by the median of the {runs}, {told['at_once']} at once"
    output.print_note(said)


def _long(seconds: float) -> str:
    """Returns a time as a person says it: the two largest units."""
    parts: list[str] = []
    left = round(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])


def pause(cli: Cli, backfill: Which) -> None:
    """Ask for nothing more. What no worker has begun is taken back; what runs ends."""
    _act(cli, backfill, "pause")


def resume(
    cli: Cli,
    backfill: Which,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask for what failed once more.")] = False,
) -> None:
    """Go on with a paused backfill, or with what failed of one that is done."""
    _act(cli, backfill, f"resume{'?retry_failed=true' if retry_failed else ''}")


def cancel(
    cli: Cli,
    backfill: Which,
    now: Annotated[bool, typer.Option("--now", help="End its runs that are under way too.")] = False,
) -> None:
    """End a backfill. It can not be resumed; what it made stays."""
    _act(cli, backfill, f"cancel{'?now=true' if now else ''}")


def _act(cli: Cli, backfill: str, act: str) -> None:
    with cli.connect() as client:
        told = client.post(f"backfills/{backfill}/{act}")
    cli.show(told, lambda: output.print_line(f"{told['id']}\t{told['state']}"))


def backfills(
    cli: Cli,
    which: Annotated[str | None, typer.Argument(metavar="BACKFILL", help="Only this one, with what failed.")] = None,
    limit: Limit = 20,
) -> None:
    """List backfills, the newest first; or show one, with the partitions that failed."""
    with cli.connect() as client:
        if which is not None:
            told = client.get(f"backfills/{which}")
            cli.show(told, lambda: _print_one(told))
            return
        found = list(islice(client.pages("backfills", limit=min(limit, 500)), limit))
    cli.show(found, lambda: _print_all(found))


def _print_all(found: list[dict[str, Any]]) -> None:
    output.print_rows(
        ("backfill", "asset", "state", "made", "failed", "skipped", "under way", "left", "by"),
        (
            (b["id"], b["asset"], b["state"], b["made"], b["failed"], b["skipped"], _going(b), b["left"], b["by"])
            for b in found
        ),
        spare=("by", "skipped"),
    )


def _going(told: dict[str, Any]) -> int:
    return int(told["running"] + told["queued"] + told["waiting"])


def _print_one(told: dict[str, Any]) -> None:
    output.print_fields((name, told[name]) for name in told if name != "failures")
    output.print_rows(("failed", "run"), ((f["partition"], f["run"]) for f in told["failures"]))
