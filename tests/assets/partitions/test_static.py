"""Partitions by named keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian import Daily, DeclarationError, Identity, Static
from riparian.assets.partitions import Interval, default_mapping, fits, partitions_from_json

DAY = Daily("day", start="2013-01-01", end="2013-12-31")
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


@given(st.sets(st.sampled_from("abcdefgh"), min_size=1), st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))
def test_an_interval_of_keys(keys: set[str], lo: str, hi: str) -> None:
    """How many keys lie in an interval, which, and between which of them, is told without looking at the others."""
    cut, inside = Static("k", keys), sorted(k for k in keys if lo <= k <= hi)

    assert len(inside) == cut.count(Interval(lo, hi))
    assert inside[:2] == cut.within(Interval(lo, hi), 2)
    assert (Interval(inside[0], inside[-1]) if inside else None) == cut.clip(Interval(lo, hi))
