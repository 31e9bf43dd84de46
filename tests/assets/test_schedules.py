"""When does a cron expression tick?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riparian.assets import schedules
from riparian.assets.schedules import following, latest

BERLIN = "Europe/Berlin"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str, zone: str = "UTC") -> int:
    """UTC microseconds of a local time; ``text`` may end in ``b`` for the second of two equal times."""
    moment = datetime.fromisoformat(text.removesuffix("b")).replace(tzinfo=ZoneInfo(zone), fold=text.endswith("b"))
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def utc(at: int) -> str:
    return f"{EPOCH + timedelta(microseconds=at):%m-%d %H:%M}"


def ticks(expression: str, zone: str, after: str, before: str) -> list[str]:
    """All ticks between two local times, in UTC."""
    found, at = [], instant(after, zone)
    while (at := following(expression, zone, at)) is not None and at < instant(before, zone):
        found.append(utc(at))
    return found


def test_a_time_that_is_left_out_ticks_after_the_gap():
    """02:30 does not exist on 2013-03-31 in Berlin; the daily run comes at 03:00, once."""
    found = ticks("30 2 * * *", BERLIN, "2013-03-30T00:00", "2013-04-02T00:00")

    assert ["03-30 01:30", "03-31 01:00", "04-01 00:30"] == found


def test_a_time_that_comes_twice_ticks_once():
    """02:30 comes twice on 2013-10-27 in Berlin; the daily run comes at the first."""
    found = ticks("30 2 * * *", BERLIN, "2013-10-26T00:00", "2013-10-29T00:00")

    assert ["10-26 00:30", "10-27 00:30", "10-28 01:30"] == found


@pytest.mark.parametrize(("day", "hours"), [("2013-03-31", 23), ("2013-10-27", 25), ("2013-06-01", 24)])
def test_every_hour_and_quarter_is_real_time(day, hours):
    """What says * for the hour ticks each real hour, however many the day has, and */15 four times in each."""
    after, before = instant(f"{day}T00:00", BERLIN) - 1, f"{datetime.fromisoformat(day) + timedelta(days=1):%F}T00:00"

    for expression, minutes in (("0 * * * *", 60), ("*/15 * * * *", 15)):
        found, at = [], after
        while (at := following(expression, BERLIN, at)) < instant(before, BERLIN):
            found.append(at)
        assert hours * 60 // minutes == len(found)
        assert {minutes * 60_000_000} == {b - a for a, b in pairwise(found)}


def test_month_ends_and_leap_days():
    """L is the last day of each month; 29 February comes in leap years alone."""
    assert ["01-31 06:00", "02-28 06:00", "03-31 06:00"] == ticks("0 6 L * *", "UTC", "2013-01-01", "2013-04-01")
    assert instant("2016-02-29T06:00") == following("0 6 29 2 *", "UTC", instant("2013-01-01"))
    assert instant("2012-02-29T06:00") == latest("0 6 29 2 *", "UTC", instant("2013-01-01"))


def test_a_tick_is_its_own_latest_and_not_its_own_next():
    """At the very instant the tick has come, and the next one is another."""
    six = instant("2013-03-01T06:00")

    assert six == latest("0 6 * * *", "UTC", six)
    assert six == following("0 6 * * *", "UTC", six - 1)
    assert six + 86_400_000_000 == following("0 6 * * *", "UTC", six)
    assert six - 86_400_000_000 == latest("0 6 * * *", "UTC", six - 1)


def test_the_latest_is_found_inside_an_hour_that_comes_twice():
    """In the second 02:15 of that night, the 02:30 that came before it is the latest."""
    assert instant("2013-10-27T02:30", BERLIN) == latest("30 2 * * *", BERLIN, instant("2013-10-27T02:15b", BERLIN))


EXPRESSIONS = [
    "30 2 * * *",
    "0 2,3 * * *",
    "*/15 * * * *",
    "0 * * * *",
    "15 1-4 * * *",
    "0 6 * * MON-FRI",
    "*/20 2 * * *",
]
NIGHTS = [instant("2013-03-31T00:00", BERLIN), instant("2013-10-27T00:00", BERLIN), instant("2013-07-01T00:00", BERLIN)]


@given(st.sampled_from(EXPRESSIONS), st.sampled_from(NIGHTS), st.integers(-3_600, 6 * 3_600))
def test_latest_and_following_agree(expression, night, seconds):
    """Nothing ticks between the latest and the next, and the next is the latest once it has come."""
    at = night + seconds * 1_000_000
    last, coming = latest(expression, BERLIN, at), following(expression, BERLIN, at)

    assert last <= at < coming
    assert coming == latest(expression, BERLIN, coming)
    assert coming == following(expression, BERLIN, last)


DAY = 86_400_000_000


def walked(expression: str, zone: str, at: int) -> int | None:
    """The last tick by going through all of them."""
    for days in (1, 40, 800):
        last, tick = None, following(expression, zone, at - days * DAY - 1)
        while tick is not None and tick <= at:
            last, tick = tick, following(expression, zone, tick)
        if last is not None:
            return last
    return None


@given(
    st.sampled_from(
        ["0 6 * * *", "30 2 * * *", "*/30 * * * *", "15 1-3 * * *", "30 */2 * * *", "0 0 L * *", "0 9 1 3 *"]
    ),
    st.sampled_from(["UTC", BERLIN, "America/Havana", "Australia/Lord_Howe"]),
    st.sampled_from(["2013-03-31", "2013-10-27", "2013-04-07", "2013-10-06", "2013-11-03", "2013-03-10", "2013-06-01"]),
    st.integers(0, 48 * 3600),
    st.integers(0, 1_000_000),
)
@settings(max_examples=60)
def test_the_latest_tick_is_the_last_that_one_walks_over(expression, zone, day, seconds, microseconds):
    """However the clocks change, and wherever between two ticks one asks."""
    at = instant(f"{day}T00:00") - DAY // 2 + seconds * 1_000_000 + microseconds

    assert walked(expression, zone, at) == latest(expression, zone, at)


@pytest.mark.parametrize("expression", ["* * * 1 *", "* * 29 2 *"])
def test_the_latest_tick_is_found_without_a_walk(expression, monkeypatch):
    """After months without one, a month of minutes is not gone through: the one writer waits meanwhile."""
    gone = []
    ticks_of = schedules._ticks

    def counted(*args, **said):
        for tick in ticks_of(*args, **said):
            gone.append(tick)
            yield tick

    monkeypatch.setattr(schedules, "_ticks", counted)
    latest.cache_clear()

    assert latest(expression, BERLIN, instant("2012-12-20T00:00")) is not None
    assert len(gone) < 100


def test_an_expression_is_judged_once():
    """Ten thousand workflows of one schedule cost one look."""
    schedules.check_schedule.cache_clear()
    for _ in range(3):
        schedules.check_schedule("0 6 * * *", BERLIN)

    assert (1, 2) == (schedules.check_schedule.cache_info().misses, schedules.check_schedule.cache_info().hits)
