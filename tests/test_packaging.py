"""Is what gets installed what lies in the tree?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("assets", "scheduler", "storage", "api")


def _sources() -> set[str]:
    """Names in the package of every Python file, type marker, static file and file of the starter in the tree."""
    own = {f"riparian/{path.name}" for path in (ROOT / "riparian").iterdir() if path.is_file()}
    own |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "riparian" / "testing").rglob("*.py")}
    rooms = {
        f"riparian/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and (path.suffix == ".py" or {"static", "starter"} & {*path.relative_to(ROOT).parts})
    }
    return own | rooms


def _copied_tree(into: Path) -> Path:
    """The tree without what git ignores, links kept as links; a build writes only into the copy."""
    everywhere = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__", "flights-demo*")
    at_the_root = {"tests", "docs", "examples"}

    def left_out(folder: str, names: list[str]) -> set[str]:
        return everywhere(folder, names) | (at_the_root if Path(folder) == ROOT else set())

    return Path(shutil.copytree(ROOT, into / "tree", symlinks=True, ignore=left_out))


def _build(tree: Path, kind: str) -> Path:
    """Builds in ``tree`` with the installed setuptools, hence without the network."""
    script = f"import setuptools.build_meta as b; b.build_{kind}('dist')"
    subprocess.run([sys.executable, "-c", script], cwd=tree, check=True, capture_output=True, timeout=100)
    (built,) = (tree / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def _packaged(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("riparian/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(_copied_tree(tmp_path_factory.mktemp("wheel")), "wheel")


def test_wheel_holds_the_tree(wheel: Path) -> None:
    """Every file of the four rooms and of riparian/ is in the wheel under riparian/, and no other."""
    assert _sources() == _packaged(wheel)


def test_wheel_is_typed_and_brings_the_migrations(wheel: Path) -> None:
    """What is only found at run time is there too: the type marker and the schema's migrations."""
    packaged = _packaged(wheel)

    assert "riparian/py.typed" in packaged
    assert "riparian/storage/metadata/migrations/env.py" in packaged
    assert any(name.startswith("riparian/storage/metadata/migrations/versions/0001") for name in packaged)


def test_wheel_names_licence_command_and_entry_points(wheel: Path) -> None:
    """The wheel carries the licence, the `riparian` command and each entry point of pyproject.toml."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        info = {Path(n).name: n for n in archive.namelist() if ".dist-info/" in n}
        licence = archive.read(info["LICENSE"])
        entry_points = archive.read(info["entry_points.txt"]).decode()

    assert (ROOT / "LICENSE").read_bytes() == licence
    assert "riparian = riparian.api.cli:main" in entry_points
    for group in declared.get("entry-points", {}).values():
        for name, target in group.items():
            assert f"{name} = {target}" in entry_points


def test_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """The links are plain folders in the sdist, and a wheel built from it holds the same files."""
    sdist = _build(_copied_tree(tmp_path), "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()

    assert _packaged(wheel) == _packaged(_build(unpacked, "wheel"))


COLLECTED = """
import os, pytest

class Named(pytest.File):
    def collect(self):
        print("\\n" + os.path.relpath(self.path))
        return []

class Names:
    def pytest_pycollect_makemodule(self, module_path, parent):
        return Named.from_parent(parent, path=module_path)

pytest.main(["--collect-only", "-qqs", "--noconftest", "-p", "no:cacheprovider"], plugins=[Names()])
"""
"""Names what pytest would import as tests; to import all of it would take as long as many of the tests."""


def test_every_test_file_is_collected() -> None:
    """No test file is passed over: pytest matches the folders it leaves out by base name; `make campaign` names its."""
    listed = subprocess.run(
        [sys.executable, "-c", COLLECTED], cwd=ROOT, check=True, capture_output=True, text=True, timeout=100
    ).stdout
    collected = {line for line in listed.splitlines() if line.startswith(("tests/", "examples/"))}
    folders = (ROOT / "tests", ROOT / "examples")
    on_disk = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("test_*.py")}

    assert {path for path in on_disk if "/campaigns/" not in path} == collected
