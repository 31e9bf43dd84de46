"""Partitions of several dimensions: their keys, and which of them lie in an interval or a box."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riparian import Cron, Daily, DeclarationError, Dynamic, Hourly, Monthly, Product, Static
from riparian.assets.partitions import EVERYTHING, Interval, Keys, fits, partitions_from_json
from riparian.assets.partitions.base import one
from riparian.assets.partitions.boxes import Box, after, cut_off
from riparian.assets.partitions.product import boxes, spread

DAYS = Daily("day", "2024-01-30", "2024-02-02")
REGIONS = Static("region", ["eu", "eu-west", "us"])
SALES = Product(DAYS, REGIONS)

dimensions = st.sampled_from(
    [
        DAYS,
        REGIONS,
        Hourly("hour", "2024-01-30T22Z", "2024-01-31T01Z"),
        Monthly("month", "2023-11", "2024-02"),
        Cron("shift", "0 6,14 * * *", "2024-01-30", "2024-01-31"),
        Static("shop", ["a", "a-1", "a.b", "a0", "aa"]),
        Static("size", ["s"]),
    ]
)
products = st.lists(dimensions, min_size=2, max_size=4, unique_by=lambda d: d.name).map(lambda ds: Product(*ds))


def keys_of(product: Product) -> list[str]:
    return product.within(EVERYTHING, 10_000)


def held(product: Product, keys: Keys) -> list[str]:
    return [k for k in keys_of(product) if any(k in i for i in keys)]


@st.composite
def parts_of(draw: st.DrawFn) -> tuple[Product, tuple[Keys, ...]]:
    """A product with what is meant in each of its dimensions."""
    product = draw(products)
    sides = []
    for dimension in product.dimensions:
        there = dimension.within(EVERYTHING, 100)
        picked = draw(st.one_of(st.just(there), st.sets(st.sampled_from(there), min_size=1).map(sorted)))
        sides.append((EVERYTHING,) if picked == there else tuple(map(one, picked)))
    return product, tuple(sides)


def test_what_a_key_is() -> None:
    """The keys of the dimensions with commas between them, by day and then by region."""
    wanted = [f"2024-{day},{region}" for day in ("01-30", "01-31", "02-01", "02-02") for region in REGIONS.keys]

    assert wanted == keys_of(SALES)
    assert wanted == sorted(wanted)
    assert "day and region" == SALES.name
    assert 12 == SALES.count(EVERYTHING)
    assert fits(SALES, "2024-01-31,eu-west")
    assert not any(fits(SALES, key) for key in ("", "2024-01-31", "eu,2024-01-31", "2024-01-31,eu,us", "2025-01-01,eu"))


def test_what_is_no_key_is_found_out_by_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a key fits is asked of all that was ever made: what is like it is looked for only for who mistyped."""
    asked: list[str] = []
    monkeypatch.setattr("difflib.get_close_matches", lambda key, *_, **__: asked.append(key) or [])

    assert not fits(SALES, "2024-01-31,uk")
    assert [] == asked


def test_a_wrong_key_is_told() -> None:
    """Which of the dimensions is wrong, and how it is written."""
    with pytest.raises(DeclarationError, match="does not say day and region; write 'day,region'"):
        SALES.parse("2024-01-31")
    with pytest.raises(
        DeclarationError, match="the region of it: partition 'ue' is none of 'region'; write one of 'eu'"
    ):
        SALES.parse("2024-01-31,ue")


def test_what_is_no_product() -> None:
    """Names tell dimensions apart, one dimension is no product, and products do not lie in one another."""
    for wrong, said in (
        ((DAYS,), "1 dimensions"),
        ((DAYS, Monthly("day", "2024-01")), "two dimensions are called 'day'"),
        ((DAYS, SALES), "is no dimension; write partitions side by side"),
        ((DAYS, "eu"), "is no dimension"),
        ((DAYS, Dynamic("customer")), "are added in use, so it is no dimension beside others"),
        ([Static(f"k{n}", ["a"]) for n in range(9)], "at most 8"),
        ([Static(n, map(str, range(1000))) for n in "ab"], "1,000,000 keys together, more than 100,000"),
    ):
        with pytest.raises(DeclarationError, match=said):
            Product(*wrong)  # type: ignore[arg-type]


@given(products)
def test_a_product_survives_its_way_as_json(product: Product) -> None:
    """What is read is what was written, and equal to it."""
    assert product == partitions_from_json(json.loads(json.dumps(product.to_json())))


@pytest.mark.parametrize(
    "dimensions", [[], [DAYS.to_json()], [DAYS.to_json(), SALES.to_json()], [DAYS.to_json(), None], [{}, 3], "day"]
)
def test_what_strangers_send_is_judged(dimensions: object) -> None:
    """No product is read that nobody can write."""
    with pytest.raises(DeclarationError):
        partitions_from_json({"kind": "product", "dimensions": dimensions})


@settings(max_examples=50)
@given(products, st.data())
def test_keys_lie_in_the_order_of_their_texts(product: Product, data: st.DataObject) -> None:
    """However long the keys of the dimensions, an interval of texts holds what lies between its ends."""
    keys = keys_of(product)
    lo, hi = sorted(data.draw(st.lists(st.sampled_from(keys), min_size=2, max_size=2)))
    between = keys[keys.index(lo) : keys.index(hi) + 1]

    assert keys == sorted(keys)
    assert between == product.within(Interval(lo, hi), 10_000)
    assert len(between) == product.count(Interval(lo, hi))
    assert Interval(lo, hi) == product.clip(Interval(lo, hi))
    assert between[:3] == product.within(Interval(lo, hi), 3)
    assert between == [
        k for k in keys if any(k in i for sides in boxes(product, Interval(lo, hi)) for i in spread(product, sides))
    ]


@settings(max_examples=50)
@given(parts_of())
def test_what_is_meant_in_each_dimension(said: tuple[Product, tuple[Keys, ...]]) -> None:
    """Few intervals or a box hold just the keys that have one of what is meant in each dimension; from each text the
    next of them is found."""
    product, sides = said
    wanted = [
        key
        for key in keys_of(product)
        if all(any(p in i for i in side) for p, side in zip(product.split(key) or (), sides, strict=True))
    ]
    keys = spread(product, sides)

    assert wanted == held(product, keys)
    assert wanted == [k for i in keys for k in product.within(i, 10_000)]
    assert len(wanted) == sum(product.count(i) for i in keys)
    for interval in keys:
        assert all(interval.holds(one(k)) for k in wanted if k in interval)
        if isinstance(interval, Box):
            assert wanted == list(leaping(product, interval))
            assert wanted[2:] == product.within(cut_off(interval, wanted[2]), 10_000) if len(wanted) > 2 else True


def leaping(product: Product, box: Box):
    """The keys of the box, found as in a table of all keys: each look gives the next key, in the box or not."""
    keys, at = keys_of(product), box.seek(box.lo)
    while at is not None:
        following = next((k for k in keys if k >= at), None)
        if following is None:
            return
        if following in box:
            yield following
            at = box.seek(after(following))
        else:
            leap = box.seek(following)
            assert leap is None or leap > at
            at = leap


def test_one_of_many_keys_is_not_searched_for_among_all() -> None:
    """A table may name thousands of keys apart, and each row is asked for: the place of one is found by halving."""

    class Side(tuple):
        looks = 0

        def __getitem__(self, place):
            Side.looks += 1
            return super().__getitem__(place)

        def __iter__(self):
            raise AssertionError("all are looked at")

    side = Side(one(f"s{n:05}") for n in range(0, 20_000, 2))
    box = Box("2024-01-01,s00000", "2024-12-31,s19998", ((EVERYTHING,), side))

    assert [True, False] == ["2024-01-05,s12000" in box, "2024-01-05,s12001" in box]
    assert "2024-01-05,s12002" == box.seek("2024-01-05,s12001")
    assert Side.looks < 100


def test_a_fixed_key_first_is_an_interval() -> None:
    """All regions of some days are one interval, which a database reads at once; one region of all days is a box."""
    days = (Interval("2024-01-31", "2024-02-01"),)

    assert (Interval("2024-01-31,eu", "2024-02-01,us"),) == spread(SALES, (days, (EVERYTHING,)))
    assert (Interval("2024-01-31,eu", "2024-01-31,eu-west"),) == spread(
        SALES, ((one("2024-01-31"),), (Interval("eu", "eu-west"),))
    )
    assert (EVERYTHING,) == spread(SALES, ((EVERYTHING,), (EVERYTHING,)))
    (box,) = spread(SALES, ((EVERYTHING,), (one("us"),)))
    assert ("2024-01-30,us", "2024-02-02,us") == (box.lo, box.hi)
    assert "2024-01-31,us" == box.seek("2024-01-31,eu")
    assert "2024-01-31-" == box.seek("2024-01-31,uz")
