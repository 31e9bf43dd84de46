"""What this project makes, and from what."""

import pyarrow as pa

from riparian import ALL, FileDrop, Policy, asset, source

# Each file that lands there becomes a version. Everybody who has a token may read it.
orders = source("shop.orders", arrives=FileDrop("drop/orders.csv"), policy=Policy(readers=ALL))


@asset("shop.sales")
def sales(orders: pa.Table) -> pa.Table:
    """How much of each product was sold. As open as what it is made from."""
    return orders.group_by("product").aggregate([("amount", "sum")]).sort_by("product")


@asset("shop.customers", policy=Policy(readers={"sales"}))
def customers(orders: pa.Table) -> pa.Table:
    """How much each customer bought. Only the group "sales" may read it, and whatever is made from it."""
    return orders.group_by("customer").aggregate([("amount", "sum")]).sort_by("customer")
