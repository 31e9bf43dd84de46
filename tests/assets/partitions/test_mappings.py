"""Which partitions of an input a partition needs, and who needs one."""

import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from riparian import (
    AllPartitions,
    ByKey,
    Cron,
    Daily,
    DeclarationError,
    Fixed,
    Hourly,
    Identity,
    Last,
    Monthly,
    Offset,
    One,
    Overlapping,
    Static,
    Weekly,
)
from riparian.assets.partitions import (
    EVERYTHING,
    WHOLE,
    Interval,
    Keys,
    Mapping,
    Partitions,
    Windows,
    default_mapping,
    mapping_from_json,
)
from riparian.assets.partitions.base import one
from riparian.assets.partitions.windows import SECOND

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Australia/Lord_Howe")
KEYS = "abcdef"

zones = st.sampled_from(ZONES)
ends = st.sampled_from([None, "2013-11"])
windows: st.SearchStrategy[Windows] = st.one_of(
    st.builds(Hourly, st.just("hour"), st.just("2013-02-03"), ends.map(lambda e: e and f"{e}-20")),
    st.builds(Daily, st.just("day"), st.just("2013-01-15"), ends.map(lambda e: e and f"{e}-10"), zones),
    st.builds(Weekly, st.just("week"), st.just("2013-01-07"), ends.map(lambda e: e and f"{e}-11"), zones),
    st.builds(Monthly, st.just("month"), st.just("2013-01"), ends, zones),
    st.builds(
        Cron,
        st.just("shift"),
        st.sampled_from(["0 6,14,22 * * *", "30 2 * * *"]),
        st.just("2013-01-20"),
        ends.map(lambda e: e and f"{e}-10"),
        zones,
    ),
)
instants = st.integers(1_356_998_400, 1_388_534_400).map(lambda seconds: seconds * SECOND)  # in 2013
tables = st.dictionaries(st.sampled_from(KEYS), st.sets(st.sampled_from(KEYS), min_size=1).map(sorted), min_size=1).map(
    ByKey
)
STATIC = Static("k", list(KEYS))


def has(keys: Keys, partition: str) -> bool:
    return any(partition in interval for interval in keys)


@given(windows, windows, instants, instants)
def test_windows_up_and_down_are_adjoint(own: Windows, other: Windows, at: int, then: int) -> None:
    """A window needs another exactly when the other's news touches it, which is when they share a moment."""
    consumer, consumed = own.near(at), other.near(then)
    a, b = own.window(consumer), other.window(consumed)
    mapping = Overlapping()

    needs = has(mapping.up(one(consumer), own, other), consumed)

    assert needs == has(mapping.down(one(consumed), own, other), consumer)
    assert needs == (a[0] < b[1] and b[0] < a[1])


@given(windows, instants, instants, st.integers(-9, 9), st.integers(0, 9))
def test_offsets_up_and_down_are_adjoint(own: Windows, at: int, then: int, first: int, more: int) -> None:
    """A window needs those some windows away exactly when their news touches it."""
    mapping = Offset(first, first + more)
    consumer, consumed = own.near(at), own.near(then)
    needs = has(mapping.up(one(consumer), own, own), consumed)

    assert needs == has(mapping.down(one(consumed), own, own), consumer)
    assert needs == any(own.after(consumer, n) == consumed for n in range(first, first + more + 1))


@given(tables, st.sampled_from(KEYS), st.sampled_from(KEYS))
def test_tables_up_and_down_are_adjoint(mapping: ByKey, consumer: str, consumed: str) -> None:
    """A key needs another exactly when the table says so."""
    needs = consumed in dict(mapping.table).get(consumer, ())

    assert needs == has(mapping.up(one(consumer), STATIC, STATIC), consumed)
    assert needs == has(mapping.down(one(consumed), STATIC, STATIC), consumer)


DAY = Daily("day", start="2013-01-01")


@given(
    st.sampled_from([Identity(), AllPartitions(), One(), Fixed("2013-01-02"), Last()]),
    st.dates().map(lambda d: d.isoformat()),
    st.dates().map(lambda d: d.isoformat()),
)
def test_the_others_are_adjoint_too(mapping: Mapping, consumer: str, consumed: str) -> None:
    """A consumer's partition needs a partition exactly when that one's change touches the consumer's."""
    piece = WHOLE if mapping == One() else consumed
    other = None if mapping == One() else DAY

    up = has(mapping.up(one(consumer), DAY, other), piece)
    assert up == has(mapping.down(one(piece), DAY, other), consumer)


@given(windows, windows, instants, instants)
def test_intervals_go_up_as_their_partitions_do(own: Windows, other: Windows, at: int, then: int) -> None:
    """A million partitions cost what two do: from the first one's first to the last one's last."""
    lo, hi = sorted((own.near(at), own.near(then)))
    mapping = Overlapping()
    ends = [k for p in (lo, hi) for k in mapping.up(one(p), own, other)]
    assume(len(ends) == 2)

    assert (Interval(ends[0].lo, ends[1].hi),) == mapping.up(Interval(lo, hi), own, other)


def test_a_roll_up_over_changed_clocks() -> None:
    """A day of local time has the 23 or 25 hours that it lasts; a month of UTC also has the day that ends behind it."""
    hour, day = Hourly("hour", "2013-01-01"), Daily("day", "2013-01-01", timezone="Europe/Berlin")
    spring = Overlapping().up(one("2013-03-31"), day, hour)

    assert (Interval("2013-03-30T23Z", "2013-03-31T21Z"),) == spring
    assert (23, 25) == (
        Overlapping().required(spring, hour),
        Overlapping().required(Overlapping().up(one("2013-10-27"), day, hour), hour),
    )
    assert (one("2013-04-01"),) == Overlapping().down(one("2013-03-31T22Z"), day, hour)
    assert (one("2013-03-31"),) == Overlapping().up(one("2013-03-31T21Z"), hour, day)


def test_what_goes_without_saying() -> None:
    """The same partitions: the same one; one side in one piece: all, or it; windows of two sizes: what overlaps."""
    hour, month = Hourly("hour", "2013-01-01"), Monthly("month", "2013-01")
    shops, others = Static("shop", ["n", "s"]), Static("shop", ["n"])
    said: list[tuple[Partitions | None, Partitions | None, Mapping | None]] = [
        (DAY, DAY, Identity()),
        (None, DAY, AllPartitions()),
        (DAY, None, One()),
        (None, None, One()),
        (DAY, hour, Overlapping()),
        (hour, DAY, Overlapping()),
        (month, DAY, Overlapping()),
        (Daily("day", start="2013-01-02"), DAY, None),
        (Daily("day", start="2013-01-01", timezone="Asia/Tokyo"), DAY, None),
        (Daily("day", start="2012-01-01", end="2012-02-01"), month, None),
        (shops, shops, Identity()),
        (shops, others, None),
        (shops, DAY, None),
    ]

    assert [mapping for _, _, mapping in said] == [default_mapping(own, other) for own, other, _ in said]


@pytest.mark.parametrize(
    "mapping",
    [
        Identity(),
        One(),
        Last(),
        AllPartitions(),
        AllPartitions(at_least=3),
        Overlapping(),
        Overlapping(at_least=3),
        Fixed("2013-01-01"),
        Offset(-1),
        Offset(-6, 0),
        ByKey({"s": ["b", "a"]}),
        ByKey({"s": ["b", "a"]}, at_least=1),
    ],
)
def test_mappings_survive_their_way_as_json(mapping: Mapping) -> None:
    """What is read is what was written."""
    assert mapping == mapping_from_json(json.loads(json.dumps(mapping.to_json())))


@pytest.mark.parametrize(
    "body",
    [
        "nothing",
        None,
        3,
        [],
        {"kind": "nothing"},
        {"kind": []},
        {"kind": "all", "at_least": 0},
        {"kind": "all", "at_least": True},
        {"kind": "all", "at_least": 1.5},
        {"kind": "all", "at_least": 1, "more": 1},
        {"kind": "fixed", "key": 3},
        {"kind": "offset", "first": "-1"},
        {"kind": "offset", "first": -1001},
        {"kind": "offset", "first": 0, "last": -1},
        {"kind": "by_key", "table": []},
        {"kind": "by_key", "table": {}},
        {"kind": "by_key", "table": {"a": []}},
        {"kind": "by_key", "table": {"a": "b"}},
        {"kind": "by_key", "table": {"a": [3]}},
        {"kind": "by_key", "table": {"a": ["b"]}, "at_least": 0},
    ],
)
def test_what_strangers_send_is_judged(body: object) -> None:
    """A mapping that this version does not know, or that can not be meant, is refused."""
    with pytest.raises(DeclarationError):
        mapping_from_json(body)


NIGHTS = Daily("day", "2012-01-01", "2012-12-31")


@pytest.mark.parametrize(
    ("mapping", "own", "other"),
    [
        (Identity(), DAY, None),
        (Identity(), None, DAY),
        (Identity(), DAY, NIGHTS),
        (Identity(), Weekly("week", "2013-01-07"), DAY),
        (One(), DAY, DAY),
        (AllPartitions(), DAY, None),
        (AllPartitions(at_least=3), None, Static("k", ["a", "b"])),
        (Overlapping(), DAY, None),
        (Overlapping(), None, DAY),
        (Overlapping(), DAY, NIGHTS),
        (Overlapping(), Cron("leap", "0 0 29 2 *", "2013-01-01"), Cron("minute", "* * * * *", "2013-01-01")),
        (Last(), DAY, None),
        (Last(), DAY, STATIC),
        (Fixed("2012-12-31"), None, DAY),
        (Fixed("a"), None, None),
        (Offset(-1), None, DAY),
        (Offset(-1), STATIC, STATIC),
        (Offset(-1), DAY, Daily("day", "2013-01-01", timezone="Asia/Tokyo")),
        (Offset(-1), DAY, Hourly("hour", "2013-01-01")),
        (ByKey({"a": ["b"]}), DAY, STATIC),
        (ByKey({"z": ["b"]}), STATIC, STATIC),
        (ByKey({"a": ["z"]}), STATIC, STATIC),
    ],
)
def test_what_can_never_match(mapping: Mapping, own: Partitions | None, other: Partitions | None) -> None:
    """It is told why, with what to write instead; another project's edit, which comes too late for that, breaks
    nothing."""
    assert mapping.unfit(own, other)
    assert isinstance(mapping.up(one("z"), own, other), tuple)


def test_a_table_needs_few_intervals() -> None:
    """Keys that stand side by side are one interval, which is all that a run keeps of them."""
    mapping = ByKey({"a": ["a", "b", "c", "f"]})

    assert (Interval("a", "c"), one("f")) == mapping.up(one("a"), STATIC, STATIC)
    assert 4 == mapping.required(mapping.up(one("a"), STATIC, STATIC), STATIC)
    assert 2 == ByKey({"a": ["a", "b"]}, at_least=9).required((Interval("a", "b"),), STATIC)
    assert () == mapping.up(one("b"), STATIC, STATIC)


def test_ends_of_a_series() -> None:
    """Before its start there is nothing, and what reaches over it takes what there is."""
    assert () == Offset(-1).up(one("2013-01-01"), DAY, DAY)
    assert (Interval("2013-01-01", "2013-01-03"),) == Offset(-6, 0).up(one("2013-01-03"), DAY, DAY)
    assert (Interval("2013-01-03", "2013-01-09"),) == Offset(-6, 0).down(one("2013-01-03"), DAY, DAY)
    assert () == Offset(1).up(one("9999-12-31"), DAY, DAY)
    assert (EVERYTHING,) == Last().up(one("2013-01-03"), DAY, DAY)


def test_a_window_that_is_seldom_long_is_seen():
    """A schedule that ticks for four minutes a year has a window of nearly a year behind them, and one that ticks on
    each day of a month one of eleven months: how many windows of an input lie in it is known before anything runs."""
    minutes = Cron("minute", "* * * * *", "2013-01-01")
    for expression in ("0,1,2,3 0 1 1 *", "* * 29 2 *", "* * 1-28 1 *"):
        assert Overlapping().unfit(Cron("tick", expression, "2013-01-01"), minutes) is not None
    for cut in (Weekly("week", "2012-12-31"), Cron("tick", "0 0 * * *", "2013-01-01"), minutes):
        assert Overlapping().unfit(cut, minutes) is None


def test_windows_that_reach_farther_than_a_schedule_can_be_read():
    """An input may have days before the first tick that can be written, and after the last: what updates them must be
    able to ask who needs them."""
    days = Daily("day", "0001-01-01")
    for timezone in ("UTC", "Asia/Tokyo", "America/New_York"):
        ticks = Cron("tick", "0 6 * * *", "2013-01-01", timezone=timezone)
        assert () == Overlapping().down(one("0001-01-01"), ticks, days)
        assert () == Overlapping().down(one("1960-01-01"), ticks, days)
        assert "9949" == Overlapping().down(one("9999-12-31"), ticks, days)[0].hi[:4]


def test_an_offset_before_all_time_means_nothing():
    """A schedule that ticks every 28 years has no thousand ticks before the first that can be read."""
    seldom = Cron("tick", "0 0 29 2 MON#5", "1984-01-01", timezone="America/New_York")
    assert "1984-02-29T0500Z" == seldom.start
    assert None is seldom.after(seldom.start, -1000)
    assert () == Offset(-1000).up(one(seldom.start), seldom, seldom)


def test_a_table_costs_what_is_asked_of_it():
    """Whoever updates one key is not told through the whole table, and a table that would be is refused."""
    keys = [f"k{n:05}" for n in range(10_000)]
    shops, areas = Static("shop", keys), Static("area", keys)
    mapping = ByKey({key: [key] for key in keys})
    started = time.process_time()
    for key in keys[:1000]:
        assert (one(key),) == mapping.up(one(key), areas, shops)
        assert (one(key),) == mapping.down(one(key), areas, shops)
    assert time.process_time() - started < 1.0
    with pytest.raises(DeclarationError, match="more than 20,000 keys"):
        ByKey(dict.fromkeys(keys[:1000], keys[:100]))
