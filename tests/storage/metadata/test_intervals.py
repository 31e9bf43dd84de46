"""How intervals of partitions are kept."""

from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.partitions.boxes import Box
from riparian.storage.metadata.intervals import read, written

texts = st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from("-.:_~,"), max_size=12)
intervals = st.builds(Interval, texts, texts) | st.just(EVERYTHING)
sides = st.just((EVERYTHING,)) | st.lists(intervals, min_size=1, max_size=3).map(tuple)
boxes = st.builds(Box, texts, texts, st.lists(sides, min_size=1, max_size=4).map(tuple))


@given(intervals | boxes)
def test_what_was_written_is_read(interval: Interval) -> None:
    """An interval is kept as its two ends; a box begins and ends as an interval does, and comes back with its sides."""
    lo, hi = written(interval)

    assert interval == read(lo, hi)
    assert interval.lo == lo
    assert hi.startswith(interval.hi)
