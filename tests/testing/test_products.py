"""A project whose assets are cut by several dimensions, from the files to what its functions receive."""

from __future__ import annotations

import pyarrow as pa
import pytest

from riparian import (
    ALL,
    ByDimension,
    Context,
    Daily,
    FileDrop,
    Input,
    Monthly,
    Overlapping,
    Policy,
    Product,
    Static,
    asset,
    check,
    source,
)
from riparian.assets.errors import Invalid
from riparian.testing import Instance

DAYS = Daily("day", start="2013-01-01")
REGIONS = Static("region", ["eu", "eu_west", "us"])
SALES = Product(DAYS, REGIONS)

orders = source(
    "p.orders", arrives=FileDrop("in/{region}_{day:%d%b%Y}.csv"), partitions=SALES, policy=Policy(readers=ALL)
)
rates = source("p.rates", arrives=FileDrop("rates/{region}.json"), partitions=REGIONS, policy=Policy(readers=ALL))


@asset("p.sales", partitions=SALES)
def sales(orders: pa.Table, rates: dict, ctx: Context) -> dict:
    return {"where": ctx.partition["region"], "when": ctx.partition["day"], "sum": orders.num_rows * rates["rate"]}


@check(sales)
def of_its_own_region(sales: dict, ctx: Context) -> bool:
    return sales["where"] == ctx.partition["region"]


@asset("p.day", partitions=DAYS)
def day(sales: dict[str, dict]) -> dict:
    return {key["region"]: found["sum"] for key, found in sales.items()}


@asset(
    "p.month",
    partitions=Product(Monthly("month", start="2013-01"), REGIONS),
    inputs={"orders": Input("p.orders", mapping=ByDimension(day=Overlapping(at_least=1)))},
)
def month(orders: pa.Table) -> int:
    return orders.num_rows


@asset("p.whole")
def whole(sales: dict[str, dict]) -> list:
    return sorted(sales)


def test_from_files_to_sums() -> None:
    """A file's name says the key of each dimension; functions learn them by name."""
    with Instance.of(orders, rates, sales, day, month, whole, of_its_own_region) as instance:
        instance.drop(rates, {"rate": 2}, "eu_west")
        instance.drop(rates, {"rate": 3}, "us")
        instance.drop(orders, "id\n1\n2\n", name="eu_west_31Jan2013.csv")
        instance.drop(orders, "id\n1\n", "2013-01-31,us")
        instance.run()

        assert {"where": "eu_west", "when": "2013-01-31", "sum": 4} == instance.read(sales, "2013-01-31,eu_west")
        assert {"eu_west": 4, "us": 3} == instance.read(day, "2013-01-31")
        assert (1, 2) == tuple(instance.read(month, f"2013-01,{region}") for region in ("us", "eu_west"))
        assert ["2013-01-31,eu_west", "2013-01-31,us"] == instance.read(whole)
        with pytest.raises(Invalid, match=r"p\.orders: partition 'mars' is none of 'region'"):
            instance.drop(orders, "id\n", name="mars_31Jan2013.csv")
        with pytest.raises(Invalid, match="partitioned by day and region; say which"):
            instance.drop(orders, "id\n")


def test_what_is_not_said_is_told() -> None:
    """Which dimension is open, and what to write."""
    cities = Product(DAYS, Static("city", ["rome"]))
    towns = source("p.towns", partitions=cities, policy=Policy(readers=ALL))

    @asset("p.areas", partitions=Product(DAYS, Static("area", ["south"])))
    def areas(towns: dict[str, dict]) -> dict:
        return {}

    with pytest.raises(Exception, match=r"have different partitions .*Product.* and .*Product") as told:
        Instance.of(towns, areas)
    assert "mapping=ByDimension(city=…)" in str(told.value)
