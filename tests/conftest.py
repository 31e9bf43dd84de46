"""What all tests share: processes that start quickly, and a catalogue that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that tests start share compiled modules: compiling all anew takes seconds each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp().parent / "compiled"))
        yield


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows: to copy it is far quicker than to migrate again."""
    from riparian.storage.metadata.database import Database, sqlite_url  # most tests need none

    path = tmp_path_factory.mktemp("empty") / "metadata.db"
    Database(sqlite_url(path)).close()
    return path
