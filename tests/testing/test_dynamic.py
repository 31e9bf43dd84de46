"""A project whose customers come and go, under test: by people, by files and by what a task finds."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from riparian import ALL, Context, Dynamic, FileDrop, Policy, asset, source
from riparian.assets.errors import Invalid, NotFound
from riparian.testing import Instance

CUSTOMER = Dynamic("customer")

listed = source("s.listed", arrives=FileDrop("listed.json"), policy=Policy(readers={"crm"}))
orders_csv = source(
    "s.orders_csv", arrives=FileDrop("drop/{customer}/orders.csv"), partitions=CUSTOMER, policy=Policy(readers=ALL)
)
rates = source("s.rates", arrives=FileDrop("rates.json"), policy=Policy(readers=ALL))


@asset("s.customers")
def customers(listed: list, ctx: Context) -> int:
    ctx.add_partitions("customer", listed)
    if "boom" in listed:
        raise RuntimeError("boom")
    return len(listed)


@asset("s.orders", partitions=CUSTOMER)
def orders(orders_csv: pa.Table) -> int:
    return orders_csv.num_rows


@asset("s.letter", partitions=CUSTOMER)
def letter(rates: dict, ctx: Context) -> str:
    return f"Dear {ctx.partition}, {rates['now']}"


@asset("s.all")
def everything(orders: dict[str, int]) -> dict:
    return orders


@pytest.fixture
def shop() -> Iterator[Instance]:
    with Instance.of(listed, orders_csv, rates, customers, orders, letter, everything) as instance:
        instance.drop(rates, {"now": "3 %"})
        yield instance


def test_a_task_adds_what_it_found(shop: Instance) -> None:
    """Each customer of the list gets their letter."""
    shop.drop(listed, ["acme", "best"])
    assert ["s.customers", "s.letter[acme]", "s.letter[best]"] == sorted(shop.run())

    assert ["acme", "best"] == shop.partitions("customer")
    assert "Dear acme, 3 %" == shop.read(letter, "acme")
    shop.remove_partitions("customer", ["best"])
    shop.drop(rates, {"now": "4 %"})
    assert ["s.letter[acme]"] == shop.run()


def test_a_task_that_fails_adds_none(shop: Instance) -> None:
    """However far it came."""
    shop.drop(listed, ["acme", "boom"])
    with pytest.raises(RuntimeError, match="boom"):
        shop.run()

    assert [] == shop.partitions("customer")


def test_a_file_brings_its_customer(shop: Instance) -> None:
    """By the placeholder in its path, and is refused where that can be no key."""
    shop.drop(orders_csv, "item\npen\nink\n", "acme")
    shop.drop(orders_csv, "item\ncup\n", name="best/orders.csv")
    with pytest.raises(Invalid, match="can not be a key"):
        shop.drop(orders_csv, "item\n", name="a b/orders.csv")
    shop.run()

    assert {"acme": 2, "best": 1} == shop.read(everything)
    assert ["acme", "best"] == shop.partitions("customer")


def test_customers_that_are_added(shop: Instance) -> None:
    """What needs no file of theirs is made at once; what does waits."""
    shop.add_partitions("customer", ["acme"])
    shop.assert_plan(["s.letter[acme]"])
    assert ["s.letter[acme]"] == shop.run()
    shop.assert_reason(orders, "waiting_for_input", "acme")
    with pytest.raises(Invalid, match="no partition 'best'"):
        shop.materialize(letter, "best")
    with pytest.raises(NotFound, match="no dimension 'client'"):
        shop.add_partitions("client", ["acme"])


def test_who_may_not_read_the_list_may_not_know_who_is_on_it(shop: Instance) -> None:
    """Neither by the dimension's keys nor by what is made for them, though all may read what that is made from."""
    shop.person("dan")
    shop.person("cara", groups=["crm"])
    shop.drop(listed, ["acme"])
    shop.add_partitions("customer", ["best"])
    shop.run()

    assert [["best"], ["acme", "best"]] == [shop.partitions("customer", as_user=who) for who in ("dan", "cara")]
    assert [False, True] == [shop.may_read(who, letter, "acme") for who in ("dan", "cara")]
    assert shop.may_read("dan", letter, "best")


def test_what_a_task_can_not_add() -> None:
    """In a unit test too: what is no key is refused where it is written, and what was added can be looked at."""
    ctx = Context.for_test()
    for keys in (["a/b"], [""], [1], "acme"):
        with pytest.raises(match="customer"):
            ctx.add_partitions("customer", keys)  # type: ignore[arg-type]
    with pytest.raises(match="identifier"):
        ctx.add_partitions("a customer", ["acme"])
    ctx.add_partitions("customer", (f"k{n}" for n in range(6_000)))
    ctx.add_partitions("customer", ["k1"])
    with pytest.raises(Invalid, match="12,000 partitions are added by one attempt, 10,000 are allowed"):
        ctx.add_partitions("region", [f"k{n}" for n in range(6_000)])

    assert {"customer": 6_000} == {name: len(keys) for name, keys in ctx.added.items()}
