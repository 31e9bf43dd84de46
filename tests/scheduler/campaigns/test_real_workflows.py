"""Is what Riparian makes of real workflows what graph theory says?

The shapes and sizes are those that WfCommons learned from published executions. Each task of one is a workflow here,
each of its files an asset. What is right is told by networkx, from the parents that the generator names.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
from sqlalchemy import select
from wfcommons import WorkflowGenerator
from wfcommons.wfchef import recipes

from riparian.scheduler import events, register
from riparian.scheduler.core.protocol import Lease, Report
from riparian.storage.metadata.schema import run
from tests.scheduler.conftest import ME, Plant, declared

SEED = int(os.environ.get("RIPARIAN_TEST_SEED", "0"))
SHAPES = [
    ("Montage", 1000),
    ("Epigenomics", 300),
    ("Cycles", 300),
    ("Blast", 1000),
    ("Seismology", 150),
    ("Genome", 150),
    ("Srasearch", 150),
    ("Soykb", 150),
    ("Bwa", 150),
]


@dataclass(frozen=True, kw_only=True)
class Real:
    """A generated workflow: who follows whom as the generator says, and what each task reads and writes."""

    tasks: nx.DiGraph
    reads: dict[str, list[str]]
    writes: dict[str, list[str]]

    @property
    def sources(self) -> list[str]:
        """Files that no task makes."""
        made = {f for files in self.writes.values() for f in files}
        return sorted({f for files in self.reads.values() for f in files} - made)

    def first(self, source: str) -> set[str]:
        return {task for task, files in self.reads.items() if source in files}

    def below(self, tasks: set[str], *, but: str = "") -> set[str]:
        """These tasks and all that follow, if nothing goes on from one of them."""
        open_edges = nx.restricted_view(self.tasks, [], list(self.tasks.out_edges(but)) if but else [])
        return tasks.union(*(nx.descendants(open_edges, task) for task in tasks))


def generated(recipe: str, size: int) -> Real:
    """A workflow of about so many tasks, in our words."""
    random.seed(f"{recipe}{SEED}")
    np.random.seed(SEED % 2**32)
    found = WorkflowGenerator(getattr(recipes, f"{recipe}Recipe").from_num_tasks(size)).build_workflow("real")
    names = {task: f"t{n}" for n, task in enumerate(found.tasks)}
    files: dict[str, str] = {}
    count = itertools.count()

    def named(paths: list) -> list[str]:
        return list(dict.fromkeys(files.setdefault(f.file_id, f"f{next(count)}") for f in paths))

    return Real(
        tasks=nx.relabel_nodes(nx.DiGraph(found.edges), names),
        reads={names[t]: named(task.input_files) for t, task in found.tasks.items()},
        writes={names[t]: named(task.output_files) for t, task in found.tasks.items()},
    )


class Played:
    """A real workflow as a project, on a plant of which the workers end their steps in any order."""

    def __init__(self, plant: Plant, real: Real, rng: random.Random) -> None:
        self.plant, self.real, self.rng = plant, real, rng
        # A workflow is called as its task, and one of a single asset as that asset.
        flows = {t: tuple(files) for t, files in real.writes.items() if len(files) > 1}
        self.task_of = {t if t in flows else files[0]: t for t, files in real.writes.items()}
        edges = {f: real.reads[task] for task, files in real.writes.items() for f in files}
        register.apply(plant.plane, declared(plant, edges, {}, flows=flows), plant.bundle("one")[1], ME, "none")
        self.seen: set[str] = set()
        self.same: set[str] = set()
        self.made: dict[str, str] = {}

    def update(self, source: str, value: int) -> None:
        events.record(self.plant.plane, source, value, ME)

    def done(self, lease: Lease) -> Report:
        """The step ends with a content that follows from what it was given, or with the same as before."""
        given = "".join(p.digest for i in lease.inputs for p in i.pieces)
        if lease.task not in self.same:
            self.made[lease.task] = hashlib.sha256(f"{lease.task}{given}".encode()).hexdigest()
        return self.plant.done(lease, self.made[lease.task])

    def work(self) -> list[str]:
        """Until nothing is left, several steps at once, the next to end drawn by lot. Returns the tasks that were run,
        each as often as it was."""
        held: list[Lease] = []
        while True:
            held += self.plant.take(self.rng.randint(1, 64))
            if not held:
                break
            self.rng.shuffle(held)
            ended = [held.pop() for _ in range(self.rng.randint(1, len(held)))]
            assert {200} == {r.status for r in self.plant.ask(*[self.done(lease) for lease in ended]).results}
        query = select(run.c.id, run.c.workflow, run.c.state).where(run.c.kind == "workflow")
        rows = self.plant.plane.db.read(lambda tx: tx.conn.execute(query).all())
        new = [r for r in rows if r.id not in self.seen]
        self.seen |= {r.id for r in new}
        assert {"succeeded"} == {r.state for r in new}
        return sorted(self.task_of.get(r.workflow, r.workflow) for r in new)

    def edges(self) -> set[tuple[str, str]]:
        """Which task follows which, as the planner has it."""
        graph = self.plant.plane.db.read(self.plant.plane.graphs.at)
        return {
            (self.task_of[maker.key], self.task_of[w])
            for w in graph.workflows
            for edge in graph.inputs(w)
            if (maker := graph.producer(edge.asset)) is not None
        }

    def reasons(self) -> set[str]:
        """Why nothing of all this is about to run."""
        return {self.plant.why(f) for files in self.real.writes.values() for f in files}


@pytest.fixture(params=SHAPES, ids=[f"{recipe}-{size}" for recipe, size in SHAPES])
def played(request: pytest.FixtureRequest, make_plant: Callable[[], Plant]) -> Played:
    recipe, size = request.param
    return Played(make_plant(), generated(recipe, size), random.Random(SEED))


@pytest.mark.campaign
def test_real_workflows_are_made_as_their_graphs_say(played: Played) -> None:
    """The edges are the parents that were declared; all is made once each, in any order of ending, and is then fresh;
    what is below an update, and nothing else, is made again, once; what comes out equal stops what is below it."""
    real, rng = played.real, played.rng
    everything = sorted(real.tasks.nodes | real.writes.keys())

    assert set(real.tasks.edges) == played.edges()

    for n, source in enumerate(real.sources):
        played.update(source, n)
    assert everything == played.work()
    assert {"up_to_date"} == played.reasons()

    for n, source in enumerate(rng.choices(real.sources, k=3), len(real.sources)):
        played.update(source, n)
        assert sorted(real.below(real.first(source))) == played.work()
        assert {"up_to_date"} == played.reasons()

    source = max(real.sources, key=lambda s: (len(real.below(real.first(s))), s))
    equal = rng.choice(sorted(t for t in real.below(real.first(source)) if list(real.tasks.successors(t))))
    played.same = set(real.writes[equal])
    played.update(source, -1)
    assert sorted(real.below(real.first(source), but=equal)) == played.work()
    assert {"up_to_date"} == played.reasons()
