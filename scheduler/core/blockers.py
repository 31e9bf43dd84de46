"""Whose unfinished work may still change an input?

So that a diamond runs once: a workflow partition waits while anything above it, through edges that wake, is
unfinished or failed. This says what lies above; somebody else looks which of it is unfinished.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from riparian.assets.partitions import AllPartitions, Identity
from riparian.scheduler.core.facts import Blocker
from riparian.scheduler.core.graph import Edge, Graph


class Reach(IntEnum):
    """Which partitions of a workflow lie above one partition of another: the whole, the same, or every one."""

    WHOLE = 0
    SAME = 1
    EVERY = 2


def above(graph: Graph, workflow: str) -> Mapping[str, Reach]:
    """Returns the workflows whose runs may yet change what ``workflow`` reads, with the partitions that matter.

    Only through inputs that the trigger waits for, and above them only through workflows that updates alone can
    start: what one that is manual, or waits for the clock, would make of its inputs is not waited for.
    """
    found: dict[str, Reach] = {}
    start = Reach.WHOLE if _is_whole(graph, workflow) else Reach.SAME
    frontier = [(workflow, start)]
    while frontier:
        key, reach = frontier.pop()
        if key != workflow and not _by_update(graph, key):
            continue
        for edge in graph.inputs(key):
            if not edge.wakes:
                continue
            maker = graph.maker(edge.asset)
            upper = _up(graph, edge, reach)
            if maker != workflow and found.get(maker, -1) < upper:
                found[maker] = upper
                frontier.append((maker, upper))
    return found


def holds(graph: Graph, blocker: Blocker) -> bool:
    """Whether anybody waits for it: not for the repair of what only a person, or the clock, runs again."""
    return not blocker.failed or _by_update(graph, blocker.workflow)


def _by_update(graph: Graph, workflow: str) -> bool:
    spec = graph.workflows.get(workflow)
    return spec is None or spec.trigger.by_update


def _up(graph: Graph, edge: Edge, reach: Reach) -> Reach:
    asset = graph.assets.get(edge.asset)
    if asset is None or asset.partitions is None:
        return Reach.WHOLE
    if edge.input is None or isinstance(edge.input.mapping, AllPartitions):
        return Reach.EVERY
    # The same partition of the input; through a roll-up in between, each of them.
    return reach if isinstance(edge.input.mapping, Identity) else Reach.EVERY


def _is_whole(graph: Graph, workflow: str) -> bool:
    spec = graph.workflows.get(workflow)
    return spec is None or spec.partitions is None
