"""Who may send how much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from anyio import run
from starlette.types import Message, Receive, Scope, Send

from riparian.api.bodies import Bodies
from riparian.assets.errors import Unauthenticated

if TYPE_CHECKING:
    from tests.api.conftest import Doors

MIB = 1 << 20


class Sender:
    """Counts how many bytes of an endless body were asked for."""

    def __init__(self) -> None:
        self.read = 0

    async def receive(self) -> Message:
        self.read += MIB
        return {"type": "http.request", "body": bytes(MIB), "more_body": True}


def send_without_end(app: Any, path: str, **headers: str) -> tuple[int, int]:
    """Returns the status of the answer to an endless POST, and how many bytes of it were read."""
    sender, answers = Sender(), list[Message]()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def keep(message: Message) -> None:
        answers.append(message)

    async def ask() -> None:
        await app(scope, sender.receive, keep)

    run(ask)
    return next(m["status"] for m in answers if m["type"] == "http.response.start"), sender.read


@pytest.mark.parametrize("header", [{"content_length": "100"}, {"transfer_encoding": "chunked"}])
@pytest.mark.parametrize("path", ["/api/v1/definitions", "/api/v1/tokens", "/api/v1/health", "/api/v1/no/such/door"])
def test_nothing_of_a_strangers_body_is_read(demo: Doors, path: str, header: dict[str, str]) -> None:
    """Whatever door it is sent to, and however its length is said: 401 before the first byte."""
    assert (401, 0) == send_without_end(demo.app, path, **header)
    assert (401, 0) == send_without_end(demo.app, path, authorization="Bearer nobody", **header)


@pytest.mark.parametrize("path", ["exchange", "heartbeat", "sessions"])
@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer nobody"}])
def test_worker_doors_read_nothing_of_a_strangers_body(demo: Doors, path: str, header: dict[str, str]) -> None:
    """Who shows no session or worker's token is refused before a byte of the body is asked for."""
    answer = send_without_end(demo.app, f"/worker/v1/{path}", transfer_encoding="chunked", **header)

    assert (401, 0) == answer


def test_nothing_of_a_workers_body_is_read_by_rest(demo: Doors) -> None:
    """Its token is known, and opens nothing here."""
    worker = (demo.state / "worker-token").read_text().strip()

    answered = send_without_end(
        demo.app, "/api/v1/definitions", authorization=f"Bearer {worker}", transfer_encoding="chunked"
    )

    assert (403, 0) == answered


def test_a_known_callers_body_ends_somewhere(demo: Doors) -> None:
    """What is read is counted, whatever length was said."""
    status, read = send_without_end(
        demo.app, "/api/v1/definitions", authorization=f"Bearer {demo.token}", content_length="5"
    )

    assert 413 == status
    assert 64 * MIB < read <= 66 * MIB


def test_the_problem_says_how_much_is_too_much(demo: Doors) -> None:
    """RFC 9457, over a real connection, with a body of unknown length."""

    def endless() -> Iterator[bytes]:
        for _ in range(65):
            yield bytes(MIB)

    answer = demo.ask("POST", "definitions", content=endless())

    assert (413, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert ("too_large", True) == (answer.json()["code"], str(64 * MIB) in answer.json()["detail"])


def test_workers_bodies_are_bounded_too() -> None:
    """Doors that ask for themselves who it is are still not read beyond the bound."""
    read: list[int] = []

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            read.append(len((await receive())["body"]))

    def nobody(authorization: str) -> None:
        raise Unauthenticated("who are you?")

    with pytest.raises(Exception, match="larger than 3145728 bytes"):
        send_without_end(
            Bodies(door, known="/api/", authenticate=nobody, most=3 * MIB),
            "/worker/v1/exchange",
            transfer_encoding="chunked",
        )

    assert [MIB] * 3 == read
