"""Which files arrived, changed or went in the folders that sources wait for?

The listing is the truth, and an event a hint to look earlier. One thread looks: at hinted paths at once, at settling
files when they fall due, and at everything every ``poll_seconds``.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from riparian.scheduler.sensors.base import Known, Report
from riparian.scheduler.sensors.claims import Folders, Watch
from riparian.scheduler.sensors.inventory import Inventory, Ledger
from riparian.scheduler.sensors.listing import look_at, walk
from riparian.scheduler.sensors.outbox import Outbox
from riparian.scheduler.sensors.watching import Doorbell, Hints, Watching

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.015
"""A hint is rarely alone: the others of the same burst are waited for, and looked at and told together."""

EVENTS_SHARE = 200
POLLING_SHARE = 10
"""Listing takes at most one part in EVENTS_SHARE of the time, or where there are no events in POLLING_SHARE."""


class FileDropSensor:
    """Reports files that arrive for sources. See ``base.Sensor`` for the promises.

    ``known`` gives the files that the ledger holds already; all others that lie there at the start count as arriving.
    ``clock`` gives seconds since the epoch; ``observe`` makes the observer of events.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        report: Report,
        *,
        known: Known = tuple,
        poll_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
        observe: Callable[[], Any] | None = None,
    ) -> None:
        self._known = known
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._outbox = Outbox(report)
        self._doorbell = Doorbell()
        self._watching = Watching(self._doorbell, observe)
        folders = Folders(watches)
        self._inventories = {p: Inventory(f, folders, self._outbox.put) for p, f in folders.by_path.items()}
        self._ledger: Ledger | None = None
        self._dues: list[tuple[float, str, str]] = []  # a heap; an entry too many costs one look
        self._absent: set[str] = set()
        self._problems: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="riparian-filedrop", daemon=True)

    def start(self) -> None:
        self._watching.start()
        # Watched before the first listing: what arrives between the two is seen twice and not never.
        for folder in self._inventories:
            self._is_there(folder)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._doorbell.rung.set()
        if self._thread.is_alive():
            self._thread.join()
        self._watching.stop()

    def problems(self) -> tuple[str, ...]:
        of_folders = self._problems.copy().values()
        of_events = self._watching.problems.copy().values()
        return (*of_folders, *of_events, *([self._outbox.problem] if self._outbox.problem else []))

    def look_now(self) -> None:
        """Lists all folders soon, without waiting for the next poll."""
        for folder in self._inventories:
            self._doorbell.hint_folder(folder)

    def _run(self) -> None:
        next_poll = time.monotonic()  # a poll must come whatever is done to the calendar
        while not self._stopping.is_set():
            began = time.monotonic()
            is_poll = began >= next_poll
            hints = self._doorbell.take()
            try:
                self._look(hints, is_poll=is_poll)
            except Exception:  # must outlive what nobody thought of: the next poll looks at everything again
                log.exception("looking for files failed; all folders are listed again in %s s", self._poll_seconds)
                is_poll = True
            looked = time.monotonic()
            if is_poll:
                share = POLLING_SHARE if self._watching.problems else EVENTS_SHARE
                next_poll = looked + max(self._poll_seconds, (looked - began) * share)
            if is_poll or not self._outbox.problem:
                self._outbox.deliver()
            self._wait(next_poll)

    def _wait(self, next_poll: float) -> None:
        timeout = next_poll - time.monotonic()
        if self._dues:
            timeout = min(timeout, self._dues[0][0] - self._clock())
        if self._doorbell.rung.wait(max(timeout, 0.0)):
            self._stopping.wait(GATHER_SECONDS)

    def _look(self, hints: dict[str, Hints], *, is_poll: bool) -> None:
        ledger = self._recorded()
        now = self._clock()
        paths: dict[str, set[str]] = {folder: set(h.paths) for folder, h in hints.items()}
        while self._dues and self._dues[0][0] <= now:
            _, folder, path = heapq.heappop(self._dues)
            paths.setdefault(folder, set()).add(path)
        # Not every folder, unless it is time to: an event costs what it touches, however many folders there are.
        for folder in self._inventories if is_poll else paths:
            hint = hints.get(folder, Hints())
            if is_poll or hint.wants_listing:
                if self._is_there(folder):
                    self._list(folder, hint, now, ledger)
            elif folder not in self._absent:
                self._look_at(folder, paths[folder], hint, now, ledger)

    def _recorded(self) -> Ledger:
        if self._ledger is None:
            ledger: Ledger = {}
            for source, path, fingerprint in self._known():
                ledger.setdefault(source, {})[path] = fingerprint
            self._ledger = ledger
        return self._ledger

    def _is_there(self, folder: str) -> bool:
        try:
            self._watching.ensure(folder, is_deep=self._inventories[folder].folder.depth > 0)
        except OSError as exc:
            # What lay in it is not told as vanished: a disk that is not mounted takes nothing away.
            self._watching.forget(folder)
            self._absent.add(folder)
            self._problems[folder] = f"the folder {folder} can not be watched ({exc.strerror or exc}); make or mount it"
            return False
        self._absent.discard(folder)
        return True

    def _list(self, folder: str, hint: Hints, now: float, ledger: Ledger) -> None:
        inventory = self._inventories[folder]
        try:
            listing = walk(folder, inventory.folder.depth)
        except OSError as exc:
            self._problems[folder] = (
                f"the folder {folder} can not be listed ({exc.strerror or exc}); let the server read it"
            )
            return
        for due, path in inventory.list(listing, now=now, was_renamed=hint.was_renamed, ledger=ledger):
            heapq.heappush(self._dues, (due, folder, path))
        self._problems.pop(folder, None)
        for path, why in listing.unreadable.items():
            self._problems[folder] = f"the folder {folder}/{path} can not be listed ({why}); let the server read it"

    def _look_at(self, folder: str, paths: set[str], hint: Hints, now: float, ledger: Ledger) -> None:
        inventory = self._inventories[folder]
        for path in sorted(paths):
            if not inventory.folder.reaches(path):
                continue
            try:
                entry = look_at(folder, path)
            except OSError:
                continue  # the next listing says what is wrong
            due = inventory.see(path, entry, now=now, was_renamed=hint.was_renamed(path), ledger=ledger)
            if due is not None:
                heapq.heappush(self._dues, (due, folder, path))
