"""Partitions and the mappings between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian import AllPartitions, Daily, DeclarationError, Identity, One
from riparian.assets.partitions import MAPPINGS, WHOLE, Mapping, default_mapping, partitions_from_json

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
