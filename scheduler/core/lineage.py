"""What shape has the neighbourhood of a node? The walk; it knows neither where edges lie nor who may see them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

UP = "up"
DOWN = "down"
BOTH = "both"


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of one level, as (upstream, downstream). ``cut`` says that there are more than these, and ``left_out``
    counts the neighbours that none of these reaches."""

    found: Sequence[tuple[str, str]]
    cut: bool = False
    left_out: int = 0


Neighbours = Callable[[Collection[str]], Edges]
"""Gives the edges from all these nodes in one direction."""


@dataclass(slots=True)
class Shape:
    """Nodes in the order they were reached, edges as (upstream, downstream). ``left_out`` counts the nodes next to
    these that the limit kept out; what lies behind them is not counted, because nobody looked."""

    nodes: dict[str, None] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    left_out: int = 0
    truncated: bool = False


def walk(
    roots: Collection[str],
    *,
    up: Neighbours,
    down: Neighbours,
    up_depth: int | None,
    down_depth: int | None,
    limit: int,
) -> Shape:
    """Returns what can be reached from ``roots`` going only up, and going only down; depth None has no end.

    Asks once for each level and direction, however many nodes the level has. At most ``limit`` nodes are kept.
    """
    shape = Shape(nodes=dict.fromkeys(list(roots)[:limit]))
    outside: set[str] = set(list(roots)[limit:])
    for neighbours, end, depth in ((up, 0, up_depth), (down, 1, down_depth)):
        # Each direction has its own memory: a node found above may have to be walked again below.
        frontier, seen, level = list(shape.nodes)[: len(roots)], set(roots), 0
        while frontier and (depth is None or level < depth):
            answer = neighbours(frontier)
            shape.left_out += answer.left_out
            shape.truncated |= answer.cut
            frontier = []
            for edge in answer.found:
                node = edge[end]
                if node not in shape.nodes and len(shape.nodes) >= limit:
                    outside.add(node)
                    continue
                shape.nodes.setdefault(node)
                shape.edges.setdefault(edge)
                if node not in seen:
                    seen.add(node)
                    frontier.append(node)
            level += 1
    shape.left_out += len(outside)
    shape.truncated |= shape.left_out > 0
    return shape
