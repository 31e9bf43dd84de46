"""What a rebuild asks for beside what else runs."""

from riparian.assets.policy import Principal
from riparian.scheduler import request

ME = Principal(name="me", groups=frozenset({"owners"}))


def test_mended_code_repairs_a_failure(plant):
    """With `rebuild`, what failed under the old code runs under the new."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0]))
    plant.apply({"b": ["a"]}, code="mended", rebuild="latest")

    assert ["b"] == plant.settle()


def test_asking_twice_for_the_same_rebuild_makes_one_run(plant):
    """An apply that is repeated while its rebuild is queued or running changes nothing, and the run's end stands."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    for _ in range(2):
        plant.apply({"b": ["a"]}, code="two", rebuild="latest")
    (lease,) = plant.take()
    plant.apply({"b": ["a"]}, code="two", rebuild="latest")

    assert [200] == [r.status for r in plant.ask(plant.done(lease)).results]
    assert [] == plant.settle()
    assert 2 == len(plant.runs("b"))


def test_two_runs_are_superseded_at_once(plant):
    """Several queued runs give way in one plan, and nothing stops planning."""
    plant.apply({"b": ["a"], "c": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"b": ["a"], "c": ["a"]}, code="two", rebuild="latest")

    assert 2 == len(plant.apply({"b": ["a"], "c": ["a"]}, code="three", rebuild="latest").planned)
    assert ["b", "c"] == sorted(plant.settle())


def test_a_repeated_rebuild_forgets_no_update(plant):
    """While the rebuild runs its input moves, and the same apply comes again: the update is still looked at."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"b": ["a"]}, code="two", rebuild="latest")
    (rebuild,) = plant.take()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take()[0]))
    plant.apply({"b": ["a"]}, code="two", rebuild="latest")
    plant.ask(plant.done(rebuild))

    assert ["b"] == plant.settle()
    assert "b(=two)" == plant.head("b")


def test_a_repeated_rebuild_forgets_no_request(plant):
    """What a person asked for while a rebuild runs survives that the rebuild is asked for again."""
    plant.apply({"b": ["a"]}, parameters={"b": {"x": 0}})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"b": ["a"]}, parameters={"b": {"x": 0}}, code="two", rebuild="latest")
    (rebuild,) = plant.take()
    request.materialize(plant.plane, "b", "", ME, {"x": 1})
    plant.apply({"b": ["a"]}, parameters={"b": {"x": 0}}, code="two", rebuild="latest")
    plant.ask(plant.done(rebuild))
    (asked,) = plant.take()

    assert {"x": 1} == asked.params


def test_a_rebuild_goes_in_the_order_of_the_data(plant):
    """Of a chain whose code changed, the lower part is made once, from what the upper part made."""
    plant.apply({"b": ["a"], "c": ["b"]})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"b": ["a"], "c": ["b"]}, code="two", rebuild="latest")

    assert ["b", "c"] == plant.settle()
