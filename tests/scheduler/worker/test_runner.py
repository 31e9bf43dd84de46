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
