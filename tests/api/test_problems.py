"""What a caller hears when something went wrong."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from anyio import run
from fastapi import FastAPI

from riparian.api import problems
from riparian.assets import errors
from riparian.assets.errors import DeclarationError, Location, Problem, RiparianError
from riparian.storage.objects import errors as object_errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RiparianError)]


def answer_to(error: Exception) -> httpx.Response:
    """What an app answers whose only route raises ``error``."""
    app = FastAPI(exception_handlers=problems.HANDLERS)

    @app.get("/")
    def fail() -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/")

    return run(ask)


@pytest.mark.parametrize("kind", KINDS)
def test_every_mistake_has_a_status_and_a_title(kind: type[RiparianError]) -> None:
    """The table knows every kind of mistake."""
    answer = answer_to(kind("what, why and what to do"))
    body: dict[str, Any] = answer.json()

    assert (problems.STATUS[kind.code], "application/problem+json") == (
        answer.status_code,
        answer.headers["content-type"],
    )
    assert {
        "type": f"urn:riparian:{kind.code}",
        "title": problems.TITLES[kind.code],
        "status": answer.status_code,
        "code": kind.code,
        "detail": "what, why and what to do",
    } == body


def test_a_kind_of_its_own_has_the_status_of_what_it_is_a_kind_of() -> None:
    """A new code need not be in the table; a broken store is nobody's mistake."""

    class Busy(errors.Conflict):
        code = "busy"

    assert (409, "busy") == (answer_to(Busy("wait")).status_code, answer_to(Busy("wait")).json()["code"])
    assert 500 == answer_to(object_errors.ObjectCorrupt("bytes differ")).status_code


def test_declaration_problems_are_listed() -> None:
    """Where, what and why, and the remedy of each."""
    error = DeclarationError("one problem")
    found = Problem(code="x", message="m", remedy="r", location=Location("air.py", 3))
    error.problems = (found,)  # type: ignore[attr-defined]

    listed = answer_to(error).json()["problems"]

    assert [{"code": "x", "message": "m", "remedy": "r", "file": "air.py", "line": 3}] == listed


def test_a_bug_is_logged_and_told_without_details(caplog: pytest.LogCaptureFixture) -> None:
    """Its message may hold anything; the caller hears none of it."""
    with caplog.at_level(logging.ERROR, "riparian.api"):
        answer = answer_to(RuntimeError("secret"))

    assert (500, "internal") == (answer.status_code, answer.json()["code"])
    assert "secret" not in answer.text
    assert "a bug of riparian while it answered GET /" in caplog.text
