"""Would the invariants tell? Faults are planted in the planner, and each is found by the invariant that it breaks.

Each fault has a history that is played with it and without it.
"""

import re
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from riparian.assets.triggers import on_cron, on_update
from riparian.scheduler import decisions, plan
from riparian.scheduler.core import planner, standing
from riparian.scheduler.core.facts import Cause, Level
from riparian.storage.metadata import staleness
from riparian.storage.metadata.schema import run, version
from tests.scheduler.conformance.stage import Case, Stage

HOURLY = on_cron("0 * * * *")
EDGES = {"b": ["a"], "x": ["a"], "d": ["b", "x"], "t": ["a"], "g": ["p"]}
CASE = Case(
    number="",
    source="",
    title="",
    edges=EDGES,
    triggers={"t": on_update() & HOURLY},
    daily=("p", "g", "late"),
    edits={"adopted": {"edges": {**EDGES, "late": ["p"]}}},
    script=[],
)
LATEST = "2025-02-03"
"""The last of the days of ``p`` that were there when ``late`` was declared, which alone is to be made of it."""


def broken(plant, acts) -> set[str]:
    """Plays the acts and returns the invariants that do not hold. ``one``: one of the steps that began succeeds."""
    stage = Stage(plant, CASE)
    found = set()
    for act in acts:
        if act == "unguarded":
            # The planner is to be right by itself, not because the catalogue would refuse.
            plant.plane.db.write(lambda tx: tx.conn.execute(text("DROP INDEX uq_run_unfinished")))
        elif act == "one":
            plant.ask(plant.done(stage.held.pop(0)))
        else:
            stage.act(act)
        found |= of_runs(plant)
    for act in ("at 12:00", "done", "at 13:00", "done"):
        stage.act(act)
    for asset in ("b", "d", "t"):
        if f"={stage.values['a']}," not in (plant.head(asset) or "").replace(")", ","):
            found.add("nothing is lost")
    return found | of_runs(plant)


def of_runs(plant) -> set[str]:
    rows = plant.plane.db.read(lambda tx: tx.conn.execute(select(run).where(run.c.kind == "workflow")).all())
    made = plant.plane.db.read(
        lambda tx: tx.conn.execute(select(version.c.content).where(version.c.asset == "d")).all()
    )
    found = set()
    asked = {r.partition for r in rows if r.workflow == "late"}
    if asked - {LATEST}:
        found.add("nothing of the past is made unasked")
    going = Counter((r.workflow, r.partition) for r in rows if r.state in ("queued", "running"))
    if any(n > 1 for n in going.values()):
        found.add("one run at a time")
    done = sorted((r for r in rows if r.state == "succeeded"), key=lambda r: r.id)
    causes = [(r, Cause.from_json(r.cause)) for r in done]
    ticks = Counter((r.workflow, r.partition, *t) for r, c in causes for t in c.body.get("ticks", {}).items())
    if any(n > 1 for n in ticks.values()):
        found.add("a tick is one run")
    last: dict[tuple[str, str], list[str]] = {}
    for r in done:
        digests = re.findall(r'"digest":"(\w+)"', r.pins)
        if last.get((r.workflow, r.partition)) == digests:
            found.add("nothing runs for equal content")
        last[r.workflow, r.partition] = digests
    if any(len(set(re.findall(r"=(\d+)", v.content))) > 1 for v in made):
        found.add("a diamond is of one update")
    return found


def forget(*_, **__):
    """In place of what should be done."""


DURING = ["a", "done", "at 01:00", "done", "a", "start", "a", "finish", "done"]
"""An update comes while runs for the one before it go on."""

ADOPTED = ["edit adopted", "done", "trigger late manual", "trigger late eager"]
"""A workflow is new where much is there, and its trigger is another one then."""

FAULTS = {
    "what comes during a run is not looked at again": (
        (planner, "_after_own", lambda facts, **_: planner._unfinished(granted=True)),
        DURING,
        "nothing is lost",
    ),
    "holds are not kept": ((staleness, "put_hold", forget), DURING, "nothing is lost"),
    "holds are not released": ((staleness, "release", forget), DURING, "nothing is lost"),
    "who consumes is not marked": ((staleness, "mark_consumers", forget), DURING, "nothing is lost"),
    "a cause is of what it is, not why": (
        (plan, "trigger_key", lambda workflow, partition, cause: f"{workflow}[{partition}]"),
        DURING,
        "nothing is lost",
    ),
    "what is above is not waited for": (
        (decisions.blockers, "of_targets", lambda *_, **__: {}),
        ["a", "done", "a", "start", "one", "done", "finish", "done"],
        "a diamond is of one update",
    ),
    "a delivery is a difference": (
        (Level, "differs", lambda self, other: self.seq != other.seq),
        ["a", "done", "a=", "done"],
        "nothing runs for equal content",
    ),
    "a run that goes on is not seen": (
        (decisions.planner, "decide", lambda facts: DECIDE(replace(facts, unfinished=None))),
        ["unguarded", *DURING],
        "one run at a time",
    ),
    "what is there at first is news": (
        (planner, "stand", lambda facts: STAND(replace(facts, baseline=0))),
        ["a", *(f"p[2025-02-0{day}]" for day in (1, 2, 3)), "done", *ADOPTED, "done"],
        "nothing of the past is made unasked",
    ),
    "answered ticks are forgotten": (
        (standing, "_unanswered", lambda facts, differs: UNANSWERED(replace(facts, consumed_ticks={}), differs)),
        ["a", "done", "at 01:00", "done", "a", "done", "a", "done"],
        "a tick is one run",
    ),
}
UNANSWERED = standing._unanswered
DECIDE = planner.decide
STAND = planner.stand


@pytest.mark.parametrize("fault", FAULTS)
def test_no_invariant_is_broken(plant, fault):
    """Without the fault its history breaks nothing."""
    _, acts, _ = FAULTS[fault]

    assert set() == broken(plant, acts)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(plant, monkeypatch, fault):
    """What would be wrong with the planner breaks the invariant that speaks of it."""
    (where, name, instead), acts, invariant = FAULTS[fault]
    monkeypatch.setattr(where, name, instead)

    assert invariant in broken(plant, acts)
