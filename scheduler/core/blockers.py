"""Whose unfinished work may still change an input?

So that a diamond runs once: a workflow partition waits while anything above it, through edges that wake, is
unfinished or failed. Marked downwards from what is unfinished, no deeper than the question goes.
"""

from __future__ import annotations

from collections.abc import Iterable

from riparian.assets.partitions import WHOLE, Interval
from riparian.assets.triggers import Manual
from riparian.scheduler.core.facts import Blocker
from riparian.scheduler.core.graph import Graph

_ANY = "*"
"""Stands for every partition of a workflow; never a partition key."""


class Blockers:
    """What is blocked, down to workflows of ``depth``. ``add`` marks all that lies below an unfinished one."""

    def __init__(self, graph: Graph, depth: int, unfinished: Iterable[Blocker] = ()) -> None:
        self._graph = graph
        self._depth = depth
        self._blocked: dict[str, dict[str, Blocker]] = {}
        for blocker in unfinished:
            self.add(blocker)

    def add(self, blocker: Blocker) -> None:
        """Blocks everything below ``blocker``, but not itself. A manual workflow that failed holds nobody: nothing but
        a person will run it again."""
        spec = self._graph.workflows.get(blocker.workflow)
        if blocker.failed and spec is not None and isinstance(spec.trigger, Manual):
            return
        frontier = [(blocker.workflow, blocker.partition)]
        while frontier:
            workflow, partition = frontier.pop()
            for target, mapped in self._below(workflow, partition):
                marks = self._blocked.setdefault(target, {})
                known = marks.get(mapped)
                # What is going on will end by itself, so it is waited for before what failed is named.
                if known is None or (known.failed and not blocker.failed):
                    marks[mapped] = blocker
                    frontier.append((target, mapped))

    def find(self, workflow: str, partition: str) -> Blocker | None:
        """Returns what ``workflow``'s ``partition`` must wait for, or None."""
        marks = self._blocked.get(workflow, {})
        found = [m for m in (marks.get(partition), marks.get(_ANY)) if m is not None]
        return min(found, key=lambda b: b.failed, default=None)

    def _below(self, workflow: str, partition: str) -> Iterable[tuple[str, str]]:
        for asset in self._graph.makes(workflow):
            for edge in self._graph.edges(asset):
                target = edge.workflow
                if edge.wakes and target.key != workflow and self._graph.depth[target.key] <= self._depth:
                    if target.partitions is None:
                        yield target.key, WHOLE
                    elif partition == _ANY:
                        yield target.key, _ANY
                    else:
                        yield target.key, _single(edge.down(partition))


def _single(interval: Interval) -> str:
    return interval.lo if interval.lo == interval.hi else _ANY
