"""What is killed while it works: the child of an attempt, the zygote it was forked from, and the whole worker.

Each time another attempt does the work, nothing is visible twice, and the history tells what happened.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

PIPELINE = """
    import os
    import pyarrow as pa
    import gates
    from riparian import FileDrop, Policy, asset, source

    SCHEMA = pa.schema([("by", pa.int64())])
    child_raw = source("a.child_raw", arrives=FileDrop("drop/child.json"), policy=Policy())
    zygote_raw = source("a.zygote_raw", arrives=FileDrop("drop/zygote.json"), policy=Policy())
    worker_raw = source("a.worker_raw", arrives=FileDrop("drop/worker.json"), policy=Policy())

    def made(name) -> pa.RecordBatchReader:
        def batches():
            # As large as a row group, so that it lies in the attempt's directory while this waits.
            number = gates.note(name + "_tries")
            yield pa.record_batch([pa.array([number] * (1 << 20))], schema=SCHEMA)
            gates.note(name, os.getpid())
            if number == 1:
                gates.wait("never")
        return pa.RecordBatchReader.from_batches(SCHEMA, batches())

    @asset("a.child")
    def child(child_raw: dict) -> pa.RecordBatchReader:
        return made("child")

    @asset("a.zygote")
    def zygote(zygote_raw: dict) -> pa.RecordBatchReader:
        return made("zygote")

    @asset("a.worker")
    def worker(worker_raw: dict) -> pa.RecordBatchReader:
        return made("worker")
"""
LEASE_SECONDS = 3.0


@pytest.fixture(scope="module")
def site(make_site):
    return make_site(PIPELINE, lease_seconds=LEASE_SECONDS)


@pytest.fixture
def worker(site):
    """The only worker, for one test."""
    worker = site.worker()
    yield worker
    site.end(worker)


def begin(site, name):
    """Waits until the first attempt of the asset has written a part of its output; returns the attempt's process."""
    site.drop(f"{name}.json", {})
    return int(site.until(lambda: site.notes(name), f"the first attempt of a.{name} is in the middle of its work")[0])


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def see_one_result(site, name):
    """The run succeeded at its second attempt, and only what that one wrote is referred to. Returns the attempts."""
    run = site.run_ended(site.new_run(f"a.{name}")["id"])
    (step,) = run["steps"]
    lost, won = step["attempts"]
    (version,) = site.versions(f"a.{name}")
    dead, alive = (site.attempt_directory(step["id"], a["epoch"]) for a in (lost, won))
    referenced = site.referenced()

    assert "succeeded" == run["state"]
    assert ["lost", "succeeded"] == [lost["outcome"], won["outcome"]]
    assert lost["epoch"] < won["epoch"]
    assert (True, "committed", 1 << 20) == (version["head"], version["state"], version["rows"])
    assert [[2]] == site.get(f"assets/a.{name}/data", rows=1)["rows"]
    assert [n for n in referenced if alive.name in n]
    # Without these bytes it would be no merit that nobody refers to them.
    assert list(dead.rglob("*.parquet"))
    assert not [n for n in referenced if dead.name in n]
    return lost, won


def test_killed_child_is_replaced_at_once(site, worker):
    """kill -9 of the process that runs the code: its worker reports the death, and the next attempt makes the asset."""
    os.kill(begin(site, "child"), signal.SIGKILL)
    lost, _ = see_one_result(site, "child")

    assert "killed by signal 9" in lost["error"]


def test_killed_zygote_takes_its_children_along_and_is_replaced(site, worker):
    """kill -9 of the zygote: its orphaned child does not go on, and a new zygote makes the asset."""
    child = begin(site, "zygote")
    os.kill(parent(child), signal.SIGKILL)
    lost, _ = see_one_result(site, "zygote")

    assert "died with the zygote" in lost["error"]
    assert site.has_left(child)


def test_killed_worker_loses_its_lease_to_the_next_worker(site, worker):
    """kill -9 of the supervisor: nothing of it goes on, its lease runs out, and a later worker takes over."""
    child = begin(site, "worker")
    site.end(worker)
    site.until(lambda: site.has_left(child), "the process of the attempt has left with its worker")
    before = [a["outcome"] for a in site.attempts(site.new_run("a.worker")["id"])]
    successor = site.worker()
    lost, _ = see_one_result(site, "worker")
    site.end(successor)

    assert [None] == before
    assert f"silent for {LEASE_SECONDS:g} s" in lost["error"]
