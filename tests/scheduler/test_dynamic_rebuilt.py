"""However keys are added and taken out around updates, what there is in the end is made of the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import example, given
from hypothesis import strategies as st

from riparian.assets.partitions import Dynamic
from riparian.scheduler import dimensions

from .conftest import ME, histories
from .test_partitions import declare

CUSTOMER = Dynamic("customer")
KEYS = ["k1", "k2", "k3"]

key = st.sampled_from(KEYS)
content = st.sampled_from("xyz")
acts = st.one_of(
    st.tuples(st.just("drop"), key, content),
    st.tuples(st.just("w"), st.just(""), content),
    st.tuples(st.sampled_from(["add", "remove"]), key, st.just("")),
    st.tuples(st.just("work"), st.just(""), st.just("")),
)


@histories(25)
@given(st.lists(acts, min_size=1, max_size=40))
@example([("w", "", "x"), *[("work", "", "")] * 2, ("add", "k1", ""), ("remove", "k1", ""), ("add", "k1", "")])
def test_any_order_makes_the_same(make_plant: Callable, acting: Iterable) -> None:
    """Each key that there is at the end is made of the newest of its inputs, as if it had been there from the start;
    the whole is made of all that was ever made; and of what is there no more nothing is to run."""
    plant = make_plant()
    declare(plant, {"b": ["a", "w"], "r": ["w"], "sum": ["b"]}, {"a": CUSTOMER, "b": CUSTOMER, "r": CUSTOMER})
    files: dict[str, str] = {}
    for act, of, said in acting:
        match act:
            case "drop" | "w":
                name = of if act == "drop" else ""
                files[name] = said
                plant.drop("a" if name else "w", said, name)
            case "add":
                dimensions.add(plant.plane, "customer", [of], ME)
            case "remove":
                dimensions.remove(plant.plane, "customer", [of], ME)
            case _:
                for lease in plant.take(1):
                    plant.ask(plant.done(lease))
    plant.settle()
    view = plant.plane.access.as_principal(ME)
    there = [item["key"] for item in view.keys("customer").items]

    assert {k: files.get(k) for k in there} == {k: plant.head("a", k) for k in there}
    w = files.get("")
    full = {k: f"b({k}={files[k]},={w})" for k in there if w is not None and k in files}
    assert full == {k: plant.head("b", k) for k in full}
    assert {k: f"r(={w})" for k in there if w is not None} == {k: plant.head("r", k) for k in there if w is not None}
    made = {k: head for k in KEYS if (head := plant.head("b", k)) is not None}
    assert (f"sum({','.join(f'{k}={head}' for k, head in made.items())})" if made else None) == plant.head("sum")
    assert set() == {p["partition"] for p in view.plan().items} - {"", *there}
    assert dict.fromkeys(there, "up_to_date") == {k: plant.why("r", k) if w else "up_to_date" for k in there}
