"""What all tests share: processes that start quickly, a catalogue that is there, the examples of properties."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples each time, but for a campaign's, by its seed. How long one takes is for benchmarks to tell.
settings.register_profile("riparian", deadline=None, derandomize="RIPARIAN_TEST_SEED" not in os.environ)
settings.load_profile("riparian")


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
