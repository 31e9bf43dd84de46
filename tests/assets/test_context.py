"""What ctx gives."""

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
