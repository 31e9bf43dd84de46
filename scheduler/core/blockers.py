"""Whose unfinished work may still change an input?

So that a diamond runs once: a workflow partition waits while anything above it, through edges that wake, is
unfinished or failed. This says what lies above; somebody else looks which of it is unfinished.
"""

from __future__ import annotations

from collections.abc import Mapping

from riparian.assets.partitions import EVERYTHING, WHOLE, Interval
from riparian.assets.partitions.latest import up_to
from riparian.scheduler.core.facts import Blocker
from riparian.scheduler.core.graph import Edge, Graph

MOST_INTERVALS = 4
"""Intervals of one maker that are told apart; with more, each of its partitions is waited for."""


def above(graph: Graph, workflow: str, partition: str) -> Mapping[str, tuple[Interval, ...]]:
    """Returns the workflows whose runs may yet change what the workflow's ``partition`` reads, with the partitions that
    matter.

    Only through inputs that the trigger waits for, and above them only through workflows that updates alone can
    start: what one that is manual, or waits for the clock, would make of its inputs is not waited for.
    """
    found: dict[str, tuple[Interval, ...]] = {}
    frontier = [(workflow, Interval(partition, partition))]
    while frontier:
        key, below = frontier.pop()
        if key != workflow and not _by_update(graph, key):
            continue
        for edge in graph.inputs(key):
            if not edge.wakes:
                continue
            maker = graph.maker(edge.asset)
            for interval in _up(edge, below):
                known = found.get(maker, ())
                if any(k.holds(interval) for k in known):
                    continue
                wider = interval if len(known) < MOST_INTERVALS else EVERYTHING
                found[maker] = (*(k for k in known if not wider.holds(k)), wider)
                frontier.append((maker, wider))
    return found


def holds(graph: Graph, blocker: Blocker) -> bool:
    """Whether anybody waits for it: not for the repair of what only a person, or the clock, runs again."""
    return not blocker.failed or _by_update(graph, blocker.workflow)


def _by_update(graph: Graph, workflow: str) -> bool:
    spec = graph.workflows.get(workflow)
    return spec is None or spec.trigger.by_update


def _up(edge: Edge, below: Interval) -> tuple[Interval, ...]:
    if edge.cut is None:
        return (Interval(WHOLE, WHOLE),)
    if not edge.is_own:
        return edge.up(below)
    # What is made from its own partition before waits for all of them: each may change the next.
    return tuple(earlier for i in edge.up(below) for earlier in up_to(edge.cut, i))
