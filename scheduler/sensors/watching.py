"""Where is it worth looking?

inotify events are hints: they may be lost (a full queue), doubled, or invented by the library for folders that are
new, so nothing is concluded from one but that a look is due. One exception, a rename, is told by the kernel alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riparian.assets.files import is_ignored

MOST_HINTS = 50_000
"""More than this is not remembered path by path: the folder is listed instead."""

MOVED = "moved"
WRITTEN = "written"
TOUCHED = "touched"


@dataclass(slots=True)
class Hints:
    """What events said about one folder since it was looked at last. Paths are relative to the folder."""

    paths: dict[str, str] = field(default_factory=dict)
    moved_folders: set[str] = field(default_factory=set)
    wants_listing: bool = False

    def add(self, path: str, kind: str) -> None:
        """A write after a rename takes the rename's meaning away; a look at it does not."""
        if kind == TOUCHED:
            self.paths.setdefault(path, kind)
        else:
            self.paths[path] = kind
        if len(self.paths) > MOST_HINTS:
            self.paths.clear()
            self.wants_listing = True

    def was_renamed(self, path: str) -> bool:
        """Whether the file came by a rename, of itself or of a folder above it, and was not written since."""
        kind = self.paths.get(path)
        if kind in (WRITTEN, MOVED):
            return kind == MOVED
        while path and self.moved_folders:
            path = path.rpartition("/")[0]
            if path in self.moved_folders:
                return True
        return False


class Doorbell:
    """Collects the hints of all folders; ``rung`` is set while there are any."""

    def __init__(self) -> None:
        self.rung = threading.Event()
        self._lock = threading.Lock()
        self._hints: dict[str, Hints] = {}

    def hint(self, folder: str, path: str, kind: str) -> None:
        with self._lock:
            self._hints.setdefault(folder, Hints()).add(path, kind)
        self.rung.set()

    def hint_folder(self, folder: str, moved: str | None = None) -> None:
        """The whole folder is worth a listing; ``moved`` is a folder in it that was renamed into place."""
        with self._lock:
            hints = self._hints.setdefault(folder, Hints())
            hints.wants_listing = True
            if moved is not None:
                hints.moved_folders.add(moved)
        self.rung.set()

    def take(self) -> dict[str, Hints]:
        """Returns the hints by folder and forgets them."""
        with self._lock:
            self.rung.clear()
            taken, self._hints = self._hints, {}
        return taken


class Watching:
    """Watches over folders by events where the system allows it, and knows when it does not.

    ``observe`` makes the observer; it raises OSError when the system has no more room for one.
    """

    def __init__(self, doorbell: Doorbell, observe: Callable[[], Any] | None = None) -> None:
        self._doorbell = doorbell
        self._observe = observe or _observer
        self._observer: Any = None
        self._watches: dict[str, tuple[Any, tuple[int, int]]] = {}
        self._overflow = _Overflow(self._ring_all)
        self.problems: dict[str, str] = {}

    def start(self) -> None:
        logging.getLogger("watchdog.observers").addHandler(self._overflow)
        # For every folder that is made it may print its whole map of watches, to no use.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")

    def stop(self) -> None:
        logging.getLogger("watchdog.observers").removeHandler(self._overflow)
        self._watches.clear()
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()

    def ensure(self, folder: str, *, is_deep: bool) -> None:
        """Sees to it that an existing folder is watched, also when it was removed and made again.

        Raises OSError when the folder can not be seen; when only events can not be had, says so in ``problems``.
        A listing must follow: nothing tells what happened since a watch died.
        """
        found = Path(folder).stat()
        identity = (found.st_dev, found.st_ino)
        watch, watched = self._watches.get(folder, (None, None))
        if watch is not None and watched == identity and self._is_alive(watch):
            return
        self.forget(folder)
        try:
            if self._observer is None:
                observer = self._observe()
                observer.start()
                self._observer = observer
            self._watches[folder] = (self._schedule(folder, is_deep), identity)
            self.problems.pop(folder, None)
        except OSError as exc:
            self.problems[folder] = (
                f"the system has no room to watch {folder} ({exc.strerror or exc}); "
                "its files are found by listing. Raise fs.inotify.max_user_watches or fs.inotify.max_user_instances"
            )

    def forget(self, folder: str) -> None:
        """Ends the watch of a folder that is gone or is another one now."""
        watch, _ = self._watches.pop(folder, (None, None))
        if watch is not None:
            # Its emitter may have ended by itself when the folder was removed.
            with contextlib.suppress(KeyError, OSError):
                self._observer.unschedule(watch)

    def _ring_all(self) -> None:
        for folder in tuple(self._watches):
            self._doorbell.hint_folder(folder)

    def _is_alive(self, watch: Any) -> bool:
        # The observer's own thread stays alive when an emitter has died.
        return any(e.watch == watch and e.is_alive() for e in tuple(self._observer.emitters))

    def _schedule(self, folder: str, is_deep: bool) -> Any:
        from watchdog.events import (
            DirCreatedEvent,
            DirDeletedEvent,
            DirMovedEvent,
            FileClosedEvent,
            FileCreatedEvent,
            FileDeletedEvent,
            FileModifiedEvent,
            FileMovedEvent,
        )

        kinds: list[type[Any]] = [
            *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileClosedEvent),
            *(FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent),
        ]
        # The real path, because inotify does not follow a link even at the root.
        real = os.path.realpath(folder)
        listener = _Listener(self._doorbell, folder, real)
        return self._observer.schedule(listener, real, recursive=is_deep, event_filter=kinds)


class _Listener:
    """Turns events into hints and does nothing else: the library's queue has no bound."""

    def __init__(self, doorbell: Doorbell, folder: str, real: str) -> None:
        self._doorbell = doorbell
        self._folder = folder
        self._prefix = real.rstrip("/") + "/"

    def dispatch(self, event: Any) -> None:
        moved = event.event_type == "moved"
        # A rename from outside has no source, one to outside no destination.
        if event.src_path:
            self._hint(os.fsdecode(event.src_path), event, TOUCHED if moved else _KINDS.get(event.event_type, TOUCHED))
        if event.dest_path:
            self._hint(os.fsdecode(event.dest_path), event, MOVED)

    def _hint(self, path: str, event: Any, kind: str) -> None:
        relative = path.removeprefix(self._prefix)
        if relative == path:  # the folder itself
            self._doorbell.hint_folder(self._folder)
        elif is_ignored(relative):
            return
        elif event.is_directory:
            self._doorbell.hint_folder(self._folder, moved=relative if kind == MOVED else None)
        else:
            self._doorbell.hint(self._folder, relative, kind)


# ``created`` says nothing of a rename: the library makes one up for each file it finds in a new folder.
_KINDS = {"modified": WRITTEN, "created": TOUCHED, "closed": TOUCHED, "deleted": TOUCHED}


class _Overflow(logging.Handler):
    """Hears the library say that events were lost, which it tells by a log line only."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._lost()


def _observer() -> Any:
    """Returns the system's observer; on Linux one that tells a rename from outside from a file that was made."""
    if sys.platform == "linux":
        from watchdog.observers.inotify import InotifyObserver

        return InotifyObserver(generate_full_events=True)
    from watchdog.observers import Observer

    return Observer()
