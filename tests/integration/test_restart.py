"""kill -9 of the control plane at every point of the walk of an event: what was acknowledged stays, work goes on."""

from __future__ import annotations

import random
import threading

import httpx
import pytest

PIPELINE = """
    import gates
    from riparian import Daily, FileDrop, Policy, asset, source

    raw = source("a.raw", arrives=FileDrop("drop/raw.json"), policy=Policy())
    slow_raw = source("b.slow_raw", arrives=FileDrop("drop/slow_raw.json"), policy=Policy())

    @asset("a.clean")
    def clean(raw: dict) -> dict:
        return raw

    @asset("a.made")
    def made(clean: dict) -> dict:
        return {"of": clean["n"]}

    @asset("b.slow")
    def slow(slow_raw: dict) -> dict:
        return {"try": gates.step(slow_raw["gate"]), "gate": slow_raw["gate"]}

    @asset("b.next")
    def next_(slow: dict) -> dict:
        return slow
"""

MANY = """
    from riparian import Daily, FileDrop, Policy, source

    many = source("c.many", arrives=FileDrop("drop/{day:%Y-%m-%d}.json"), partitions=Daily("day", start="2020-01-01"),
                  policy=Policy())
"""
FILES = 240
KILLS = 10


@pytest.fixture(scope="module")
def site(make_site):
    """A site with a worker; its lease is long, so that no attempt is lost to a slow machine."""
    site = make_site(PIPELINE, lease_seconds=20.0)
    site.worker(slots=2)
    return site


@pytest.mark.parametrize("end", ["away", "back"])
def test_step_outlives_the_control_plane_and_its_commit_lands(site, end):
    """A worker goes on while the control plane is dead. Its only attempt commits, whether it ended while the control
    plane was away or after it was back."""
    before = len(site.runs("b.slow"))
    site.drop("slow_raw.json", {"gate": end})
    run = site.new_run("b.slow", count=before + 1)["id"]
    site.until(lambda: site.notes(end), "the step is being worked on")
    site.kill_server()
    if end == "away":
        site.open_gate(end)
    site.serve()
    site.open_gate(end)
    ended = site.run_ended(run)

    assert "succeeded" == ended["state"]
    assert ["succeeded"] == [a["outcome"] for a in ended["steps"][0]["attempts"]]
    assert {"try": 1, "gate": end} == site.value("b.slow")
    assert site.until(lambda: site.value("b.next") == site.value("b.slow"), "what follows from the commit is made")


def reached(site, table, where="1 = 1"):
    """Waits until the table has one more such row than now; returns the wait."""
    query = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - constants of this file
    ((before,),) = site.rows(query)
    return lambda: site.until(lambda: site.rows(query)[0][0] > before, f"there is a new {table} where {where}")


POINTS = {
    "as soon as the file is there": None,
    "after the file was seen": ("file", "source = 'a.raw'"),
    "after its run was planned": ("run", "workflow = 'a.raw'"),
    "after its step was granted": ("attempt", "1 = 1"),
    "after the source's commit": ("version", "asset = 'a.raw'"),
    "after the first asset's commit": ("version", "asset = 'a.clean'"),
    "before the file is there": None,
}


@pytest.mark.parametrize("point", POINTS)
def test_no_update_is_lost_or_counted_twice_wherever_the_control_plane_dies(site, point):
    """A file arrives and the control plane is killed at one point of its way; the file's content gets through to the
    last asset, as exactly one version of each asset, made by runs that succeeded."""
    keys = ("a.raw", "a.clean", "a.made")
    before = [len(site.versions(key)) for key in keys]
    number = before[0] + 1
    wait = reached(site, *POINTS[point]) if POINTS[point] else None
    if point.startswith("before"):
        site.kill_server()
    site.drop("raw.json", {"n": number})
    if wait:
        wait()
    if not point.startswith("before"):
        site.kill_server()
    site.serve()
    site.until(lambda: site.value("a.made") == {"of": number}, "the file's content got through")

    assert [count + 1 for count in before] == [len(site.versions(key)) for key in keys]
    assert {"succeeded"} == {r["state"] for key in keys for r in site.runs(key)}


@pytest.fixture(scope="module")
def many(make_site):
    """A site where many files wait to be taken in, and no worker is there."""
    site = make_site(MANY, lease_seconds=60.0)
    for number in range(FILES):
        site.drop(f"2020-{number // 28 + 1:02}-{number % 28 + 1:02}.json", {"n": number})
    site.until(
        lambda: site.rows("SELECT count(*) FROM step WHERE state = 'ready'") == [(FILES,)], "all files wait", seconds=60
    )
    return site


@pytest.mark.timeout(300)  # it starts the control plane so many times
def test_every_acknowledged_report_survives_a_kill(many):
    """The control plane is killed at random moments while reports come in. Each report that was answered with 200 is a
    version afterwards; one whose answer was lost is sent again, and is a version once."""
    chance = random.Random(7)
    worker = many.hand()
    leases = []
    acknowledged = []
    heard_again = 0
    for _ in range(KILLS):
        killing = threading.Timer(chance.uniform(0.02, 0.25), many.server.kill)
        killing.start()
        sent = None
        try:
            while len(acknowledged) < FILES:
                if not leases:
                    leases = list(worker.next(want=8).leases)
                    continue
                sent = leases[0]
                (result,) = worker.next(worker.success(sent, len(acknowledged))).results
                assert (200, sent.step) == (result.status, result.step)
                acknowledged.append(leases.pop(0).step)
        except httpx.TransportError:
            heard_again += 1
        killing.join()
        many.kill_server()
        many.serve()
        committed = {step for (step,) in many.rows("SELECT step FROM version WHERE state = 'committed'")}
        assert set(acknowledged) <= committed
        answer = worker.again()
        if worker.message.reports:
            assert [200] == [r.status for r in answer.results]
            if leases and sent is leases[0]:
                acknowledged.append(leases.pop(0).step)
        else:
            leases = leases or list(answer.leases)
    steps = [step for (step,) in many.rows("SELECT step FROM version")]

    assert heard_again, "no request was cut off: the kills came too late to prove anything"
    assert sorted(acknowledged) == sorted(steps)
    assert len(set(steps)) == len(steps)
