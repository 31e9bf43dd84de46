"""What the planner can not do, or not at once, holds up nobody else."""

from riparian.assets.policy import Principal
from riparian.scheduler.core import planner
from riparian.scheduler.tick import PAUSE_SECONDS
from riparian.storage.metadata import runnable, staleness, timers

ME = Principal(name="me", groups=frozenset({"owners"}))


def test_a_fault_of_the_planner_does_not_undo_the_commit(plant, monkeypatch):
    """The version stays, and what could not be planned is planned some seconds later."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    (ingest,) = plant.take()
    with monkeypatch.context() as broken:
        broken.setattr("riparian.scheduler.core.planner.decide", lambda facts: 1 / 0)
        assert [200] == [r.status for r in plant.ask(plant.done(ingest)).results]

    assert "one" == plant.head("a")
    assert plant.plane.db.read(lambda tx: timers.earliest(tx)) == plant.now + PAUSE_SECONDS * 1_000_000
    plant.now += PAUSE_SECONDS * 1_000_000
    plant.plane.db.write(plant.plane._plan)
    assert ["b"] == plant.settle()


def test_a_fault_of_the_planner_is_not_tried_in_a_circle(plant, monkeypatch):
    """The daemon's own round does not ring itself after a fault; the timer brings the next try."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    monkeypatch.setattr("riparian.scheduler.core.planner.decide", lambda facts: 1 / 0)
    plant.ask(plant.done(plant.take()[0]))
    plant.plane.bells.daemon.clear()

    due = plant.plane.db.write(plant.plane._plan)
    assert not plant.plane.bells.daemon.is_set()
    assert due > plant.now


def test_what_can_not_be_planned_holds_up_nobody_else(plant, monkeypatch, caplog):
    """One target that the planner fails at is put aside with all that was asked of it, and is tried again in time."""
    plant.apply({"b": ["a"], "c": ["a"], "d": ["c"]})
    decide = planner.decide

    def failing(facts):
        if facts.workflow.key == "b":
            raise TypeError("it can not be planned")
        return decide(facts)

    monkeypatch.setattr(planner, "decide", failing)
    plant.drop("a", "one")

    assert ["a", "c", "d"] == plant.settle()
    assert ["planning b[] failed; it is tried again in 5 s: TypeError: it can not be planned"] == caplog.messages
    held = [(p["workflow"], p["code"]) for p in plant.plane.access.as_principal(ME).plan().items]
    assert [("b", "planner_failed")] == held
    assert not plant.plane.db.read(staleness.is_dirty)
    plant.plane.look()
    plant.drop("a", "two")
    assert ["a", "c", "d"] == plant.settle()

    plant.now += 6_000_000
    assert plant.now < plant.plane.look()
    assert [] == plant.settle()
    told = [r.exc_info is not None for r in caplog.records]
    assert [True, *[False] * (len(told) - 1)] == told, "the trace is told once, a line for each try after that"
    assert len(told) > 1

    monkeypatch.setattr(planner, "decide", decide)
    plant.now += 6_000_000
    plant.plane.look()
    assert ["b"] == plant.settle()
    assert plant.head("b") == "b(=two)"
    assert [] == plant.plane.access.as_principal(ME).plan().items


def test_a_mark_that_can_not_be_read_holds_up_nobody_else(plant, monkeypatch, caplog):
    """It is put aside with all its partitions, and is looked at again in time."""
    plant.apply({"b": ["a", "w"], "c": ["w"]}, daily=("a", "b"))
    for day in (1, 2):
        plant.drop("a", "o", f"2020-01-0{day}")
    plant.drop("w", "x")
    plant.settle()
    partitions = runnable.partitions

    def failing(tx, graph, key, *more):
        if key == "b":
            raise TypeError("it can not be read")
        return partitions(tx, graph, key, *more)

    with monkeypatch.context() as patch:
        patch.setattr(runnable, "partitions", failing)
        plant.drop("w", "y")
        assert ["w", "c"] == plant.settle()
        assert "a mark of b can not be read" in caplog.text
        assert not plant.plane.db.read(staleness.is_dirty)
        plant.now += 6_000_000
        assert plant.now < plant.plane.look()
        assert [] == plant.settle()

    plant.now += 6_000_000
    plant.plane.look()
    assert ["b[2020-01-01]", "b[2020-01-02]"] == sorted(plant.settle())


def test_a_slice_does_not_run_what_lies_below_it(plant, monkeypatch):
    """A mark that is too large for one transaction is finished before anything below it is decided."""
    monkeypatch.setattr("riparian.scheduler.tick.SLICE", 2)
    plant.apply({"b": ["a", "w"], "sum": ["b", "w"]}, daily=("a", "b"))
    plant.drop("w", "x")
    for day in range(1, 6):
        plant.drop("a", "o", f"2020-01-0{day}")
    while plant.settle() or plant.plane.db.write(plant.plane._plan):
        pass
    plant.drop("w", "y")
    ran = plant.settle()
    while plant.plane.bells.daemon.is_set():
        plant.plane.bells.daemon.clear()
        plant.plane.db.write(plant.plane._plan)
        ran += plant.settle()

    assert (5, 1) == (sum(r.startswith("b[") for r in ran), ran.count("sum"))


def test_runs_of_many_steps_are_planned_in_several_transactions(plant, monkeypatch):
    """Each has its last run in full, nothing below is decided before, and no more is planned than was called for."""
    monkeypatch.setattr("riparian.scheduler.tick.MOST_STEPS", 2)
    plant.apply({"b": ["a", "w"], "sum": ["b", "w"]}, daily=("a", "b"))
    for day in range(1, 6):
        plant.drop("a", "o", f"2020-01-0{day}")
    plant.settle()
    plant.drop("w", "x")
    plant.ask(plant.done(plant.take()[0]))
    planned = [len(plant.runs("b"))]
    for _ in range(4):
        plant.plane.look()
        planned.append(len(plant.runs("b")))

    assert [2, 4, 5, 5, 5] == planned
    assert [] == plant.runs("sum")
    ran = plant.settle()
    plant.plane.look()
    assert (5, ["sum"]) == (sum(r.startswith("b[") for r in ran), [r for r in ran + plant.settle() if r == "sum"])
