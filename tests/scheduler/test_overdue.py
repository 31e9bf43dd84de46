"""A run ends when its time is up, whatever it does then."""

import pytest

from riparian.assets.policy import Principal
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.scheduler import ending
from riparian.scheduler.cancel import cancel

ME = Principal(name="me", groups=frozenset({"owners"}))
MINUTE = 60_000_000


def begin(plant, **said):
    """A run of b that is under way; c consumes b."""
    plant.apply({"b": ["a"], "c": ["b"]}, said={"b": {"run_timeout_seconds": 60}}, **said)
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    (lease,) = plant.take()
    return lease


def test_what_takes_too_long_fails(plant):
    """The run fails with its own reason, its lease is revoked, and what is below waits for a repair."""
    lease = begin(plant)
    plant.now += MINUTE
    plant.plane.look()

    assert [409] == [r.status for r in plant.ask(plant.done(lease)).results]
    (run,) = plant.runs("b")
    assert ("failed", "timed out: the run was ended after its time limit of 60 s") == (run["state"], run["error"])
    assert "timed_out" == plant.why("b")
    assert [] == plant.take(8)
    plant.drop("a", "two")
    assert ["a", "b", "c"] == plant.settle()


def test_the_pauses_between_tries_count(plant):
    """A run that waits for its next try is over at its time, and the try never begins."""
    lease = begin(plant, retry=Retry(attempts=9, delay_seconds=300))
    plant.ask(plant.failed(lease))
    plant.now += MINUTE
    plant.plane.look()
    plant.now += 10 * MINUTE

    assert "timed_out" == plant.why("b")
    assert [] == plant.take(8)


def test_time_counts_from_the_first_grant(plant):
    """Waiting for a worker is not the run's fault; the second task's wait is part of it."""
    one, two = (
        TaskSpec(name=name, module="code", qualname=name, returns="dict", arguments=taken, output=output)
        for name, taken, output in (
            ("one", (), ""),
            ("two", (Argument(parameter="p", type="dict", ref=Ref(kind="task", name="one")),), "b"),
        )
    )
    plant.apply({"b": ["a"]}, said={"b": {"run_timeout_seconds": 60}}, tasks={"b": (one, two)})
    plant.drop("a", "x")
    plant.ask(plant.done(plant.take()[0]))
    plant.now += 5 * MINUTE
    plant.plane.look()
    (first,) = plant.take()
    plant.now += MINUTE // 2
    plant.ask(plant.done(first))
    plant.plane.look()
    assert "running" == plant.runs("b")[0]["state"]
    plant.now += MINUTE // 2
    plant.plane.look()

    assert "timed_out" == plant.why("b")


def test_the_time_runs_on_while_nobody_is_there(plant):
    """The note of when it is due survives a restart."""
    begin(plant)
    plant.close()
    plant.now += MINUTE
    plant.open()
    plant.plane.look()

    assert "timed_out" == plant.why("b")


@pytest.mark.parametrize("how", ["done", "cancelled"])
def test_who_is_through_in_time_leaves_no_timer(plant, how):
    """Nothing is left that somebody would have to look at."""
    lease = begin(plant)
    if how == "done":
        plant.ask(plant.done(lease))
        plant.settle()
    else:
        cancel(plant.plane, lease.run, ME)

    assert plant.plane.look() is None


def test_a_run_that_can_not_be_ended_keeps_no_other_from_its_end(plant, monkeypatch, caplog):
    """It is tried again when it has been left alone for a while, and planning goes on meanwhile."""
    plant.apply({"b": ["a"], "c": ["a"]}, said={k: {"run_timeout_seconds": 60} for k in ("b", "c")})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    assert 2 == len(plant.take(2))
    fail = ending.fail

    def failing(tx, run, *more, **named):
        fail(tx, run, *more, **named)
        if run.workflow == "b":
            raise ValueError("what was stored can not be read")

    with monkeypatch.context() as patch:
        patch.setattr(ending, "fail", failing)
        plant.now += MINUTE
        due = plant.plane.look()

    assert ["running", "failed"] == [plant.runs(key)[0]["state"] for key in ("b", "c")]
    assert plant.now + MINUTE == due
    assert "can not be ended" in caplog.text
    plant.now = due
    plant.plane.look()
    assert "failed" == plant.runs("b")[0]["state"]
