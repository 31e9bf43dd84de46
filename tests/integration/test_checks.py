"""Checks and parameters with real processes: what blocks, what warns, what a person gives."""

from __future__ import annotations

import pytest

PIPELINE = """
    from datetime import date

    import pyarrow as pa
    import pyarrow.compute as pc
    from riparian import CheckResult, Context, FileDrop, Policy, asset, check, source, task, workflow

    raw = source("a.raw", arrives=FileDrop("drop/raw.json"), policy=Policy())

    @asset("a.flights")
    def flights(raw: list) -> pa.Table:
        return pa.table({"delay": raw})

    @check("a.flights", blocking=True)
    def not_empty(flights: pa.Table) -> bool:
        return len(flights) > 0

    @check(flights)
    def plausible(flights: pa.Table, ctx: Context) -> CheckResult:
        "No flight is a day late."
        worst = pc.max(flights["delay"]).as_py()
        return CheckResult(worst is None or worst < 1440, {"worst": worst}, f"the worst is {worst} minutes late")

    @check(flights)
    def broken(flights: pa.Table) -> bool:
        raise ValueError("no idea")

    @asset("a.mean")
    def mean(flights: pa.Table, *, digits: int = 1, since: date = date(2013, 1, 1)) -> dict:
        return {"mean": round(pc.mean(flights["delay"]).as_py(), digits), "since": since.isoformat()}

    @task
    def scaled(flights: pa.Table, by: float, to: date) -> dict:
        return {"sum": pc.sum(flights["delay"]).as_py() * by, "year": to.year}

    @workflow("a.scaling", consumes=[flights], produces=["a.scaled"])
    def scaling(flights, *, factor: float = 2.0, to: date = date(2014, 1, 1)):
        return {"a.scaled": scaled(flights, factor, to)}
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site(PIPELINE)
    site.worker(slots=2)
    return site


def found(site) -> dict[str, tuple]:
    checks = site.get("assets/a.flights/checks")["checks"]
    return {c["name"]: (c["result"]["passed"], c["result"]["blocked"], c["result"]["head"]) for c in checks}


def test_what_is_good_is_seen_and_what_only_warns_is_noted(site):
    """The checks received the table itself; an error in one is a result like any other, and stops nobody."""
    site.drop("raw.json", [10, 21])
    run = site.run_ended(site.new_run("a.flights")["id"])
    site.run_ended(site.new_run("a.mean")["id"])

    assert ("succeeded", {"mean": 15.5, "since": "2013-01-01"}) == (run["state"], site.value("a.mean"))
    assert {
        "not_empty": (True, False, True),
        "plausible": (True, False, True),
        "broken": (False, False, True),
    } == found(site)
    results = {c["check"]: c for c in run["checks"]}
    assert {"worst": 21} == results["plausible"]["metadata"]
    assert "ValueError: no idea" in results["broken"]["description"]


def test_a_value_given_by_a_person_reaches_the_function(site):
    """Numbers and dates, in an asset's function and through a workflow's body; the run shows them."""
    asked = {"params": {"digits": 0, "since": "2020-02-29"}}
    run = site.run_ended(site.post("assets/a.mean/materialize", asked)["run"])
    scaled = site.run_ended(
        site.post("assets/a.scaled/materialize", {"params": {"factor": 10, "to": "2015-05-05"}})["run"]
    )

    assert {"digits": 0, "since": "2020-02-29"} == run["params"]
    assert ({"mean": 16.0, "since": "2020-02-29"}, {"sum": 310.0, "year": 2015}) == (
        site.value("a.mean"),
        site.value("a.scaled"),
    )
    assert "succeeded" == scaled["state"]


def test_what_a_blocking_check_refuses_is_never_seen(site):
    """The version before it stays the head; a corrected file goes on to the end."""
    site.drop("raw.json", [])
    run = site.run_ended(site.new_run("a.flights", 2)["id"])

    assert ("failed", "a.flights did not pass the check a.flights.not_empty") == (run["state"], run["error"])
    assert 2 == site.get("assets/a.flights/data")["total_rows"]
    assert "check_failed" == site.get("assets/a.flights/why")["code"]
    assert (False, True, False) == found(site)["not_empty"]
    site.drop("raw.json", [2000, 0, 0])
    assert "succeeded" == site.run_ended(site.new_run("a.flights", 3)["id"])["state"]
    assert [(True, False, True), (False, False, True)] == [found(site)[name] for name in ("not_empty", "plausible")]
    site.until(lambda: site.value("a.mean")["mean"] == 666.7, "the mean follows")
