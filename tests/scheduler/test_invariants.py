"""What must hold whatever happens, and by which property each is held: histories are drawn, and all is looked at."""

import random

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from riparian.assets.triggers import manual
from riparian.scheduler import sessions
from riparian.storage.metadata.schema import run
from tests.scheduler.conformance.stage import not_there
from tests.scheduler.conftest import histories
from tests.scheduler.test_no_update_lost import DAYS, TIMELY, X, act, graphs

LOST = "scheduler/test_no_update_lost.py"
HERE = "scheduler/test_invariants.py"
HELD = {
    "when events stop, nothing is stale": f"{LOST}::test_everything_ends_up_made_from_the_newest",
    "no update is lost": f"{LOST}::test_ticks_lose_nothing_and_run_nothing_twice",
    "any rate of looks": "scheduler/test_triggers_in_time.py::test_the_end_is_the_same_at_any_rate_of_looks",
    "one run of a partition at a time, one for a cause": f"{HERE}::test_at_any_moment",
    "any order of completion": f"{LOST}::test_one_update_runs_each_partition_at_most_once",
    "any number of partitions": "scheduler/conformance/test_dagster.py::test_there_is_no_cliff",
    "what is new or triggered anew does nothing of the past": f"{HERE}::test_nothing_of_the_past",
    "what does not run has a reason": f"{HERE}::test_at_any_moment",
    "a crash changes nothing": f"{LOST}::test_everything_ends_up_made_from_the_newest",
    "an edit drops nothing that was pending": f"{LOST}::test_ticks_lose_nothing_and_run_nothing_twice",
    "correct: as if all were rebuilt": "scheduler/test_partitions_rebuilt.py"
    "::test_any_order_of_deliveries_makes_the_same",
    "minimal: each at most once": f"{LOST}::test_one_update_runs_each_partition_at_most_once",
    "what comes out equal stops what is below it": f"{HERE}::test_equal_content_stops",
}
"""What holds, and the property that looks for what breaks it; ``test_mutants.py`` plants faults that break some."""


def test_each_invariant_has_its_property():
    """The table is of tests that there are."""
    assert [] == not_there(HELD)


def unfinished(tx):
    going = run.c.state.in_(("queued", "running"))
    same = select(run.c.workflow, func.count()).where(going).group_by(run.c.workflow, run.c.partition)
    causes = select(run.c.workflow, func.count()).group_by(run.c.workflow, run.c.partition, run.c.trigger_key)
    return [tuple(r) for query in (same, causes) for r in tx.conn.execute(query) if r[1] > 1]


@histories(10)
@given(graph=graphs(), seed=st.integers(0, 9_999), length=st.integers(20, 80))
def test_at_any_moment(make_plant, graph, seed, length):
    """After each act no partition has two unfinished runs, though the catalogue would take them, no cause has two runs
    ever, and whatever is not made can say why."""
    edges, daily = graph
    plant = make_plant()
    plant.plane.db.write(lambda tx: tx.conn.execute(text("DROP INDEX uq_run_unfinished")))
    plant.edges, plant.triggers = edges, {}
    plant.apply(edges, daily=daily, parameters=dict.fromkeys(edges, X))
    rng, held, sources = random.Random(seed), [], {}
    for _ in range(length):
        act(plant, held, sources, daily, rng.choice([*TIMELY, "fail", "lost"]), rng.randrange(1000))
        assert [] == plant.plane.db.read(unfinished)
    for asset in edges:
        for day in DAYS if asset in daily else ("",):
            assert plant.head(asset, day) or plant.why(asset, day) not in ("up_to_date", "unchanged", "")


@histories(10)
@given(graph=graphs(), seed=st.integers(0, 9_999), length=st.integers(0, 30))
def test_nothing_of_the_past(make_plant, graph, seed, length):
    """Whatever was before: a workflow that is declared then runs for the newest partition at most, and a trigger that
    it gets later makes nothing more of what was there."""
    edges, daily = {**graph[0], "anchor": ["s"]}, graph[1]
    plant = make_plant()
    plant.edges, plant.triggers = edges, {}
    plant.apply(edges, daily=daily, parameters=dict.fromkeys(edges, X))
    rng, held, sources = random.Random(seed), [], {}
    for _ in range(length):
        act(plant, held, sources, daily, rng.choice(TIMELY), rng.randrange(1000))
    for _ in range(4):
        # What nobody reported is lost and tried again, till all is at rest.
        plant.now += 400_000_000
        sessions.expire(plant.plane)
        plant.session = plant.join()
        plant.settle()
    there = [day for day in DAYS if plant.head("s", day)]
    for triggers in ({}, {"late": manual()}, {}):
        plant.apply({**edges, "late": ["s"]}, daily=(*daily, "late"), triggers=triggers)
        plant.settle()

    assert there[-1:] == sorted({r["partition"] for r in plant.runs("late")})


@histories(15)
@given(graph=graphs(), equal=st.integers(0, 4), seed=st.integers(0, 99))
def test_equal_content_stops(make_plant, graph, equal, seed):
    """Of what is below an update, all runs that is reached past the one whose content comes out equal, and no more."""
    edges, _ = graph
    plant, rng = make_plant(), random.Random(seed)
    plant.apply(edges)
    plant.drop("s", "one")
    plant.drop("w", "one")
    plant.settle()
    same = sorted(edges)[equal % len(edges)]
    content = plant.head(same)
    plant.drop("s", "two")
    ran, held = [], []
    while new := plant.take(rng.randint(1, 3)) or held:
        if new is not held:
            held += new
            ran += [x.workflow for x in new if x.ingest is None]
        lease = held.pop(rng.randrange(len(held)))
        plant.ask(plant.done(lease, content if lease.workflow == same else None))

    moved = {"s"}
    expected = [a for a in edges if moved.intersection(edges[a]) and (a == same or moved.add(a) is None)]
    assert sorted(expected) == sorted(ran)
