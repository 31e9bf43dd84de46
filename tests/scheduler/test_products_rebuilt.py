"""However partitions of several dimensions arrive, what is made of them in the end is what would be made at once."""

from collections.abc import Callable, Iterable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riparian.assets.partitions import (
    EVERYTHING,
    AllPartitions,
    ByDimension,
    ByKey,
    Daily,
    Hourly,
    Offset,
    Overlapping,
    Partitions,
    Product,
    Static,
    completed,
    default_mapping,
)
from riparian.assets.partitions.base import one

from .test_partitions import declare

HOUR = Hourly("hour", "2024-04-05T22Z", "2024-04-06T01Z")
DAY = Daily("day", "2024-04-05", "2024-04-06")
REGION = Static("region", ["eu", "eu-west", "us"])
SHOP = Static("shop", ["a", "b"])
AREA = Static("area", ["n", "s"])

CUTS: dict[str, Partitions] = {
    "h": Product(HOUR, REGION, SHOP),
    "r": REGION,
    "shops": Product(SHOP, HOUR),
    "days": Product(REGION, DAY),
    "both": Product(DAY, REGION),
    "areas": Product(AREA, REGION),
    "last": Product(HOUR, REGION, SHOP),
    "sum": DAY,
}
EDGES = {"shops": ["h"], "days": ["h"], "both": ["days", "r"], "areas": ["h"], "last": ["h"], "sum": ["both"]}
SAID = {
    ("days", "h"): ByDimension(hour=Overlapping(at_least=1), shop=AllPartitions(at_least=2)),
    ("areas", "h"): ByDimension(hour=AllPartitions(), shop=("area", ByKey({"n": ["a"], "s": ["a", "b"]}))),
    ("last", "h"): ByDimension(hour=Offset(-1, 0)),
    ("sum", "both"): ByDimension(region=AllPartitions(at_least=2)),
}
DELIVERED = {source: CUTS[source].within(EVERYTHING, 1000) for source in ("h", "r")}

deliveries = st.one_of(
    st.tuples(st.just("h"), st.integers(0, 23), st.sampled_from("xyz")),
    st.tuples(st.just("h"), st.integers(0, 23), st.sampled_from("xyz")),
    st.tuples(st.just("r"), st.integers(0, 2), st.sampled_from("xyz")),
)
work = st.integers(0, 6)


def rebuilt(heads: dict[str, dict[str, str]], key: str) -> dict[str, str]:
    """What every partition of ``key`` is, made in one go."""
    found = {}
    for partition in CUTS[key].within(EVERYTHING, 1000):
        parts: list[str] = []
        for consumed in EDGES[key]:
            own, other, said = CUTS[key], CUTS[consumed], SAID.get((key, consumed))
            mapping = completed(said, own, other) if said else default_mapping(own, other)
            assert mapping is not None
            keys = mapping.up(one(partition), own, other)
            there = [p for i in keys for p in other.within(i, 1000) if p in heads[consumed]]
            if not there or mapping.counted(there, keys, other) < mapping.required(keys, other):
                break
            parts += [f"{p}={heads[consumed][p]}" for p in there]
        else:
            found[partition] = f"{key}({','.join(parts)})"
    return found


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(deliveries, work), min_size=1, max_size=30))
def test_any_order_of_deliveries_makes_the_same(make_plant: Callable, arriving: Iterable) -> None:
    """Files of some partitions arrive in any order and are written anew, with work in between or without: each
    partition of each asset ends as if all had been there from the start, and one that lacks something was never
    made."""
    plant = make_plant()
    declare(plant, EDGES, CUTS, SAID)
    heads: dict[str, dict[str, str]] = {"h": {}, "r": {}}
    for (source, place, content), steps in arriving:
        partition = DELIVERED[source][place]
        plant.drop(source, content, partition)
        heads[source][partition] = content
        for _ in range(steps):
            for lease in plant.take(2):
                plant.ask(plant.done(lease))
    plant.settle()
    for key in EDGES:
        heads[key] = rebuilt(heads, key)

    there = {key: cut.within(EVERYTHING, 1000) for key, cut in CUTS.items()}
    assert heads == {key: {p: c for p in keys if (c := plant.head(key, p))} for key, keys in there.items()}
