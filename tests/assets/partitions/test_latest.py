"""Of which moment partitions are, whatever their dimensions."""

import pytest

from riparian import Daily, Dynamic, Hourly, Monthly, Product, Static
from riparian.assets.partitions import EVERYTHING, WHOLE, Interval
from riparian.assets.partitions.base import one
from riparian.assets.partitions.boxes import Box, cut_off
from riparian.assets.partitions.latest import (
    alike,
    back,
    by_time,
    from_to,
    in_window,
    moment,
    near,
    ticked,
    until,
    up_to,
)
from riparian.assets.partitions.product import Cut, meet

DAYS = Daily("day", "2024-01-30")
REGIONS = Static("region", ["eu", "us"])
SALES, BY_REGION = Product(DAYS, REGIONS), Product(REGIONS, DAYS)
KEYS = Product(REGIONS, Static("shop", ["a", "b"]))
TIMES = Product(DAYS, Hourly("hour", "2024-01-30"))
NOON = 1_706_702_400_000_000  # 2024-01-31T12:00Z


@pytest.mark.parametrize(
    ("cut", "key", "when"),
    [
        (None, WHOLE, ""),
        (DAYS, "2024-01-31", "2024-01-31"),
        (REGIONS, "eu", ""),
        (SALES, "2024-01-31,eu", "2024-01-31"),
        (BY_REGION, "eu,2024-01-31", "2024-01-31"),
        (KEYS, "eu,a", ""),
        (TIMES, "2024-01-31,2024-01-31T05Z", "2024-01-31,2024-01-31T05Z"),
        (SALES, "2024-01-31", ""),
    ],
)
def test_what_a_key_says_of_time(cut: Cut, key: str, when: str) -> None:
    """The keys of its dimensions by time; nothing for what was cut otherwise."""
    assert when == moment(cut, key)


def test_partitions_of_the_same_moment() -> None:
    """All keys of a window, and all of what time has no part in."""
    assert (one(WHOLE),) == alike(None, WHOLE)
    assert (one("2024-01-31"),) == alike(DAYS, "2024-01-31")
    assert (EVERYTHING,) == alike(REGIONS, "eu") == alike(KEYS, "eu,a")
    assert (Interval("2024-01-31,eu", "2024-01-31,us"),) == alike(SALES, "2024-01-31,us")
    assert ["eu,2024-01-31", "us,2024-01-31"] == BY_REGION.within(alike(BY_REGION, "us,2024-01-31")[0], 9)
    assert (one("2024-01-31,2024-01-31T05Z"),) == alike(TIMES, "2024-01-31,2024-01-31T05Z")
    assert () == alike(SALES, "2024-01-31")


def test_what_a_tick_is_about() -> None:
    """The window in which it lies, with all keys; of two dimensions by time it can not be told."""
    assert (one("2024-01-31"),) == ticked(DAYS, NOON, "UTC")
    assert (EVERYTHING,) == ticked(REGIONS, NOON, "UTC") == ticked(KEYS, NOON, "UTC")
    assert (Interval("2024-01-31,eu", "2024-01-31,us"),) == ticked(SALES, NOON, "UTC")
    assert () == ticked(TIMES, NOON, "UTC")
    assert (DAYS, DAYS, None, None, None) == tuple(map(by_time, (DAYS, SALES, KEYS, TIMES, None)))
    assert ["eu,2024-01-30", "us,2024-01-30"] == in_window(BY_REGION, "2024-01-30", 9)
    assert (["eu,2024-01-30"], ["2024-01-30"]) == (
        in_window(BY_REGION, "2024-01-30", 1),
        in_window(DAYS, "2024-01-30", 9),
    )


def test_what_there_is_up_to_now() -> None:
    """Windows that have begun, with all keys; within what is asked for."""
    (box,) = until(BY_REGION, NOON)
    assert ["eu,2024-01-30", "eu,2024-01-31", "us,2024-01-30", "us,2024-01-31"] == BY_REGION.within(box, 9)
    (of_us,) = meet(BY_REGION, box, Interval("us,2024-01-31", EVERYTHING.hi))
    assert ["us,2024-01-31"] == BY_REGION.within(of_us, 9)
    assert [Interval("2024-01-30,eu", "2024-01-31,us")] == [*until(SALES, NOON)]
    assert () == until(KEYS, NOON)


def test_the_nearest_and_the_one_before() -> None:
    """With the same keys; before the start there is what there is for an asset of windows alone."""
    assert (WHOLE, "2024-01-31", "eu", "2024-01-31,eu", "eu,2024-01-31", "eu,a") == tuple(
        near(cut, NOON) for cut in (None, DAYS, REGIONS, SALES, BY_REGION, KEYS)
    )
    assert "2024-01-30" == near(DAYS, 0)
    assert ("2024-01-30", "2024-01-30,us", "us,2024-01-30") == (
        back(DAYS, "2024-01-31"),
        back(SALES, "2024-01-31,us"),
        back(BY_REGION, "us,2024-01-31"),
    )
    assert (None, None, None) == (back(KEYS, "eu,a"), back(TIMES, "2024-01-31,2024-01-31T05Z"), back(SALES, "x"))


def test_those_before_in_time() -> None:
    """Of the same keys, wherever time stands among them."""
    assert (Interval("", "2024-01-31"),) == up_to(DAYS, one("2024-01-31"))
    for cut, keys in ((SALES, ["2024-01-30,us", "2024-01-31,us"]), (BY_REGION, ["us,2024-01-30", "us,2024-01-31"])):
        (interval,) = up_to(cut, one(keys[-1]))
        assert keys == cut.within(interval, 9)


def test_from_the_one_to_the_other() -> None:
    """In each dimension; what is left out is the first or the last of all."""
    found = from_to(SALES, "2024-01-31,us", "2024-02-01,us")
    assert ["2024-01-31,us", "2024-02-01,us"] == SALES.within(found, 9)
    assert ["2024-02-01,us"] == SALES.within(cut_off(found, "2024-01-31,zz"), 9)
    assert ["2024-01-30,eu", "2024-01-31,eu"] == SALES.within(from_to(SALES, EVERYTHING.lo, "2024-01-31,eu"), 9)
    assert Interval("2024-01-31", "2024-02-01") == from_to(DAYS, "2024-01-31", "2024-02-01")
    assert EVERYTHING == from_to(SALES, EVERYTHING.lo, EVERYTHING.hi)
    assert isinstance(found, Box)


def test_a_month_and_its_first_days() -> None:
    """Two dimensions by time are both fixed in a moment."""
    cut = Product(Monthly("month", "2024-01"), DAYS)
    assert ("2024-01,2024-01-31", None) == (near(cut, NOON), back(cut, "2024-01,2024-01-31"))


def test_keys_that_only_the_catalogue_knows() -> None:
    """They are of no moment, and which is the first can not be told here."""
    cut = Dynamic("customer")
    assert ("", None, None, None) == (moment(cut, "acme"), near(cut, NOON), by_time(cut), back(cut, "acme"))
    assert (EVERYTHING,) == alike(cut, "acme") == ticked(cut, NOON, "UTC")
