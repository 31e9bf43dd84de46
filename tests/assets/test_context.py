"""What ctx gives."""

import pickle

import pytest

from riparian import Context


def test_the_same_seed_draws_the_same_numbers() -> None:
    """A retry with the same inputs is the same computation; the generator is one object per attempt."""
    one, two = Context.for_test(seed="x"), Context.for_test(seed="x")

    assert [one.rng.random() for _ in range(3)] == [two.rng.random() for _ in range(3)]
    assert one.rng is one.rng


def test_the_numbers_are_the_same_on_every_machine() -> None:
    """The generator does not depend on hashes that differ between processes."""
    assert 0.704111947306296 == Context.for_test(seed="riparian").rng.random()


def test_for_test_needs_nothing() -> None:
    """A unit test gives what it cares about."""
    context = Context.for_test(partition="2013-01-01", params={"limit": 3})

    assert ("2013-01-01", 3) == (context.partition, context.params["limit"])
    assert "" == Context.for_test().partition


def test_a_partition_says_its_dimensions() -> None:
    """The key is a text like any other, and by the dimension's name the key of each."""
    key = Context.for_test(partition={"day": "2013-01-31", "region": "eu"}).partition

    assert "2013-01-31,eu" == key
    assert {key: 1} == {"2013-01-31,eu": 1}
    assert ("2013-01-31", "eu", "2013", "2") == (key["day"], key["region"], key[:4], key[0])
    assert {"day": "2013-01-31", "region": "eu"} == dict(key.dimensions)
    assert (key, dict(key.dimensions)) == ((again := pickle.loads(pickle.dumps(key))), dict(again.dimensions))  # noqa: S301
    with pytest.raises(KeyError, match="no dimension 'shop'; it has day, region"):
        key["shop"]
    assert {} == Context.for_test().partition.dimensions
