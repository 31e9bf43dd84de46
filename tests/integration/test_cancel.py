"""A run is cancelled while its function works: its process ends, nothing of it is seen, and the worker goes on."""

from __future__ import annotations

import pytest

PIPELINE = """
    import gates
    from riparian import Policy, asset, source

    feed = source("a.feed", policy=Policy())

    @asset("a.made")
    def made(feed: dict) -> dict:
        gates.step(f"made-{feed['n']}")
        return {"n": feed["n"]}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A site with a worker that is at work on the first update."""
    site = make_site(PIPELINE)
    site.worker()
    site.post("assets/a.feed/events", {"value": {"n": 1}})
    site.until(lambda: site.notes("made-1"), "the function is at work")
    return site


def test_a_cancelled_run_ends_its_process_and_leaves_nothing(site):
    """The child is killed though it would wait for long; the next update runs on the same worker."""
    (child,) = (int(pid) for pid in site.notes("made-1"))
    run = site.new_run("a.made")["id"]
    cancelled = site.post(f"runs/{run}/cancel", {})
    site.until(lambda: site.has_left(child), "the child was ended")
    site.open_gate("made-2")
    site.post("assets/a.feed/events", {"value": {"n": 2}})
    site.run_ended(site.new_run("a.made", count=2)["id"])

    assert ("cancelled", "cancelled by me") == (cancelled["state"], cancelled["error"])
    assert ["cancelled"] == [a["outcome"] for a in site.attempts(run)]
    assert {"n": 2} == site.value("a.made")
    assert 1 == len(site.versions("a.made"))
    assert 1 == len(site.notes("made-1"))
