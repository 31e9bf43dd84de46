"""Partitions by keys that are added in use: what a declaration alone knows of them."""

from __future__ import annotations

import pytest

from riparian import AllPartitions, ByKey, Daily, DeclarationError, Dynamic, Fixed, Identity, Last, Offset, One, Static
from riparian.assets.partitions import EVERYTHING, Interval, default_mapping, fits, partitions_from_json
from riparian.assets.partitions.base import one
from riparian.assets.partitions.dynamic import judged
from riparian.assets.patterns import BadMatch, parse_pattern

CUSTOMER = Dynamic("customer")
SHOPS = Static("shop", ["n1"])


def test_it_is_told_by_its_name() -> None:
    """All that say the same dimension have its keys in common; another has others."""
    assert Dynamic("customer") == CUSTOMER != Dynamic("client")
    assert "Dynamic('customer')" == str(CUSTOMER) == repr(CUSTOMER)
    assert CUSTOMER == partitions_from_json(CUSTOMER.to_json())
    assert (True, False) == (CUSTOMER.overlaps(Dynamic("customer")), CUSTOMER.overlaps(Dynamic("client")))


def test_what_can_be_a_key() -> None:
    """Any that ``Static`` could have; whether it is there only the catalogue knows."""
    assert [True, True, False, False, False] == [fits(CUSTOMER, k) for k in ("acme", "A-1.b_c", "", "a/b", "é")]
    assert "acme" == CUSTOMER.parse("acme")
    for text in ("", "a/b", ".a", "x" * 201, 1):
        with pytest.raises(DeclarationError, match=r"Dynamic\('customer'\): .* can not be a key"):
            CUSTOMER.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a customer", "1st", 1, None])
def test_what_can_be_no_dimension(name: str) -> None:
    """Its name stands in patterns and on command lines."""
    with pytest.raises(DeclarationError, match="identifier"):
        Dynamic(name)
    with pytest.raises(DeclarationError):
        partitions_from_json({"kind": "dynamic", "name": name})


def test_more_than_is_known_of_it_is_refused() -> None:
    """By the reader of manifests, as of all kinds."""
    with pytest.raises(DeclarationError, match="keys"):
        partitions_from_json({"kind": "dynamic", "name": "customer", "keys": []})


def test_keys_that_are_added() -> None:
    """In order, each once; a text is no list of keys, and too many are told."""
    assert ["a", "b"] == judged("customer", ["b", "a", "b"])
    with pytest.raises(DeclarationError, match=r"write a list, such as \['acme'\]"):
        judged("customer", "acme")
    with pytest.raises(DeclarationError, match="10,001 keys at once; add at most 10,000"):
        judged("customer", (f"k{n}" for n in range(10_001)))


def test_what_goes_without_saying() -> None:
    """The same keys are the same partitions; with any other cut it must be said."""
    assert Identity() == default_mapping(CUSTOMER, CUSTOMER)
    assert (One(), AllPartitions()) == (default_mapping(CUSTOMER, None), default_mapping(None, CUSTOMER))
    for other in (Dynamic("client"), SHOPS, Daily("day", start="2020-01-01")):
        assert default_mapping(CUSTOMER, other) is None is default_mapping(other, CUSTOMER)


@pytest.mark.parametrize(
    ("mapping", "own", "other", "fitting"),
    [
        (Identity(), CUSTOMER, CUSTOMER, True),
        (Identity(), CUSTOMER, Dynamic("client"), False),
        (Identity(), CUSTOMER, SHOPS, False),
        (Identity(), CUSTOMER, None, False),
        (AllPartitions(), None, CUSTOMER, True),
        (AllPartitions(at_least=1_000), Dynamic("client"), CUSTOMER, True),
        (Fixed("acme"), None, CUSTOMER, True),
        (Fixed("a/b"), None, CUSTOMER, False),
        (One(), CUSTOMER, None, True),
        (One(), CUSTOMER, CUSTOMER, False),
        (Last(), None, CUSTOMER, False),
        (Offset(-1), CUSTOMER, CUSTOMER, False),
        (ByKey({"n1": ["acme"]}), SHOPS, CUSTOMER, False),
    ],
)
def test_what_can_be_meant(mapping, own, other, fitting) -> None:
    """A check of the declarations finds what can never match, with what to write."""
    assert fitting == (mapping.unfit(own, other) is None)


def test_what_an_update_touches() -> None:
    """One key is one key; of the whole, and of any number of keys, everything: nobody lists them."""
    assert (one("acme"),) == Identity().down(one("acme"), CUSTOMER, CUSTOMER)
    assert (EVERYTHING,) == One().down(one(""), CUSTOMER, None)
    assert (one(""),) == AllPartitions().down(Interval("a", "z"), None, CUSTOMER)
    for mapping in (Offset(-1, 0), ByKey({"n1": ["acme"]})):  # of a project that has declared it otherwise since
        assert () == mapping.up(one("acme"), CUSTOMER, CUSTOMER)
        assert 0 == mapping.required((EVERYTHING,), CUSTOMER)


def test_a_placeholder_stands_for_a_key() -> None:
    """A file's path names the key; what can be none is told."""
    pattern = parse_pattern("drop/{customer}/orders.csv")
    pattern.check(CUSTOMER)

    assert "acme" == pattern.match("acme/orders.csv", CUSTOMER)
    assert isinstance(pattern.match("a b/orders.csv", CUSTOMER), BadMatch)
    assert "acme/orders.csv" == pattern.format("acme")
    with pytest.raises(DeclarationError, match="its partitions are keys"):
        parse_pattern("drop/{customer:%Y-%m-%d}.csv").check(CUSTOMER)
