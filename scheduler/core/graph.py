"""Who makes what, and who needs it? The declared graph, made once from the manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from riparian.assets.checks import CheckSpec
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.partitions import EVERYTHING, WHOLE, Interval, Keys, Partitions, Product, Windows
from riparian.scheduler.core import limits
from riparian.scheduler.core.dimensions import Dimensions


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``workflow`` reads ``asset``, which is cut by ``cut``, or only names it in its trigger (then ``input`` is
    None)."""

    workflow: WorkflowSpec
    asset: AssetKey
    input: InputSpec | None
    cut: Partitions | None = None

    @property
    def name(self) -> str:
        """What the input is called in traces: one workflow may read different partitions of one asset."""
        return f"{self.asset}[{label}]" if (label := self.label) else self.asset

    @property
    def label(self) -> str:
        return self.input.mapping.label if self.input else "all"

    @property
    def many(self) -> bool:
        """Whether the workflow looks at a set of the asset's partitions."""
        return self.input is None or self.input.mapping.many

    @property
    def wakes(self) -> bool:
        """Whether an update of the asset is among the events that the workflow's trigger waits for."""
        return self.workflow.trigger.watches(self.asset, consumed=self.input is not None)

    @property
    def orders(self) -> bool:
        """Whether the asset comes before the workflow: it is read, or its updates are waited for."""
        return self.input is not None or self.wakes

    @property
    def is_own(self) -> bool:
        """Whether the workflow itself makes the asset: it is made from its own earlier partitions."""
        return self.asset in self.workflow.produces

    @property
    def cuts(self) -> bool:
        """Whether the asset's partitions say for which partitions the workflow could run."""
        if self.input is None or self.is_own:
            return False
        return self.input.mapping.says_which(self.workflow.partitions, self.cut)

    @property
    def can_be_none(self) -> bool:
        """Whether the workflow can run where nothing is meant: at an end of the series."""
        return self.input is not None and self.input.mapping.can_be_none and isinstance(self.cut, Windows | Product)

    def up(self, interval: Interval) -> Keys:
        """The partitions of the asset that the workflow's partitions in ``interval`` look at."""
        if self.input is None:
            return (EVERYTHING,)
        return self.input.mapping.up(interval, self.workflow.partitions, self.cut)

    def down(self, interval: Interval) -> Keys:
        """The workflow's partitions that look at those of the asset in ``interval``."""
        if self.workflow.partitions is None:
            return (Interval(WHOLE, WHOLE),)
        if self.input is None:
            return (EVERYTHING,)
        return self.input.mapping.down(interval, self.workflow.partitions, self.cut)


class Graph:
    """The current declarations of all projects. It never changes; an apply makes a new one."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._manifests = manifests = tuple(manifests)
        self.assets: Mapping[AssetKey, AssetSpec] = {a.key: a for m in manifests for a in m.assets}
        self.workflows: Mapping[str, WorkflowSpec] = {w.key: w for m in manifests for w in m.workflows}
        self.bundles: Mapping[str, str] = {w.key: m.bundle for m in manifests for w in m.workflows}
        self._producers = {a: w for w in self.workflows.values() for a in w.produces}
        edges: dict[AssetKey, list[Edge]] = defaultdict(list)
        self._inputs: dict[str, tuple[Edge, ...]] = {}
        for w in self.workflows.values():
            own = [Edge(workflow=w, asset=i.asset, input=i, cut=self._cut(i.asset)) for i in w.inputs]
            named = [Edge(workflow=w, asset=a, input=None, cut=self._cut(a)) for a in trigger_only(w)]
            self._inputs[w.key] = (*own, *named)
            for edge in (*own, *named):
                edges[edge.asset].append(edge)
        self._edges = {asset: tuple(found) for asset, found in edges.items()}

    def _cut(self, asset: AssetKey) -> Partitions | None:
        spec = self.assets.get(asset)
        return spec.partitions if spec else None

    def producer(self, asset: AssetKey) -> WorkflowSpec | None:
        """Returns the workflow that makes ``asset``; None for a source."""
        return self._producers.get(asset)

    def checks(self, asset: AssetKey) -> tuple[CheckSpec, ...]:
        """Returns the checks of ``asset``."""
        maker = self.producer(asset)
        return tuple(c for c in maker.checks if c.asset == asset) if maker else ()

    def edges(self, asset: AssetKey) -> tuple[Edge, ...]:
        """Returns who reads ``asset`` or waits for it."""
        return self._edges.get(asset, ())

    def inputs(self, workflow: str) -> tuple[Edge, ...]:
        """Returns what ``workflow`` reads or waits for."""
        return self._inputs.get(workflow, ())

    def makes(self, workflow: str) -> tuple[AssetKey, ...]:
        """Returns what a run of ``workflow`` makes; an ingest run makes the source of that key."""
        spec = self.workflows.get(workflow)
        if spec is not None:
            return spec.produces
        return (AssetKey(workflow),) if AssetKey(workflow) in self.assets else ()

    def maker(self, asset: AssetKey) -> str:
        """Returns the key of the workflow that makes ``asset``; a source's ingest workflow has the source's key."""
        spec = self.producer(asset)
        return spec.key if spec else asset

    @cached_property
    def made_from_themselves(self) -> Collection[str]:
        """The workflows that read their own earlier partitions."""
        return frozenset(e.workflow.key for edges in self._inputs.values() for e in edges if e.input and e.is_own)

    @cached_property
    def scheduled(self) -> Collection[str]:
        """The workflows whose triggers name a schedule."""
        return frozenset(w.key for w in self.workflows.values() if w.trigger.schedules)

    @cached_property
    def watchful(self) -> Collection[str]:
        """The workflows whose triggers ask what is missing, or which checks have passed."""
        asked = ((w, [i.asset for i in w.inputs]) for w in self.workflows.values())
        return frozenset(
            w.key for w, consumed in asked if w.trigger.absences(w.produces) or w.trigger.checked(consumed)
        )

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """How many may be under each declared limit, by its name."""
        return limits.declared(self.workflows.values())

    @cached_property
    def dimensions(self) -> Dimensions:
        """The dimensions whose keys are added in use."""
        return Dimensions(self._manifests)

    @cached_property
    def depth(self) -> Mapping[str, int]:
        """How many steps each workflow lies below the sources: an order in which all makers come before their users.

        What is only asked to be missing gives no order. It ends on circles too, though an apply refuses them: the one
        writer waits for it.
        """
        depth: dict[str, int] = {}
        path: set[str] = set()
        pending = list(self.workflows)
        while pending:
            key = pending[-1]
            if key in depth:
                pending.pop()
                continue
            path.add(key)
            makers = [w.key for e in self.inputs(key) if e.orders and (w := self.producer(e.asset)) is not None]
            missing = [m for m in makers if m not in depth and m not in path]
            if missing:
                pending.extend(missing)
            else:
                depth[key] = 1 + max([depth.get(m, 0) for m in makers], default=0)
                path.discard(key)
                pending.pop()
        return depth


def trigger_only(workflow: WorkflowSpec) -> tuple[AssetKey, ...]:
    """Returns the assets that the trigger names and that are neither consumed nor made."""
    if not (named := workflow.trigger.assets):
        return ()  # mostly: large graphs are made again at every apply
    known = {*workflow.produces, *(i.asset for i in workflow.inputs)}
    return tuple(a for a in named if a not in known)


def follows_clock(graph: Graph, workflow: str) -> bool:
    """Whether the workflow is partitioned and no input says for which partitions it could run."""
    spec = graph.workflows.get(workflow)
    return spec is not None and spec.partitions is not None and not cutting_inputs(graph, workflow)


def cutting_inputs(graph: Graph, workflow: str) -> tuple[Edge, ...]:
    """Returns the inputs whose partitions say for which partitions the workflow could run."""
    return tuple(e for e in graph.inputs(workflow) if e.cuts)


def reads_otherwise(edges: Iterable[Edge], reads: Collection[str]) -> bool:
    """Whether inputs of these names (see Edge.name) are not those that ``edges`` read. What only the trigger names is
    left aside."""
    named = {e.name for e in edges if e.input is None}
    return set(reads) - named != {e.name for e in edges if e.input is not None}
