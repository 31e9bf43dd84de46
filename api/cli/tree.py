"""How does lineage look at a terminal? What it was made from above, what is made from it below."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from riparian.api.cli import output

if TYPE_CHECKING:
    from rich.tree import Tree


def print_lineage(body: dict[str, Any], key: str, *, past: bool = False) -> None:
    """Prints the answer of a lineage query about ``key``, now or of the ``past``. In a pipe: a line for each edge, from
    and to."""
    names = {node["id"]: _name(node) for node in body["nodes"]}
    if not body["roots"]:
        output.print_note(f"{key} had no version at that time" if past else f"{key} has no version yet")
    elif not output.is_terminal():
        output.print_rows(("from", "to"), ((names[e["from"]], names[e["to"]]) for e in body["edges"]))
    else:
        _print_trees(body, names)
    if body.get("truncated"):
        output.print_note("there is more: ask with larger --up and --down")


def _print_trees(body: dict[str, Any], names: dict[str, str]) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    parents: dict[str, list[str]] = defaultdict(list)
    children: dict[str, list[str]] = defaultdict(list)
    for edge in body["edges"]:
        parents[edge["to"]].append(edge["from"])
        children[edge["from"]].append(edge["to"])
    console = Console()
    for title, following in (("made from", parents), ("makes", children)):
        for root in body["roots"]:
            if following[root]:
                tree = Tree(Text(f"{names[root]} {title}", style="bold"))
                _grow(tree, root, following, names, frozenset({root}))
                console.print(tree)
    if not body["edges"]:
        console.print(Text(f"{', '.join(names[r] for r in body['roots'])}: nothing above or below"))


def _grow(tree: Tree, node: str, following: dict[str, list[str]], names: dict[str, str], path: frozenset[str]) -> None:
    from rich.text import Text

    for other in following[node]:
        branch = tree.add(Text(names[other]))
        # A loop over `previous` comes back to where it began; it is shown once and not followed.
        if other not in path:
            _grow(branch, other, following, names, path | {other})


def _name(node: dict[str, Any]) -> str:
    if node.get("restricted"):
        return "restricted"
    name: str = node["key"] + (f"[{node['partition']}]" if node.get("partition") else "")
    return name + (f" {node['version']}" if node.get("version") else "")
