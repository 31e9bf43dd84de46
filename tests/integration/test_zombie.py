"""A worker that was stopped for longer than its lease, and wakes up when another one has done its work."""

from __future__ import annotations

import os
import signal

import pytest

PIPELINE = """
    import os

    import gates
    from riparian import FileDrop, Policy, asset, source

    raw = source("a.raw", arrives=FileDrop("drop/raw.json"), policy=Policy())

    @asset("a.made")
    def made(raw: dict) -> bytes:
        gates.step("made")
        return f"made by process {os.getpid()}".encode()
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A site whose first attempt is being worked on."""
    site = make_site(PIPELINE, lease_seconds=2.0)
    site.sleeper = site.worker()
    site.drop("raw.json", {})
    site.until(lambda: site.notes("made"), "the first worker is at work")
    return site


def test_woken_zombie_is_refused_and_its_bytes_are_never_seen(site):
    """SIGSTOP past the lease, a successor commits, SIGCONT: the zombie finishes its work and nobody takes it."""
    (child,) = (int(pid) for pid in site.notes("made"))
    for pid in (child, site.sleeper.pid):
        os.kill(pid, signal.SIGSTOP)
    run = site.new_run("a.made")["id"]
    (step,) = site.get(f"runs/{run}")["steps"]
    site.worker()
    site.until(lambda: len(site.notes("made")) == 2, "the lease ran out and the successor is at work")
    site.open_gate("made")
    site.run_ended(run)
    head = site.versions("a.made")
    zombie, successor = (f"made by process {pid}".encode() for pid in site.notes("made"))
    assert successor == site.value("a.made")

    # The child first: it writes all that it has to write, into the directory that it was once given.
    os.kill(child, signal.SIGCONT)
    written = site.attempt_directory(step["id"], 1) / "0" / "value.bin"
    site.until(lambda: (written.parent / "_manifest.json").exists(), "the zombie has finished its work")
    os.kill(site.sleeper.pid, signal.SIGCONT)
    sessions = "SELECT count(*) FROM session"
    site.until(
        lambda: site.rows(sessions) == [(3,)], "the zombie was told that its session is over, and opened another"
    )
    # It works again, as a worker like any other: the next file is taken in by one of the two.
    site.drop("raw.json", {"again": True})
    site.until(lambda: len(site.runs("a.made")) == 2, "the next file runs")
    site.run_ended(site.new_run("a.made", count=2)["id"])

    assert zombie == written.read_bytes()
    assert not [name for name in site.referenced() if written.parent.parent.name in name]
    assert ["lost", "succeeded"] == [a["outcome"] for a in site.attempts(run)]
    assert [v["id"] for v in head] == [v["id"] for v in site.versions("a.made")[1:]]
    assert 2 == len(site.versions("a.made"))
