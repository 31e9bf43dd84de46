"""Who may come in, and through whose eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.routing import iter_route_contexts

if TYPE_CHECKING:
    from tests.api.conftest import Doors

OPEN = {("GET", "/api/v1/health")}
"""What needs no token. Nothing is added here without a reason."""


def test_every_door_but_health_needs_a_token(demo: Doors) -> None:
    """Enumerated from the app: a new route can not be forgotten, also not one that the OpenAPI page does not show."""
    doors = {
        (method, route.path)
        for route in iter_route_contexts(demo.app.routes)
        for method in route.methods or ()
        if route.path.startswith("/api/")
    }
    answers = {
        (method, path): demo.http.request(
            method, path.format(key="k", version_id="v", run_id="r", token_id="t", backfill_id="b", dimension="d")
        )
        for method, path in doors - OPEN
    }

    assert doors >= OPEN
    assert len(doors) > 15
    assert {} == {door: a.status_code for door, a in answers.items() if a.status_code != 401}
    assert {"Bearer"} == {a.headers["www-authenticate"] for a in answers.values()}


def test_only_the_api_and_its_description_are_served(demo: Doors) -> None:
    """No page that FastAPI brings along: they load scripts from elsewhere."""
    paths = {route.path for route in iter_route_contexts(demo.app.routes)}

    assert {"/openapi.json"} == {p for p in paths if not p.startswith(("/api/v1/", "/worker/v1/"))}


@pytest.mark.parametrize("header", ["Bearer nobody", "Basic bWU6bWU=", "Bearer one two", "nonsense"])
def test_what_is_no_token_of_ours_is_turned_away(demo: Doors, header: str) -> None:
    """With the same answer for each, which says how to get one."""
    answer = demo.http.get("/api/v1/assets", headers={"Authorization": header})

    assert (401, "unauthenticated") == (answer.status_code, answer.json()["code"])
    assert "riparian token create" in answer.json()["detail"]


def test_a_workers_token_opens_nothing(demo: Doors) -> None:
    """It is for leases alone."""
    worker = (demo.state / "worker-token").read_text().strip()

    answer = demo.ask("GET", "assets", token=worker)

    assert (403, "refused") == (answer.status_code, answer.json()["code"])


def test_a_persons_token_opens_no_session(demo: Doors) -> None:
    """The worker protocol is for workers' tokens alone."""
    body = b'{"protocol":1,"incarnation":"x","pool":"default","slots":1,"host":"h"}'

    answer = demo.http.post("/worker/v1/sessions", content=body, headers={"Authorization": f"Bearer {demo.token}"})

    assert 401 == answer.status_code


def test_health_tells_strangers_no_names(demo: Doors) -> None:
    """Status and version for everyone; what can not be seen for owners alone."""
    stranger = demo.http.get("/api/v1/health").json()
    reader = demo.ask("GET", "health", token=demo.token_of("ana", "ops")).json()
    owner = demo.ask("GET", "health").json()

    assert {"status", "version", "problems"} == stranger.keys()
    assert ("ok", None, None, []) == (stranger["status"], stranger["problems"], reader["problems"], owner["problems"])


AS_ANA = {"X-Riparian-As": "ana"}


def test_asking_as_somebody_else_needs_dev(demo: Doors) -> None:
    """A server that is not in dev mode refuses, also an owner."""
    demo.token_of("ana", "ops")

    assert 403 == demo.ask("GET", "assets", headers=AS_ANA).status_code


@pytest.mark.parametrize("doors", ["dev"], indirect=True)
def test_an_owner_asks_as_somebody_else_in_dev(doors: Doors) -> None:
    """Through the other's eyes; others than owners may not, and nobody as a stranger."""
    doors.apply()
    doors.token_of("ana", "sales")
    bob = doors.token_of("bob", "ops")

    seen = doors.ask("GET", "assets", headers=AS_ANA)

    assert (200, []) == (seen.status_code, seen.json()["items"])
    assert 403 == doors.ask("GET", "assets", token=bob, headers=AS_ANA).status_code
    assert 404 == doors.ask("GET", "assets", headers={"X-Riparian-As": "zoe"}).status_code
    assert 403 == doors.ask("POST", "assets/demo.numbers/policy/approve", token=bob).status_code


@pytest.mark.parametrize("doors", ["dev"], indirect=True)
def test_nobody_acts_as_somebody_else(doors: Doors) -> None:
    """Looking as another is for looking: the audit never names them for what they did not do."""
    doors.apply()
    doors.token_of("ana", "owners")

    changing = {
        (method, route.path.removeprefix("/api/v1/"))
        for route in iter_route_contexts(doors.app.routes)
        for method in (route.methods or set()) - {"GET", "HEAD"}
        if route.path.startswith("/api/")
    }
    answers = {
        (method, path): doors.ask(
            method,
            path.format(key="demo.numbers", token_id="t", run_id="r", backfill_id="b", dimension="d"),
            json={},
            headers=AS_ANA,
        )
        for method, path in changing
    }

    assert len(changing) > 5
    assert {} == {door: a.text for door, a in answers.items() if a.status_code != 403}
    assert {"act as yourself; --as (X-Riparian-As) is for looking"} == {a.json()["detail"] for a in answers.values()}
    assert 200 == doors.ask("GET", "assets", headers=AS_ANA).status_code
