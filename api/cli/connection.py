"""Whom does a command ask? The server that was named or that runs here, else the same app in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from riparian.api import state
from riparian.api.cli import declarations
from riparian.api.cli.command import InvalidDeclarations
from riparian.assets import errors
from riparian.assets.errors import (
    Conflict,
    Invalid,
    NotFound,
    Problem,
    Refused,
    RiparianError,
    Unauthenticated,
)

if TYPE_CHECKING:
    from riparian.api.cli.command import Cli
    from riparian.api.settings import Settings

KINDS: dict[str, type[RiparianError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RiparianError) and kind is not RiparianError
}
"""The error that each problem's ``code`` stands for."""

BY_STATUS: dict[int, type[RiparianError]] = {
    401: Unauthenticated,
    403: Refused,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}
"""The error that a problem with a code of its own is a kind of."""


class Unreachable(RiparianError):
    """No server answers at the address that was named."""

    code = "unreachable"


class ServerFailed(RiparianError):
    """The server has a bug, or what answers is not a server of ours."""

    code = "server_failed"


class Client:
    """The REST API as the commands use it: answers are JSON values, refusals are raised as the errors they were."""

    def __init__(self, http: httpx.Client, *, in_process: bool = False) -> None:
        self._http = http
        self.in_process = in_process
        """Whether nobody but this command is there, so that nobody works either."""

    @property
    def url(self) -> str:
        return str(self._http.base_url)

    def get(self, path: str, **params: Any) -> Any:
        return self._json("GET", path, params=_said(params))

    def post(self, path: str, body: Any = None) -> Any:
        return self._json("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        # As text: httpx sends no body at all for json=None, but null is what clears.
        return self._json("PUT", path, content=json.dumps(body), headers={"Content-Type": "application/json"})

    def delete(self, path: str) -> None:
        self._json("DELETE", path)

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Yields the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, **params, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    @contextmanager
    def stream(self, path: str, **params: Any) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Gives the name of what is sent ("" when it has none), and its bytes as they arrive."""
        with _reaching(), self._http.stream("GET", f"/api/v1/{path}", params=_said(params)) as response:
            if response.is_error:
                response.read()
                raise _refusal(response)
            name = response.headers.get("Content-Disposition", "").partition("filename*=UTF-8''")[2]
            yield unquote(name), response.iter_bytes()

    def _json(self, method: str, path: str, **more: Any) -> Any:
        with _reaching():
            response = self._http.request(method, f"/api/v1/{path}", **more)
        if response.is_error:
            raise _refusal(response)
        return response.json() if response.content else None


@contextmanager
def connect(cli: Cli, *, new: bool = False) -> Iterator[Client]:
    """Gives a client; raises NotFound where there is no project, and Conflict when another process has it open and does
    not listen."""
    headers = {"X-Riparian-As": cli.on_behalf} if cli.on_behalf else {}
    if cli.url:
        with remote(cli.url, state.token_for(cli.settings.state, cli.url), headers) as client:
            yield client
        return
    if not new:
        declarations.require_project(cli.settings)
    folder = cli.settings.state
    held = state.acquire(folder, wait_seconds=2.0)
    if held is not None:
        with state.release_after(held), in_process(cli.settings, headers) as client:
            yield client
        return
    server = state.running_server(folder)
    if server is None:
        raise state.in_use(folder)
    with remote(server.url, state.token_for(folder, server.url), headers) as client:
        yield client


@contextmanager
def remote(url: str, token: str | None, headers: dict[str, str], *, in_process: bool = False) -> Iterator[Client]:
    """Gives a client of the server at ``url``."""
    if not token:
        raise Unauthenticated("no token; set RIPARIAN_TOKEN (an owner makes one with `riparian token create NAME`)")
    # trust_env: a proxy of the environment must not see tokens that are meant for this machine.
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}", **headers}, timeout=60, trust_env=False
    ) as http:
        yield Client(http, in_process=in_process)


@contextmanager
def in_process(settings: Settings, headers: dict[str, str]) -> Iterator[Client]:
    """Gives a client of the app in this process. The caller holds the project's lock."""
    from riparian.api import server

    app, token = server.open_app(settings, sensors=False, dev=True)
    token = os.environ.get("RIPARIAN_TOKEN") or token
    with server.background(app) as url, remote(url, token, headers, in_process=True) as client:
        yield client


def _said(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as exc:
        raise Unreachable(
            f"the server does not answer ({str(exc) or type(exc).__name__}); "
            "is the address right, and does `riparian serve` run there?"
        ) from exc


def _refusal(response: httpx.Response) -> RiparianError:
    try:
        body = response.json()
        code, detail = body["code"], body["detail"]
    except (ValueError, KeyError, TypeError):
        return ServerFailed(f"{response.request.url} answered {response.status_code} and no problem; is it riparian?")
    if found := body.get("problems"):
        return InvalidDeclarations(tuple(Problem.from_json(p) for p in found))
    return KINDS.get(code, BY_STATUS.get(response.status_code, ServerFailed))(detail)
