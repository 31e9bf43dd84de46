"""Partitions and the mappings between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian import AllPartitions, Daily, DeclarationError, Identity, One
from riparian.assets.partitions import MAPPINGS, WHOLE, Mapping, Static, default_mapping, fits, partitions_from_json

days = st.dates().map(lambda d: d.isoformat())
DAY = Daily("day", start="2013-01-01", end="2013-12-31")


@given(days, days)
def test_keys_sort_as_time_does(a: str, b: str) -> None:
    """A partition lies in a range when its text does."""
    low, high = sorted((a, b))
    daily = Daily("day", start=low, end=high)

    assert low == daily.parse(low)
    assert high == daily.parse(high)
    assert daily == partitions_from_json(daily.to_json())


@pytest.mark.parametrize("text", ["2013-1-1", "20130101", "2012-12-31", "2014-01-01", "2013-02-30", "", "today"])
def test_other_texts_are_no_partition(text: str) -> None:
    """One day has one spelling, and lies in the range."""
    with pytest.raises(DeclarationError):
        DAY.parse(text)


@pytest.mark.parametrize("arguments", [("a day", "2013-01-01"), ("day", "x"), ("day", "2013-01-02", "2013-01-01")])
def test_bad_definitions(arguments: tuple[str, ...]) -> None:
    """A definition that holds no partition, or has no usable name, is refused."""
    with pytest.raises(DeclarationError):
        Daily(*arguments)


def test_overlap() -> None:
    """Ranges overlap when they share a day; an open end reaches every later day."""
    assert DAY.overlaps(Daily("day", start="2013-12-31"))
    assert not DAY.overlaps(Daily("day", start="2014-01-01"))


def test_defaults() -> None:
    """What goes without saying, and what does not."""
    other = Daily("day", start="2013-01-02")

    assert (Identity(), AllPartitions(), One(), One(), None) == (
        default_mapping(DAY, DAY),
        default_mapping(None, DAY),
        default_mapping(DAY, None),
        default_mapping(None, None),
        default_mapping(other, DAY),
    )


@given(st.sampled_from([*MAPPINGS.values()]), days, days)
def test_up_and_down_agree(mapping: Mapping, consumer: str, consumed: str) -> None:
    """A consumer's partition needs a partition exactly when that one's change touches the consumer's."""
    piece = WHOLE if mapping == One() else consumed

    assert (piece in mapping.up(consumer)) == (consumer in mapping.down(piece))


REGIONS = Static("region", ["us", "eu", "asia-1"])


def test_static_keys_are_a_set_in_order() -> None:
    """The order in which keys are written means nothing; each is its own partition, and nothing else is one."""
    assert REGIONS == Static("region", ("eu", "asia-1", "us"))
    assert ("asia-1", "eu", "us") == REGIONS.keys
    assert "eu" == REGIONS.parse("eu")
    assert (True, False, False) == tuple(fits(REGIONS, key) for key in ("us", "uk", ""))
    assert REGIONS == partitions_from_json(REGIONS.to_json())
    assert "Static('region', ['asia-1', 'eu', 'us'])" == str(REGIONS)


def test_static_and_daily_have_nothing_in_common() -> None:
    """Keys that look like days are no days; two sets of keys overlap when they share one."""
    assert not Static("day", ["2013-01-01"]).overlaps(DAY)
    assert not DAY.overlaps(Static("day", ["2013-01-01"]))
    assert REGIONS.overlaps(Static("region", ["us"]))
    assert not REGIONS.overlaps(Static("region", ["uk"]))
    assert (Identity(), None, None) == (
        default_mapping(REGIONS, REGIONS),
        default_mapping(REGIONS, Static("region", ["us"])),
        default_mapping(REGIONS, DAY),
    )


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("a region", ["eu"], "identifier"),
        ("region", "eu", r"write a list, such as \['eu'\]"),
        ("region", [], "at least one"),
        ("region", [str(n) for n in range(10_001)], "at most 10,000"),
        ("region", ["eu", "eu"], "'eu' twice"),
        ("region", ["eu/west"], "can not be a key"),
        ("region", [".eu"], "can not be a key"),
        ("region", ["é"], "can not be a key"),
        ("region", ["x" * 201], "can not be a key"),
        ("region", [""], "can not be a key"),
        ("region", [1], "can not be a key"),
    ],
)
def test_bad_static_definitions(name: str, keys: list[str], says: str) -> None:
    """What can not name a partition is refused, with what to write."""
    with pytest.raises(DeclarationError, match=says):
        Static(name, keys)


def test_a_mistyped_key_is_told_the_nearest() -> None:
    """A partition that there is not is an error that helps."""
    with pytest.raises(DeclarationError, match="did you mean 'asia-1'"):
        REGIONS.parse("asia1")
    with pytest.raises(DeclarationError, match="write one of 'k0', 'k1', 'k10', 'k100', 'k101' and 995 more"):
        Static("n", [f"k{n}" for n in range(1000)]).parse("?")
