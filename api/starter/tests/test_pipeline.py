"""Assets are plain functions, and the project as a whole is tested in memory."""

import pyarrow as pa
from pipeline import sales

from riparian.testing import Instance

ORDERS = pa.table({"customer": ["Ana", "Bo", "Ana"], "product": ["tea", "tea", "cup"], "amount": [2, 1, 4]})


def test_sales_add_up():
    assert {"product": ["cup", "tea"], "amount_sum": [4, 3]} == sales(ORDERS).to_pydict()


def test_a_file_of_orders_becomes_sales_and_customers(riparian_instance: Instance):
    riparian_instance.drop("shop.orders", ORDERS)

    assert ["shop.customers", "shop.sales"] == riparian_instance.run()
    assert {"customer": ["Ana", "Bo"], "amount_sum": [6, 1]} == riparian_instance.read("shop.customers").to_pydict()


def test_only_the_group_sales_reads_customers(riparian_instance: Instance):
    riparian_instance.person("ana", groups=["sales"])
    riparian_instance.person("bob")
    riparian_instance.drop("shop.orders", ORDERS)
    riparian_instance.run()

    assert [True, False] == [riparian_instance.may_read(who, "shop.customers") for who in ("ana", "bob")]
    assert riparian_instance.may_read("bob", "shop.sales")
