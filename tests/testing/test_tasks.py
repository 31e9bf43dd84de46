"""What the tasks of a project under test are given, return, raise and log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from riparian import (
    Context,
    FileDrop,
    NoUpdate,
    Retry,
    asset,
    branch,
    check,
    manual,
    source,
    task,
    workflow,
)
from riparian.assets.errors import Invalid, NotFound
from riparian.testing import Instance, RunFailed


def test_parameters_reach_the_function() -> None:
    """By their names, as `riparian run --param` gives them."""

    @asset("p.asked", trigger=manual())
    def asked(ctx: Context, *, asset: int = 0, top: str = "a") -> dict:
        return {"given": [asset, top], **ctx.params}

    with Instance.of(asked) as instance:
        assert {"asset": 1, "given": [1, "a"], "top": "a"} == instance.materialize(asked, asset=1)
        assert [{"asset": 1, "top": "a"}] == [run.params for run in instance.runs(asked)]
        with pytest.raises(Invalid, match=r"no parameter 'to'; there are: asset \(int, otherwise 0\), top"):
            instance.materialize(asked, to="b")


def test_checks_run_with_what_they_check() -> None:
    """A blocking one that does not pass is told with the run, which ends, and the former value stays."""
    seen: list[int] = []

    @asset("p.made", trigger=manual())
    def made(*, n: int = 1) -> int:
        return n

    @check(made, blocking=True)
    def positive(made: int) -> bool:
        return made > 0

    @check(made)
    def seen_later(made: int) -> bool:
        seen.append(made)
        return True

    with Instance.of(made, positive, seen_later) as instance:
        assert 2 == instance.materialize(made, n=2)
        with pytest.raises(RunFailed, match=r"p\.made did not pass the check p\.made\.positive"):
            instance.materialize(made, n=-1)
        assert (2, [2]) == (instance.read(made), seen)


def test_what_a_task_raises_is_raised_in_the_test() -> None:
    """The exception itself, with the traceback from the function on, and by whom; all else is done before."""

    @asset("e.broken", trigger=manual())
    def broken() -> dict:
        return {"one": 1 / 0}

    @asset("e.below")
    def below(broken: dict) -> dict:
        return broken

    @asset("e.beside", trigger=manual())
    def beside() -> dict:
        return {}

    with Instance.of(broken, below, beside) as instance:
        with pytest.raises(ZeroDivisionError) as raised:
            instance.materialize(broken)

        assert ["broken"] == [entry.name for entry in raised.traceback if "return {" in str(entry.statement)]
        assert not [e for e in raised.traceback if Path(str(e.path)).name == "runner.py"]
        assert ["raised by broken, a task of e.broken"] == raised.value.__notes__
        assert ["failed"] == [run.state for run in instance.runs(broken)]
        assert "ZeroDivisionError: division by zero" in str(instance.runs(broken)[0].error)
        instance.assert_reason(below, "waiting_for_input")


def test_a_result_that_can_not_be_kept_is_told() -> None:
    """No task raised it, and yet nothing was made."""

    @task
    def which() -> str:
        return "rain"

    @task
    def calm() -> dict:
        return {}

    @workflow("r.flow", produces=["r.out"], trigger=manual())
    def flow() -> dict:
        return {"r.out": branch(which(), {"calm": lambda: calm()})}

    with Instance.of(flow) as instance, pytest.raises(RunFailed, match="returned 'rain'; the branch on it has the ro"):
        instance.materialize("r.out")


def test_a_failure_that_was_asked_for_is_tried_again() -> None:
    """It is not raised, for the test knows of it; the next try comes when the clock says so."""

    @asset("k.fetched", trigger=manual(), retry=Retry(attempts=2, delay_seconds=60))
    def fetched() -> dict:
        return {"n": 1}

    with Instance.of(fetched) as instance:
        instance.fail_next(fetched, OSError("the share is away"))
        with pytest.raises(NotFound):
            instance.materialize(fetched)
        assert [] == instance.run()
        instance.clock.advance(minutes=5)

        assert ["k.fetched"] == instance.run()
        assert {"n": 1} == instance.read(fetched)


def test_roads_and_items_are_seen_in_the_steps() -> None:
    """The state of each task, and of each item of one that is mapped."""
    numbers = source("b.numbers")

    @task
    def road(numbers: list[int]) -> str:
        return "many" if len(numbers) > 1 else "few"

    @task
    def twice(number: int) -> int:
        return 2 * number

    @task
    def summed(doubled: list[int]) -> int:
        return sum(doubled)

    @task
    def nothing() -> int:
        return 0

    @workflow("b.flow", consumes=[numbers], produces=["b.sum"])
    def flow(numbers: Any) -> dict:
        roads = {"many": lambda: summed(twice.map(numbers)), "few": lambda: nothing()}
        return {"b.sum": branch(road(numbers), roads)}

    with Instance.of(numbers, flow) as instance:
        instance.report(numbers, [1, 2])
        instance.run()
        (run,) = instance.runs("b.flow")

        assert 6 == instance.read("b.sum")
        done = dict.fromkeys(("road", "summed", "twice[0]", "twice[1]"), "succeeded")
        assert {**done, "nothing": "skipped"} == run.steps


def test_nothing_new_is_made_of_nothing_new() -> None:
    """A function that returns NoUpdate leaves what there is."""
    count = source("n.count")

    @asset("n.even")
    def even(count: int) -> int:
        return count if count % 2 == 0 else NoUpdate  # type: ignore[return-value]

    with Instance.of(count, even) as instance:
        for n in (2, 3):
            instance.report(count, n)
            instance.run()

        assert 2 == instance.read(even)
        assert ["succeeded", "succeeded"] == [run.state for run in instance.runs(even)]


def test_files_are_handed_on_as_paths() -> None:
    """As often as there are steps that want one: each has a copy of its own."""
    text = source("w.text", arrives=FileDrop("t.txt"))

    @asset("w.words")
    def words(text: Path) -> int:
        return len(text.read_text().split())

    with Instance.of(text, words) as instance:
        for said in ("one two", "one two three"):
            instance.drop(text, said)
            instance.run()

        assert 3 == instance.read(words)


def test_what_a_task_logs_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """By the test's own logging, as by a person who reads the run's log."""

    @asset("l.logged", trigger=manual())
    def logged(ctx: Context) -> int:
        ctx.log.info("one row")
        return 1

    with caplog.at_level("INFO"), Instance.of(logged) as instance:
        instance.materialize(logged)

    assert [("riparian.task", "one row")] == [(r.name, r.message) for r in caplog.records]


def test_what_ends_the_test_ends_it() -> None:
    """It is no failure of the task's."""

    @asset("x.interrupted", trigger=manual())
    def interrupted() -> int:
        raise KeyboardInterrupt

    with Instance.of(interrupted) as instance, pytest.raises(KeyboardInterrupt):
        instance.materialize(interrupted)
