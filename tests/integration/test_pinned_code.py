"""Which code does a run execute, when the files change and are applied while it waits or works?"""

from __future__ import annotations

import pytest

PIPELINE = """
    import gates
    import rules
    from riparian import FileDrop, Policy, Retry, asset, source

    raw = source("a.raw", arrives=FileDrop("drop/raw.json"), policy=Policy())
    flaky_raw = source("c.flaky_raw", arrives=FileDrop("drop/flaky_raw.json"), policy=Policy())

    @asset("a.made")
    def made(raw: dict) -> dict:
        return {"n": raw["n"], "rules": rules.EDITION}

    @asset("a.report")
    def report(made: dict) -> dict:
        return {"made": made, "rules": rules.EDITION}

    @asset("c.flaky", retry=Retry(attempts=2, delay_seconds=0.0))
    def flaky(flaky_raw: dict) -> dict:
        import late

        if gates.step("flaky") == 1:
            raise RuntimeError(f"the first attempt breaks, with rules {rules.EDITION}")
        return {"rules": rules.EDITION, "late": late.EDITION}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A site without a worker, whose functions use two modules."""
    site = make_site("")
    edit(site, "old")
    site.save("pipeline.py", PIPELINE)
    return site


def edit(site, edition):
    """Saves the modules that the functions are made of."""
    for module in ("rules", "late"):
        site.save(f"{module}.py", f"EDITION = {edition!r}\n")


def test_run_keeps_the_code_it_was_planned_with(site):
    """A run that is planned before an apply and starts after it executes the old code; runs that are planned later
    execute the new one. Each says which bundle it ran."""
    edit(site, "old")
    old = site.apply()["bundle"]
    hand = site.hand()
    site.drop("raw.json", {"n": 1})
    ingest = hand.take()
    hand.next(hand.success(ingest, {"n": 1}))
    planned = site.new_run("a.made")
    edit(site, "new")
    new = site.apply()["bundle"]
    hand.call("DELETE", f"sessions/{hand.session.session}")
    assert "queued" == planned["state"]
    worker = site.worker()
    first = site.run_ended(planned["id"])
    report = site.until(lambda: site.value("a.report"), "the report is made")
    site.drop("raw.json", {"n": 2})
    second = site.run_ended(site.new_run("a.made", count=2)["id"])
    site.end(worker)

    assert old == first["bundle"] != new == second["bundle"]
    assert {"made": {"n": 1, "rules": "old"}, "rules": "new"} == report
    assert {"n": 2, "rules": "new"} == site.value("a.made")


def test_retry_after_an_apply_runs_the_old_code(site):
    """The second attempt of a run is made of the files that the first one was made of, late imports included."""
    edit(site, "old")
    old = site.apply()["bundle"]
    worker = site.worker()
    site.drop("flaky_raw.json", {})
    site.until(lambda: site.notes("flaky"), "the first attempt is at work")
    edit(site, "new")
    new = site.apply()["bundle"]
    site.open_gate("flaky")
    run = site.run_ended(site.new_run("c.flaky")["id"])
    site.end(worker)

    assert ["failed", "succeeded"] == [a["outcome"] for a in run["steps"][0]["attempts"]]
    assert {"rules": "old", "late": "old"} == site.value("c.flaky")
    assert old == run["bundle"] != new
