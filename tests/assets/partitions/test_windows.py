"""Partitions by time, over clocks that are changed."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from riparian import Cron, Daily, DeclarationError, Hourly, Monthly, Weekly
from riparian.assets.partitions import EVERYTHING, Interval, Windows, fits, partitions_from_json
from riparian.assets.partitions.windows import DAY as A_DAY
from riparian.assets.partitions.windows import HOUR, SECOND

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # where midnight itself was left out
    "America/Havana",  # and where it came twice
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Casablanca",
    "Pacific/Apia",  # a day that never was
    "Asia/Kathmandu",
)
EXPRESSIONS = ("0 * * * *", "30 2 * * *", "0 6,14,22 * * MON-FRI", "15 0 1 * *", "*/20 * * * *")


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


zones = st.sampled_from(ZONES)
instants = st.integers(instant("1985-01-01"), instant("2036-12-31"))
kinds: st.SearchStrategy[Windows] = st.one_of(
    st.just(Hourly("hour", "1980-01-01")),
    st.builds(Daily, st.just("day"), st.just("1980-01-01"), timezone=zones),
    st.builds(Weekly, st.just("week"), st.just("1979-12-31"), timezone=zones),
    st.builds(Monthly, st.just("month"), st.just("1980-01"), timezone=zones),
    st.builds(
        Cron, st.just("tick"), st.sampled_from(EXPRESSIONS), st.just("1980-02-01"), st.none(), st.sampled_from(ZONES)
    ),
)
APIA = Daily("day", "1980-01-01", timezone="Pacific/Apia")
SAO_PAULO = Daily("day", "1980-01-01", timezone="America/Sao_Paulo")
AT_TWO = Cron("tick", "30 2 * * *", "1980-02-01", timezone="Europe/Berlin")


@given(kinds, instants)
@example(APIA, instant("2011-12-30T10:00"))
@example(APIA, instant("2011-12-30T09:59"))
@example(SAO_PAULO, instant("2017-10-15T03:00"))
@example(SAO_PAULO, instant("2018-02-18T02:30"))
@example(AT_TWO, instant("2024-03-31T01:00"))
@example(AT_TWO, instant("2024-10-27T01:15"))
def test_windows_tile_time(cut: Windows, at: int) -> None:
    """Every instant lies in one window, and where it ends the next begins: no gap, no overlap, whatever clocks do."""
    key = cut.key_at(at)
    start, end = cut.window(key)
    following = cut.after(key, 1)

    assert start <= at < end
    assert (key, key) == (cut.key_at(start), cut.key_at(end - 1))
    assert following is not None
    assert end == cut.window(following)[0]
    assert key == cut.after(following, -1)
    assert key == cut.parse(key)


@given(kinds, instants, st.sampled_from(ZONES))
def test_ticks_of_a_window_begin_somewhere(cut: Windows, at: int, timezone: str) -> None:
    """The window of a tick began before it, by the clocks that say which window it is."""
    assert cut.began(cut.ticked(at, timezone), timezone) <= at


@given(kinds, instants, instants)
def test_keys_sort_as_time_does(cut: Windows, a: int, b: int) -> None:
    """A text comparison of keys is one of time, so that intervals of keys are intervals of time."""
    a, b = sorted((a, b))

    assert cut.key_at(a) <= cut.key_at(b)
    assert (cut.key_at(a) == cut.key_at(b)) == (cut.window(cut.key_at(a)) == cut.window(cut.key_at(b)))


@given(kinds, instants, st.integers(0, 40))
@example(APIA, instant("2011-12-01"), 40)
def test_windows_are_counted_as_they_are_listed(cut: Windows, at: int, steps: int) -> None:
    """Counting costs no listing, and steps are taken at once: they agree with going one by one."""
    first = cut.key_at(at)
    listed = [first]
    for _ in range(steps):
        listed.append(cut.after(listed[-1], 1) or "")

    assert listed[-1] == cut.after(first, steps)
    assert first == cut.after(listed[-1], -steps)
    assert steps + 1 == cut.count(Interval(first, listed[-1]))
    assert listed == cut.within(Interval(first, EVERYTHING.hi), steps + 1)


@given(kinds)
def test_definitions_survive_their_way_as_json(cut: Windows) -> None:
    """What is read is what was written, and what has no timezone of its own is written as ever."""
    assert cut == partitions_from_json(cut.to_json())
    assert ("timezone" in cut.to_json()) == (cut.timezone != "UTC")


def test_ranges_have_ends() -> None:
    """What lies before the start or behind the end is no partition; without an end time itself is one."""
    day = Daily("day", start="2013-01-01", end="2013-01-31")
    hour = Hourly("hour", start="2013-01-01", end="2013-01-01")

    assert Interval("2013-01-01", "2013-01-31") == day.clip(EVERYTHING)
    assert day.clip(Interval("2013-02-01", "2013-02-02")) is None
    assert 24 == hour.count(EVERYTHING)
    assert ("2013-01-01", "2013-01-31") == (day.near(0), day.near(instant("2020-01-01")))
    assert (True, False, False) == tuple(fits(day, k) for k in ("2013-01-31", "2013-02-01", "2013-01"))
    assert "9999-12-31" == Daily("day", start="9999-12-31").within(EVERYTHING, 5)[-1]


def test_what_is_no_key_is_no_partition_of_an_interval() -> None:
    """What was made before the partitions were declared otherwise may still be there: it is nobody's."""
    assert Hourly("hour", "2013-01-01").clip(Interval("2013-01-05", "2013-01-05")) is None
    assert 0 == Monthly("month", "2013-01").count(Interval("2013-01-05", "2013-01-05"))


def test_days_of_changed_clocks() -> None:
    """A day lasts 23 hours in spring and 25 in autumn; an hour of UTC always one."""
    berlin = Daily("day", "2024-01-01", timezone="Europe/Berlin")
    lengths = [(b - a) // HOUR for a, b in map(berlin.window, ("2024-03-31", "2024-10-27", "2024-06-01"))]

    assert [23, 25, 24] == lengths
    assert instant("2024-03-30T23:00") == berlin.window("2024-03-31")[0]


def test_a_day_that_never_was() -> None:
    """Samoa went over the date line: nobody waits for its 2011-12-30."""
    assert "2011-12-31" == APIA.after("2011-12-29", 1)
    assert 30 == APIA.count(Interval("2011-12-01", "2011-12-31"))
    with pytest.raises(DeclarationError, match="never was in Pacific/Apia"):
        APIA.parse("2011-12-30")


def test_the_hour_that_comes_twice_is_two() -> None:
    """Keys are of UTC where local times repeat."""
    hour = Hourly("hour", "2024-01-01")
    shift = Cron("shift", "0 * * * *", "2024-01-01", timezone="Europe/Berlin")

    assert ["2024-10-27T00Z", "2024-10-27T01Z"] == hour.within(Interval("2024-10-27T00Z", "2024-10-27T01Z"), 9)
    assert 25 == shift.count(Interval("2024-10-26T2200Z", "2024-10-27T2200Z"))


@pytest.mark.parametrize(
    ("timezone", "tick", "by", "key"),
    [
        ("UTC", "2024-02-28T23:30", "Europe/Berlin", "2024-02-29"),
        ("UTC", "2024-02-28T23:30", "UTC", "2024-02-28"),
        ("America/New_York", "2024-02-29T02:00", "Europe/Berlin", "2024-02-28"),
    ],
)
def test_the_window_of_a_tick(timezone: str, tick: str, by: str, key: str) -> None:
    """Days of no zone in particular are those of the schedule's clock; days of a zone are its own."""
    assert key == Daily("day", "2024-01-01", timezone=timezone).ticked(instant(tick), by)


def test_other_kinds_have_a_window_for_a_tick_too() -> None:
    """The one in which it lies."""
    at = instant("2024-02-29T06:00")

    assert "2024-02-29T06Z" == Hourly("h", "2024-01-01").ticked(at, "Europe/Berlin")
    assert "2024-02-26" == Weekly("w", "2024-01-01").ticked(at, "Europe/Berlin")
    assert "2024-02" == Monthly("m", "2024-01").ticked(at, "Europe/Berlin")
    assert "2024-02-29T0500Z" == Cron("c", "0 5 * * *", "2024-01-01").ticked(at, "Europe/Berlin")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Daily("a day", "2013-01-01"), "identifier"),
        (lambda: Daily("day", "x"), "is not a day"),
        (lambda: Daily("day", None), "is not a day"),  # type: ignore[arg-type]
        (lambda: Daily("day", "2013-01-02", "2013-01-01"), "lies before start"),
        (lambda: Daily("day", "2013-01-01", timezone="Europe/Berln"), "did you mean 'Europe/Berlin'"),
        (lambda: Daily("day", "2013-01-01", timezone="../x"), "no such timezone"),
        (lambda: Daily("day", "2013-01-01", timezone=3), "write one such as"),  # type: ignore[arg-type]
        (lambda: Hourly("hour", "2013-01-01T05"), "write YYYY-MM-DDTHHZ"),
        (lambda: Hourly("hour", "2013-01-01T24Z"), "write YYYY-MM-DDTHHZ"),
        (lambda: Weekly("week", "2013-01-01"), "is no Monday; write the day its week begins with, '2012-12-31'"),
        (lambda: Monthly("month", "2013-01-01"), "write YYYY-MM"),
        (lambda: Monthly("month", "2013-13"), "write YYYY-MM"),
        (lambda: Cron("c", "0 6 * *", "2013-01-01"), "has 4 fields"),
        (lambda: Cron("c", "0 6 * * *", "1979-01-01"), "lies too far away"),
        (lambda: Cron("c", "0 6 * * *", "2013-01-01T0700Z"), "the tick before it is '2013-01-01T0600Z'"),
        (lambda: Cron("c", "0 6 * * *", "2013-01-01T06Z"), "write YYYY-MM-DDTHHMMZ"),
        (lambda: Cron("c", "0 6 * * *" + " " * 99, "2013-01-01"), "at most 100 characters"),
        (lambda: Daily("day", "2013-01-01", timezone="x" * 10_000_000), "no such timezone"),
        (lambda: Cron("c", 6, "2013-01-01"), "write an expression"),  # type: ignore[arg-type]
    ],
)
def test_bad_definitions(make: object, says: str) -> None:
    """A definition that holds no partition, or can not be meant, is refused with what to write."""
    with pytest.raises(DeclarationError, match=says):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("text", ["2013-1-1", "20130101", "2012-12-31", "2014-01-01", "2013-02-30", "", "today"])
def test_other_texts_are_no_partition(text: str) -> None:
    """One day has one spelling, and lies in the range."""
    with pytest.raises(DeclarationError):
        Daily("day", start="2013-01-01", end="2013-12-31").parse(text)


@given(kinds, st.text(max_size=17))
def test_no_text_breaks_a_kind(cut: Windows, text: str) -> None:
    """Any text is a key or is told not to be one: keys come from strangers."""
    assert fits(cut, text) in (True, False)


def test_overlap() -> None:
    """Ranges overlap when they share a moment; an open end reaches all later ones."""
    year = Daily("day", start="2013-01-01", end="2013-12-31")

    assert year.overlaps(Daily("day", start="2013-12-31"))
    assert not year.overlaps(Daily("day", start="2014-01-01"))
    assert year.overlaps(Hourly("hour", start="2013-12-31T23Z"))
    assert year.overlaps(Daily("day", start="2014-01-01", timezone="Asia/Tokyo"))
    assert A_DAY == year.window("2013-02-01")[1] - year.window("2013-02-01")[0]
