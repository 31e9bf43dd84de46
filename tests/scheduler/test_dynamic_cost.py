"""A key among very many costs what is made for it.

dagster#16260: 36,000 keys of one dimension were more than a statement of SQLite could hold.
"""

from __future__ import annotations

from sqlalchemy import insert, select, text

from riparian.assets.partitions import Dynamic
from riparian.assets.policy import Principal
from riparian.scheduler import dimensions
from riparian.storage.access.rights import Judge
from riparian.storage.metadata.schema import consumed, dynamic_key, head

from .conftest import ME, Plant
from .test_cost import _explained, _statements
from .test_partitions import declare

CUSTOMER = Dynamic("customer")
MANY = [f"c{n:05}" for n in range(36_000)]


def crowd(plant: Plant) -> None:
    """As many keys, each with a version of the source and of what is made of it."""

    def write(tx):
        (row,) = tx.conn.execute(text("SELECT * FROM dynamic_key WHERE key = 'one'")).all()
        tx.many(insert(dynamic_key), [{**row._mapping, "key": key} for key in MANY])
        tx.conn.execute(text("UPDATE dynamic_count SET live = live + 36000"))
        for table in (head, consumed):
            for row in tx.conn.execute(select(table).where(table.c.partition == "one")).all():
                tx.many(insert(table), [{**row._mapping, "partition": key} for key in MANY])

    plant.plane.db.write(write)


def test_a_key_among_36000_costs_what_it_makes(plant: Plant) -> None:
    """To add one, to take one out, and an update of one: so many statements as among a few, each by an index."""
    declare(plant, {"b": ["a"], "r": ["w"]}, {"a": CUSTOMER, "b": CUSTOMER, "r": CUSTOMER})
    plant.drop("w", "w")
    plant.drop("a", "x", "one")
    plant.settle()

    def work(key: str):
        def act() -> None:
            dimensions.add(plant.plane, "customer", [key], ME)
            plant.drop("a", "x", key)
            plant.settle()
            dimensions.remove(plant.plane, "customer", [key], ME)

        return act

    work("zero")()
    few = _statements(plant, work("two"))
    crowd(plant)
    many = _statements(plant, work("three"))

    assert [] == _explained(plant, many)[0]
    asked = [sorted(s for s, _ in seen if not s.startswith(("SAVEPOINT", "RELEASE"))) for seen in (few, many)]
    assert asked[0] == asked[1]
    assert 10 < sum("dynamic_key" in s for s in asked[1])
    assert "r(=w)" == plant.head("r", "three")


def test_many_keys_at_once(plant: Plant) -> None:
    """So many as one request may add are more than one statement can hold, and all of them are there; known again,
    nothing of them is looked at."""
    declare(plant, {"b": ["a"]}, {"a": CUSTOMER, "b": CUSTOMER})
    assert MANY[:2_000] == dimensions.add(plant.plane, "customer", MANY[:2_000], ME).keys
    again = _statements(plant, lambda: dimensions.add(plant.plane, "customer", MANY[:2_000], ME))

    assert [] == dimensions.add(plant.plane, "customer", MANY[:2_000], ME).keys
    assert 2_000 == plant.plane.access.as_principal(ME).dimensions()[0]["keys"]
    assert 40 > len(again)


def test_many_keys_are_taken_out_at_once(plant: Plant) -> None:
    """Of those that nothing waits for and nothing is queued of, with few statements."""
    declare(plant, {"b": ["a"]}, {"a": CUSTOMER, "b": CUSTOMER})
    dimensions.add(plant.plane, "customer", MANY[:2_000], ME)
    plant.plane.look()
    seen = _statements(plant, lambda: dimensions.remove(plant.plane, "customer", MANY[:2_000], ME))

    assert 0 == plant.plane.access.as_principal(ME).dimensions()[0]["keys"]
    assert 100 > len(seen)


def test_who_owns_what_is_cut_so_is_asked_once(plant: Plant, monkeypatch) -> None:
    """And not for each key, of a dimension that very many assets have."""
    assets = [f"b{n}" for n in range(20)]
    declare(plant, {key: ["w"] for key in assets}, dict.fromkeys(assets, CUSTOMER))
    dimensions.add(plant.plane, "customer", MANY[:100], ME)
    asked: list[str] = []
    owns = Judge.owns
    monkeypatch.setattr(Judge, "owns", lambda judge, asset: asked.append(asset) or owns(judge, asset))
    page = plant.plane.access.as_principal(Principal(name="dan")).keys("customer", limit=100)

    assert 100 == len(page.items)
    assert 100 > len(asked)
