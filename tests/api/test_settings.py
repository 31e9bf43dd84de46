"""Where a project's configuration comes from, and what happens to a key that nobody reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riparian.api import settings
from riparian.assets.errors import Invalid


def write(folder: Path, text: str, name: str = "riparian.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_folder_without_a_file_is_a_project_with_defaults(tmp_path: Path) -> None:
    """No file is needed: the folder is the project, and its state lies in .riparian."""
    found = settings.load(tmp_path, {})

    assert (tmp_path, None) == (found.root, found.file)
    assert tmp_path / ".riparian" == found.state
    assert f"sqlite:///{tmp_path}/.riparian/metadata.db" == found.database_url
    assert (tmp_path / ".riparian" / "objects").as_uri() == found.storage_url
    assert "127.0.0.1" == found.host


def test_the_file_is_found_upwards(tmp_path: Path) -> None:
    """From a folder inside the project, the project's own file is read."""
    file = write(tmp_path, '[project]\nname = "air"\n[server]\nport = 8470\n')
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)

    found = settings.load(inside, {})

    assert (file, tmp_path, "air", 8470) == (found.file, found.root, found.name, found.port)


def test_a_state_folder_marks_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without a file is found from inside too; a file nearer wins, and a stranger's mark does not count."""
    (tmp_path / ".riparian").mkdir()
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    marked = settings.load(inside, {})
    file = write(tmp_path / "a", "")
    nearer = settings.load(inside, {})
    file.unlink()
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)

    assert [(tmp_path, None), (tmp_path / "a", file)] == [(s.root, s.file) for s in (marked, nearer)]
    assert inside == settings.load(inside, {}).root


def test_pyproject_counts_only_with_a_table_of_ours(tmp_path: Path) -> None:
    """A pyproject.toml without [tool.riparian] belongs to somebody else; the search goes on above it."""
    write(tmp_path, '[tool.riparian.project]\nname = "above"\n', "pyproject.toml")
    write(tmp_path / "inner", '[project]\nname = "other"\n', "pyproject.toml")

    assert "above" == settings.load(tmp_path / "inner", {}).name


def test_the_environment_wins(tmp_path: Path) -> None:
    """RIPARIAN_* stands above the file."""
    write(tmp_path, "lease_seconds = 30\n[worker]\nslots = 3\n")

    found = settings.load(tmp_path, {"RIPARIAN_LEASE_SECONDS": "2.5", "RIPARIAN_STORAGE_OPTIONS": '{"anon": true}'})

    assert (2.5, 3, {"anon": True}) == (found.lease_seconds, found.slots, dict(found.storage_options))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nprot = 1\n", "did you mean 'server.port'?"),
        ('[databse]\nurl = "x"\n', "did you mean 'database'?"),
        ("zzz = 1\n", "the keys are"),
        ("server = 1\n", "write a table [server]"),
        ("[server]\nport = 'x'\n", "write a port"),
        ("[worker]\nslots = 0\n", "a number of 1 or more"),
        ("lease_seconds = true\n", "seconds above 0"),
        ("[limits]\npools = 3\n", "whole numbers"),
        ("[limits.keys]\nwarehouse = 0\n", "whole numbers"),
        ("[limits.pool]\ndefault = 1\n", "limits.pools"),
        ('[project]\nmodules = "a"\n[storage]\noptions = 3\n', "write a table"),
        ("][\n", "is not TOML"),
    ],
)
def test_what_nobody_reads_is_an_error_with_a_suggestion(tmp_path: Path, text: str, told: str) -> None:
    """The message names the file and what was probably meant."""
    file = write(tmp_path, text)

    with pytest.raises(Invalid) as caught:
        settings.load(tmp_path, {})

    assert told in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_misspelt_name_in_the_environment_is_an_error(tmp_path: Path) -> None:
    """What looks like one of ours and is none would be silently without effect."""
    with pytest.raises(Invalid, match="did you mean 'RIPARIAN_SERVER_PORT'"):
        settings.load(tmp_path, {"RIPARIAN_SERVER_PROT": "1"})


def test_other_names_in_the_environment_are_left_alone(tmp_path: Path) -> None:
    """A prefix is not ours alone, and tokens and addresses are read elsewhere."""
    environ = {"RIPARIAN_URL": "http://x", "RIPARIAN_TOKEN": "t", "RIPARIAN_WORKER_TOKEN": "w", "RIPARIAN_FOOBAR": "1"}

    assert 0 == settings.load(tmp_path, environ).port


def test_modules_are_a_list_or_separated_by_commas(tmp_path: Path) -> None:
    """The file has a list; the environment, which has only text, separates by commas."""
    write(tmp_path, '[project]\nmodules = ["air", "rail"]\n')

    assert ("air", "rail") == settings.load(tmp_path, {}).modules
    assert ("sea", "road") == settings.load(tmp_path, {"RIPARIAN_PROJECT_MODULES": "sea, road"}).modules


def test_limits_are_set_by_pool_and_by_key(tmp_path: Path) -> None:
    """In the file as tables, in the environment as JSON."""
    write(tmp_path, "[limits.pools]\ndefault = 8\n[limits.keys]\nwarehouse = 2\n")

    found = settings.load(tmp_path, {"RIPARIAN_LIMITS_KEYS": '{"warehouse": 5}'})

    assert ({"default": 8}, {"warehouse": 5}) == (found.pool_limits, found.key_limits)
