"""Whether the project's code was saved."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from riparian.api import watch
from riparian.api.watch import Saves

LONG_SECONDS = 10.0
"""Only what is broken takes so long."""

SHORT_SECONDS = 0.3


@pytest.fixture
def saves(tmp_path: Path) -> Iterator[Saves]:
    """Watches a project with a module, a package and an environment."""
    for folder in ("package", ".venv", "env", "node_modules"):
        (tmp_path / folder).mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "air.py").touch()
    watching = Saves(tmp_path)
    watching.start()
    yield watching
    watching.stop()


@pytest.mark.parametrize("name", ["air.py", "new.py", "package/deep.py", "riparian.toml"])
def test_a_save_is_seen_once(tmp_path: Path, saves: Saves, name: str) -> None:
    """However many writes it takes."""
    for text in ("a", "ab", "abc"):
        (tmp_path / name).write_text(text)

    assert saves.wait(LONG_SECONDS)
    assert not saves.wait(SHORT_SECONDS)


def test_a_rename_is_a_save(tmp_path: Path, saves: Saves) -> None:
    """Editors write beside and move into place."""
    (tmp_path / "air.swp").write_text("a")
    (tmp_path / "air.swp").replace(tmp_path / "air.py")

    assert saves.wait(LONG_SECONDS)


def test_a_new_package_is_watched(tmp_path: Path, saves: Saves) -> None:
    """Also a folder that is made later."""
    (tmp_path / "later").mkdir()
    assert not saves.wait(SHORT_SECONDS)
    (tmp_path / "later" / "rail.py").write_text("a")

    assert saves.wait(LONG_SECONDS)


@pytest.mark.parametrize("name", ["data.csv", ".venv/a.py", "env/a.py", "node_modules/a.py"])
def test_what_is_not_the_projects_code_is_left_alone(tmp_path: Path, saves: Saves, name: str) -> None:
    """Data, environments and other people's packages; reading is no save either."""
    (tmp_path / name).write_text("a")
    (tmp_path / "air.py").read_text()

    assert not saves.wait(SHORT_SECONDS)


@pytest.mark.parametrize("name", ["air.py", "package/rail.py"])
def test_without_room_to_watch_saves_are_found_by_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The system refuses a watch: what is saved is seen all the same, only later."""

    class Refused(watch.Observer):
        def start(self) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(watch, "Observer", Refused)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    (tmp_path / "package").mkdir()
    watching = Saves(tmp_path)
    watching.start()
    (tmp_path / name).write_text("a")

    try:
        assert watching.wait(LONG_SECONDS)
    finally:
        watching.stop()
