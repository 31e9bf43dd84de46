"""What becomes true by time alone: it runs when it said, whatever stops, sleeps or is edited, and loses nothing."""

import json
import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from riparian.assets.policy import ALL, Policy, Principal
from riparian.assets.triggers import (
    eager,
    fresher_than,
    lazy,
    manual,
    missing,
    not_more_often_than,
    on_cron,
    on_update,
    scheduled,
)
from riparian.scheduler import events, request, sessions
from riparian.storage.metadata.schema import timer
from tests.scheduler.conftest import histories

ME = Principal(name="me", groups=frozenset({"owners"}))
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
OPS = Policy(readers={"ops"})
QUIET = on_update().debounce("5m")
START = 1_700_000_000_000_000


def go(plant, until: int) -> list[str]:
    """Time goes on to so many microseconds after the start; returns what ran."""
    return plant.go_on(START + until)


def drop(plant, at: int, content: str, source: str = "a", partition: str = "") -> list[str]:
    """A file comes at that time and is taken in; returns what ran until then and because of it."""
    ran = go(plant, at)
    plant.drop(source, content, partition)
    return ran + plant.settle()


def timers(plant) -> int:
    query = select(func.count()).select_from(timer).where(timer.c.kind == "trigger")
    return plant.plane.db.read(lambda tx: tx.conn.execute(query).scalar())


def told(plant, asset: str = "b", partition: str = "") -> dict:
    return plant.plane.access.as_principal(ME).why(asset, partition)


@pytest.fixture
def quiet(plant):
    """b is made from a once that was quiet for five minutes, and was made once."""
    plant.apply({"b": ["a"]}, triggers={"b": QUIET})
    assert ["a"] == drop(plant, 0, "zero")
    assert ["b"] == go(plant, 5 * MINUTE)
    return plant


def test_a_burst_is_one_run(quiet):
    """Five minutes after the last of three updates it runs once, with the last; then no timer is left."""
    for minute in (10, 12, 14):
        assert ["a"] == drop(quiet, minute * MINUTE, f"at {minute}")
    assert "debounced" == quiet.why("b")
    assert "2023-11-14 22:32:20 UTC" in told(quiet)["words"]
    assert [] == go(quiet, 19 * MINUTE - SECOND)

    assert ["b"] == go(quiet, 19 * MINUTE)
    assert "b(=at 14)" == quiet.head("b")
    assert ([], 0) == (go(quiet, 5 * HOUR), timers(quiet))


def test_constant_traffic_does_not_starve(quiet):
    """An update each minute: it runs fifty minutes after the first that waits, ten times the quiet time."""
    ran = []
    for minute in range(10, 130):
        ran += [(minute, key) for key in drop(quiet, minute * MINUTE, f"at {minute}") if key == "b"]

    assert [60, 110] == [minute for minute, _ in ran]


def test_a_restart_forgets_no_wait(quiet):
    """The timer outlives the process; what was due while it was down runs when it is back."""
    drop(quiet, 10 * MINUTE, "one")
    quiet.close()
    quiet.open()
    assert [] == go(quiet, 14 * MINUTE)
    drop(quiet, 14 * MINUTE, "two")
    quiet.close()
    quiet.now = START + 9 * HOUR
    quiet.open()

    assert ["b"] == go(quiet, 9 * HOUR)
    assert "b(=two)" == quiet.head("b")


def test_what_comes_during_a_run_waits_again(quiet):
    """An update while the run goes on is debounced by itself, and is not lost when the run ends or fails."""
    drop(quiet, 10 * MINUTE, "one")
    quiet.now = START + 15 * MINUTE
    quiet.plane.look()
    (lease,) = quiet.take()
    quiet.drop("a", "two")
    (taken,) = quiet.take()
    quiet.ask(quiet.done(taken))
    assert "running" == quiet.why("b")
    quiet.ask(quiet.failed(lease, retryable=False))
    assert "debounced" == quiet.why("b")

    assert ["b"] == go(quiet, 20 * MINUTE)
    assert "b(=two)" == quiet.head("b")


def test_after_a_failure_only_news_runs_again(quiet):
    """No haste: what failed is not tried again when its longest wait is over, and what comes then is debounced."""
    drop(quiet, 10 * MINUTE, "one")
    quiet.now = START + 15 * MINUTE
    quiet.plane.look()
    (lease,) = quiet.take()
    quiet.ask(quiet.failed(lease, retryable=False))
    assert "failed" == quiet.why("b")
    assert [] == go(quiet, 3 * HOUR)
    assert ["a"] == drop(quiet, 3 * HOUR, "two")

    assert [] == go(quiet, 3 * HOUR + 4 * MINUTE)
    assert ["b"] == go(quiet, 3 * HOUR + 5 * MINUTE)


def test_equal_content_is_answered_without_a_run(quiet):
    """Early cut-off stays: at the end of the quiet time it is noted as unchanged."""
    drop(quiet, 10 * MINUTE, "one")
    drop(quiet, 12 * MINUTE, "zero")

    assert [] == go(quiet, 2 * HOUR)
    assert "up_to_date" == quiet.why("b")
    assert 0 == timers(quiet)


def test_a_request_does_not_wait(quiet):
    """A person's request runs at once and takes along what waits."""
    drop(quiet, 10 * MINUTE, "one")
    request.materialize(quiet.plane, "b", "", ME)
    assert ["b"] == quiet.settle()

    assert [] == go(quiet, 2 * HOUR)
    assert "b(=one)" == quiet.head("b")


def test_a_queued_run_is_replaced_after_the_quiet_time(quiet):
    """Without a worker, later news supersedes the run that nobody began, when it has been quiet again."""
    drop(quiet, 10 * MINUTE, "one")
    quiet.now = START + 15 * MINUTE
    quiet.plane.look()
    quiet.plane.db.write(lambda tx: tx.conn.execute(text("UPDATE step SET pool = 'other' WHERE state = 'ready'")))
    quiet.drop("a", "two")
    assert ["a"] == quiet.settle()
    assert ["b"] == go(quiet, 20 * MINUTE)

    assert ["succeeded", "superseded"] == [r["state"] for r in quiet.runs("b")[:2]]


@pytest.mark.parametrize(
    "edited",
    [on_update(), on_update().debounce("1h"), on_cron("0 * * * *"), fresher_than("10m"), QUIET.label("quiet")],
    ids=str,
)
@pytest.mark.parametrize("before", [QUIET, fresher_than("2h"), on_update().not_more_often_than("2h")], ids=str)
def test_an_edit_drops_no_obligation(plant, before, edited):
    """What waits under one trigger is run for under the next, whether that is true at once or later, and also when
    nothing but a request could run it in between."""
    plant.apply({"b": ["a"]}, triggers={"b": before})
    drop(plant, 0, "zero")
    go(plant, 6 * HOUR)
    drop(plant, 6 * HOUR, "one")
    if plant.head("b") != "b(=one)":
        plant.apply({"b": ["a"]}, triggers={"b": manual()})
        assert [] == go(plant, 9 * HOUR)
    drop(plant, 9 * HOUR, "two")
    plant.apply({"b": ["a"]}, triggers={"b": edited})

    go(plant, 11 * HOUR)
    assert "b(=two)" == plant.head("b")


def test_not_more_often_than(plant):
    """The first update runs at once, what follows an hour after that run was planned, all of it together."""
    plant.apply({"b": ["a"]}, triggers={"b": on_update().not_more_often_than("1h")})
    assert ["a", "b"] == drop(plant, 0, "one")
    assert ["a"] == drop(plant, 10 * MINUTE, "two")
    assert ["a"] == drop(plant, 50 * MINUTE, "three")
    assert "limited" == plant.why("b")
    assert "waits until 2023-11-14 23:13:20 UTC" in told(plant)["words"]

    assert ["b"] == go(plant, HOUR)
    assert "b(=three)" == plant.head("b")
    assert ["a", "b"] == drop(plant, 3 * HOUR, "four")


def test_a_limit_counts_failures_and_requests(plant):
    """Whatever the last run was for and came to; a request itself is not limited."""
    plant.apply({"b": ["a"]}, triggers={"b": on_update().not_more_often_than("1h")})
    drop(plant, 0, "one")
    request.materialize(plant.plane, "b", "", ME)
    (lease,) = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    assert ["a"] == drop(plant, 30 * MINUTE, "two")

    assert [] == go(plant, HOUR - SECOND)
    assert ["b"] == go(plant, HOUR)


def test_a_limit_alone_runs_what_differs(plant):
    """By itself it is a state: what differs runs, so often at the most; where nothing does, nothing is waited for."""
    plant.apply({"b": ["a"]}, triggers={"b": not_more_often_than("1h")})
    assert ["a", "b"] == drop(plant, 0, "one")
    assert ["a"] == drop(plant, 10 * MINUTE, "two")
    assert ["b"] == go(plant, HOUR)

    assert [] == go(plant, 5 * HOUR)
    assert ("up_to_date", 0) == (plant.why("b"), timers(plant))


def test_at_most_two_hours_behind(plant):
    """The first update that waits waits for two hours, however many follow; never longer."""
    plant.apply({"b": ["a"]}, triggers={"b": fresher_than("2h")})
    assert ["a"] == drop(plant, 0, "one")
    assert "fresh_enough" == plant.why("b")
    for minute in (30, 60, 119):
        assert ["a"] == drop(plant, minute * MINUTE, f"at {minute}")
    assert ["b"] == go(plant, 2 * HOUR)
    assert "b(=at 119)" == plant.head("b")

    assert ["a"] == drop(plant, 5 * HOUR, "last")
    assert [] == go(plant, 7 * HOUR - SECOND)
    assert ["b"] == go(plant, 7 * HOUR)


def test_a_slow_run_begins_early(plant):
    """It ends in time when it takes as long as the last one."""
    plant.apply({"b": ["a"]}, triggers={"b": fresher_than("2h")})
    drop(plant, 0, "one")
    plant.now = START + 2 * HOUR
    plant.plane.look()
    (lease,) = plant.take()
    plant.now += 8 * SECOND
    plant.ask(plant.done(lease))
    drop(plant, 5 * HOUR, "two")

    assert [] == go(plant, 7 * HOUR - 9 * SECOND)
    assert ["b"] == go(plant, 7 * HOUR - 8 * SECOND)


def test_with_a_schedule(plant):
    """A tick that is limited is answered when the limit allows it, also for the partitions that waited for it."""
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": on_cron("0 * * * *") & not_more_often_than("90m")})
    at = 46 * MINUTE + 40 * SECOND  # the next full hour after the start
    day = "2023-11-14"
    drop(plant, 0, "one", partition=day)
    assert [f"b[{day}]"] == go(plant, at)
    assert [f"a[{day}]"] == drop(plant, at + MINUTE, "two", partition=day)
    assert [] == go(plant, at + 90 * MINUTE - SECOND)

    assert [f"b[{day}]"] == go(plant, at + 90 * MINUTE)


def test_a_limited_schedule_answers_the_same_at_any_look(plant):
    """Data after the tick waits for the next one, whether or not the limit was over when the tick rang."""
    plant.apply({"b": ["a"]}, triggers={"b": on_cron("0 * * * *") & not_more_often_than("70m")})
    at = 46 * MINUTE + 40 * SECOND
    drop(plant, 0, "one")
    assert ["b"] == go(plant, at)
    assert ["a"] == drop(plant, at + 65 * MINUTE, "two")

    assert [] == go(plant, at + 2 * HOUR - SECOND)
    assert ["b"] == go(plant, at + 2 * HOUR)


def test_each_partition_waits_for_itself(plant):
    """Timers are of partitions: one's traffic does not delay another, and days that nothing came for have none."""
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": QUIET})
    for day in range(1, 10):
        drop(plant, 0, "zero", partition=f"2020-01-0{day}")
    assert 9 == len(go(plant, HOUR))
    drop(plant, 2 * HOUR, "one", partition="2020-01-01")
    drop(plant, 2 * HOUR + 3 * MINUTE, "one", partition="2020-01-02")
    assert 2 == timers(plant)

    assert ["b[2020-01-01]"] == go(plant, 2 * HOUR + 5 * MINUTE)
    assert ["b[2020-01-02]"] == go(plant, 2 * HOUR + 8 * MINUTE)


def test_a_set_of_partitions_is_quiet_as_a_whole(plant):
    """A roll-up waits for the traffic of all its days together, measured from their moves."""
    plant.apply({"sum": ["a"]}, daily=("a",), triggers={"sum": QUIET})
    drop(plant, 0, "x", partition="2020-01-01")
    drop(plant, 4 * MINUTE, "x", partition="2020-01-02")

    assert [] == go(plant, 8 * MINUTE)
    assert ["sum"] == go(plant, 9 * MINUTE)


def test_the_usual_ones(plant):
    """eager runs with every update, scheduled at its ticks, lazy only for a request."""
    plant.apply(
        {"e": ["a"], "s": ["a"], "l": ["a"]},
        triggers={"e": eager(), "s": scheduled("0 * * * *"), "l": lazy()},
    )
    assert ["a", "e"] == drop(plant, 0, "one")
    assert ["s"] == go(plant, HOUR)
    assert "manual" == plant.why("l")
    request.materialize(plant.plane, "l", "", ME)

    assert ["l"] == plant.settle()


def test_an_explanation_says_since_when(plant):
    """Each part with true or false, from when on, and what is not known as such."""
    plant.apply(
        {"b": ["a", "w"]},
        triggers={"b": ((on_update("a").debounce("5m") | on_cron("0 6 * * *")).label("in time") & ~missing("w"))},
    )
    drop(plant, 0, "w", source="w")
    drop(plant, MINUTE, "one")
    drop(plant, 2 * MINUTE, "two")
    tree = told(plant)["trigger"]
    either, there = tree["parts"]
    quiet, cron = either["parts"]
    (news,) = quiet["parts"]

    assert ("and", False, None) == (tree["kind"], tree["holds"], tree["since"])
    assert ("or", "in time", False, None) == (either["kind"], either["label"], either["holds"], either["since"])
    assert (False, "2023-11-14T22:15:20.000000Z", "2023-11-14T22:20:20.000000Z") == (
        quiet["holds"],
        quiet["since"],
        quiet["until"],
    )
    assert (True, "2023-11-14T22:14:20.000000Z", "a was updated") == (news["holds"], news["since"], news["words"])
    assert (False, None, "not due, next at 2023-11-15 06:00") == (cron["holds"], cron["since"], cron["words"])
    assert (True, None) == (there["holds"], there["since"])
    assert ("missing", False) == (there["parts"][0]["kind"], there["parts"][0]["holds"])

    assert ["b"] == go(plant, 7 * MINUTE)
    tree = told(plant)["trigger"]
    assert (False, "2023-11-14T22:20:20.000000Z") == (
        (n := tree["parts"][0]["parts"][0]["parts"][0])["holds"],
        n["since"],
    )
    assert "a was not updated since the last run" == n["words"]


def test_an_explanation_hides_names_and_their_times(plant):
    """Who owns what is made, and may not see what its trigger names, learns neither that name nor when it came."""
    hook = on_update("w").debounce("5m").label("w is quiet") | on_update("a").not_more_often_than("1h")
    plant.apply({"b": ["a"], "v": ["w"]}, triggers={"b": hook}, policies={"a": Policy(readers=ALL), "w": OPS})
    plant.plane.db.write(lambda tx: tx.conn.execute(text("UPDATE asset SET owner = 'user:ana' WHERE key = 'b'")))
    drop(plant, 0, "one")
    drop(plant, MINUTE, "two", source="w")
    view = plant.plane.access.as_principal(Principal(name="ana"))
    mine, theirs = told(plant)["trigger"], view.why("b", "")["trigger"]
    hidden, seen = theirs["parts"]

    assert 'on_update("w").debounce("5m")' == mine["parts"][0]["text"]
    assert ["2023-11-14T22:14:20.000000Z"] == [p["since"] for n in mine["parts"][:1] for p in n["parts"]]
    assert ('on_update("a restricted asset").debounce("5m")', None, None) == (
        hidden["text"],
        hidden["since"],
        hidden["until"],
    )
    assert "a restricted asset is quiet" == hidden["label"]
    answer, following = view.why("b", ""), view.plan().items
    assert ("debounced", True) == (told(plant)["code"], "2023-11-14 22:19:20" in told(plant)["words"])
    waits = "waits until a time that follows from a restricted asset"
    assert [waits] * 3 == [answer["words"], answer["noted"], *(f["words"] for f in following)]
    assert (None, None) == (theirs["since"], hidden["parts"][0]["since"])
    assert seen == mine["parts"][1]
    assert [] == [said for said in ('"w"', "w is") if said in json.dumps(view.asset("b")["trigger"])]


def test_what_waits_for_time_alone_is_woken_by_the_alarm(plant):
    """A report that begins a wait sets the alarm: nothing else has to happen for the run to be planned."""
    control = plant.plane
    plant.apply({"b": ["a"]}, triggers={"b": on_update().debounce("1s")})
    control.db.clock = lambda: time.time_ns() // 1000
    sessions.expire(control)  # or that would have it look
    control.start()
    try:
        time.sleep(0.5)  # it has looked, and found nothing that is due
        events.record(control, "a", 1, ME)
        until = time.monotonic() + 20
        while not plant.runs("b") and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        control.stop()
        plant.open()

    assert ["queued"] == [r["state"] for r in plant.runs("b")]


TIMED = {
    "eager": on_update(),
    "debounced": on_update().debounce("10m"),
    "limited": on_update().not_more_often_than("30m"),
    "fresh": fresher_than("20m"),
    "all": on_update(all=True).debounce("5m", at_most="15m") | fresher_than("1h"),
    "cron": (on_cron("*/30 * * * *") | on_update().debounce("10m")).not_more_often_than("20m"),
}


@histories(12)
@example(kinds=["limited", "all", "all"], gaps=[1, 1], seed=0)
@given(
    kinds=st.lists(st.sampled_from(sorted(TIMED)), min_size=3, max_size=3),
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    seed=st.integers(0, 9_999),
)
def test_the_end_is_the_same_at_any_rate_of_looks(make_plant, kinds, gaps, seed):
    """The same updates, looked at when each timer rings or hours late, with restarts and lost attempts in between:
    everything ends up made from the newest, and is then at rest without a timer."""
    edges = {"b": ["a", "w"], "c": ["b"], "d": ["b", "c"]}
    triggers = dict(zip(edges, (TIMED[k] for k in kinds), strict=True))
    ends = []
    for prompt in (True, False):
        plant, rng, at = make_plant(), random.Random(seed), 0
        plant.apply(edges, triggers=triggers)
        for n, gap in enumerate(gaps):
            at += gap * MINUTE
            if prompt:
                go(plant, at)
            else:
                plant.now = START + at
                if rng.random() < 0.2:
                    plant.close()
                    plant.open()
                if rng.random() < 0.4:
                    plant.plane.look()
                    for lease in plant.take(2):
                        plant.ask(plant.done(lease) if rng.random() < 0.7 else plant.failed(lease, "lost"))
            plant.drop("aw"[n % 2], f"v{rng.randrange(4) if n % 3 else n}")
            rng = random.Random(seed + n)
        for source in "aw":
            drop(plant, at + MINUTE, "end", source)
        go(plant, at + 12 * HOUR)
        ends.append([plant.head(asset) for asset in edges])
        assert 0 == timers(plant)

    made = "b(=end,=end)"
    assert [[made, f"c(={made})", f"d(={made},=c(={made}))"]] * 2 == ends
