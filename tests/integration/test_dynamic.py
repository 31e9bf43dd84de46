"""Customers that a task finds and files bring, with everything in processes of their own."""

from __future__ import annotations

import pytest

PIPELINE = """
    from riparian import Context, Dynamic, FileDrop, Policy, asset, source

    CUSTOMER = Dynamic("customer")
    clients = source("crm.clients", arrives=FileDrop("drop/clients.json"), policy=Policy())
    orders_raw = source("crm.orders_raw", arrives=FileDrop("drop/orders_{customer}.json"), partitions=CUSTOMER,
                        policy=Policy())

    @asset("crm.sync")
    def sync(clients: list, ctx: Context) -> int:
        ctx.add_partitions("customer", clients)
        return len(clients)

    @asset("crm.letter", partitions=CUSTOMER)
    def letter(clients: list, ctx: Context) -> str:
        return f"Dear {ctx.partition}"

    @asset("crm.orders", partitions=CUSTOMER)
    def orders(orders_raw: list) -> int:
        return len(orders_raw)

    @asset("crm.total")
    def total(orders: dict[str, int]) -> dict:
        return orders
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site(PIPELINE)
    site.worker(slots=2)
    site.drop("clients.json", ["acme", "best"])
    site.until(lambda: len(site.versions("crm.letter")) >= 2, "both letters are made")
    return site


def keys(site) -> list[str]:
    return [item["key"] for item in site.get("partitions/customer")["items"]]


def test_a_task_in_a_process_of_its_own_adds_keys(site):
    """What it gave to ctx comes with its report, and each new customer's letter is made."""
    assert {"acme", "best"} == {*keys(site)} - {"core"}
    assert {"acme", "best"} == {v["partition"] for v in site.versions("crm.letter")} - {"core"}


def test_a_file_brings_its_customer(site):
    """By its name; what is made of all of them follows."""
    site.drop("orders_core.json", [1, 2])
    site.until(lambda: site.value("crm.total") == {"core": 2}, "the total is made")
    site.until(lambda: len(site.versions("crm.letter")) == 3, "the new customer gets a letter too")

    assert {"acme", "best", "core"} == {*keys(site)}
