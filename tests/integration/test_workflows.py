"""Workflows of several tasks, with real processes: roads, large values between tasks, and a map that loses a child."""

from __future__ import annotations

import os
import signal

import pytest

ROWS = 300_000
ITEMS = 1_000

PIPELINE = f"""
    import os
    import pyarrow as pa
    import pyarrow.compute as pc
    import gates
    from riparian import FileDrop, NoUpdate, Policy, branch, source, task, workflow

    roads_raw = source("a.roads_raw", arrives=FileDrop("drop/roads.json"), policy=Policy())
    many_raw = source("b.many_raw", arrives=FileDrop("drop/many.json"), policy=Policy())
    slow_raw = source("c.slow_raw", arrives=FileDrop("drop/slow.json"), policy=Policy())

    @task
    def wide(raw: dict) -> pa.Table:
        return pa.table({{"n": pa.array(range({ROWS})), "late": pa.array([raw["late"]] * {ROWS})}})

    @task
    def road(table: pa.Table) -> str:
        return "storm" if pc.mean(table["late"]).as_py() > 10 else "calm"

    @task
    def full(table: pa.Table) -> dict:
        return {{"rows": len(table), "sum": pc.sum(table["n"]).as_py(), "road": "storm"}}

    @task
    def short(raw: dict) -> dict:
        return {{"road": "calm", **raw}}

    @task
    def note(report: dict) -> dict:
        return {{"of": report["road"]}}

    @workflow("a.daily", consumes={{"raw": roads_raw}}, produces=["a.report", "a.note"])
    def daily(raw):
        table = wide(raw)
        report = branch(road(table), {{"storm": lambda: full(table), "calm": lambda: short(raw)}})
        return {{"a.report": report, "a.note": note(report)}}

    @task
    def items(many_raw: dict) -> list:
        return [{{"n": n}} for n in range(many_raw["count"])]

    @task
    def square(item: dict, plus: int) -> int:
        gates.note("squares", item["n"])
        if item["n"] == 137 and gates.note("victim", os.getpid()) == 1:
            gates.wait("never")
        return item["n"] ** 2 + plus

    @task
    def total(squares: list[int]) -> dict:
        return {{"count": len(squares), "sum": sum(squares), "in_order": squares == sorted(squares)}}

    @workflow("b.mapped", consumes=[many_raw], produces=["b.total"])
    def mapped(many_raw):
        return {{"b.total": total(square.map(items(many_raw), plus=1))}}

    @task
    def first(slow_raw: dict) -> dict:
        gates.note("first")
        return slow_raw

    @task(timeout=0.5)
    def hangs(made: dict) -> dict:
        if made.get("unchanged"):
            return NoUpdate
        gates.note("hangs")
        gates.wait("never")

    @workflow("c.slow", consumes=[slow_raw], produces=["c.result"])
    def slow(slow_raw):
        return {{"c.result": hangs(first(slow_raw))}}
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site(PIPELINE)
    site.worker(slots=4)
    return site


def steps(site, workflow: str, count: int = 1) -> dict[str, tuple[str, str | None]]:
    """The state and reason of each step of the workflow's newest run, once that is at its end."""
    run = site.run_ended(site.new_run(workflow, count)["id"])
    return {s["task"]: (s["state"], s["reason"]) for s in run["steps"]}


def test_a_large_table_passes_between_tasks_and_one_road_is_taken(site):
    """Two deliveries, two roads: what was decided is told, the other road is skipped, and both assets follow."""
    site.drop("roads.json", {"late": 30})
    storm = steps(site, "a.daily")
    assert ({"rows": ROWS, "sum": ROWS * (ROWS - 1) // 2, "road": "storm"}, {"of": "storm"}) == (
        site.value("a.report"),
        site.value("a.note"),
    )
    assert ("skipped", "road took the road 'storm', this is on the road 'calm'") == storm["short"]

    site.drop("roads.json", {"late": 1})
    calm = steps(site, "a.daily", 2)
    assert ({"road": "calm", "late": 1}, {"of": "calm"}) == (site.value("a.report"), site.value("a.note"))
    assert ("skipped", "road took the road 'calm', this is on the road 'storm'") == calm["full"]


def test_a_map_over_a_thousand_items_with_one_child_killed(site):
    """The killed item is done again, every other once; the list is whole and in order."""
    site.drop("many.json", {"count": ITEMS})
    victim = site.until(lambda: site.notes("victim"), "the item that will be killed is at work")
    os.kill(int(victim[0]), signal.SIGKILL)

    run = site.new_run("b.mapped")["id"]
    site.until(lambda: site.get(f"runs/{run}")["state"] == "succeeded", "the run has succeeded", seconds=90)
    expected = sum(n**2 + 1 for n in range(ITEMS))
    assert {"count": ITEMS, "sum": expected, "in_order": True} == site.value("b.total")
    done = site.notes("squares")
    assert (ITEMS + 1, ["137", "137"]) == (len(done), [n for n in done if n == "137"])


def test_the_limit_of_one_task_is_its_own(site):
    """A task that hangs is ended at its time limit, and the run fails; what came before it was not repeated."""
    site.drop("slow.json", {"n": 1})
    run = site.run_ended(site.new_run("c.slow")["id"])

    assert ("failed", 1, 1) == (run["state"], len(site.notes("first")), len(site.notes("hangs")))
    assert "hangs: the attempt was ended after its time limit of 0.5 s" in run["error"]


def test_nothing_new_makes_no_version(site):
    """A task that returns NoUpdate ends the run well, and its asset stays as it is."""
    site.drop("slow.json", {"unchanged": True})
    run = site.run_ended(site.new_run("c.slow", 2)["id"])

    assert ("succeeded", []) == (run["state"], run["outputs"])
    assert site.value("c.result") is None
