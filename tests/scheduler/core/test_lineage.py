"""The walk over a neighbourhood, without any database."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from riparian.scheduler.core.lineage import Edges, Neighbours, walk

graphs = st.frozensets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=14)


def sides(graph: frozenset[tuple[str, str]], calls: list[Collection[str]]) -> tuple[Neighbours, Neighbours]:
    def up(nodes: Collection[str]) -> Edges:
        calls.append(nodes)
        return Edges(sorted(e for e in graph if e[1] in nodes))

    def down(nodes: Collection[str]) -> Edges:
        calls.append(nodes)
        return Edges(sorted(e for e in graph if e[0] in nodes))

    return up, down


def reachable(graph: frozenset[tuple[str, str]], root: str) -> set[str]:
    found = {root}
    while more := {b for a, b in graph if a in found} - found:
        found |= more
    return found


@given(graphs)
def test_without_a_limit_everything_above_and_below_is_found(graph: frozenset[tuple[str, str]]) -> None:
    """Ancestors and descendants of the root and nothing else, loops included, each level asked for once."""
    calls: list[Collection[str]] = []
    up, down = sides(graph, calls)
    shape = walk(["a"], up=up, down=down, up_depth=None, down_depth=None, limit=100)

    reverse = frozenset((b, a) for a, b in graph)
    assert reachable(graph, "a") | reachable(reverse, "a") == set(shape.nodes)
    assert (False, 0) == (shape.truncated, shape.left_out)
    assert len(calls) <= 2 * 6


@given(graphs, st.integers(1, 4))
def test_a_limit_holds_and_every_edge_joins_kept_nodes(graph: frozenset[tuple[str, str]], limit: int) -> None:
    """Never more nodes than asked for, no edge into nothing, and a cut is always admitted."""
    up, down = sides(graph, [])
    shape = walk(["a"], up=up, down=down, up_depth=None, down_depth=None, limit=limit)
    whole = walk(["a"], up=up, down=down, up_depth=None, down_depth=None, limit=100)

    assert len(shape.nodes) <= limit
    assert all(a in shape.nodes and b in shape.nodes for a, b in shape.edges)
    assert (len(whole.nodes) > limit) == shape.truncated
