"""What may be given to a run: which parameters are some, and which values fit."""

from datetime import date
from typing import Any

import pytest

from riparian.assets.errors import DeclarationError, Invalid, Location
from riparian.assets.parameters import (
    WORDS,
    ParameterSpec,
    effective,
    judged,
    keyword_options,
    parameter_of,
    read_parameter,
)

HERE = Location("air.py", 1)
GOOD = {"int": [0, -1], "float": [0.5, 2], "str": ["", "7"], "bool": [True], "date": ["2013-01-31"]}
BAD = {
    "int": [True, 1.0, "1", None, 2**64],
    "float": ["1", float("inf"), float("nan"), False],
    "str": [1, None, [], "x" * 1_001],
    "bool": [1, "true", None],
    "date": ["2013-1-31", "2013-02-30", "20130131xx", 20130131, "2013-01-31T00"],
}


def some(flights: dict, unit: str = "h", *, days: int = 7, since: date = date(2013, 1, 1), by: dict | None = None):
    return flights


def wrong(*, days: int = "7", since: date = "2013-01-01"):  # type: ignore[assignment]
    return days, since


def test_those_behind_the_star_with_a_default_and_a_plain_type() -> None:
    """Others are options of the function alone, as before."""
    found = [parameter_of(some, n, some.__annotations__[n], HERE) for n in keyword_options(some)]

    assert [
        ParameterSpec(name="days", type="int", default=7),
        ParameterSpec(name="since", type="date", default="2013-01-01"),
        None,
    ] == found


@pytest.mark.parametrize("name", ["days", "since"])
def test_a_default_of_another_type_is_a_problem(name: str) -> None:
    """What nobody could give is not what holds when nobody gives anything."""
    problem: Any = parameter_of(wrong, name, wrong.__annotations__[name], HERE)

    assert ("bad_default", HERE) == (problem.code, problem.location)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in GOOD.items() for v in values])
def test_values_that_fit(kind: str, value: Any) -> None:
    """They are given as they are, and read again from a manifest."""
    spec = read_parameter(["x", kind, value])

    assert {"x": value} == judged([spec], {"x": value})


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_values_that_do_not_fit(kind: str, value: Any) -> None:
    """The answer says what would, and no manifest has such a default."""
    spec = ParameterSpec(name="x", type=kind, default=GOOD[kind][0])

    with pytest.raises(Invalid, match=f"'x' is .*, but takes {WORDS[kind]}"):
        judged([spec], {"x": value})
    with pytest.raises(DeclarationError, match="the default"):
        read_parameter(["x", kind, value])


def test_an_unknown_name_is_told_what_there_is() -> None:
    """Also that there is nothing."""
    spec = ParameterSpec(name="days", type="int", default=7)

    with pytest.raises(Invalid, match=r"no parameter 'day'; there are: days \(int, otherwise 7\)"):
        judged([spec], {"day": 1})
    with pytest.raises(Invalid, match="there are: none"):
        judged([], {"day": 1})


def test_what_is_not_given_has_its_default() -> None:
    """Each parameter has a value in every run."""
    specs = [ParameterSpec(name="days", type="int", default=7), ParameterSpec(name="by", type="str", default="h")]

    assert {"days": 1, "by": "h"} == effective(specs, {"days": 1})


@pytest.mark.parametrize("body", [["x", "dict", {}], ["", "int", 1], ["a b", "int", 1], [1, "int", 1]])
def test_a_strange_parameter_is_refused(body: list) -> None:
    """A manifest comes over the network."""
    with pytest.raises(DeclarationError):
        read_parameter(body)
