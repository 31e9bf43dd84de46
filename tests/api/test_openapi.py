"""What the API says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from riparian.api.models import FileState, RunState
from riparian.scheduler.core import lifecycle

if TYPE_CHECKING:
    from tests.api.conftest import Doors


def operations(demo: Doors) -> dict[tuple[str, str], dict[str, Any]]:
    schema = demo.http.get("/openapi.json").json()
    return {(method.upper(), path): op for path, item in schema["paths"].items() for method, op in item.items()}


def test_every_operation_says_what_it_does_and_who_may_ask(demo: Doors) -> None:
    """A summary in words, and the bearer token; health takes one, but needs none."""
    found = operations(demo)
    health = found.pop(("GET", "/api/v1/health"))

    assert [] == [door for door, op in found.items() if not op.get("description")]
    assert [] == [door for door, op in found.items() if op["security"] != [{"HTTPBearer": []}]]
    assert [{"HTTPBearer": []}, {}] == health["security"]


def test_every_refusal_is_told_as_a_problem(demo: Doors) -> None:
    """With the media type that it is sent with."""
    refusals = [
        (door, status, list(answer["content"]))
        for door, op in operations(demo).items()
        for status, answer in op["responses"].items()
        if status >= "400"
    ]

    assert len(refusals) > 100
    assert [] == [refusal for refusal in refusals if refusal[2] != ["application/problem+json"]]


def test_states_are_those_that_there_are() -> None:
    """What a list can be asked for is what the tables know."""
    assert set(lifecycle.RUN) == set(get_args(RunState))
    assert set(lifecycle.FILE) == set(get_args(FileState))


def test_every_answer_has_a_shape(demo: Doors) -> None:
    """No operation answers with a JSON value of which nothing is said."""
    schemas = {
        door: answer["content"]["application/json"].get("schema")
        for door, op in operations(demo).items()
        for status, answer in op["responses"].items()
        if status.startswith("2")
        and "application/json" in answer.get("content", {})
        and not door[1].endswith("download")
    }

    assert len(schemas) > 15
    assert {} == {door: schema for door, schema in schemas.items() if not schema}


def test_workers_doors_are_not_in_it(demo: Doors) -> None:
    """The worker protocol is versioned by itself and not for people."""
    assert [] == [door for door in operations(demo) if "worker" in door[1]]
