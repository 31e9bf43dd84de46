"""What is needed of an input of several dimensions, and who needs one of its partitions."""

import json
from functools import lru_cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riparian import (
    AllPartitions,
    ByDimension,
    ByKey,
    Daily,
    DeclarationError,
    Dynamic,
    Fixed,
    Hourly,
    Identity,
    Last,
    Monthly,
    Offset,
    One,
    Overlapping,
    Product,
    Static,
)
from riparian.assets.partitions import (
    EVERYTHING,
    WHOLE,
    Interval,
    Keys,
    Mapping,
    Partitions,
    completed,
    default_mapping,
    dimensions_of,
    mapping_from_json,
)
from riparian.assets.partitions.base import one
from riparian.assets.partitions.boxes import Box
from riparian.assets.partitions.product import boxes

HOURS = Hourly("hour", "2024-01-30T22Z", "2024-01-31T01Z")
DAYS = Daily("day", "2024-01-30", "2024-02-01")
MONTHS = Monthly("month", "2024-01", "2024-02")
REGIONS = Static("region", ["eu", "eu-west", "us"])
SHOPS = Static("shop", ["a", "b", "b-1"])
SIZES = Static("size", ["l", "s"])
AREAS = Static("area", ["n", "s"])

EVER = Daily("day", "2024-01-01")
SALES = Product(EVER, REGIONS)


def cut_by(*dimensions: Partitions) -> Partitions | None:
    return Product(*dimensions) if len(dimensions) > 1 else dimensions[0] if dimensions else None  # type: ignore[arg-type]


@lru_cache
def keys_of(cut: Partitions | None) -> list[str]:
    return [WHOLE] if cut is None else cut.within(EVERYTHING, 10_000)


def within(cut: Partitions, interval: Interval) -> list[str]:
    return [k for k in keys_of(cut) if k in interval]


def has(keys: Keys, partition: str) -> bool:
    return any(partition in interval for interval in keys)


OTHERS: dict[str, list[tuple[str, Mapping]]] = {
    "hour": [("day", Overlapping()), ("hour", Offset(-1)), ("hour", Identity()), ("", Fixed("2024-01-30T23Z"))],
    "day": [("month", Overlapping()), ("day", Offset(-1, 0)), ("hour", Overlapping(at_least=1)), ("", AllPartitions())],
    "month": [("", AllPartitions()), ("day", Overlapping())],
    "region": [("", AllPartitions()), ("area", ByKey({"n": ["eu", "us"], "s": ["eu-west"]})), ("", Fixed("us"))],
    "shop": [("", AllPartitions()), ("shop", ByKey({"a": ["b"], "b": ["a", "b-1"]}))],
    "size": [("", AllPartitions(at_least=2))],
}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Partitions, Partitions, ByDimension]:
    """A consumer and an input of one to four dimensions in any order, with what may be said of them."""
    windows = st.sampled_from([[], [DAYS], [HOURS], [MONTHS], [DAYS, HOURS]])
    keys = st.lists(st.sampled_from([REGIONS, SHOPS, SIZES, AREAS]), max_size=3, unique_by=lambda d: d.name)
    cuts = [draw(st.permutations([*draw(windows), *draw(keys)]))[:4] for _ in range(2)]
    assume(all(cuts))
    own, other = (cut_by(*c) for c in cuts)
    assert own is not None
    assert other is not None
    assume(isinstance(own, Product) or isinstance(other, Product))
    said: dict[str, Mapping | tuple[str, Mapping]] = {}
    names = {d.name for d in dimensions_of(own)} | {""}
    for dimension in dimensions_of(other):
        possible = [rule for rule in OTHERS.get(dimension.name, ()) if rule[0] in names]
        if possible and draw(st.booleans()):
            said[dimension.name] = draw(st.sampled_from(possible))
    mapping = completed(ByDimension(**said), own, other) if said else default_mapping(own, other)
    assume(isinstance(mapping, ByDimension))
    assert isinstance(mapping, ByDimension)
    assume(mapping.unfit(own, other) is None)
    return own, other, mapping


def needs(own: Partitions, other: Partitions, mapping: ByDimension, consumer: str, consumed: str) -> bool:
    """Whether each dimension needs what it is to be, seen by itself."""
    mine = dict(zip([d.name for d in dimensions_of(own)], consumer.split(","), strict=True))
    cuts = {d.name: d for d in dimensions_of(own)}
    return all(
        has(rule.mapping.up(one(mine[rule.of]) if rule.of else EVERYTHING, cuts.get(rule.of or ""), dimension), part)
        for rule, dimension, part in zip(mapping.rules, dimensions_of(other), consumed.split(","), strict=True)
    )


@settings(max_examples=50)
@given(pairs(), st.data())
def test_up_and_down_are_adjoint(said: tuple[Partitions, Partitions, ByDimension], data: st.DataObject) -> None:
    """A partition needs another exactly when it does in each dimension, which is when the other's news touches it."""
    own, other, mapping = said
    consumer = data.draw(st.sampled_from(keys_of(own)))
    needed = {p for p in keys_of(other) if needs(own, other, mapping, consumer, p)}
    consumed = data.draw(st.sampled_from(keys_of(other)))

    assert needed == {p for p in keys_of(other) if has(mapping.up(one(consumer), own, other), p)}
    assert (consumed in needed) == has(mapping.down(one(consumed), own, other), consumer)
    needing = {c for c in keys_of(own) if needs(own, other, mapping, c, consumed)}
    assert needing == {c for c in keys_of(own) if has(mapping.down(one(consumed), own, other), c)}


@settings(max_examples=50)
@given(pairs(), st.data())
def test_intervals_go_as_their_partitions_do(
    said: tuple[Partitions, Partitions, ByDimension], data: st.DataObject
) -> None:
    """What all partitions of an interval or of a box need is what each of them does."""
    own, other, mapping = said
    lo, hi = sorted(data.draw(st.lists(st.sampled_from(keys_of(own)), min_size=2, max_size=2)))
    each = {p for c in keys_of(own) if lo <= c <= hi for k in mapping.up(one(c), own, other) for p in within(other, k)}
    assert each == {p for p in keys_of(other) if has(mapping.up(Interval(lo, hi), own, other), p)}
    first, last = sorted(data.draw(st.lists(st.sampled_from(keys_of(other)), min_size=2, max_size=2)))
    needing = {
        c
        for p in keys_of(other)
        if first <= p <= last
        for k in mapping.down(one(p), own, other)
        for c in within(own, k)
    }
    assert needing == {c for c in keys_of(own) if has(mapping.down(Interval(first, last), own, other), c)}


@given(pairs())
def test_it_survives_its_way_as_json(said: tuple[Partitions, Partitions, ByDimension]) -> None:
    """What is read is what was written; a manifest may sort the fields of what it holds."""
    mapping = said[2]

    assert mapping == mapping_from_json(json.loads(json.dumps(mapping.to_json(), sort_keys=True)))


@pytest.mark.parametrize(
    "dimensions",
    [
        [],
        {},
        [3],
        [{"name": "day", "of": 3, "mapping": "identity"}],
        [{"name": "day", "of": "day", "mapping": "last"}],
        [{"name": "day", "of": "day", "mapping": {"kind": "by_dimension", "dimensions": []}}],
        [{"name": "day", "of": "day", "mapping": "identity", "more": 1}],
        [{"name": "day", "of": "day", "mapping": "identity"}, {"name": "day", "of": "", "mapping": "all"}],
    ],
)
def test_what_strangers_send_is_judged(dimensions: object) -> None:
    """A mapping that nobody can write is refused."""
    with pytest.raises(DeclarationError):
        mapping_from_json({"kind": "by_dimension", "dimensions": dimensions})


def test_a_dimension_may_have_any_name() -> None:
    """Also one that means something to Python."""
    assert "self" == ByDimension(self=Identity()).rules[0].name


def test_a_manifest_says_the_dimensions_in_their_order() -> None:
    """Nothing would ever be meant by one that was written by hand in another."""
    said = completed(ByDimension(day=Identity()), SALES, SALES)
    assert isinstance(said, ByDimension)
    why = ByDimension.of(reversed(said.rules)).unfit(SALES, SALES)

    assert said.unfit(SALES, SALES) is None
    assert why is not None
    assert "in another order than the input: day, region" in why[0]


def test_what_goes_without_saying() -> None:
    """The same dimension: the same key; one that the consumer lacks: all; one that the input lacks: no difference."""
    products = Static("product", ["p", "q"])
    same, whole = Identity(), AllPartitions()
    said: list[tuple[Partitions | None, Partitions | None, Mapping | None]] = [
        (SALES, SALES, Identity()),
        (None, SALES, AllPartitions()),
        (SALES, None, One()),
        (EVER, SALES, ByDimension(day=("day", same), region=("", whole))),
        (REGIONS, SALES, ByDimension(day=("", whole), region=("region", same))),
        (SALES, EVER, ByDimension(day=("day", same))),
        (SALES, REGIONS, ByDimension(region=("region", same))),
        (SALES, Product(REGIONS, EVER), ByDimension(region=("region", same), day=("day", same))),
        (
            SALES,
            Product(EVER, products, REGIONS),
            ByDimension(day=("day", same), product=("", whole), region=("region", same)),
        ),
        (Product(EVER, products, REGIONS), SALES, ByDimension(day=("day", same), region=("region", same))),
        (SALES, Product(HOURS, REGIONS), ByDimension(hour=("day", Overlapping()), region=("region", same))),
        (
            SALES,
            Product(Hourly("day", "2024-01-01"), REGIONS),
            ByDimension(day=("day", Overlapping()), region=("region", same)),
        ),
        (SALES, Product(Daily("day", "2024-01-02"), REGIONS), None),
        (SALES, Product(EVER, Static("region", ["eu"])), None),
        (SALES, Product(EVER, products), None),
        (SALES, products, None),
        (SALES, Dynamic("customer"), None),
        (Dynamic("region"), SALES, None),
        (EVER, Product(REGIONS, products), None),
        (Product(EVER, HOURS), Product(MONTHS, REGIONS), None),
    ]

    assert [mapping for _, _, mapping in said] == [default_mapping(own, other) for own, other, _ in said]


@pytest.mark.parametrize(
    ("said", "own", "other", "whole"),
    [
        (
            ByDimension(region=AllPartitions(at_least=2)),
            EVER,
            SALES,
            ByDimension(day=("day", Identity()), region=("", AllPartitions(at_least=2))),
        ),
        (
            ByDimension(day=Offset(-1)),
            SALES,
            SALES,
            ByDimension(day=("day", Offset(-1)), region=("region", Identity())),
        ),
        (
            ByDimension(hour=Overlapping(at_least=20)),
            SALES,
            Product(HOURS, REGIONS),
            ByDimension(hour=("day", Overlapping(at_least=20)), region=("region", Identity())),
        ),
        (
            ByDimension(shop=ByKey({"n": ["a"]})),
            Product(EVER, AREAS),
            Product(EVER, SHOPS),
            ByDimension(day=("day", Identity()), shop=("area", ByKey({"n": ["a"]}))),
        ),
        (ByDimension(region=Fixed("eu")), EVER, SALES, ByDimension(day=("day", Identity()), region=("", Fixed("eu")))),
    ],
)
def test_what_is_said_beside_what_is_not(
    said: ByDimension, own: Partitions, other: Partitions, whole: ByDimension
) -> None:
    """Dimensions that are not named mean what goes without saying, and the consumer's dimension is found."""
    assert whole == completed(said, own, other)
    assert None is whole.unfit(own, other)


@pytest.mark.parametrize(
    ("said", "own", "other", "why"),
    [
        (
            ByDimension(shop=AllPartitions()),
            EVER,
            SALES,
            "names 'shop', but the dimensions of the input are day, region",
        ),
        (ByDimension(region=Identity()), EVER, SALES, "which of the consumer's dimensions (day) region=Identity"),
        (ByDimension(region=("shop", Identity())), EVER, SALES, "which of the consumer's dimensions"),
        (ByDimension(day=Overlapping()), SALES, Product(DAYS, REGIONS, SHOPS), None),
        (ByDimension(shop=AllPartitions()), SALES, Product(DAYS, SHOPS), "which day of the input is meant"),
        (
            ByDimension(region=AllPartitions(at_least=4)),
            EVER,
            SALES,
            "region: it waits for 4 partitions, but there are 3",
        ),
        (ByDimension(region=Fixed("zz")), EVER, SALES, "region: partition 'zz' is none of 'region'"),
        (
            ByDimension(day=Identity(), hour=("day", Overlapping())),
            DAYS,
            Product(DAYS, HOURS),
            "two dimensions of the input look at day of the consumer",
        ),
        (ByDimension(day=Offset(-1)), REGIONS, SALES, "which of the consumer's dimensions"),
        (
            ByDimension(hour=("month", Overlapping()), shop=AllPartitions()),
            Product(MONTHS, AREAS),
            Product(Hourly("hour", "2024-01-01"), Static("shop", [f"s{n}" for n in range(100)])),
            "one partition may need 74,400 of the input, more than 11,000",
        ),
        (ByDimension(day=AllPartitions()), Dynamic("customer"), SALES, "asks for dimensions whose keys are declared"),
        (Offset(-1), SALES, SALES, "asks for windows of time on both sides"),
        (Overlapping(), EVER, SALES, "asks for windows of time on both sides"),
        (Last(), None, SALES, "asks for the newest window"),
        (Identity(), SALES, Product(REGIONS, EVER), "have no partition in common"),
        (Identity(), EVER, SALES, "have no partition in common"),
        (Fixed("2024-01-01"), None, SALES, "does not say day and region"),
    ],
)
def test_what_can_never_match(said: Mapping, own: Partitions, other: Partitions, why: str | None) -> None:
    """It is told why; what another project cut anew breaks nothing."""
    mapping = completed(said, own, other)
    unfit = mapping.unfit(own, other)

    if why is None:
        assert unfit is None
    else:
        assert unfit is not None
        assert why in unfit[0]
    assert isinstance(mapping.up(one("z"), own, other), tuple)
    assert isinstance(mapping.down(one("z"), own, other), tuple)


@pytest.mark.parametrize("said", [{}, {"day": Last()}, {"day": "day"}, {"day": (3, Identity())}, {"day": One()}])
def test_what_is_no_rule(said: dict[str, Mapping]) -> None:
    """It is refused where it is written."""
    with pytest.raises(DeclarationError, match=r"ByDimension\("):
        ByDimension(**said)


def test_a_thousand_regions_of_all_time_are_not_told_apart() -> None:
    """What a new version of a day touches, and what a region's sum needs, is one interval or one box."""
    sales = Product(EVER, Static("region", [f"r{n:03}" for n in range(1000)]))
    day, region = default_mapping(EVER, sales), default_mapping(sales.dimensions[1], sales)
    fan = default_mapping(sales, EVER)
    assert day
    assert region
    assert fan
    whole = (Interval("2024-03-01,r000", "2024-03-01,r999"),)

    assert whole == day.up(one("2024-03-01"), EVER, sales)
    assert whole == fan.down(one("2024-03-01"), sales, EVER)
    (box,) = region.up(one("r007"), sales.dimensions[1], sales)
    assert isinstance(box, Box)
    assert (one("r007"),) == region.down(one("2024-03-01,r007"), sales.dimensions[1], sales)
    assert 1 == len(boxes(sales, box))


def test_how_much_is_there() -> None:
    """All that there are is counted for each key that the other dimensions need."""
    hours = Product(Hourly("hour", "2024-01-01"), REGIONS)
    mapping = completed(ByDimension(region=AllPartitions(at_least=2)), EVER, hours)
    keys = mapping.up(one("2024-01-02"), EVER, hours)
    there = [f"2024-01-02T{n:02}Z,{region}" for n in range(24) for region in ("eu", "us")]

    assert 24 == mapping.required(keys, hours) == mapping.counted(there, keys, hours) == mapping.possible(keys, hours)
    assert 23 == mapping.counted(there[1:], keys, hours)
    two = completed(ByDimension(region=AllPartitions(at_least=2)), EVER, SALES)
    keys = two.up(one("2024-01-02"), EVER, SALES)
    assert (2, 1, 0) == (
        two.required(keys, SALES),
        two.counted(["2024-01-02,eu"], keys, SALES),
        two.possible(keys, SALES),
    )
    both = completed(ByDimension(hour=Overlapping(at_least=1), region=AllPartitions(at_least=2)), EVER, hours)
    keys = both.up(one("2024-01-02"), EVER, hours)
    apart = ["2024-01-02T01Z,eu", "2024-01-02T02Z,us"]
    assert (1, 0, 24) == (
        both.required(keys, hours),
        both.counted(apart, keys, hours),
        both.counted(there, keys, hours),
    )
    some = completed(ByDimension(hour=Overlapping(at_least=20)), SALES, hours)
    keys = some.up(one("2024-01-02,eu"), SALES, hours)
    assert (20, 24) == (some.required(keys, hours), some.possible(keys, hours))


def test_which_inputs_say_what_runs() -> None:
    """A day calls for each of its regions; a region calls for no day, of which there is no end."""
    for own, other, which in (
        (SALES, EVER, True),
        (SALES, REGIONS, False),
        (EVER, SALES, True),
        (REGIONS, SALES, True),
        (SALES, Product(REGIONS, EVER), True),
        (SALES, Product(REGIONS, SHOPS), False),
        (Product(REGIONS, SHOPS), REGIONS, True),
    ):
        mapping = default_mapping(own, other)
        assert mapping is not None
        assert which == mapping.says_which(own, other), (own, other)


def test_a_label_tells_two_looks_apart() -> None:
    """The one partition that goes without saying has none."""
    assert "" == ByDimension(day=Identity(), region=Identity()).label
    assert "day offset -1" == ByDimension(day=Offset(-1), region=Identity()).label
    assert (
        "hour overlapping of day, region all" == ByDimension(hour=("day", Overlapping()), region=AllPartitions()).label
    )
