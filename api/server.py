"""How does the control plane come up, listen and go down?

One process under the project's lock. Where it listens is written only once it does, so that whoever finds the
address can use it; the lock is given back last.
"""

from __future__ import annotations

import gc
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import uvicorn

from riparian.api import state
from riparian.api.app import create_app
from riparian.assets.errors import Conflict, Invalid, Refused
from riparian.scheduler import principals
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.plane import ControlSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from riparian.api.settings import Settings

GRACE_SECONDS = 3
"""How long requests that are under way at the end may take."""


class Server(uvicorn.Server):
    """Calls ``listening`` once requests are answered, and ``ending`` while they still are."""

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], ending: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await anyio.to_thread.run_sync(self._ending)
        await super().shutdown(sockets=sockets)


def serve(
    settings: Settings,
    *,
    dev: bool = False,
    allow_remote: bool = False,
    listening: Callable[[str], None] = lambda url: None,
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Serves until SIGINT or SIGTERM.

    ``listening(url)`` is called once requests are answered, ``ending()`` at the end while they still are. The first
    must return soon: the server waits for it.
    """
    _refuse_remote(settings.host, allow_remote)
    with state.exclusive(settings.state), _bound(settings.host, settings.port) as bound:
        url = _url(settings.host, bound)
        app, _ = open_app(settings, sensors=True, dev=dev)

        def announce() -> None:
            state.announce(settings.state, url)
            listening(url)

        calm_collector()
        server = Server(_config(app), announce, ending)
        try:
            with _graceful_signals():
                server.run(sockets=[bound])
        finally:
            state.withdraw(settings.state)
        if not server.started:
            raise Conflict("the control plane could not start; the log above says why")


@contextmanager
def background(app: FastAPI) -> Iterator[str]:
    """Serves ``app`` on a free port of this machine from a thread of its own; gives its address."""
    ready = threading.Event()
    with _bound("127.0.0.1", 0) as bound:
        server = Server(_config(app), ready.set)

        def run() -> None:
            try:
                server.run(sockets=[bound])
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="server", daemon=True)
        thread.start()
        try:
            ready.wait()
            if not server.started:
                raise Conflict("the control plane could not start; the log above says why")
            yield _url("127.0.0.1", bound)
        finally:
            server.should_exit = True
            thread.join()


def _config(app: FastAPI) -> uvicorn.Config:
    # Access lines would repeat what the audit knows, and cost more than the hot path itself.
    return uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_SECONDS, lifespan="on", ws="none"
    )


def open_app(settings: Settings, *, sensors: bool, dev: bool) -> tuple[FastAPI, str]:
    """Returns the app over the project's state, not yet started, with the token of its first owner.

    The caller holds the project's lock.
    """
    state.prepare(settings.state)
    plane = ControlPlane(
        ControlSettings(
            root=settings.root,
            state=settings.state,
            database_url=settings.database_url,
            storage_url=settings.storage_url,
            storage_options=dict(settings.storage_options),
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.lease_seconds / 5,
            sensors=sensors,
            pool_limits=dict(settings.pool_limits),
            key_limits=dict(settings.key_limits),
        )
    )
    return create_app(plane, dev=dev), ensure_tokens(plane, settings.state)


def ensure_tokens(plane: ControlPlane, folder: Path) -> str:
    """Returns the owner's token. The first start makes it and one for workers, in files for the owner's eyes only."""
    token = state.read_token(folder)
    if token is None:
        token = principals.bootstrap(plane.db)
        state.write_token(folder, token)
    if state.read_token(folder, state.WORKER_TOKEN) is None:
        caller = plane.access.authenticate(token)
        worker = principals.create_token(
            plane.db, "worker", groups=(), clearances=(), kind="worker", by=caller.principal
        )
        state.write_token(folder, worker, state.WORKER_TOKEN)
    return token


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_remote(host: str, allow_remote: bool) -> None:
    if not allow_remote and not is_loopback(host):
        raise Refused(
            f"{host} is reachable from other machines, and tokens would cross the network in clear; "
            "put a TLS proxy in front of 127.0.0.1, or say --allow-remote"
        )


def calm_collector() -> None:
    """Leaves what the process is made of out of the search for garbage, and searches less often.

    What is loaded now stays until the end, and requests make little that only the collector could free; in a plan of a
    thousand assets it took a third of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Gives a socket that is bound before anything is opened: an address in use must cost nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: only then does asyncio switch Nagle's algorithm off for what is accepted here, and an
    # answer of two packets would else wait 40 ms for the acknowledgement of the first.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except socket.gaierror as exc:
            raise Invalid(f"{host!r} is no address of this machine: {exc.strerror}") from exc
        except OSError as exc:
            raise Conflict(f"can not listen on {host}:{port}: {exc.strerror}; choose another --port") from exc
        yield bound


def _url(host: str, bound: socket.socket) -> str:
    port = bound.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _graceful_signals() -> Iterator[None]:
    """uvicorn raises the signals it caught once more after its end; by then they must not kill what is still to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _noted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _noted(number: int, frame: object) -> None:
    logging.getLogger("riparian.api").info("ending on %s", signal.Signals(number).name)
