"""What runs by the clock: once a tick, whatever stops, sleeps or is edited meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text

from riparian.assets.arrival import FileDrop
from riparian.assets.keys import AssetKey
from riparian.assets.partitions import Static
from riparian.assets.policy import ALL, Policy, Principal
from riparian.assets.triggers import manual, missing, on_cron, on_update
from riparian.scheduler import clock, register, request
from riparian.scheduler.cancel import cancel
from riparian.storage.metadata import counters, schedules
from riparian.storage.metadata.schema import definition, dirty, hold, schedule, timer

ME = Principal(name="me", groups=frozenset({"owners"}))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAILY_SIX = on_cron("0 6 * * *")


def instant(local: str, zone: str = "UTC") -> int:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def go(plant, local: str, zone: str = "UTC") -> list[str]:
    """Time goes on, the clock rings as often as it says, workers work; returns what ran."""
    return plant.go_on(instant(local, zone))


def causes(plant, workflow: str) -> list[str]:
    return [r["cause"] for r in reversed(plant.runs(workflow))]


def count(plant, table) -> int:
    return plant.plane.db.read(lambda tx: tx.conn.execute(select(func.count()).select_from(table)).scalar())


@pytest.fixture
def day(plant):
    """b is made from a, at six."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"]}, triggers={"b": DAILY_SIX})
    return plant


def test_data_waits_for_the_tick(day):
    """What arrives before six runs at six, after it on the next day; a day without data runs nothing."""
    go(day, "2025-03-01T05:00")
    day.drop("a", "one")
    assert ["a"] == day.settle()
    assert "waiting_for_tick" == day.why("b")
    listed = day.plane.access.as_principal(ME).plan(None, 100).items
    assert [("b", "waiting", "waiting_for_tick")] == [(r["workflow"], r["state"], r["code"]) for r in listed]
    assert [] == go(day, "2025-03-01T05:59")
    assert ["b"] == go(day, "2025-03-01T06:00")
    day.now = instant("2025-03-01T06:30")
    day.drop("a", "two")

    assert ["a"] == day.settle()
    assert ["b"] == go(day, "2025-03-02T06:00")
    assert [] == go(day, "2025-03-05T12:00")
    assert "unchanged" == noted(day, "b")
    assert "the schedule 0 6 * * * (UTC) was due at 2025-03-01 06:00" == causes(day, "b")[0]


def noted(plant, workflow: str, partition: str = "") -> str:
    sql = text("SELECT code FROM reason WHERE workflow = :w AND partition = :p AND until IS NULL")
    return plant.plane.db.read(lambda tx: tx.conn.execute(sql, {"w": workflow, "p": partition}).scalar())


def test_an_update_and_a_tick_in_either_order(plant):
    """With &, data at 05:00 runs at 06:00, and data at 06:30, for a tick without any, at 06:30."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"]}, triggers={"b": on_update("a") & DAILY_SIX})
    go(plant, "2025-03-01T05:00")
    plant.drop("a", "one")
    assert ["a"] == plant.settle()
    assert ["b"] == go(plant, "2025-03-01T06:00")
    assert [] == go(plant, "2025-03-02T06:29")
    plant.drop("a", "two")

    assert ["a", "b"] == plant.settle()
    assert causes(plant, "b")[1].endswith("a was updated and the schedule 0 6 * * * (UTC) was due at 2025-03-02 06:00")
    plant.drop("a", "three")
    assert ["a"] == plant.settle()
    assert ["b"] == go(plant, "2025-03-03T06:00")


@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/Berlin", (5, 4)), ("America/New_York", (11, 10)), ("UTC", (6, 6))], ids=str
)
def test_month_end_over_clock_changes_restart_and_downtime(plant, zone, hours):
    """Six o'clock of the last day of each month is one run each, at six by that clock; three days without a control
    plane over such a day are made up for by one run."""
    plant.now = instant("2025-01-15T12:00", zone)
    plant.apply({"b": ["a"]}, triggers={"b": on_cron("0 6 L * *", timezone=zone)})
    ran = []
    for number, month in enumerate((1, 2, 3, 4)):
        plant.drop("a", f"v{number}")
        plant.settle()
        last = (datetime(2025, month + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001 - only a date
        ran.append(go(plant, f"2025-0{month}-{last}T05:59", zone) + go(plant, f"2025-0{month}-{last}T06:00", zone))
        if month == 3:
            plant.close()
            plant.open()
    plant.drop("a", "last")
    plant.settle()
    go(plant, "2025-05-30T12:00", zone)
    plant.close()
    plant.now = instant("2025-06-02T12:00", zone)
    plant.open()

    assert [["b"]] * 4 == ran
    assert ["b"] == go(plant, "2025-06-03T00:00", zone)
    assert [] == go(plant, "2025-06-30T05:00", zone)
    winter, summer = hours
    due = [datetime.fromisoformat(r["created_at"]).hour for r in reversed(plant.runs("b"))]
    assert [winter, winter, winter if zone == "UTC" else (4 if zone == "Europe/Berlin" else 10), summer] == due[:4]


def test_ticks_that_were_missed_are_one(day):
    """After days without a control plane there is one run, for the latest tick."""
    day.drop("a", "one")
    day.settle()
    day.close()
    day.now = instant("2025-03-09T08:00")
    day.open()

    assert ["b"] == go(day, "2025-03-09T08:00")
    assert ["the schedule 0 6 * * * (UTC) was due at 2025-03-09 06:00"] == causes(day, "b")


def test_ringing_twice_changes_nothing(day):
    """Replicas that ring the same tick, and a timer that comes again, plan nothing twice and move nothing back."""
    day.drop("a", "one")
    day.settle()
    go(day, "2025-03-01T06:00")
    before = day.plane.db.read(lambda tx: schedules.of_workflows(tx, ["b"]))
    for _ in range(2):
        day.plane.db.write(lambda tx: clock.ring(tx, day.plane.graphs.at(tx), ["b"]))
    day.now -= 3_600_000_000
    day.plane.db.write(lambda tx: clock.ring(tx, day.plane.graphs.at(tx), ["b"]))

    assert before == day.plane.db.read(lambda tx: schedules.of_workflows(tx, ["b"]))
    assert [] == day.settle()
    assert 1 == len(day.runs("b"))


def test_a_tick_looks_only_at_what_waits_for_it(plant):
    """Of many partitions the tick runs those that differ and looks at no other."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": DAILY_SIX})
    days = [f"2020-01-{d:02}" for d in range(1, 21)]
    for d in days:
        plant.drop("a", "one", d)
    plant.settle()
    assert 20 == len(go(plant, "2025-03-01T06:00"))
    plant.drop("a", "two", days[3])
    plant.drop("a", "one", days[4])
    plant.settle()
    assert 1 == count(plant, hold)

    assert [f"b[{days[3]}]"] == go(plant, "2025-03-02T06:00")
    assert (0, 0) == (count(plant, hold), count(plant, dirty))
    plant.drop("a", "three", days[5])
    plant.settle()
    assert "waiting_for_tick" == plant.why("b", days[5])
    assert [f"b[{days[5]}]"] == go(plant, "2025-03-03T06:00")


def test_a_failure_is_tried_again_by_the_next_tick(plant):
    """A partition that failed at its tick waits for the next one; data that arrives meanwhile does not hurry it."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"], "c": ["b"]}, daily=("a", "b"), triggers={"b": DAILY_SIX})
    plant.drop("a", "one", "2020-01-01")
    plant.settle()
    plant.now = instant("2025-03-01T06:00")
    plant.plane.look()
    (lease,) = plant.take()
    plant.ask(plant.failed(lease, retryable=False))
    assert "failed" == plant.why("b", "2020-01-01")
    plant.drop("a", "two", "2020-01-01")

    assert ["a[2020-01-01]"] == plant.settle()
    assert ["b[2020-01-01]", "c"] == go(plant, "2025-03-02T06:00")
    assert "c(2020-01-01=b(2020-01-01=two))" == plant.head("c")


def test_a_cancelled_run_waits_for_the_next_tick(day):
    """What somebody stopped is not begun again for the same tick."""
    day.drop("a", "one")
    day.settle()
    day.now = instant("2025-03-01T06:00")
    day.plane.look()
    cancel(day.plane, day.runs("b")[0]["id"], ME)

    assert "cancelled" == day.why("b")
    assert [] == go(day, "2025-03-02T05:59")
    assert ["b"] == go(day, "2025-03-02T06:00")


def test_a_request_in_place_of_a_tick_loses_nothing(day):
    """A run that was queued for a tick goes before a request; when both fail, the next tick runs it."""
    day.drop("a", "one")
    day.settle()
    day.now = instant("2025-03-01T06:00")
    day.plane.look()
    request.materialize(day.plane, "b", "", ME)
    for _ in range(2):
        (lease,) = day.take()
        day.ask(day.failed(lease, retryable=False))

    assert "failed" == day.why("b")
    assert ["b"] == go(day, "2025-03-02T06:00")


def test_what_arrives_while_it_runs_waits_for_the_next_tick(plant):
    """The run keeps its pins; what came since it was planned is not forgotten at its end, in no partition."""
    day = "2020-01-01"
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": DAILY_SIX})
    plant.drop("a", "one", day)
    plant.settle()
    plant.now = instant("2025-03-01T06:00")
    plant.plane.look()
    (running,) = plant.take()
    plant.drop("a", "two", day)
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.done(running))

    assert "waiting_for_tick" == plant.why("b", day)
    assert "b(2020-01-01=one)" == plant.head("b", day)
    assert [f"b[{day}]"] == go(plant, "2025-03-02T06:00")


def test_hidden_names_in_a_trigger_stay_hidden(plant):
    """The owner of an asset who may not see what its trigger names does not learn it, at any depth."""
    trigger = on_update() & (DAILY_SIX | ~missing("hidden_one"))
    plant.apply(
        {"b": ["a"], "hidden_one": ["s"]},
        triggers={"b": trigger},
        policies={"s": Policy(readers={"ops"}), "a": Policy(readers=ALL)},
    )

    def give(tx):
        tx.conn.execute(text("UPDATE asset SET owner = 'user:olga' WHERE key = 'b'"))
        counters.advance(tx, "policy_epoch")

    plant.plane.db.write(give)
    shown = plant.plane.access.as_principal(Principal(name="olga")).asset("b")["trigger"]

    assert trigger.to_json() == plant.plane.access.as_principal(ME).asset("b")["trigger"]
    assert "hidden_one" not in str(shown)
    assert "0 6 * * *" in str(shown)


def test_what_is_gated_holds_nobody(plant):
    """Below a workflow that waits for the clock an update runs at once, and again when the gated one has run."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"b": ["a"], "d": ["a", "b"]}, triggers={"b": DAILY_SIX})
    plant.drop("a", "one")
    assert ["a"] == plant.settle()
    assert ["b", "d"] == go(plant, "2025-03-01T06:00")
    plant.drop("a", "two")

    assert ["a", "d"] == plant.settle()
    assert "d(=two,=b(=one))" == plant.head("d")
    assert ["b", "d"] == go(plant, "2025-03-02T06:00")


def test_below_what_ticks_at_the_same_time_an_update_and_the_tick_run_in_order(plant):
    """A tick alone takes what is there at its time; with & it stays due until the update of the same tick is made."""
    plant.now = instant("2025-03-01T00:00")
    ordered = on_update() & DAILY_SIX
    plant.apply({"b": ["a"], "c": ["b"], "d": ["b"]}, triggers={"b": DAILY_SIX, "c": DAILY_SIX, "d": ordered})
    for content, before in (("one", None), ("two", "c(=b(=one))")):
        plant.drop("a", content)
        plant.settle()
        ran = go(plant, f"2025-03-0{1 if before is None else 2}T06:00")

        assert f"d(=b(={content}))" == plant.head("d")
        assert before == plant.head("c")
        assert ran.index("b") < ran.index("d")


def test_a_schedule_begins_when_it_is_declared(day):
    """An edit starts a new schedule from now on, keeps one that stays, ends one that goes, and loses no data."""
    day.drop("a", "one")
    day.settle()
    go(day, "2025-03-01T05:00")
    day.apply({"b": ["a"]}, triggers={"b": DAILY_SIX | on_cron("0 4 * * *")})
    assert [] == day.settle()
    assert ["b"] == go(day, "2025-03-01T06:00")
    day.drop("a", "two")
    day.settle()
    day.apply({"b": ["a"]}, triggers={"b": on_cron("0 4 * * *")}, code="two")
    assert 1 == count(day, schedule)
    assert [] == go(day, "2025-03-02T03:59")
    assert ["b"] == go(day, "2025-03-02T04:00")
    day.drop("a", "three")
    day.settle()

    day.apply({"b": ["a"]}, code="two")
    assert ["b"] == day.settle()
    assert (0, 0, 0) == (count(day, schedule), count(day, timer), count(day, hold))


def test_what_was_gated_and_is_removed_leaves_nothing(day):
    """A workflow that is declared no more has no timer and nothing that waits for it; its schedule is remembered for
    the case that it comes back soon, and is another one after that."""
    day.drop("a", "one")
    day.settle()
    assert 1 == count(day, hold)
    day.apply({"c": ["a"]}, triggers={"c": manual()})

    assert (1, 0, 0) == (count(day, schedule), count(day, timer), count(day, hold))
    go(day, "2025-03-03T00:00")
    day.apply({"b": ["a"]}, triggers={"b": DAILY_SIX})
    assert [] == day.settle()
    assert ["b"] == go(day, "2025-03-03T06:00")


def test_without_inputs_every_tick_runs(plant):
    """Time is its input: each tick is a run, and none comes before the first."""
    plant.now = instant("2025-03-01T00:00")
    plant.apply({"t": [], "u": ["t"]}, triggers={"t": on_cron("0 * * * *")})
    assert [] == plant.settle()
    assert "waiting_for_tick" == plant.why("t")

    assert ["t", "u", "t", "t"] == go(plant, "2025-03-01T03:30")


def test_without_inputs_a_tick_is_for_its_own_day(plant):
    """A daily workflow that nothing feeds runs for the day that its clock shows, and not for those of before."""
    plant.now = instant("2024-02-28T12:00")
    plant.apply({"t": []}, daily=("t",), triggers={"t": on_cron("30 0 * * *", timezone="Europe/Berlin")})

    assert ["t[2024-02-29]", "t[2024-03-01]"] == go(plant, "2024-03-01T12:00")
    plant.apply({"t": []}, daily=("t",), triggers={"t": on_cron("30 0 * * *", timezone="Europe/Berlin")}, code="two")
    assert ["t[2024-03-02]"] == go(plant, "2024-03-02T12:00")


def test_a_daily_workflow_of_a_whole_input_runs_for_the_day_of_the_tick(plant):
    """Every day is made once from what the input was on that day; a new version of it remakes no other day."""
    plant.now = instant("2024-02-28T12:00")
    plant.apply({"t": ["w"]}, daily=("t",), triggers={"t": DAILY_SIX})
    plant.drop("w", "one")
    plant.settle()
    assert ["t[2024-02-29]"] == go(plant, "2024-02-29T12:00")
    plant.drop("w", "two")
    plant.settle()

    assert ["t[2024-03-01]"] == go(plant, "2024-03-01T12:00")
    assert "t(=one)" == plant.head("t", "2024-02-29")


def test_many_with_the_same_schedule_are_taken_in_slices(plant, monkeypatch):
    """However many fall due at once, one transaction takes a bounded number, and all have run in the end."""
    monkeypatch.setattr(clock, "MOST_DUE", 10)
    plant.now = instant("2025-03-01T00:00")
    keys = [f"b{n}" for n in range(35)]
    plant.apply({k: ["a"] for k in keys}, triggers=dict.fromkeys(keys, DAILY_SIX))
    plant.drop("a", "one")
    plant.settle()
    plant.now = instant("2025-03-01T06:00")
    rounds = 0
    while plant.plane.look() <= plant.now:
        rounds += 1

    assert 3 == rounds
    assert sorted(keys) == sorted(plant.settle())


def test_missing_asks_for_what_was_there_before(plant):
    """Declared for partitions that exist, `missing()` makes each of them once, and nothing when they change."""
    plant.apply({"x": ["a"]}, daily=("a", "x"))
    for d in ("2020-01-01", "2020-01-02"):
        plant.drop("a", "one", d)
    plant.settle()
    plant.apply({"x": ["a"], "b": ["a"]}, daily=("a", "b", "x"), triggers={"b": missing()})

    assert ["b[2020-01-01]", "b[2020-01-02]"] == sorted(plant.settle())
    assert {"b has no version"} == set(causes(plant, "b"))
    plant.drop("a", "two", "2020-01-01")
    plant.drop("a", "one", "2020-01-03")
    assert ["a[2020-01-01]", "a[2020-01-03]", "b[2020-01-03]", "x[2020-01-01]", "x[2020-01-03]"] == sorted(
        plant.settle()
    )


def test_a_state_opens_the_way(plant):
    """What waits until another asset is there runs when it comes, with what arrived before."""
    plant.apply({"b": ["a"], "r": ["s"]}, triggers={"b": on_update() & ~missing("r")})
    plant.drop("a", "one")
    assert ["a"] == plant.settle()
    assert "not_triggered" == plant.why("b")
    plant.drop("s", "one")

    assert ["b", "r", "s"] == sorted(plant.settle())
    plant.drop("s", "two")
    assert ["r", "s"] == sorted(plant.settle())


def static(plant, keys, triggers=None, code="one"):
    """Applies a source and an asset with a partition for each of ``keys``."""
    manifest = plant.manifest({"b": ["a"], "t": ["w"], "sum": ["b"]}, code, daily=("a", "b", "t"), triggers=triggers)
    cut = Static("region", keys)
    assets = [replace(x, partitions=x.partitions and cut) for x in manifest.assets]
    assets = [replace(x, arrives=FileDrop("a_{region}.json")) if x.key == "a" else x for x in assets]
    made = [replace(w, partitions=w.partitions and cut) for w in manifest.workflows]
    manifest = replace(manifest, assets=tuple(assets), workflows=tuple(made))
    return register.apply(plant.plane, manifest, plant.bundle(code)[1], ME)


def test_static_partitions_are_all_wanted(plant):
    """Each key of a new workflow is made when its inputs are there; a key that is added later joins them."""
    static(plant, ["eu", "us"])
    plant.drop("w", "one")
    plant.drop("a", "e", "eu")
    assert ["a[eu]", "b[eu]", "sum", "t[eu]", "t[us]", "w"] == sorted(plant.settle())
    static(plant, ["eu", "us", "asia"])
    assert ["t[asia]"] == plant.settle()
    plant.drop("a", "s", "asia")

    assert ["a[asia]", "b[asia]", "sum"] == plant.settle()
    assert "sum(asia=b(asia=s),eu=b(eu=e))" == plant.head("sum")


def test_static_partitions_without_inputs_of_their_own_all_tick(plant):
    """A tick is for every key; the day of the clock means nothing to them."""
    plant.now = instant("2025-03-01T00:00")
    static(plant, ["eu", "us"], {"t": DAILY_SIX})
    plant.drop("w", "one")
    assert ["w"] == plant.settle()

    assert ["t[eu]", "t[us]"] == sorted(go(plant, "2025-03-01T06:00"))
    assert [] == go(plant, "2025-03-02T06:00")


def test_names_of_assets_only_in_a_trigger_restrict(plant):
    """An asset whose absence is asked for is an origin of what is made: that it is there is told by it."""
    plant.apply({"b": ["a"], "r": ["s"]}, triggers={"b": on_update() & ~missing("r")})
    plant.drop("s", "one")
    plant.drop("a", "one")
    plant.settle()

    origins = plant.plane.access.as_principal(ME).policy("b")["origins"]
    assert AssetKey("r") in {o["origin"] for o in origins}


def test_an_unreadable_project_does_not_stop_the_clock(day):
    """What ticks in a project that can not be read is not waited for; it counts when the project is applied again."""
    plain = day.manifest({"y": ["x"]}, "one", triggers={"y": DAILY_SIX})
    other = replace(plain, project="q")
    register.apply(day.plane, other, day.bundle("one")[1], ME)
    for source in ("a", "x"):
        day.drop(source, "one")
    day.settle()
    broken = definition.update().where(definition.c.project == "q").values(body="[]")
    day.plane.db.write(lambda tx: tx.conn.execute(broken))
    day.close()
    day.open()
    day.now = instant("2025-03-01T06:00")
    assert ["b"] == go(day, "2025-03-01T12:00")

    register.apply(day.plane, other, day.bundle("one")[1], ME)
    assert ["y"] == go(day, "2025-03-01T12:01")
    day.drop("x", "two")
    assert ["x"] == day.settle()
    assert ["y"] == go(day, "2025-03-02T12:00")


def two_projects(plant):
    """bad.b at six by the clocks of Berlin, and good.b at six by UTC, each of a project of its own."""
    for name, zone in (("bad", "Europe/Berlin"), ("good", "UTC")):
        trigger = on_cron("0 6 * * *", zone)
        manifest = plant.manifest({f"{name}.b": [f"{name}.a"]}, "one", triggers={f"{name}.b": trigger})
        register.apply(plant.plane, replace(manifest, project=name), plant.bundle("one")[1], ME)
        plant.drop(f"{name}.a", "one")


def test_the_clock_goes_on_for_all_but_a_project_that_can_not_be_read(plant):
    """As after a change of this program. When it can be read again, its ticks are made up for."""
    plant.now = instant("2025-03-01T00:00")
    two_projects(plant)
    plant.settle()
    edit = text("UPDATE definition SET body = replace(body, :old, :new) WHERE project = 'bad'")
    plant.plane.db.write(lambda tx: tx.conn.execute(edit, {"old": "0 6 *", "new": "x 6 *"}))
    plant.close()
    plant.open()

    plant.now = plant.plane.look()
    assert plant.now < plant.plane.look()
    plant.now = instant("2025-03-01T06:00")
    plant.plane.look()
    assert ["good.b"] == plant.settle()
    plant.plane.db.write(lambda tx: tx.conn.execute(edit, {"old": "x 6 *", "new": "0 6 *"}))
    plant.close()
    plant.open()
    assert ["bad.b"] == go(plant, "2025-03-01T07:00")


def test_a_timezone_that_is_gone_stops_no_other_clock(plant, monkeypatch, caplog):
    """While its files are replaced, say; the tick that was missed is made up for when it is back."""
    plant.now = instant("2025-03-01T00:00")
    two_projects(plant)
    plant.settle()

    def gone(expression, timezone, at):
        if timezone != "UTC":
            raise LookupError(timezone)
        return following(expression, timezone, at)

    following = clock.following
    with monkeypatch.context() as patch:
        patch.setattr(clock, "following", gone)
        plant.now = instant("2025-03-01T06:00")
        plant.plane.look()
        assert ["good.b"] == plant.settle()
    assert "the schedule 0 6 * * * (Europe/Berlin) can not be read now" in caplog.text
    assert ["bad.b"] == go(plant, "2025-03-01T07:00")
