"""How attempts end: fencing, repeats, losses, retries, and what a report may not do."""

from dataclasses import replace

import pytest

from riparian.assets.errors import Fenced, Unauthenticated
from riparian.assets.retry import Retry
from riparian.scheduler import logs, sessions
from riparian.scheduler.commit import MOST_SAID, MOST_SCHEMA
from riparian.scheduler.core.lifecycle import LOST_ATTEMPTS
from riparian.scheduler.core.protocol import CONTENT_LIMIT, Heartbeat, Held, StoredObject
from riparian.scheduler.plan import INGEST_RETRY
from riparian.storage.metadata import versions
from riparian.storage.objects import layout

SECOND = 1_000_000


@pytest.fixture
def lease(plant):
    """A lease on the step that makes b from one."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    return plant.take()[0]


def statuses(answer):
    return [r.status for r in answer.results]


def expire(plant):
    plant.now += 11 * SECOND
    return sessions.expire(plant.plane)


def test_a_zombie_is_fenced_before_the_next_grant(plant, lease):
    """A worker that was silent for too long can not commit, though nobody else has the step yet."""
    assert 1 == expire(plant)
    plant.session = plant.join()

    assert [409] == statuses(plant.ask(plant.done(lease, "zombie")))
    assert plant.head("b") is None


def test_a_zombie_is_fenced_while_another_works(plant, lease):
    """The old epoch's commit is refused, and the new attempt's becomes the version."""
    expire(plant)
    plant.session = plant.join()
    (second,) = plant.take()

    assert (lease.step, lease.epoch + 2) == (second.step, second.epoch)
    assert {o.directory for o in lease.outputs}.isdisjoint(o.directory for o in second.outputs)
    assert [409] == statuses(plant.ask(plant.done(lease, "zombie")))
    assert [200] == statuses(plant.ask(plant.done(second)))
    assert [409] == statuses(plant.ask(plant.done(lease, "zombie")))
    assert "b(=one)" == plant.head("b")


def test_a_closed_session_can_not_speak(plant, lease):
    """The session that expired is told so, and must open a new one."""
    expire(plant)

    with pytest.raises(Unauthenticated):
        plant.ask(plant.done(lease))


def test_another_session_can_not_commit_my_lease(plant, lease):
    """A lease belongs to the session it was granted to."""
    other = plant.join()

    assert [409] == statuses(plant.ask(plant.done(lease, "stolen"), session=other))
    assert [200] == statuses(plant.ask(plant.done(lease)))


def test_a_wrong_secret_commits_nothing(plant, lease):
    """A lease's secret opens only its own step and epoch."""
    assert [409] == statuses(plant.ask(replace(plant.done(lease, "guess"), secret="0" * 64)))
    assert plant.head("b") is None


def test_a_repeated_request_gets_the_same_answer(plant, lease):
    """After a lost reply the worker asks again, with the same number: same results, same leases, one version."""
    plant.drop("a", "two")
    first = plant.ask(plant.done(lease), want=4, request=900)
    again = plant.ask(plant.done(lease), want=4, request=900)

    assert first == again
    assert 1 == len(first.leases)
    assert 1 == len(plant.plane.access.as_principal(me()).versions("b", None, None, 100).items)


def me():
    from riparian.assets.policy import Principal

    return Principal(name="me", groups=frozenset({"owners"}))


def test_a_second_report_of_a_success_is_fenced(plant, lease):
    """The same attempt can not succeed twice: one step, one version."""
    report = plant.done(lease)

    assert [200, 409] == statuses(plant.ask(report, report))


def test_a_failure_is_tried_again_after_its_delay(plant):
    """A declared retry waits, and then the next attempt has a directory and an epoch of its own, and the same seed."""
    plant.apply({"b": ["a"]}, retry=Retry(attempts=2, delay_seconds=5))
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    (first,) = plant.take()
    plant.ask(plant.failed(first))

    assert [] == plant.take()
    plant.now += 6 * SECOND
    plant.ask()
    (second,) = plant.take()
    assert (2, first.epoch + 1, first.seed) == (second.attempt, second.epoch, second.seed)
    plant.ask(plant.failed(second))
    plant.now += 60 * SECOND
    assert [] == plant.take()
    assert "failed" == plant.runs("b")[0]["state"]


def test_what_must_end_the_same_way_is_not_tried_again(plant):
    """A failure that another try can not mend ends the run at once."""
    plant.apply({"b": ["a"]}, retry=Retry(attempts=5, delay_seconds=0))
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0], retryable=False))

    assert "failed" == plant.runs("b")[0]["state"]


def test_a_lost_attempt_is_repeated_at_once_but_not_for_ever(plant, lease):
    """A step that keeps killing its process is given up after LOST_ATTEMPTS repeats, with the reason."""
    for _ in range(LOST_ATTEMPTS):
        plant.ask(plant.failed(lease, "lost"))
        (lease,) = plant.take()
    plant.ask(plant.failed(lease, "lost"))

    assert [] == plant.take()
    assert "lost" in plant.plane.access.as_principal(me()).run(lease.run)["error"]


def test_a_released_lease_is_given_again(plant, lease):
    """What a worker never started counts as no attempt."""
    plant.ask(plant.failed(lease, "released"))
    (again,) = plant.take()

    assert (1, lease.epoch + 2) == (again.attempt, again.epoch)


def test_objects_outside_the_attempts_directory_are_refused(plant, lease):
    """A report can not claim bytes that lie anywhere else, such as another attempt's."""
    stored = plant.plane.objects.put(f"{layout.attempt_directory('f' * 32)}/0/value.json", b"1")
    report = plant.done(lease)
    stolen = replace(report, outputs=(replace(report.outputs[0], content=None, objects=(stored,)),))

    assert [422] == statuses(plant.ask(stolen))
    assert plant.head("b") is None


def test_objects_that_are_not_there_are_refused(plant, lease):
    """A report of objects that the store does not hold fails the attempt and makes no version."""
    ghost = StoredObject(name=f"{lease.outputs[0].directory}/x", size=1, sha256="0" * 64, identity="1")
    report = plant.done(lease)

    assert [422] == statuses(plant.ask(replace(report, outputs=(replace(report.outputs[0], objects=(ghost,)),))))
    assert plant.head("b") is None


def test_another_bundle_is_refused(plant, lease):
    """A worker that ran other code than the run was planned with can not commit."""
    assert [422] == statuses(plant.ask(replace(plant.done(lease), bundle="0" * 64)))
    assert plant.head("b") is None


def test_other_outputs_are_refused(plant, lease):
    """Exactly the declared outputs are taken."""
    report = plant.done(lease)

    assert [422] == statuses(plant.ask(replace(report, outputs=())))
    assert plant.head("b") is None


def spoil(schema):
    return schema and "\ud800"


def test_one_bad_report_does_not_hold_up_the_others(plant, monkeypatch):
    """What can not be written fails its own attempt; the other reports of the message are taken."""
    plant.apply({"b": ["a"], "c": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    b, c = sorted(plant.take(2), key=lambda x: x.workflow)
    report = plant.done(b)
    bad = replace(report, outputs=(replace(report.outputs[0], schema='"half"'),))
    add = versions.add
    # Nothing that is known can not be written; this stands for what is not known.
    monkeypatch.setattr(versions, "add", lambda tx, row, ins: add(tx, row | {"schema": spoil(row["schema"])}, ins))

    assert [422, 200] == statuses(plant.ask(bad, plant.done(c)))
    assert (None, "c(=one)") == (plant.head("b"), plant.head("c"))
    assert "could not write the report" in plant.plane.access.as_principal(me()).run(b.run)["error"]


def test_a_failure_that_can_not_be_written_ends_the_run(plant):
    """When not even the failure of an attempt can be noted, its run fails directly, and the others are taken."""
    plant.apply({"b": ["a"], "c": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    b, c = sorted(plant.take(2), key=lambda x: x.workflow)
    plant.plane.db.write(lambda tx: tx.conn.exec_driver_sql("UPDATE step SET spec = '{' WHERE task = 'b'"))

    assert [422, 200] == statuses(plant.ask(plant.done(b), plant.done(c)))
    (run,) = plant.runs("b")
    assert ("failed", "c(=one)") == (run["state"], plant.head("c"))
    assert "could not write the report" in run["error"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"content": "[1,"}, "content that can not be read again: this is not JSON"),
        ({"content": "[" * 8_000 + "]" * 8_000}, "content that can not be read again"),
        ({"content": "[" * 300 + "]" * 300}, "nested deeper than 200"),
        ({"content": '["\\ud800"]', "rows": 1}, "content that can not be read again"),
        ({"content": '["\ud800"]', "rows": 1}, "content that can not be read again"),
        ({"content": "[" + "1" * 5_000 + "]", "rows": 1}, "an integer of 5000 digits"),
        ({"content": "NaN"}, "NaN is no number in JSON"),
        ({"content": "1e999"}, "1e999 is beyond all numbers"),
        ({"content": '"' + "x" * CONTENT_LIMIT + '"'}, "16384 bytes are allowed"),
        ({"content": '"' + "ä" * (CONTENT_LIMIT - 2) + '"'}, "16384 bytes are allowed"),
        ({"content": "[1,2]", "rows": 1}, "1 rows of a list that has 2 items"),
        ({"content": "[1,2]", "rows": None}, "None rows of a list that has 2 items"),
        ({"content": None}, "neither content nor objects"),
        ({"format": "parquet"}, "content in the format parquet"),
        ({"format": "../x"}, "the format '../x'"),
        ({"digest": "zz"}, "the digest 'zz'"),
        ({"rows": -5}, "-5 rows"),
        ({"rows": 2**63}, "far too many rows"),
        ({"bytes": -1}, "-1 bytes"),
        ({"bytes": 10**9_000}, "far too many bytes"),
        ({"rows": 5}, "5 rows of what is no list"),
        ({"schema": "no schema"}, "a schema that can not be read again: this is not JSON"),
        ({"schema": "[" * 100_000}, "a schema that can not be read again"),
        ({"schema": "[NaN]"}, "a schema that can not be read again"),
        ({"schema": f'"{"x" * MOST_SCHEMA}"'}, f"a schema of {MOST_SCHEMA + 2} characters"),
    ],
)
def test_a_result_that_is_not_what_it_says_is_refused(plant, lease, said, why):
    """What is taken here is read by others without a look; so it costs this attempt, and nothing after it."""
    report = plant.done(lease)

    (refused,) = plant.ask(replace(report, outputs=(replace(report.outputs[0], **said),))).results
    assert (422, None) == (refused.status, plant.head("b"))
    assert why in refused.reason
    plant.drop("a", "two")
    assert ["a", "b"] == plant.settle()


def test_content_and_objects_at_once_are_refused(plant, lease):
    """A value lies in one place."""
    stored = plant.plane.objects.put(f"{lease.outputs[0].directory}/value.json", b"1")
    report = plant.done(lease)

    (refused,) = plant.ask(replace(report, outputs=(replace(report.outputs[0], objects=(stored,)),))).results
    assert (422, "the attempt reported of b both content and objects") == (refused.status, refused.reason)


def test_a_file_is_never_nothing_new(plant):
    """To take in a file and report no version would lose it; that is tried again."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    (ingest,) = plant.take()

    (refused,) = plant.ask(replace(plant.done(ingest), outputs=(), unchanged=("a",))).results
    assert 422 == refused.status
    plant.now += 300 * SECOND
    plant.session = plant.session if not sessions.expire(plant.plane) else plant.join()
    assert ["a", "b"] == plant.settle()


def test_heartbeats_keep_a_lease_and_tell_what_is_gone(plant, lease):
    """A session that beats keeps its leases for any length of time; one that lost a lease is told."""
    held = Held(step=lease.step, epoch=lease.epoch)
    for _ in range(5):
        plant.now += 8 * SECOND
        beat = sessions.heartbeat(plant.plane, Heartbeat(session=plant.session.session, leases=(held,)))
        assert () == beat.revoked
        assert 0 == sessions.expire(plant.plane)
    stale = Held(step=lease.step, epoch=lease.epoch + 1)
    beat = sessions.heartbeat(plant.plane, Heartbeat(session=plant.session.session, leases=(held, stale)))

    assert (stale,) == beat.revoked
    assert [200] == statuses(plant.ask(plant.done(lease)))


def test_a_heartbeat_that_crosses_a_report_revokes_nothing(plant, lease):
    """What the worker itself reported is over, not taken away from it."""
    plant.ask(plant.done(lease))
    held = Held(step=lease.step, epoch=lease.epoch)

    assert () == sessions.heartbeat(plant.plane, Heartbeat(session=plant.session.session, leases=(held,))).revoked


def test_shares_are_fair(plant):
    """With two workers there, one does not get everything."""
    plant.apply({f"b{n}": ["a"] for n in range(6)})
    plant.join()
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))

    assert 3 == len(plant.take(64))


def test_logs_are_kept_by_offset(plant, lease):
    """Parts are accepted in order, a repeat is a no-op, a gap says where the log ends, a wrong secret is refused."""
    view = plant.plane.access.as_principal(me())
    put = lambda secret, offset, body: logs.append(plant.plane, lease.step, lease.epoch, secret, offset, body)  # noqa: E731
    put(lease.secret, 0, b"hello ")
    put(lease.secret, 0, b"hello ")
    put(lease.secret, 3, b"lo world")

    assert b"hello world" == b"".join(view.logs(lease.run))
    with pytest.raises(logs.LogGap) as gap:
        put(lease.secret, 99, b"!")
    assert 11 == gap.value.expected
    with pytest.raises(Fenced):
        put("0" * 64, 11, b"!")


def test_late_logs_of_a_dead_attempt_stay_with_it(plant, lease):
    """What a zombie still prints is kept under its own attempt and not mixed with the next one's."""
    expire(plant)
    plant.session = plant.join()
    (second,) = plant.take()
    logs.append(plant.plane, lease.step, lease.epoch, lease.secret, 0, b"old")
    logs.append(plant.plane, second.step, second.epoch, second.secret, 0, b"new")
    view = plant.plane.access.as_principal(me())

    assert b"old" == b"".join(view.logs(lease.run, 0, lease.step, lease.epoch))
    assert b"new" == b"".join(view.logs(lease.run, 0, second.step, second.epoch))


def test_a_file_that_can_not_be_taken_in_is_quarantined(plant):
    """After its retries the file is quarantined with the reason, and the next one of its partition is taken in."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "bad")
    plant.drop("a", "good")
    for _ in range(INGEST_RETRY.attempts):
        (ingest,) = plant.take()
        plant.ask(plant.failed(ingest))
        plant.now += 300 * SECOND
        plant.session = plant.session if not sessions.expire(plant.plane) else plant.join()
    plant.settle()
    states = {f["state"]: f for f in plant.plane.access.as_principal(me()).files(source="a").items}

    assert {"quarantined", "committed"} == set(states)
    assert "it broke" in states["quarantined"]["reason"]
    assert "good" == plant.head("a")


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": "failed", "error": "x" * 10**6, "retryable": False},
        {"outcome": "x" * 10**6},
        {"bundle": "x" * 10**6},
        {"unchanged": ("x" * 10**6,)},
    ],
)
def test_long_words_of_a_worker_are_cut(plant, lease, said):
    """They are kept, and shown in every list of runs."""
    (result,) = plant.ask(replace(plant.done(lease), **said)).results

    assert MOST_SAID + 200 > len(result.reason)
    assert MOST_SAID + 200 > len(plant.runs("b")[0]["error"]) > 50


@pytest.mark.parametrize(("raised", "code"), [("ConnectionResetError", "again"), ("KeyError", "failed")])
def test_the_class_of_an_error_decides_of_another_try(plant, raised, code):
    """Of what is named a new try is made; any other ends the run at once."""
    plant.apply({"b": ["a"]}, retry=Retry(attempts=3, on=(ConnectionError,)))
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    (lease,) = plant.take()
    above = {"ConnectionResetError": ("ConnectionError", "OSError"), "KeyError": ("LookupError",)}[raised]

    plant.ask(plant.failed(lease, raised=(raised, *above, "Exception", "BaseException")))

    assert "failed" == plant.why("b") if code == "failed" else "running" == plant.runs("b")[0]["state"]
    plant.now += 60_000_000
    assert (1 if code == "again" else 0) == len(plant.take())
