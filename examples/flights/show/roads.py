"""How is a workflow told that decides? Its run on the day of the blizzard, beside that of a day like any other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from rich.text import Text

from show.screen import Justify
from show.story import OF_A_DAY, Story, expect, short

WORKFLOW, LARGE, MAPPED = "air.daily_report", "observed", "at_airport"
ROADS = {"storm": ("storm_report", MAPPED, "stranded"), "calm": ("calm_report", "late")}
"""The tasks on each road."""

ORDER = (LARGE, "counted", "road", MAPPED, "storm_report", "stranded", "calm_report", "late")
LIMIT = 0.05


def tell(story: Story, *, storm: date, calm: date) -> None:
    """One run that took the storm road and one that took the calm one; then what the storm's first, incomplete file
    had led to. Raises Failed where it is not so."""
    second, first = _runs(story, storm)
    _told(story, calm, "calm", _runs(story, calm)[0])
    _told(story, storm, "storm", second)
    _expect_road(story, first, "calm")
    for key in OF_A_DAY:
        made_by = [v["run"] for v in story.people.ana.get(f"assets/{key}/versions", partition=str(storm))["items"]]
        expect(made_by == [second["id"], first["id"]], f"{key} of {storm} was made by {made_by}", story.server)
    story.screen.say(
        f"The first file of {short(storm)}, from which the cancelled flights were missing, had led down the calm road. "
        f"The corrected one led to another run, and both times {' and '.join(OF_A_DAY)} changed together."
    )


def _runs(story: Story, day: date) -> list[dict[str, Any]]:
    """Returns the day's runs with their steps, the newest first."""
    found = story.people.ana.get("runs", workflow=WORKFLOW, partition=str(day), state="succeeded")["items"]
    return [story.people.ana.get(f"runs/{run['id']}") for run in found]


def _told(story: Story, day: date, road: str, run: dict[str, Any]) -> None:
    flights = story.airline.flights_of(day)
    counted = {"flights": len(flights), "cancelled": flights["dep_time"].null_count}
    share = counted["cancelled"] / len(flights)
    report = story.people.ana.value("air.report", partition=str(day))
    facts = {name: report[name] for name in counted}
    expect(facts == counted, f"air.report of {day} says {facts}, the raw data {counted}", story.server)
    expect((share > LIMIT) == (road == "storm"), f"{day} has {share:.1%} cancelled flights", story.server)
    expect(report["road"] == road, f"{day} took the road {report['road']}", story.server)
    _expect_road(story, run, road)
    story.screen.say(
        (f"{short(day)}: ", "bold"),
        f"{counted['cancelled']} of {counted['flights']} flights cancelled, {share:.1%}; over {LIMIT:.0%} is a storm, "
        "so ",
        (f"the {road} road", "bold"),
        f". The run took {run['seconds']:.2f} s.",
    )
    columns: list[tuple[str, Justify]] = [("step", "left"), ("seconds", "right"), ("what came of it", "left")]
    story.screen.table(columns, [_row(story, step, run, report) for step in sorted(run["steps"], key=_place)])


def _place(step: dict[str, Any]) -> tuple[int, int]:
    return ORDER.index(step["task"]), step["map_index"] or 0


def _row(story: Story, step: dict[str, Any], run: dict[str, Any], report: dict[str, Any]) -> Sequence[str | Text]:
    task, state = step["task"], step["state"]
    if state == "skipped":
        return (Text(task, style="dim"), Text("–", style="dim"), Text(f"skipped: {step['reason']}", style="dim"))
    expect(state == "succeeded", f"{task} of {run['partition']} {state}", story.server)
    airport = report["airports"][step["map_index"]] if task == MAPPED else {}
    rows = {output["asset"]: output["rows"] for output in run["outputs"]}
    said = {
        LARGE: lambda: (
            f"a table of {step['result']['rows']} rows, {step['result']['bytes'] / 1000:.0f} kB, for the steps after it"
        ),
        "counted": lambda: f"flights {report['flights']}, cancelled {report['cancelled']}, share {report['share']}",
        "road": lambda: f"“{report['road']}”",
        MAPPED: lambda: f"cancelled {airport['cancelled']} of {airport['flights']}",
        "storm_report": lambda: "air.report",
        "calm_report": lambda: "air.report",
        "stranded": lambda: f"air.watchlist, {rows['air.watchlist']} flights: those that were cancelled",
        "late": lambda: f"air.watchlist, {rows['air.watchlist']} flights: those an hour late and more",
    }
    name = f"{task} {airport['airport']}" if airport else task
    return (name, f"{step['attempts'][-1]['seconds']:.2f}", said[task]())


def _expect_road(story: Story, run: dict[str, Any], road: str) -> None:
    """The tasks of this road ran, those of the other were skipped for that reason, and both assets were made."""
    (other,) = ROADS.keys() - {road}
    ran = {step["task"] for step in run["steps"] if step["state"] == "succeeded"}
    skipped = {step["task"]: step["reason"] for step in run["steps"] if step["state"] == "skipped"}
    taken, left = set(ROADS[road]), set(ROADS[other])
    expect(taken <= ran and left == set(skipped), f"{run['id']} ran {ran} and skipped {skipped}", story.server)
    reasons_name = all(road in reason and other in reason for reason in skipped.values())
    expect(reasons_name, f"{run['id']} skipped for other reasons: {skipped}", story.server)
    made = {output["asset"] for output in run["outputs"] if output["state"] in ("committed", "superseded")}
    expect(made == set(OF_A_DAY), f"{run['id']} made {made}", story.server)
