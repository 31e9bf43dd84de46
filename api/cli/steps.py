"""How does one run look? What it is and why, then its steps: a mapped task as one line with numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from riparian.api.cli import output

FIELDS = ("cause", "waits", "created_at", "started_at", "ended_at", "seconds", "makes", "params", "error")
MOST_FAILURES = 5
"""So many failed items of a mapped task are told; all are in the answer as JSON."""


def print_run(run: dict[str, Any]) -> None:
    """Prints a run as the server tells it."""
    subject = run["workflow"] + (f"[{run['partition']}]" if run["partition"] else "")
    output.print_line(f"{run['id']}: {output.one_line(subject)} {run['state']}")
    output.print_fields((name.removesuffix("_at"), run[name]) for name in FIELDS)
    output.print_rows(("step", "state", "seconds", "attempts", "why"), _rows(run))
    output.print_rows(
        ("check", "found", "what"),
        (
            (f"{c['asset']}.{c['check']}", "passed" if c["passed"] else "not passed", c["description"])
            for c in run.get("checks", ())
        ),
    )
    output.print_rows(
        ("made", "partition", "version", "rows"),
        ((v["asset"], v["partition"], v["id"], v["rows"]) for v in run["outputs"]),
    )


def _rows(run: dict[str, Any]) -> Iterable[Sequence[Any]]:
    tasks = dict.fromkeys(s["task"] for s in run["steps"])
    tasks |= dict.fromkeys(c["task"] for c in run.get("step_counts", ()))
    for task in tasks:
        steps = [s for s in run["steps"] if s["task"] == task]
        numbers = Counter({c["state"]: c["steps"] for c in run.get("step_counts", ()) if c["task"] == task})
        numbers = numbers or Counter(s["state"] for s in steps)
        if numbers.total() == 1 and len(steps) == 1:
            yield (task, steps[0]["state"], _seconds(steps), len(steps[0]["attempts"]), _why(steps[0]))
            continue
        states = ", ".join(f"{number:,} {state}" for state, number in numbers.items())
        yield (task, states, _seconds(steps), sum(len(s["attempts"]) for s in steps), "")
        for step in [s for s in steps if s["state"] == "failed"][:MOST_FAILURES]:
            place = "" if step.get("map_index") is None else f"[{step['map_index']}]"
            yield (f"{task}{place}", "failed", _seconds([step]), len(step["attempts"]), _why(step))


def _why(step: dict[str, Any]) -> str:
    """Why a road was not taken, or what the last attempt says."""
    last = step["attempts"][-1]["error"] if step["attempts"] else None
    lines = (step.get("reason") or last or "").strip().splitlines()
    return lines[-1] if lines else ""


def _seconds(steps: Sequence[dict[str, Any]]) -> str:
    spent = [a["seconds"] for s in steps for a in s["attempts"] if a["seconds"] is not None]
    return f"{sum(spent):.2f}" if spent else ""
