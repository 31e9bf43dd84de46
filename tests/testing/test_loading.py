"""A project is loaded from its folder, in this process, as often as there are tests; the folder stays as it is."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riparian.assets.errors import Invalid
from riparian.scheduler.register import InvalidProject
from riparian.testing import Instance

_numbers = itertools.count(1)

MODULE = """
from riparian import FileDrop, asset, source

source("m.raw", arrives=FileDrop("drop/raw.json"))  # without a name

@asset("m.double")
def double(raw: dict) -> dict:
    from {name}_later import twice
    return {{"n": twice(raw["n"])}}
"""

LATER = """
def twice(number):
    return 2 * number
"""

Make = Callable[..., tuple[Path, str]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Writes a project whose modules no other test has imported; returns its folder and its module's name."""
    made: list[str] = []

    def write(module: str = MODULE, later: str = LATER) -> tuple[Path, str]:
        name = f"loaded_{next(_numbers)}"
        made.append(name)
        folder = tmp_path / name
        (folder / "tests").mkdir(parents=True)
        (folder / "riparian.toml").write_text(f'[project]\nname = "{name}"\nmodules = ["{name}"]\n')
        (folder / f"{name}.py").write_text(module.format(name=name))
        (folder / f"{name}_later.py").write_text(later)
        return folder, name

    yield write
    for name in [n for n in sys.modules if n.startswith(tuple(made))]:
        del sys.modules[name]


def double_of(folder: Path, number: int) -> object:
    with Instance.of_project(folder) as instance:
        instance.drop("m.raw", {"n": number})
        instance.run()
        return instance.read("m.double")


def test_a_project_is_found_from_any_folder_in_it(make: Make) -> None:
    """As the command line finds it: from the folder of the tests too."""
    folder, _ = make()

    assert [{"n": 4}, {"n": 6}] == [double_of(folder / "tests", 2), double_of(folder, 3)]


def test_nothing_is_left_behind(make: Make) -> None:
    """No file in the project's folder, and no folder in Python's path."""
    folder, _ = make()
    before, path = sorted(folder.rglob("*")), list(sys.path)
    double_of(folder, 2)

    assert before == [p for p in sorted(folder.rglob("*")) if "__pycache__" not in p.parts]
    assert path == sys.path


def test_a_module_that_is_imported_already_is_taken_as_it_is(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """So what a test puts into it is what runs."""
    folder, name = make(later=LATER)
    double_of(folder, 2)
    monkeypatch.setattr(sys.modules[f"{name}_later"], "twice", lambda number: -number)

    assert {"n": -2} == double_of(folder, 2)


def test_declarations_of_tests_are_not_the_projects(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test module that lies in the project's folder may declare what it likes."""
    folder, name = make()
    (folder / "tests" / f"{name}_test.py").write_text("from riparian import source\nx = source('m.of_a_test')\n")
    monkeypatch.syspath_prepend(folder / "tests")
    __import__(f"{name}_test")

    with Instance.of_project(folder) as instance:
        instance.drop("m.raw", {"n": 1})
        assert ["m.double"] == instance.run()
        assert {"m.raw", "m.double"} == set(instance._assets)


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    """With what to write."""
    with pytest.raises(Invalid, match=r"there is no riparian\.toml in .* or above it"):
        Instance.of_project(tmp_path)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nowhere_to_be_found\n", r"py:1: importing the project failed: ModuleNotFoundError"),
        ("from riparian import asset\n\n@asset('m.a')\ndef a(b: dict) -> dict: ...\n", r"py:3: the parameter 'b' of"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(make: Make, module: str, said: str) -> None:
    """As `riparian check` tells it; the next test that loads it is told the same."""
    folder, _ = make(module)
    for _ in range(2):
        with pytest.raises(InvalidProject, match=said):
            Instance.of_project(folder)
