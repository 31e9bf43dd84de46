"""The key of a partition may be a person's name: who may know of it, and who may add and take out?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from riparian.assets.errors import Invalid, NotFound, Refused
from riparian.assets.partitions import AllPartitions, Dynamic, Partitions, Static
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import backfill, dimensions, policies, register

from .conftest import ME, Plant, declared

CUSTOMER = Dynamic("customer")
CRM = Principal(name="cara", groups=frozenset({"crm"}))
DAN = Principal(name="dan")
OWNER = Principal(name="olga")


@pytest.fixture
def shop(plant: Plant) -> Plant:
    """``b`` of each customer is made from ``w``, which all may read, and ``c`` too, but from ``k``, which is one of
    them. ``seen`` adds the customer acme by what it reads in ``raw``, which only the group crm may read; a person
    added best."""
    manifest = declared(
        plant,
        {"seen": ["raw"], "b": ["w"], "c": ["w", "k"], "five": ["b"], "sum": ["c", "w"]},
        {"b": CUSTOMER, "c": CUSTOMER},
        {("five", "b"): AllPartitions(at_least=5)},
    )
    register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)
    restrict(plant, "raw", Policy(readers={"crm", "owners"}))
    dimensions.add(plant.plane, "customer", ["best"], ME)
    plant.drop("w", "w")
    plant.drop("raw", "secret")
    while leases := plant.take(8):
        for lease in leases:
            added = {"customer": ("acme",)} if lease.workflow == "seen" else {}
            plant.ask(replace(plant.done(lease), partitions=added))
    return plant


def restrict(plant: Plant, key: str, policy: Policy) -> None:
    graph = plant.plane.db.read(plant.plane.graphs.at)
    policies.set_overlay(plant.plane.db, graph, key, policy, ME)


def view(plant: Plant, who: Principal):
    return plant.plane.access.as_principal(who)


def keys(plant: Plant, who: Principal) -> list[str]:
    return [item["key"] for item in view(plant, who).keys("customer").items]


def test_keys_of_what_may_not_be_read_are_not_told(shop):
    """What a task learned from restricted data is known to who may read that; neither the name nor the number to
    others. What a person added is known to all who may read anything of it."""
    assert ["acme", "best"] == keys(shop, ME) == keys(shop, CRM)
    assert ["best"] == keys(shop, DAN)
    assert [2, 2, 1] == [view(shop, who).dimensions()[0]["keys"] for who in (ME, CRM, DAN)]


def test_what_is_made_for_a_key_tells_of_it(shop):
    """A version and a run of a key carry what the key was learned from, though they read nothing of it."""
    assert [["acme", "best"], ["best"]] == [
        sorted(v["partition"] for v in view(shop, who).versions("b").items) for who in (CRM, DAN)
    ]
    assert [["acme", "best"], ["best"]] == [
        sorted(r["partition"] for r in view(shop, who).runs(workflow="b").items) for who in (CRM, DAN)
    ]


def test_the_source_decides_also_later(shop):
    """Tightened, it hides the keys that were learned from it before; opened, it shows them."""
    restrict(shop, "raw", Policy(readers={"owners"}))
    assert ["best"] == keys(shop, CRM)
    graph = shop.plane.db.read(shop.plane.graphs.at)
    policies.set_overlay(shop.plane.db, graph, "raw", None, ME)

    assert ["acme", "best"] == keys(shop, DAN)


def test_a_hidden_key_is_like_one_that_there_is_not(shop):
    """Whatever is asked of it, also after it was taken out, the answer is that of a name that nobody ever added."""
    for _ in range(2):
        told = []
        for key in ("acme", "nobody"):
            for ask in (view(shop, DAN).why, view(shop, DAN).lineage, view(shop, DAN).checks, view(shop, DAN).download):
                with pytest.raises(Invalid) as refused:
                    ask("b", key)
                told.append(str(refused.value).replace(key, "X"))
        assert 1 == len(set(told))
        assert [] == view(shop, DAN).versions("b", "acme").items == view(shop, DAN).runs(partition="acme").items
        dimensions.remove(shop.plane, "customer", ["acme"], ME)
        assert "removed" == view(shop, CRM).why("b", "acme")["code"]


def test_what_may_be_read_may_be_named(plant):
    """A key that few may know of comes to light in a file that all may read: of that source, and nowhere else."""
    manifest = declared(plant, {"seen": ["raw"], "b": ["w"], "d": ["a"]}, {"a": CUSTOMER, "b": CUSTOMER, "d": CUSTOMER})
    register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)
    restrict(plant, "raw", Policy(readers={"crm", "owners"}))
    plant.drop("w", "w")
    plant.drop("raw", "secret")
    while leases := plant.take(8):
        for lease in leases:
            added = {"customer": ("acme", "best")} if lease.workflow == "seen" else {}
            plant.ask(replace(plant.done(lease), partitions=added))
    plant.drop("a", "one", "acme")
    plant.drop("a", "one", "core")
    plant.settle()

    assert "source" == view(plant, DAN).why("a", "acme")["code"]
    assert ["acme", "core"] == sorted(v["partition"] for v in view(plant, DAN).versions("a").items)
    assert ["core"] == keys(plant, DAN) == [v["partition"] for v in view(plant, DAN).versions("d").items]
    for key in ("best", "nobody"):
        with pytest.raises(Invalid, match=f"a has no partition '{key}'"):
            view(plant, DAN).why("a", key)


def test_what_waits_is_not_told_either(shop):
    """That something waits for a customer, and how many there are, is for who may know all of them: in the plan, in
    backfills and in what one would make."""
    waits = [(CRM, [("c", "acme"), ("c", "best")]), (DAN, [])]
    for who, expected in waits:
        assert expected == [(p["workflow"], p["partition"]) for p in view(shop, who).plan().items if p["partition"]]
    assert 2 == view(shop, CRM).backfill_preview("b", None, None, "all")["makes"]
    for key in ("b", "nothing"):
        with pytest.raises(NotFound, match=f"no asset '{key}'"):
            view(shop, DAN).backfill_preview(key, None, None, "all")


def test_a_reason_tells_no_hidden_key(shop):
    """How many there are is told to who may know of all; of what is waited for, the key to who may know of that."""
    told = "waiting for partitions of b"
    assert [f"{told}: 2 of at least 5 are there", told] == [view(shop, who).why("five")["words"] for who in (CRM, DAN)]
    shop.drop("k", "k")
    while leases := shop.take(8):
        bad = [x for x in leases if (x.workflow, x.partition) == ("c", "acme")]
        shop.ask(*[shop.failed(x, retryable=False) for x in bad], *[shop.done(x) for x in leases if x not in bad])

    assert ["c[acme] failed", "c failed"] == [view(shop, who).why("sum")["words"] for who in (CRM, DAN)]
    dimensions.remove(shop.plane, "customer", ["acme"], ME)
    shop.settle()
    assert ["up_to_date"] * 2 == [view(shop, who).why("sum")["code"] for who in (CRM, DAN)]


def test_why_without_a_partition_tells_no_hidden_key(shop):
    """The newest may be one that the reader may not know of."""
    dimensions.remove(shop.plane, "customer", ["best"], ME)
    with pytest.raises(Invalid, match="b has a partition for every customer; say which"):
        view(shop, DAN).why("b")

    assert "acme" == view(shop, CRM).why("b")["partition"]


def test_a_hidden_dimension_is_like_one_that_there_is_not(shop):
    """To who may read nothing of it there is no such dimension, whatever they ask or do."""
    for asset in ("b", "c"):
        restrict(shop, asset, Policy(readers={"owners"}))
    assert [] == view(shop, DAN).dimensions()
    for name in ("customer", "client"):
        for act in (
            lambda name=name: view(shop, DAN).keys(name),
            lambda name=name: dimensions.add(shop.plane, name, ["x"], DAN),
            lambda name=name: dimensions.remove(shop.plane, name, ["x"], DAN),
        ):
            with pytest.raises(NotFound, match=f"there is no dimension '{name}', or it is not yours to see$"):
                act()


def test_who_may_add(shop):
    """Who owns all that is partitioned by it: each of them runs for a new key."""
    for act in (dimensions.add, dimensions.remove):
        with pytest.raises(Refused, match=r"customer is not yours to .*: b is partitioned by it too; ask its owner"):
            act(shop.plane, "customer", ["x"], DAN)

    assert ["acme", "best"] == keys(shop, ME)


def test_two_projects_may_have_a_dimension_of_one_name(shop):
    """Each has its own keys; who knows both says which is meant."""
    other = declared(shop, {"z": ["y"]}, {"z": CUSTOMER})
    register.apply(shop.plane, replace(other, project="q"), shop.bundle("one")[1], ME)
    with pytest.raises(Invalid, match="several projects have partitions by customer: p, q; say which project"):
        dimensions.add(shop.plane, "customer", ["zoe"], ME)
    dimensions.add(shop.plane, "customer", ["zoe"], ME, "q")
    shop.drop("y", "y")

    assert ["y", "z[zoe]"] == shop.settle()
    assert ["zoe"] == [item["key"] for item in view(shop, ME).keys("customer", "q").items]
    assert ["acme", "best"] == [item["key"] for item in view(shop, ME).keys("customer", "p").items]
    restrict(shop, "z", Policy(readers={"owners"}))
    assert ["best"] == keys(shop, DAN)


@pytest.mark.parametrize("cut", [None, Dynamic("client"), Static("customer", ["best"])])
def test_a_hidden_key_stays_hidden_when_its_assets_are_cut_otherwise(shop: Plant, cut: Partitions | None):
    """No declaration says any more what it was learned from: who owns the assets knows of it, and who may read what was
    made for it; in no answer to others is there a difference to a name that nobody ever added."""
    shop.drop("k", "k")
    while leases := shop.take(8):
        bad = [x for x in leases if (x.workflow, x.partition) == ("c", "acme")]
        shop.ask(*[shop.failed(x, retryable=False) for x in bad], *[shop.done(x) for x in leases if x not in bad])
    ident = backfill.start(shop.plane, "b", ME, lo="acme", hi="best", only="all")
    shop.settle()
    cuts = {} if cut is None else {"b": cut, "c": cut}
    manifest = declared(shop, {"seen": ["raw"], "b": ["w"], "c": ["w", "k"], "five": ["b"], "sum": ["c", "w"]}, cuts)
    register.apply(shop.plane, manifest, shop.bundle("one")[1], ME)

    told = []
    for key in ("acme", "nobody"):
        for ask in (view(shop, DAN).why, view(shop, DAN).lineage, view(shop, DAN).checks, view(shop, DAN).download):
            for asset in ("b", "c"):
                with pytest.raises(Invalid) as refused:
                    ask(asset, key)
                told.append(str(refused.value).replace(key, "X").replace(asset, "", 1))
    assert 1 == len(set(told))
    assert "acme" == view(shop, CRM).why("b", "acme")["partition"]
    asks = (view(shop, DAN).plan, view(shop, DAN).backfills, lambda: view(shop, DAN).why("sum"))
    assert ["acme" in str(ask()) for ask in asks] == [False] * 3
    with pytest.raises(NotFound, match="no backfill"):
        view(shop, DAN).backfill(ident)
    assert ("acme", "best") == (view(shop, ME).backfill(ident)["from"], view(shop, ME).backfill(ident)["to"])


def test_a_dimension_of_another_name_counts_no_hidden_key(shop: Plant):
    """What stands for its keys is still read together; how many there are is for who may read all of it."""
    manifest = declared(
        shop,
        {"seen": ["raw"], "b": ["w"], "five": ["b"]},
        {"b": Dynamic("client")},
        {("five", "b"): AllPartitions(at_least=5)},
    )
    register.apply(shop.plane, manifest, shop.bundle("one")[1], ME)

    told = "waiting for partitions of b"
    assert [f"{told}: 2 of at least 5 are there", told] == [view(shop, who).why("five")["words"] for who in (CRM, DAN)]


def test_the_newest_may_be_of_another_cut(shop: Plant):
    """Without a partition the newest is meant: one that is hidden is none, and what is in one piece now is that."""
    dimensions.remove(shop.plane, "customer", ["best"], ME)
    shop.drop("w", "new")
    shop.settle()
    manifest = declared(shop, {"seen": ["raw"], "b": ["w"], "c": ["w", "k"]}, {})
    register.apply(shop.plane, manifest, shop.bundle("one")[1], ME)

    assert ["acme", ""] == [view(shop, who).why("b")["partition"] for who in (ME, DAN)]
