"""What becomes of attempts that hang, fail or roll dice?"""

from __future__ import annotations

from datetime import datetime

import pytest

PIPELINE = """
    import os
    import random
    import gates
    from riparian import Context, FileDrop, Policy, Retry, asset, source

    hang_raw = source("a.hang_raw", arrives=FileDrop("drop/hang_raw.json"), policy=Policy())
    flaky_raw = source("b.flaky_raw", arrives=FileDrop("drop/flaky_raw.json"), policy=Policy())
    dice_raw = source("c.dice_raw", arrives=FileDrop("drop/dice_raw.json"), policy=Policy())
    wrong_raw = source("d.wrong_raw", arrives=FileDrop("drop/wrong_raw.json"), policy=Policy())

    @asset("a.hang", timeout=0.5)
    def hang(hang_raw: dict) -> dict:
        gates.note("hang", os.getpid())
        print("about to hang")
        while True:
            pass

    @asset("b.flaky", retry=Retry(attempts=3, delay_seconds=0.3, factor=2))
    def flaky(flaky_raw: dict) -> dict:
        number = gates.note("flaky")
        if number < 3:
            raise ValueError(f"attempt {number} breaks")
        return {"attempt": number}

    @asset("c.dice", retry=Retry(attempts=2, delay_seconds=0.0))
    def dice(ctx: Context, dice_raw: dict) -> dict:
        drawn = [ctx.rng.random(), random.random(), ctx.rng.randrange(1 << 30)]
        if gates.note("dice", drawn) == 1:
            raise RuntimeError("broken after the draw")
        return {"drawn": drawn}

    @asset("d.wrong", retry=Retry(attempts=3, delay_seconds=0.0))
    def wrong(wrong_raw: dict) -> dict:
        return gates.note("wrong")
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site(PIPELINE)
    site.worker(slots=2)
    return site


def when(attempt, moment):
    return datetime.fromisoformat(attempt[moment])


def test_time_limit_kills_and_says_so(site):
    """Code that never ends is killed at its limit; run, attempt and log tell what happened."""
    site.drop("hang_raw.json", {})
    run = site.run_ended(site.new_run("a.hang")["id"])
    (attempt,) = run["steps"][0]["attempts"]
    (pid,) = site.notes("hang")

    assert ("failed", "timed_out") == (run["state"], attempt["outcome"])
    assert "the attempt was ended after its time limit of 0.5 s" in run["error"]
    assert site.has_left(int(pid))
    assert "about to hang" in site.log(run["id"])
    assert site.value("a.hang") is None
    assert "failed" == site.get("assets/a.hang/why")["code"]


def test_failed_attempts_are_repeated_after_growing_pauses(site):
    """A function that raises is tried again after 0.3 s, then after 0.6 s; each error is kept with its attempt."""
    site.drop("flaky_raw.json", {})
    run = site.run_ended(site.new_run("b.flaky")["id"])
    first, second, third = run["steps"][0]["attempts"]
    pauses = [
        (when(b, "leased_at") - when(a, "ended_at")).total_seconds() for a, b in ((first, second), (second, third))
    ]

    assert ["failed", "failed", "succeeded"] == [a["outcome"] for a in (first, second, third)]
    assert "attempt 1 breaks" in first["error"]
    assert "pipeline.py" in first["error"]
    assert 0.3 <= pauses[0]
    assert 0.6 <= pauses[1]
    assert {"attempt": 3} == site.value("b.flaky")
    assert 1 == len(site.versions("b.flaky"))


def test_random_numbers_are_the_same_in_every_attempt_and_in_a_run_on_equal_inputs(site):
    """ctx.rng and random draw the same after a failed attempt, and when somebody asks for the run again: the same
    digest follows. Other inputs draw other numbers."""
    site.drop("dice_raw.json", {"n": 1})
    run = site.run_ended(site.new_run("c.dice")["id"])
    again = site.run_ended(site.post("assets/c.dice/materialize", {"partition": ""})["run"])
    site.drop("dice_raw.json", {"n": 2})
    other = site.run_ended(site.new_run("c.dice", count=3)["id"])
    drawn = site.notes("dice")

    assert ["failed", "succeeded"] == [a["outcome"] for a in run["steps"][0]["attempts"]]
    assert ["succeeded"] * 2 == [again["state"], other["state"]]
    assert drawn[0] == drawn[1] == drawn[2]
    assert drawn[2] != drawn[3]
    third, second, first = site.versions("c.dice")
    assert first["digest"] == second["digest"] != third["digest"]


def test_error_that_would_come_again_is_not_repeated(site):
    """A value of the wrong type fails at the first attempt, whatever retries were declared."""
    site.drop("wrong_raw.json", {})
    run = site.run_ended(site.new_run("d.wrong")["id"])

    assert ("failed", ["failed"]) == (run["state"], [a["outcome"] for a in run["steps"][0]["attempts"]])
    assert "int" in run["error"]
    assert 1 == len(site.notes("wrong"))
