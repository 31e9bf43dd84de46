"""Was the project's code saved? Says so once for each burst of saves."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from riparian.api.settings import PROJECT_FILE

log = logging.getLogger("riparian.api")

QUIET_SECONDS = 0.2
"""A save is over when nothing was written for so long: editors write a file in several steps."""

POLL_SECONDS = 1.0
"""How often the files are compared where the system has no room to watch them."""

NOT_WATCHED = frozenset({"node_modules", "__pycache__", "venv", "build", "dist"})
CONFIGURATION = (PROJECT_FILE, "pyproject.toml")
CHANGES = frozenset({"created", "modified", "moved", "deleted"})


class Saves(FileSystemEventHandler):
    """Watches the Python files below ``root`` and its configuration. Events are hints: whoever hears looks itself."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._saved = threading.Event()
        self._last = 0.0
        self._observer: BaseObserver = Observer()

    def start(self) -> None:
        try:
            self._begin()
        except OSError as exc:
            log.warning("saves are found by listing: %s; `riparian doctor` says what to do", exc.strerror or exc)
            self._observer.unschedule_all()
            self._observer = PollingObserver(timeout=POLL_SECONDS)
            self._begin()

    def _begin(self) -> None:
        self._observer.schedule(self, str(self._root))
        for folder in sorted(p for p in self._root.iterdir() if p.is_dir()):
            self._watch_folder(folder)
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()
        self._saved.set()

    def wait(self, timeout_seconds: float) -> bool:
        """Waits for a save and for its end. Returns False when there was none within ``timeout_seconds``."""
        if not self._saved.wait(timeout_seconds):
            return False
        while (left := self._last + QUIET_SECONDS - time.monotonic()) > 0:
            time.sleep(left)
        self._saved.clear()
        return True

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Reading is an event too: without this, loading the project would look like saving it.
        if event.event_type not in CHANGES:
            return
        if event.is_directory:
            folder = Path(str(event.src_path))
            if event.event_type == "created" and folder.parent == self._root:
                try:
                    self._watch_folder(folder)
                except OSError as exc:
                    # This is the thread that hears of all else: it must go on.
                    log.warning("saves in %s are not seen: %s; start again", folder, exc.strerror or exc)
            return
        names = (Path(str(event.src_path)).name, Path(str(event.dest_path)).name)
        if any(name.endswith(".py") or name in CONFIGURATION for name in names):
            self._last = time.monotonic()
            self._saved.set()

    def _watch_folder(self, folder: Path) -> None:
        # Environments and caches hold many thousands of files, each folder of which would cost a watch.
        if folder.name.startswith(".") or folder.name in NOT_WATCHED or (folder / "pyvenv.cfg").exists():
            return
        self._observer.schedule(self, str(folder), recursive=True)
