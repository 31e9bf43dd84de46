"""No mistake of a caller is a bug of ours: whatever is sent, the answer is a problem that says what is wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Doors

HALF = "\\ud800"  # half a character, as JSON writes it
HUGE = "9" * 30


def manifest_body(text: str) -> str:
    return json.dumps({"manifest": text, "bundle": ""})


def manifest_named(name: str) -> str:
    empty: dict[str, object] = {"version": 1, "project": "NAME", "bundle": "", "assets": [], "workflows": []}
    return json.dumps(empty).replace("NAME", name)


BODIES: list[tuple[str, str, str]] = [
    ("POST", "tokens", '{"name": "eve", "expires_seconds": 1e18}'),
    ("POST", "tokens", '{"name": "eve", "expires_seconds": 1e300}'),
    ("POST", "tokens", '{"name": "eve", "expires_seconds": Infinity}'),
    ("POST", "tokens", '{"name": "eve", "expires_seconds": NaN}'),
    ("POST", "tokens", f'{{"name": "eve", "expires_seconds": {HUGE}}}'),
    ("POST", "tokens", f'{{"name": "eve{HALF}"}}'),
    ("POST", "tokens", f'{{"name": "eve", "groups": ["{HALF}"]}}'),
    ("POST", "tokens", f'{{"name": "eve", "{HALF}": 1}}'),
    ("POST", "tokens", "[" * 60_000),
    ("POST", "tokens", "9" * 5000),
    ("POST", "tokens", '"\x00'),
    ("PUT", "assets/demo.numbers/policy", f'{{"readers": [["{HALF}"]]}}'),
    ("PUT", "assets/demo.numbers/policy", f'{{"tags": ["{HALF}"]}}'),
    ("PUT", "assets/demo.numbers/policy", f'{{"{HALF}": []}}'),
    ("PUT", "assets/demo.numbers/policy", '{"expires": 1e300}'),
    ("PUT", "assets/demo.numbers/policy", '{"expires": "2030-01-01T00:00:00"}'),
    ("PUT", "assets/demo.numbers/policy", f'{{"isolation": {HUGE}}}'),
    ("POST", "assets/demo.numbers/materialize", f'{{"partition": "{HALF}"}}'),
    ("POST", "assets/demo.numbers/materialize", f'{{"params": {{"{HALF}": 1}}}}'),
    ("POST", "assets/demo.numbers/materialize", f'{{"params": {{"a": ["{HALF}"]}}}}'),
    ("POST", "assets/demo.numbers/materialize", '{"params": {"a": NaN}}'),
    ("POST", "assets/demo.numbers/materialize", '{"params": {"a": ' + "[" * 300 + "]" * 300 + "}}"),
    ("POST", "assets/demo.numbers/materialize", '{"params": {"a": ' + "[" * 900 + "]" * 900 + "}}"),
    ("POST", "assets/demo.numbers/materialize", '{"params": {"a": ' + "[" * 60_000 + "]" * 60_000 + "}}"),
    ("POST", "assets/demo.numbers/events", f'{{"value": "{HALF}"}}'),
    ("POST", "assets/demo.numbers/events", '{"value": NaN}'),
    ("POST", "assets/demo.numbers/events", '{"value": ' + "[" * 300 + "]" * 300 + "}"),
    ("POST", "assets/demo.numbers/events", '{"id": 7}'),
    ("POST", "plan", json.dumps({"manifest": "[" * 900})),
    ("POST", "plan", json.dumps({"manifest": "{}", "limit": 501})),
    ("POST", "plan", f'{{"manifest": "{HALF}"}}'),
    ("POST", "definitions", manifest_body('{"a":' * 60_000 + "1" + "}" * 60_000)),
    ("POST", "definitions", manifest_body("[" * 900 + "]" * 900)),
    ("POST", "definitions", manifest_body(manifest_named(HALF))),
    ("POST", "definitions", manifest_body("9" * 5000)),
    ("POST", "definitions", '{"manifest": "{}", "bundle": "***"}'),
    ("POST", "definitions", f'{{"manifest": "{HALF}", "bundle": ""}}'),
]


def cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


QUERIES: list[tuple[str, str, str]] = [
    *(
        (path, "cursor", cursor(place))
        for path in ("assets", "runs", "files", "plan", "assets/demo.numbers/versions")
        for place in (f'["{HALF}"]', "[" * 10_000, f"[{HUGE}]", f'[{HUGE}, "a", "b"]', f'[1, "{HALF}", "b"]', "1e999")
    ),
    ("files", "cursor", "\x00"),
    ("files", "cursor", "%"),
    ("runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/logs", "offset", HUGE),
    ("runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/logs", "epoch", HUGE),
    ("assets/demo.numbers/data", "rows", HUGE),
    ("assets/demo.numbers/lineage", "up", HUGE),
    ("assets/demo.numbers/lineage", "limit", HUGE),
    ("assets/demo.numbers/lineage", "as_of", HUGE),
    ("assets/demo.numbers/lineage", "as_of", "\x00"),
    ("assets/demo.numbers/lineage", "as_of", "9999-12-31T23:59:59-23:59"),
    ("assets/demo.numbers/versions", "limit", HUGE),
]


def is_told(answer: httpx.Response) -> bool:
    """Whether it is a problem that blames nobody else."""
    problem = answer.json()
    return (
        400 <= answer.status_code < 500
        and answer.headers["content-type"] == "application/problem+json"
        and problem["status"] == answer.status_code
        and bool(problem["detail"])
    )


@pytest.fixture(scope="module")
def watched(demo: Doors) -> Iterator[Doors]:
    """The demo; at the end nothing that was sent has left a trace."""
    before = demo.ask("GET", "assets/demo.numbers/policy").json()
    yield demo
    assert before == demo.ask("GET", "assets/demo.numbers/policy").json()


@pytest.mark.parametrize(("method", "path", "body"), BODIES, ids=lambda text: text[:40])
def test_a_body_that_can_not_be_used_is_the_callers_mistake(watched: Doors, method: str, path: str, body: str) -> None:
    """Numbers without bound, halves of characters, nesting without end: refused, nothing is kept."""
    answer = watched.ask(method, path, content=body.encode(), headers={"Content-Type": "application/json"})

    assert is_told(answer), (answer.status_code, answer.text)


@pytest.mark.parametrize(("path", "name", "value"), QUERIES, ids=lambda text: text[:40])
def test_a_query_that_can_not_be_used_is_the_callers_mistake(demo: Doors, path: str, name: str, value: str) -> None:
    """Also a cursor that we did not write."""
    answer = demo.ask("GET", path, params={name: value})

    assert is_told(answer), (answer.status_code, answer.text)


@pytest.mark.parametrize("path", ["runs/%00", "runs/%ED%A0%80", "versions/%FF", "assets/%ED%A0%80", "assets/a%00b"])
def test_a_name_that_can_not_be_is_not_found(demo: Doors, path: str) -> None:
    """It names nothing."""
    assert 404 == demo.ask("GET", path).status_code


def test_a_token_may_be_valid_for_a_hundred_years(demo: Doors) -> None:
    """The bound itself is possible."""
    years = 100 * 365 * 86_400

    assert 201 == demo.ask("POST", "tokens", json={"name": "old", "expires_seconds": years}).status_code
    assert 422 == demo.ask("POST", "tokens", json={"name": "old", "expires_seconds": years + 1}).status_code
