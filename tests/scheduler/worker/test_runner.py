"""How does one attempt end, seen from inside of its process?"""

from __future__ import annotations

import pytest

from riparian.scheduler.core.protocol import Entry, Lease, Output
from riparian.scheduler.worker import runner


def test_endless_report_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no message could hold fails where it was made, and is not tried again."""
    lease = Lease(
        step="s",
        run="r",
        workflow="w",
        task="t",
        epoch=1,
        attempt=1,
        secret="x",
        partition="",
        seed="",
        inputs=(),
        outputs=(Output(asset="an.asset", partition="", directory="v/a"),),
        entry=Entry(bundle="", module="builtins", qualname="dict", context=None, returns="builtins.dict"),
    )
    before = runner.attempt(lease, "memory://", None)
    monkeypatch.setattr(runner, "OUTCOME_BYTES", 50)
    outcome = runner.attempt(lease, "memory://", None)

    assert (True, False, False) == (before.succeeded, outcome.succeeded, outcome.retryable)
    assert outcome.error is not None
    assert outcome.error.startswith("the report of 1 outputs and their 0 objects takes ")


def test_who_runs_an_attempt_may_hear_of_the_exception() -> None:
    """The very one that was raised, beside the outcome that tells of it."""
    lease = Lease(
        step="s",
        run="r",
        workflow="w",
        task="t",
        epoch=1,
        attempt=1,
        secret="x",
        partition="",
        seed="",
        inputs=(),
        outputs=(),
        entry=Entry(bundle="", module="builtins", qualname="int", context=None, returns="builtins.int"),
        constants={"base": 2},
    )
    caught: list[BaseException] = []
    outcome = runner.attempt(lease, "memory://", None, caught.append)

    assert [TypeError] == [type(exc) for exc in caught]
    assert f"TypeError: {caught[0]}" == outcome.error
