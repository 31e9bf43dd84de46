"""Ending runs before their time: what is fenced, what goes on, and who may."""

import pytest

from riparian.assets.errors import Conflict, NotFound, Refused
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import request, sessions
from riparian.scheduler.cancel import cancel
from riparian.scheduler.core.protocol import Heartbeat, Held

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))
EVE = Principal(name="eve")


@pytest.fixture
def queued(plant):
    """a → b → c; the first run of b waits for a worker."""
    plant.apply(
        {"b": ["a"], "c": ["b"]}, parameters={"b": {"bad": 0}}, policies={"a": Policy(readers={"ops", "owners"})}
    )
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    return plant


def newest(plant, workflow="b"):
    return plant.runs(workflow)[0]


def test_a_queued_run_never_starts(queued):
    """Nobody gets its step, and the same cause is not planned again."""
    run = newest(queued)["id"]
    cancel(queued.plane, run, ME)

    assert [] == queued.settle()
    assert ("cancelled", "cancelled by me") == (newest(queued)["state"], newest(queued)["error"])
    queued.apply(
        {"b": ["a"], "c": ["b"]}, parameters={"b": {"bad": 0}}, policies={"a": Policy(readers={"ops", "owners"})}
    )
    assert [] == queued.settle()
    assert 1 == len(queued.runs("b"))


def test_a_running_attempt_is_told_and_fenced(queued):
    """The heartbeat says that the lease is gone; a report that comes all the same changes nothing."""
    [lease] = queued.take()
    cancel(queued.plane, lease.run, ME)
    held = Held(step=lease.step, epoch=lease.epoch)
    answer = sessions.heartbeat(queued.plane, Heartbeat(session=queued.session.session, leases=(held,)))
    [result] = queued.ask(queued.done(lease)).results
    [step] = queued.plane.access.as_principal(ME).run(lease.run)["steps"]

    assert (held,) == answer.revoked
    assert 409 == result.status
    assert None is queued.head("b")
    assert ("cancelled", ["cancelled"]) == (step["state"], [a["outcome"] for a in step["attempts"]])


@pytest.mark.parametrize("end", ["cancelled", "failed"])
@pytest.mark.parametrize("params", [{}, {"bad": 1}])
def test_a_request_that_comes_to_nothing_takes_no_update_with_it(queued, end: str, params: dict):
    """The update that was planned before it runs, whatever becomes of what somebody asked for."""
    asked = request.materialize(queued.plane, "b", "", ME, params)
    assert (None, "a run is planned before it; what was asked for runs when that has ended") == (asked.run, asked.words)
    [update] = queued.take(8)
    [result] = queued.ask(queued.done(update)).results
    assert 200 == result.status
    assert "b(=one)" == queued.head("b")
    leases = {x.workflow: x for x in queued.take(8)}
    run = newest(queued)
    assert (run["id"], {"bad": 0, **params}) == (leases["b"].run, leases["b"].params)
    if end == "cancelled":
        cancel(queued.plane, run["id"], ME)
    else:
        queued.ask(queued.failed(leases["b"], retryable=False))

    assert end == newest(queued)["state"]
    assert "up_to_date" == queued.why("b")


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_news_behind_a_request_that_comes_to_nothing_runs(queued, end: str):
    """What arrived while it was going on, or before it started, was not attempted by it: it runs now."""
    [update] = queued.take(8)
    request.materialize(queued.plane, "b", "", ME, {"bad": 1})
    queued.drop("a", "two")
    [ingest] = queued.take(8)
    queued.ask(queued.done(ingest))
    queued.ask(queued.done(update))
    asked = next(x for x in queued.take(8) if x.workflow == "b")
    assert {"bad": 1} == asked.params
    if end == "cancelled":
        cancel(queued.plane, asked.run, ME)
    else:
        queued.ask(queued.failed(asked, retryable=False))

    assert "b" in queued.settle()
    assert "b(=two)" == queued.head("b")
    assert "up_to_date" == queued.why("b")


def test_an_update_runs_it_again(queued):
    """What was cancelled was that one run and not the workflow."""
    cancel(queued.plane, newest(queued)["id"], ME)
    queued.drop("a", "two")

    assert ["a", "b", "c"] == queued.settle()
    assert "c(=b(=two))" == queued.head("c")


def test_what_arrived_meanwhile_runs_now(queued):
    """An update that waited for the end of the run has waited for this end too."""
    queued.take()
    queued.drop("a", "two")
    queued.ask(queued.done(queued.take()[0]))
    cancel(queued.plane, newest(queued)["id"], ME)

    assert ["b", "c"] == queued.settle()
    assert "b(=two)" == queued.head("b")


def test_what_was_asked_for_meanwhile_runs_now(queued):
    """A request is for its own run."""
    queued.take()
    asked = request.materialize(queued.plane, "b", "", ME)
    cancel(queued.plane, newest(queued)["id"], ME)

    assert None is asked.run
    assert ["b", "c"] == queued.settle()
    assert ["succeeded", "cancelled"] == [r["state"] for r in queued.runs("b")]


def test_nothing_below_waits_for_it(plant):
    """d needs a and b: it ran held by b's run, and is not held by its cancelled one."""
    plant.apply({"b": ["a"], "d": ["a", "b"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take()[0]))
    assert "waiting_for" == plant.why("d")
    cancel(plant.plane, newest(plant)["id"], ME)

    assert ["d"] == plant.settle()
    assert "d(=two,=b(=one))" == plant.head("d")
    assert "present" == plant.plane.access.as_principal(ME).asset("b")["status"]


def test_cancelling_twice_does_nothing(queued):
    """The second call changes neither the end nor its words."""
    run = newest(queued)["id"]
    cancel(queued.plane, run, ME)
    before = newest(queued)
    queued.now += 1_000_000
    cancel(queued.plane, run, Principal(name="olga", groups=frozenset({"owners"})))

    assert before == newest(queued)


def test_what_has_ended_can_not_be_cancelled(queued):
    """Its state is told."""
    queued.settle()

    with pytest.raises(Conflict, match="it succeeded"):
        cancel(queued.plane, newest(queued)["id"], ME)


def test_a_file_is_not_left_half_decided(plant):
    """Taking in must end: a file is a version, or set aside for a reason."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")

    with pytest.raises(Conflict, match="takes in a file"):
        cancel(plant.plane, newest(plant, "a")["id"], ME)


def test_readers_may_not_cancel_and_strangers_may_not_know(queued):
    """To see a run is not to operate it."""
    run = newest(queued)["id"]
    with pytest.raises(Refused, match="not yours to cancel"):
        cancel(queued.plane, run, ANA)
    with pytest.raises(NotFound) as hidden:
        cancel(queued.plane, run, EVE)
    with pytest.raises(NotFound) as missing:
        cancel(queued.plane, "nothing", EVE)

    assert str(missing.value).replace("nothing", run) == str(hidden.value)
    assert "queued" == newest(queued)["state"]


def test_it_is_audited(queued):
    """With the run and who ended it."""
    from riparian.storage.metadata.schema import audit

    run = newest(queued)["id"]
    cancel(queued.plane, run, ME)

    acts = queued.plane.db.read(lambda tx: [(r.principal, r.act, r.object) for r in tx.conn.execute(audit.select())])
    assert ("me", "cancel", run) in acts
