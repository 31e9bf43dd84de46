"""A check has looked at what a run made: what is noted, and may the run go on?"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from riparian.scheduler.core.checking import LONGEST_DESCRIPTION, Verdict, maker_of, read_verdict
from riparian.scheduler.core.pinned import StepSpec
from riparian.scheduler.core.protocol import Report
from riparian.storage.metadata import checks, runs
from riparian.storage.metadata.database import Tx


def fault(report: Report) -> str:
    """Returns why what was reported is no answer of a check, or nothing."""
    if not report.outputs:
        return "the check returned NoUpdate; it returns True, False or a CheckResult"
    said = read_verdict(report.outputs[0].content)
    return f"the attempt reported {said}" if isinstance(said, str) else ""


def verdict_of(report: Report) -> Verdict:
    """Returns what a report without fault says."""
    said = read_verdict(report.outputs[0].content)
    assert isinstance(said, Verdict)  # noqa: S101 - the caller asked for a fault before
    return said


def broken(error: str) -> Verdict:
    """Returns what is noted of a check that gave no answer: nobody knows that it would have passed."""
    return Verdict(passed=False, description=error[:LONGEST_DESCRIPTION])


def settle(tx: Tx, run: Row[Any], spec: StepSpec, verdict: Verdict) -> str:
    """Notes what the check found in the version that the run has staged; returns why the run can not go on, or
    nothing."""
    (made,) = runs.results(tx, run.id, [maker_of(spec)])[maker_of(spec)]
    checks.add(
        tx,
        {
            "version": made.id,
            "name": spec.check,
            "asset": spec.checks,
            "partition": run.partition,
            "run": run.id,
            "passed": verdict.passed,
            "blocking": spec.blocking,
            "metadata": json.dumps(dict(verdict.metadata), ensure_ascii=False, sort_keys=True),
            "description": verdict.description,
            "checked_at": tx.now,
        },
    )
    if verdict.passed or not spec.blocking:
        return ""
    said = f": {verdict.description}" if verdict.description else ""
    return f"{spec.checks} did not pass the check {spec.checks}.{spec.check}{said}"
