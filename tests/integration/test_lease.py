"""What does the control plane hand to a worker, and what does it take back? Its protocol, spoken by hand."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from riparian.scheduler.core.protocol import Heartbeat, HeartbeatAnswer, Held, StoredObject, decode

PIPELINE = """
    from riparian import Daily, FileDrop, Policy, asset, source

    DAYS = Daily("day", start="2020-01-01")
    left = source("a.left", arrives=FileDrop("drop/left.json"), policy=Policy())
    right = source("a.right", arrives=FileDrop("drop/right.json"), policy=Policy())
    other = source("a.other", arrives=FileDrop("drop/other.json"), policy=Policy())
    forged = source("c.forged", arrives=FileDrop("drop/forged.json"), policy=Policy())
    foreign = source("d.foreign", arrives=FileDrop("drop/foreign.json"), policy=Policy())
    bundled = source("e.bundled", arrives=FileDrop("drop/bundled.json"), policy=Policy())
    day = source("b.day", arrives=FileDrop("drop/day_{day:%Y-%m-%d}.json"), partitions=DAYS, policy=Policy())

    @asset("a.joined")
    def joined(left: dict, right: dict) -> dict: ...

    @asset("a.alone")
    def alone(other: dict) -> dict: ...

    @asset("c.made")
    def made_of_forged(forged: dict) -> dict: ...

    @asset("d.made")
    def made_of_foreign(foreign: dict) -> dict: ...

    @asset("e.made")
    def made_of_bundled(bundled: dict) -> dict: ...

    @asset("b.clean", partitions=DAYS)
    def clean(day: dict) -> dict: ...

    @asset("b.year")
    def year(clean: dict[str, dict]) -> dict: ...
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A site without workers. Each test uses sources of its own and leaves nothing to be done."""
    return make_site(PIPELINE, lease_seconds=30.0)


def done(hand, value):
    """Takes the next lease, says that it made ``value``, and returns the lease."""
    lease = hand.take()
    (result,) = hand.next(hand.success(lease, value)).results
    assert 200 == result.status, result.reason
    return lease


def head(site, key, partition=""):
    (version,) = [v for v in site.versions(key, partition=partition) if v["head"]]
    return version["id"]


def granted(lease):
    return {(i.parameter, i.asset): [p.version for p in i.pieces] for i in lease.inputs}


def test_lease_holds_exactly_the_declared_inputs(site):
    """A worker is told of the versions that the run was pinned to, and of no other asset, version or partition."""
    hand = site.hand()
    for name in ("other", "left", "right"):
        site.drop(f"{name}.json", {"of": name})
        ingest = done(hand, {"of": name})
        assert ((), None) == (ingest.inputs, ingest.entry)
        assert str(site.drops / f"{name}.json") == ingest.ingest.path
        if name == "other":
            alone = hand.take()
    joined = hand.take()
    old = granted(joined)
    site.drop("left.json", {"of": "left", "again": True})
    hand.next(hand.success(alone, {}))
    done(hand, {"of": "left", "again": True})

    assert {("other", "a.other"): [head(site, "a.other")]} == granted(alone)
    assert {"left", "right"} == {parameter for parameter, _ in old}
    assert [head(site, "a.right")] == old["right", "a.right"]
    # Pinned when the run was planned: what came afterwards is for the next run.
    assert [head(site, "a.left")] != old["left", "a.left"]
    hand.next(hand.success(joined, {}))
    again = hand.take()
    assert [head(site, "a.left")] == granted(again)["left", "a.left"]

    # By partition: the one, and for an asset in one piece all that exist.
    hand.next(hand.success(again, {}))
    for number in (1, 2):
        site.drop(f"day_2020-01-0{number}.json", {"n": number})
        done(hand, {"n": number})
        clean = done(hand, {"n": number})
        assert {("day", "b.day"): [head(site, "b.day", f"2020-01-0{number}")]} == granted(clean)
        year = done(hand, {})
        days = [head(site, "b.clean", f"2020-01-0{n}") for n in range(1, number + 1)]
        assert {("clean", "b.clean"): days} == granted(year)


def test_fenced_and_forged_reports_change_nothing(site):
    """A report of an attempt that is over, with another lease's secret, from another session, or of another bundle or
    output is refused; then the rightful one is taken, and asked twice, answered twice. The epoch rose with the revoke
    and with the grant."""
    hand, stranger = site.hand(), site.hand()
    site.drop("forged.json", {})
    done(hand, {})
    first = hand.take()
    (lost,) = hand.next(replace(hand.success(first, {}), outcome="lost", outputs=(), error="it is gone")).results
    # Before anybody else has the step, the old attempt is over already.
    between = hand.next(hand.success(first, {"made": "too late"})).results[0].status
    second = hand.take()
    good = hand.success(second, {"made": "well"})
    bad = {
        "over": hand.success(first, {"made": "by a zombie"}),
        "zombie with the new epoch": replace(good, secret=first.secret),
        "new secret, old epoch": replace(good, epoch=first.epoch),
    }
    refused = {why: hand.next(report).results[0].status for why, report in bad.items()}
    refused["stranger"] = stranger.next(good).results[0].status
    assert (200, first.step) == (lost.status, second.step)
    assert 409 == between
    assert first.epoch + 2 == second.epoch
    assert {409} == set(refused.values()), refused
    assert [] == site.versions("c.made")

    taken = hand.next(good)
    assert taken == hand.again()
    assert [200] == [r.status for r in taken.results]
    assert 409 == hand.next(good).results[0].status
    assert {"made": "well"} == site.value("c.made")
    assert ["lost", "succeeded"] == [a["outcome"] for a in site.attempts(first.run)]
    assert 1 == len(site.versions("c.made"))


@pytest.mark.parametrize("wrong", ["bundle", "asset", "object"])
def test_success_of_other_code_or_with_foreign_objects_is_not_believed(site, wrong):
    """A success with another bundle, of another asset, or with an object outside the attempt's own directory fails the
    attempt, and says why; no version comes of it."""
    hand = site.hand()
    site.drop("foreign.json", {"wrong": wrong})
    done(hand, {"wrong": wrong})
    lease = hand.take()
    good = hand.success(lease, {})
    (written,) = good.outputs
    stray = f"v/00/{'0' * 32}/0/part-0.json"
    (site.state / "objects" / stray).parent.mkdir(parents=True, exist_ok=True)
    (site.state / "objects" / stray).write_text("{}")
    status = (site.state / "objects" / stray).stat()
    identity = f"{status.st_ino}-{status.st_size}-{status.st_ctime_ns}"
    stored = StoredObject(name=stray, size=2, sha256=sha256(b"{}").hexdigest(), identity=identity)
    report, reason = {
        "bundle": (replace(good, bundle="0" * 64), "executes bundle"),
        "asset": (replace(good, outputs=(replace(written, asset="c.made"),)), "c.made"),
        "object": (replace(good, outputs=(replace(written, content=None, objects=(stored,)),)), "own directory"),
    }[wrong]
    (result,) = hand.next(report).results

    assert 422 == result.status
    assert reason in result.reason
    assert reason in site.get(f"runs/{lease.run}")["error"]
    assert [] == site.versions("d.made")


def test_bundle_and_heartbeat_are_for_sessions_alone(site):
    """The bundle of a lease can be fetched with the session's secret and by nobody else; a heartbeat names the leases
    that are gone; what ends with its session is granted anew."""
    hand = site.hand()
    site.drop("bundled.json", {})
    done(hand, {})
    lease = hand.take()
    held = Held(step=lease.step, epoch=lease.epoch)
    stale = Held(step=lease.step, epoch=lease.epoch - 1)
    beat = hand.call("POST", "heartbeat", message=Heartbeat(session=hand.session.session, leases=(held, stale)))
    bundle = f"bundles/{lease.entry.bundle}"

    assert (stale,) == decode(beat.content, HeartbeatAnswer).revoked
    assert 200 == hand.call("GET", bundle).status_code
    assert 401 == hand.call("GET", bundle, site.worker_token).status_code
    assert 401 == hand.call("GET", bundle, site.owner).status_code
    assert 204 == hand.call("DELETE", f"sessions/{hand.session.session}").status_code
    assert 401 == hand.call("POST", "exchange", message=hand.message).status_code
    assert 401 == hand.call("GET", bundle).status_code
    other = site.hand()
    again = other.take()
    assert (lease.step, True) == (again.step, again.epoch > lease.epoch)
    assert lease.secret != again.secret
    assert lease.outputs[0].directory != again.outputs[0].directory
    other.next(other.success(again, {}))
