"""Composing a workflow: what a body may say, and what it is told when it says what can not be."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import Ref, Road
from riparian.assets.workflows import Composition, NoUpdate, branch, compose, task, workflow


@task
def profile(flights: list) -> dict:
    return {"cancelled": sum(flights) / len(flights)}


@task(retry=Retry(attempts=3), timeout=5)
def road(profile: dict, limit: float = 0.5) -> str:
    return "storm" if profile["cancelled"] > limit else "calm"


@task
def full(flights: list, facts: dict) -> dict:
    return {"all": flights, **facts}


@task
def short(facts: dict) -> dict:
    return facts


@task
def square(n: int, by: int = 1) -> int:
    return n * n * by


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def composed(body: Callable[..., Any], *parameters: str, produces: tuple[str, ...] = ("n.a",)) -> Composition:
    return compose(body, parameters, produces)


def report(flights: Any) -> Any:
    facts = profile(flights)
    roads = {"storm": lambda: full(flights, facts), "calm": lambda: short(facts)}
    return {"n.a": branch(road(facts), roads)}


def test_a_task_stays_a_function() -> None:
    """Called outside of a workflow it just runs, keeps its name, and maps like a list comprehension."""
    assert "storm" == road({"cancelled": 0.9})
    assert "profile" == profile.__name__
    assert [2, 8] == square.map([1, 2], by=2)


def test_a_workflow_called_directly_just_runs() -> None:
    """Its branch takes one road and only its tasks run."""
    assert {"n.a": {"cancelled": 0.25}} == report([0, 0, 0, 1])
    assert {"n.a": {"all": [1, 1], "cancelled": 1.0}} == report([1, 1])


def test_tasks_of_roads_know_their_road() -> None:
    """The order is that of the calls; the road is noted with the tasks on it, and what it makes is chosen."""
    found = composed(report, "flights")

    assert ["profile", "road", "full", "short"] == list(found.calls)
    assert [(), (), (Road(decision="road", label="storm"),), (Road(decision="road", label="calm"),)] == [
        call.roads for call in found.calls.values()
    ]
    assert ("storm", "calm") == found.calls["road"].labels
    assert ["", "", "n.a", "n.a"] == [call.output for call in found.calls.values()]


def test_a_branch_in_a_road_is_on_both() -> None:
    """A task deep in branches runs only where every one of them led to it."""

    def body(flights: Any) -> Any:
        facts = profile(flights)
        inner = lambda: branch(road(facts, limit=0.9), {"storm": lambda: full(flights, facts), "calm": lambda: None})  # noqa: E731
        return {"n.a": branch(road(facts), {"storm": inner, "calm": lambda: short(facts)})}

    found = composed(body, "flights")

    assert [("road", "storm"), ("road_2", "storm")] == [(r.decision, r.label) for r in found.calls["full"].roads]


def test_a_task_called_twice_has_two_names() -> None:
    """Every call is a step of its own."""

    def body() -> Any:
        return {"n.a": total([square(1), square(2)])}

    found = composed(body)

    assert ["square", "square_2", "total"] == list(found.calls)
    assert (
        Ref(kind="list", items=(Ref(kind="task", name="square"), Ref(kind="task", name="square_2")))
        == (found.calls["total"].arguments["numbers"])
    )


def test_map_goes_through_its_first_free_parameter() -> None:
    """What is named is the same for every item; what comes of it is the list of results."""

    def body(numbers: Any) -> Any:
        return {"n.a": total(square.map(numbers, by=3))}

    found = composed(body, "numbers").calls

    assert ("n", Ref(kind="value", value=3)) == (found["square"].mapped, found["square"].arguments["by"])
    assert Ref(kind="results", name="square") == found["total"].arguments["numbers"]


def test_a_constant_is_kept_as_it_was_written() -> None:
    """Any JSON can be written into a workflow."""

    def body() -> Any:
        return {"n.a": short({"x": [1, None, "ä"]})}

    assert {"x": [1, None, "ä"]} == composed(body).calls["short"].arguments["facts"].value


def flag(flights: Any) -> Any:
    return {"n.a": full(flights, profile(flights)) if profile(flights) else short({})}


def walks(flights: Any) -> Any:
    return {"n.a": total([square(n) for n in flights])}


def computes(flights: Any) -> Any:
    return {"n.a": square(total(flights) + 1)}


def compares(flights: Any) -> Any:
    return {"n.a": short({"x": 1}) if total(flights) > 1 else short({})}


def takes_apart(flights: Any) -> Any:
    return {"n.a": short(profile(flights)["cancelled"])}


def asks(flights: Any) -> Any:
    return {"n.a": short(flights.schema)}


def decides_by_input(flights: Any) -> Any:
    return {"n.a": branch(flights, {"a": lambda: short({})})}


def different_roads(flights: Any) -> Any:
    way = road(profile(flights))
    branch(way, {"storm": lambda: short({})})
    return {"n.a": branch(way, {"calm": lambda: short({})})}


def made_elsewhere(flights: Any) -> Any:
    outside = short({})
    return {"n.a": branch(road(profile(flights)), {"storm": lambda: outside, "calm": lambda: short({})})}


def passes_through(flights: Any) -> Any:
    return {"n.a": flights}


def returns_list(flights: Any) -> Any:
    return {"n.a": square.map(flights)}


def returns_nothing(flights: Any) -> Any:
    profile(flights)


def returns_other(flights: Any) -> Any:
    return {"n.b": short({})}


def passes_no_json(flights: Any) -> Any:
    return {"n.a": short({1, 2})}


def passes_inputs_in_a_list(flights: Any) -> Any:
    return {"n.a": total([flights, square(1)])}


def wrong_call(flights: Any) -> Any:
    return {"n.a": short(flights, 1, 2)}


def formats(flights: Any) -> Any:
    return {"n.a": short({"name": f"{total(flights)}.csv"})}


def maps_with_a_typo(flights: Any) -> Any:
    return {"n.a": total(square.map(flights, bye=3))}


def maps_a_text(flights: Any) -> Any:
    return {"n.a": total(square.map("abc"))}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (flag, r"neither true nor false; write branch\("),
        (walks, r"nothing to walk through; write task\.map"),
        (computes, r"nothing can be computed with it; compute inside a @task"),
        (compares, r"nothing can be computed with it.*branch"),
        (takes_apart, r"it has no \['cancelled'\]; take it apart inside a @task"),
        (asks, r"it has no \.schema; take it apart inside a @task"),
        (decides_by_input, "not one task's result; let a @task return the name of the road"),
        (different_roads, "different roads"),
        (made_elsewhere, "call it inside that road's function"),
        (passes_through, "n.a is not the result of a task"),
        (returns_list, "gather them in one more @task"),
        (returns_nothing, "its body returned nothing"),
        (returns_other, "its body returned n.b"),
        (passes_no_json, "is a set, which can not be kept"),
        (passes_inputs_in_a_list, "pass it as a parameter of its own"),
        (wrong_call, "short can not be called so"),
        (formats, "nothing can be computed with it"),
        (maps_with_a_typo, "square can not be called so"),
        (maps_a_text, "goes through str; give it a list"),
    ],
)
def test_what_can_not_be_composed(body: Callable[..., Any], words: str) -> None:
    """Each mistake is told with what to write instead."""
    with pytest.raises(DeclarationError, match=words):
        composed(body, "flights")


def test_one_result_for_two_assets() -> None:
    """A version belongs to one asset."""

    def body() -> Any:
        made = short({})
        return {"n.a": made, "n.b": made}

    with pytest.raises(DeclarationError, match="let a @task make each"):
        composed(body, produces=("n.a", "n.b"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"produces": []}, "lists no assets"),
        ({"produces": ["n.a", "n.a"]}, "each once"),
        ({"produces": "n.a"}, "lists no assets"),
        ({"produces": ["n.a"], "consumes": ["x.raw", "y.raw"]}, "which both end in 'raw'"),
        ({"produces": ["n.a"], "consumes": "x.raw"}, "is no list"),
        ({"produces": ["n.a"], "policy": {"n.b": Policy()}}, "n.b, which is not made here"),
    ],
)
def test_a_workflow_that_can_not_be_meant(said: dict[str, Any], words: str) -> None:
    """The decorator says at once what is wrong with what it was given."""
    with pytest.raises(DeclarationError, match=words):
        workflow("n.w", **said)


def test_a_decision_without_its_road() -> None:
    """Run directly, a decision that no road bears is an error that names the roads."""
    with pytest.raises(DeclarationError, match="no road 'rain'; it has storm, calm"):
        branch("rain", {"storm": dict, "calm": dict})


def test_true_and_false_are_roads() -> None:
    """A task may decide by a truth value."""
    assert "yes" == branch(True, {True: lambda: "yes", False: lambda: "no"})


def test_nothing_new_goes_no_further() -> None:
    """What takes NoUpdate is skipped, run directly as in a run."""
    assert NoUpdate is short(NoUpdate)
    assert "NoUpdate" == repr(NoUpdate)


def test_run_directly_items_with_nothing_new_are_left_out() -> None:
    """A list has the results that there are; of none at all nothing is made, and nothing takes no road."""

    @task
    def odd(n: int) -> int:
        return n if n % 2 else NoUpdate

    assert [1, 3] == odd.map([1, 2, 3])
    assert 4 == total([odd(1), odd(2), odd(3)])
    assert NoUpdate is total([odd(2), odd(4)])
    assert 0 == total([])
    assert [] == odd.map([])
    assert NoUpdate is total(odd.map([2, 4]))
    assert NoUpdate is odd.map(odd(2))
    assert NoUpdate is branch(NoUpdate, {"storm": dict})


def test_a_road_may_have_nothing_new() -> None:
    """On that road the asset keeps its head."""

    def body(flights: Any) -> Any:
        return {"n.a": branch(road(profile(flights)), {"storm": lambda: short({}), "calm": lambda: NoUpdate})}

    assert {"short": "n.a"} == {n: c.output for n, c in composed(body, "flights").calls.items() if c.output}


def test_what_takes_a_road_without_anything_new_is_skipped_there() -> None:
    """The choice has no such road: to a task, nothing new is no value, neither in a run nor when called directly."""

    def body(flights: Any) -> Any:
        return {"n.a": short(branch(road(profile(flights)), {"storm": lambda: profile({}), "calm": lambda: NoUpdate}))}

    ref = composed(body, "flights").calls["short"].arguments
    assert [("storm",)] == [r.labels for r in ref.values()]
    with pytest.raises(DeclarationError, match="can not be kept with a workflow"):
        composed(lambda flights: {"n.a": short(NoUpdate)}, "flights")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_every_call_comes_after_what_it_takes(shape: list[int]) -> None:
    """Whatever a body calls, the tasks stand in an order in which they can run."""

    def body() -> Any:
        made: list[Any] = [short({})]
        for pick in shape:
            made.append(full(1, made[pick % len(made)]))
        return {"n.a": made[-1]}

    seen: set[str] = set()
    for name, call in composed(body).calls.items():
        assert {r.name for ref in call.arguments.values() for r in ref.walk() if r.kind == "task"} <= seen
        seen.add(name)


def test_a_parameter_of_the_body_is_passed_on_and_nothing_else() -> None:
    """It is a reference: a task receives it; it is neither mapped over nor part of a list."""

    def body(n: Any, *, by: int = 2) -> Any:
        return {"n.a": square(n, by=by)}

    call = compose(body, ("n",), ("n.a",), ("by",)).calls["square"]

    assert {"n": Ref(kind="input", name="n"), "by": Ref(kind="param", name="by")} == call.arguments
    with pytest.raises(DeclarationError, match="let a task return a list"):
        compose(lambda *, by: {"n.a": square.map(by)}, (), ("n.a",), ("by",))
    with pytest.raises(DeclarationError, match="a parameter of its own"):
        compose(lambda *, by: {"n.a": total([square(1), by])}, (), ("n.a",), ("by",))
