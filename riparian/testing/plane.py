"""What does a test's control plane keep its facts in? Memory, and a folder that is gone with it."""

from __future__ import annotations

import functools
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riparian.scheduler.control import ControlPlane
from riparian.scheduler.plane import ControlSettings
from riparian.storage.metadata.database import Database, memory_url
from riparian.storage.objects.files import remove_copies
from riparian.testing.clock import Clock

FOREVER_SECONDS = 1e9
"""How long a lease lasts: the clock of a test may move by years, and nobody else works."""

_numbers = itertools.count(1)


@contextmanager
def plane_in_memory(clock: Clock) -> Iterator[ControlPlane]:
    """A control plane without its loops; its project's folder is an empty one, in which files may arrive."""
    name = f"riparian-{next(_numbers)}"
    copied = _copy(name)
    folder = Path(tempfile.mkdtemp(prefix="riparian-test-"))
    try:
        settings = ControlSettings(
            root=folder / "project",
            state=folder / "state",
            database_url=str(memory_url(name)),
            storage_url=f"memory://{name}",
            lease_seconds=FOREVER_SECONDS,
            sensors=False,
        )
        settings.root.mkdir()
        plane = ControlPlane(settings)
        plane.db.clock = clock.microseconds
        ids = itertools.count(1)
        # In the order in which they are made, also within one millisecond: the same test sees the same order.
        plane.db.ids = lambda: f"{next(ids):026d}"
        try:
            yield plane
        finally:
            plane.db.close()
            for top in {name.partition("/")[0] for name in plane.objects.list()}:
                plane.objects.delete(top)
    finally:
        copied.close()
        remove_copies()
        shutil.rmtree(folder, ignore_errors=True)


def _copy(name: str) -> sqlite3.Connection:
    """Makes the database of that name; it lasts as long as a connection to it, such as the one returned."""
    copy = _connected(name)
    _empty().backup(copy)
    return copy


@functools.cache
def _empty() -> sqlite3.Connection:
    """A migrated database without rows, made once in a process: migrating takes longer than many a test."""
    connection = _connected("riparian-empty")
    Database(memory_url("riparian-empty")).close()
    return connection


def _connected(name: str) -> sqlite3.Connection:
    # Tests may be run in threads, one after the other.
    return sqlite3.connect(f"{memory_url(name).database}?vfs=memdb", uri=True, check_same_thread=False)
