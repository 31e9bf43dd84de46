"""However partitions arrive, what is made of them in the end is what would be made of them at once."""

from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.partitions import EVERYTHING, Daily, Hourly, Monthly, Offset, Overlapping
from riparian.assets.partitions.base import one
from tests.scheduler.conftest import histories

from .test_partitions import declare

ZONE = "Australia/Lord_Howe"  # its clocks are changed by half an hour, in April and in October
CUTS = {
    "h": Hourly("hour", "2024-04-05T00Z", "2024-04-07T23Z"),
    "d": Daily("day", "2024-04-05", "2024-04-08", timezone=ZONE),
    "m": Monthly("month", "2024-04", "2024-04", timezone=ZONE),
    "w": Daily("day", "2024-04-05", "2024-04-08", timezone=ZONE),
    "s": Monthly("month", "2024-04", "2024-04", timezone=ZONE),
}
MAPPINGS = {
    ("d", "h"): Overlapping(at_least=2),
    ("m", "d"): Overlapping(at_least=1),
    ("w", "d"): Offset(-1, 0),
    ("s", "d"): Overlapping(),
}
EDGES = {"d": ["h"], "m": ["d"], "w": ["d"], "s": ["d"]}

deliveries = st.tuples(st.integers(0, 71), st.sampled_from("xyz"))
work = st.integers(0, 6)


def rebuilt(heads: dict[str, dict[str, str]], key: str) -> dict[str, str]:
    """What every partition of ``key`` is, made in one go."""
    (consumed,) = EDGES[key]
    own, other, mapping = CUTS[key], CUTS[consumed], MAPPINGS[key, consumed]
    found = {}
    for partition in own.within(EVERYTHING, 1000):
        keys = mapping.up(one(partition), own, other)
        there = [p for i in keys for p in other.within(i, 1000) if p in heads[consumed]]
        if there and len(there) >= mapping.required(keys, other):
            found[partition] = f"{key}({','.join(f'{p}={heads[consumed][p]}' for p in there)})"
    return found


@histories(15)
@given(st.lists(st.tuples(deliveries, work), min_size=1, max_size=40))
def test_any_order_of_deliveries_makes_the_same(make_plant: Callable, arriving: Iterable) -> None:
    """Files of some hours arrive in any order and are written anew, with work in between or without: each window of
    each asset ends as if all had been there from the start, and one that lacks something was never made."""
    plant = make_plant()
    declare(plant, EDGES, CUTS, MAPPINGS)
    hours = CUTS["h"].within(EVERYTHING, 1000)
    heads: dict[str, dict[str, str]] = {"h": {}}
    for (hour, content), steps in arriving:
        plant.drop("h", content, hours[hour])
        heads["h"][hours[hour]] = content
        for _ in range(steps):
            for lease in plant.take(2):
                plant.ask(plant.done(lease))
    plant.settle()
    for key in EDGES:
        heads[key] = rebuilt(heads, key)

    assert heads == {k: {p: c for p in CUTS[k].within(EVERYTHING, 1000) if (c := plant.head(k, p))} for k in CUTS}
