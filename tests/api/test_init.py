"""What `riparian init` writes, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from riparian.api.cli import app, starting
from riparian.assets.errors import Invalid
from riparian.assets.keys import parse_key

FILES = [
    ".gitignore",
    "README.md",
    "drop",
    "pipeline.py",
    "pytest.ini",
    "riparian.toml",
    "sample",
    "sample/orders.csv",
    "tests",
    "tests/test_pipeline.py",
]


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", *arguments], env={})


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_what_it_writes_is_a_project(tmp_path: Path) -> None:
    """`riparian check` finds nothing wrong with it, and pytest runs its test, in a folder with a space in its name."""
    folder = tmp_path / "My shop"
    written = init(str(folder))
    checked = subprocess.run(
        [sys.executable, "-m", "riparian", "check", "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=folder, capture_output=True, check=False
    )

    assert (0, FILES) == (written.exit_code, [f for f in tree(folder) if "__pycache__" not in f])
    assert (0, 0) == (checked.returncode, tested.returncode), checked.stderr + str(tested.stdout)
    assert {"project": "my_shop", "assets": 3, "workflows": 2, "problems": []} == json.loads(checked.stdout)


def test_the_next_commands_are_told(tmp_path: Path) -> None:
    """To go there, to run it, to drop the file that lies ready, to look."""
    folder = tmp_path / "my shop"
    lines = init(str(folder)).stdout.splitlines()

    assert f"  cd '{folder}'" == lines[1]
    assert ["riparian dev", "cp sample/orders.csv drop/", "riparian data shop.sales"] == [
        line.partition("#")[0].strip() for line in lines[2:]
    ]


def test_a_folder_that_looks_like_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `cd` that is told goes there."""
    monkeypatch.chdir(tmp_path)

    assert "  cd -- --help" == init("--", "--help").stdout.splitlines()[1]


def test_the_name_is_in_the_files_that_say_it(tmp_path: Path) -> None:
    """The configuration and the README; nothing is called as the template is."""
    init(str(tmp_path / "harbour"))

    assert "harbour" == tomllib.loads((tmp_path / "harbour" / "riparian.toml").read_text())["project"]["name"]
    assert (tmp_path / "harbour" / "README.md").read_text().startswith("# harbour\n")
    assert not [p for p in (tmp_path / "harbour").rglob("*") if p.is_file() and starting.STARTER_NAME in p.read_text()]


def test_this_folder_may_hold_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty but for .git, and for what was kept of an earlier project: without a folder the project is written here,
    and no `cd` is told."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".riparian").mkdir()
    monkeypatch.chdir(tmp_path)
    written = init()

    assert (0, True, False) == (written.exit_code, (tmp_path / "pipeline.py").is_file(), "cd " in written.stdout)


@pytest.mark.parametrize("name", ["pipeline.py", ".hidden", "folder/inner.txt"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """A folder that holds anything is left as it is; the refusal (5) names what is there."""
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    before = tree(tmp_path)
    refused = init(str(tmp_path))

    assert (5, before, "mine") == (refused.exit_code, tree(tmp_path), there.read_text())
    assert str(tmp_path / name.partition("/")[0]) in refused.stderr


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The refusal says so and names it."""
    (tmp_path / "shop").write_text("mine")
    refused = init(str(tmp_path / "shop"))

    assert (5, True) == (refused.exit_code, f"{tmp_path / 'shop'} is a file" in refused.stderr)


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    """As a refusal with the reason, not with a traceback."""
    (tmp_path / "file").touch()
    refused = init(str(tmp_path / "file" / "shop"))

    assert (5, True) == (refused.exit_code, "can not be written" in refused.stderr), refused.stderr


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop", "shop"),
        ("My-Flights 2", "my_flights_2"),
        ("--a--", "a"),
        ("Übung", "ubung"),
        ("2024", "project_2024"),
        ("a.b", "a_b"),
        ("x" * 300, "x" * starting.LONGEST_NAME),
    ],
)
def test_names_are_made_of_folders(folder: str, name: str) -> None:
    """Letters a to z, digits and _, and always a good segment of a key."""
    assert (name, name) == (starting.project_name(folder), parse_key(name))


@pytest.mark.parametrize("folder", ["数据", "", "---"])
def test_a_folder_of_which_no_name_can_be_made_is_refused(folder: str) -> None:
    """The message says which letters are meant."""
    with pytest.raises(Invalid, match="no letter a to z"):
        starting.project_name(folder)


def test_another_name_than_the_folders_is_told(tmp_path: Path) -> None:
    """On stderr, and only when it is another."""
    other, same = init(str(tmp_path / "My-Shop")), init(str(tmp_path / "shop"))

    assert (True, "") == ("the project is called my_shop" in other.stderr, same.stderr)
    assert "my_shop" == json.loads(init(str(tmp_path / "my shop"), "--json").stdout)["project"]
