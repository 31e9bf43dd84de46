"""How is an edit shown? What it changes, what that makes stale, and whose right to read moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from riparian.api.cli import output

WHEN = {"heads": "those there are", "coming": "those to come", "approved": "once approved"}
ALWAYS = "all"


def print_edits(edits: list[dict[str, Any]], left_out: int) -> None:
    """Prints a tree for each edited workflow or source; in a pipe a line for each change: class, key, words."""
    if output.is_terminal():
        _print_trees(edits)
    else:
        for edit in edits:
            output.print_rows(("class", "key", "what"), ((c["what"], edit["key"], c["words"]) for c in edit["changes"]))
    if left_out:
        output.print_line(f"edited\t{left_out:,} more")


def print_access(access: list[dict[str, Any]], *, truncated: bool) -> None:
    """Prints who gains and who loses the right to read, a line for each asset and each time from which it holds."""
    output.print_rows(
        ("", "asset", "which versions", "gain", "lose", "who may read"),
        (
            ("access", a["asset"], said, ", ".join(move["gain"]), ", ".join(move["lose"]), _policies(move))
            for a in access
            for said, move in _moves(a)
        ),
    )
    if truncated:
        output.print_note("more assets may be concerned; `riparian policy show KEY` says who reads one")


def _moves(asset: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if asset["heads"] is not None and asset["heads"] == asset["coming"]:
        yield ALWAYS, asset["heads"]
    else:
        yield from ((WHEN[when], asset[when]) for when in ("heads", "coming") if asset[when] is not None)
    if asset["approved"] is not None:
        yield WHEN["approved"], asset["approved"]


def _policies(shift: dict[str, Any]) -> str:
    if shift["before"] is None:
        return "restricted by what is not yours to see"
    return f"{shift['after']} (was {shift['before']})"


def _print_trees(edits: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    console = Console()
    for edit in edits:
        state = "" if edit["changes"] else " (edited before)"
        tree = Tree(Text(f"{output.plain(edit['key'])}{state}", style="bold"))
        for change in edit["changes"]:
            tree.add(Text(f"{change['what']}: {output.plain(change['words'])}"))
        for line in _effects(edit):
            tree.add(Text(output.plain(line)))
        console.print(tree)


def _effects(edit: dict[str, Any]) -> Iterator[str]:
    if edit["former"]:
        yield f"{output.number(edit['former'], 'partition')} of before: no partitions any more, and kept"
    if not edit["stale"]:
        if edit["kind"] == "workflow" and edit["changes"]:
            yield "makes nothing stale"
        return
    if edit["last"]:
        span = edit["last"] if edit["first"] == edit["last"] else f"{edit['first']} … {edit['last']}"
        yield f"stale: {output.number(edit['stale'], 'partition')}, {span}"
        yield f"made anew by --rebuild latest: {edit['latest']:,}, all: {edit['all']:,}"
    else:
        yield "stale" if edit["latest"] else "stale, and made anew only by a request"
    if edit["runs"]:
        yield f"would run: {edit['runs']:,}"
    if edit["why"]:
        yield f"not now: {edit['why']}"
