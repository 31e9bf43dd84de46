"""Assets are plain functions: a test calls them with a table."""

import pyarrow as pa
from pipeline import customers, sales

ORDERS = pa.table({"customer": ["Ana", "Bo", "Ana"], "product": ["tea", "tea", "cup"], "amount": [2, 1, 4]})


def test_sales_and_customers_add_up():
    assert {"product": ["cup", "tea"], "amount_sum": [4, 3]} == sales(ORDERS).to_pydict()
    assert {"customer": ["Ana", "Bo"], "amount_sum": [6, 1]} == customers(ORDERS).to_pydict()
