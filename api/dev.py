"""What does `riparian dev` do beside serving? Applies what is saved, keeps a worker alive, tells what happens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from riparian.api import server, state
from riparian.api import settings as configuration
from riparian.api.cli import connection, declarations, terminal
from riparian.api.events import Event, Events
from riparian.api.keeper import Keeper
from riparian.api.watch import Saves
from riparian.assets.errors import RiparianError, Unauthenticated
from riparian.scheduler.sensors.claims import ensure_folders, watch_of

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client
    from riparian.api.settings import Settings
    from riparian.assets.manifest import Manifest

log = logging.getLogger("riparian.api")

LOOK_SECONDS = 0.5
"""How often the terminal is told what happened."""


def run(settings: Settings, *, as_json: bool = False) -> None:
    """Serves until SIGINT or SIGTERM; returns when everything it started has ended."""
    development = Development(settings, as_json=as_json)
    server.serve(settings, dev=True, listening=development.start, ending=development.stop)


class Development:
    """The threads beside the server: one applies what is saved, one tells what happens, the keeper has its own."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self._settings = settings
        self._tell = terminal.teller(as_json=as_json)
        self._ended = threading.Event()
        self._saves = Saves(settings.root)
        self._keeper: Keeper | None = None
        self._threads: list[threading.Thread] = []
        self._in_force = False

    def start(self, url: str) -> None:
        self._tell(Event(what="listening", subject=url, detail=f"project {self._settings.name}"))
        self._tell(Event(what="ask", subject="riparian ls", detail="or why, lineage, runs, data … in another terminal"))
        self._keeper = Keeper.of(self._settings, url)
        self._keeper.start()
        for name, loop in (("telling", self._telling), ("applying", self._applying)):
            thread = threading.Thread(target=self._with_client, args=(url, loop), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends the threads and drains the worker, while the server still answers."""
        self._ended.set()
        if self._keeper is not None:
            self._keeper.stop()
        for thread in self._threads:
            thread.join()

    def _with_client(self, url: str, loop: Callable[[Client], None]) -> None:
        token = state.read_token(self._settings.state)
        if token is None:
            raise Unauthenticated(f"{self._settings.state / state.TOKEN} is gone; start again to get another")
        with connection.remote(url, token, {}) as client:
            loop(client)

    def _applying(self, client: Client) -> None:
        self._saves.start()
        try:
            self._apply(client)
            while not self._ended.is_set():
                if self._saves.wait(LOOK_SECONDS) and not self._ended.is_set():
                    self._apply(client)
        finally:
            self._saves.stop()

    def _apply(self, client: Client) -> None:
        """Applies the project as it is on disk now. What is wrong with it is told; the last good definitions stay."""
        began = time.monotonic()
        try:
            settings = configuration.load(self._settings.root)
            manifest, bundle = declarations.describe(settings)
            self._prepare_folders(manifest)
            applied = declarations.post(client, manifest, bundle, "latest")
        except (RiparianError, OSError) as exc:  # a folder that can not be made, say
            for problem in getattr(exc, "problems", ()):
                self._tell(Event(what="problem", subject=str(problem.location or "?"), detail=_sentence(problem)))
            detail = f"{exc}; {self._still_in_force(client)}"
            self._tell(Event(what="not applied", subject=self._settings.name, detail=detail))
            return
        self._in_force = True
        changes = [
            f"{len(applied[word])} {word}" for word in ("added", "changed", "removed", "pending") if applied[word]
        ]
        if applied["planned"]:
            changes.append(f"{applied['planned']} runs planned")
        said = f"{', '.join(changes) or 'no workflow changed'}, in {time.monotonic() - began:.2f} s"
        self._tell(Event(what="applied", subject=f"definition {applied['definition']}", detail=said))

    def _still_in_force(self, client: Client) -> str:
        if not self._in_force:  # by this process; an earlier one may have applied the project
            try:
                projects = [d["project"] for d in client.get("definitions")["items"]]
            except RiparianError as exc:
                return f"what is in force can not be asked: {exc}"
            self._in_force = self._settings.name in projects
        return "what was applied before stays in force" if self._in_force else "nothing is applied yet"

    def _prepare_folders(self, manifest: Manifest) -> None:
        watches = [watch_of(a, self._settings.root) for a in manifest.assets if a.arrives is not None]
        for folder in ensure_folders(watches):
            self._tell(Event(what="folder", subject=folder, detail="made; drop files there"))

    def _telling(self, client: Client) -> None:
        events = Events(client)
        while not self._ended.wait(LOOK_SECONDS):
            try:
                for event in events.look():
                    self._tell(event)
            except Exception:  # what is told is a comfort: it must not end because one look failed
                log.exception("looking for what happened failed; it is tried again")


def _sentence(problem: object) -> str:
    return f"{getattr(problem, 'message', problem)}. {getattr(problem, 'remedy', '')}".strip()
