"""How a problem travels."""

import json

import pytest

from riparian.assets.errors import Location, Problem


@pytest.mark.parametrize("location", [None, Location("a.py", 3)])
def test_a_problem_is_the_same_after_json(location: Location | None) -> None:
    """With its place, or without one."""
    problem = Problem(code="bad_key", message="no", remedy="Do", location=location)

    assert problem == Problem.from_json(json.loads(json.dumps(problem.to_json())))
