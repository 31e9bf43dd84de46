"""What does an import bring along, and who may reach whom?"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "scheduler" / "core"


def _loaded_by(statement: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after ``statement`` and did not hold before."""
    script = (
        f"import sys, json\nbefore = set(sys.modules)\n{statement}\nprint(json.dumps([*set(sys.modules) - before]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "tests", check=True, capture_output=True, text=True, timeout=60
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def _roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("module", ["supervisor", "runner"])
def test_worker_knows_nothing_of_the_control_plane(module: str) -> None:
    """A worker process holds no database, server, timer or file watcher, and of ours only what it was promised."""
    loaded = _loaded_by(f"import riparian.scheduler.worker.{module}")
    allowed = ("riparian.assets", "riparian.storage.objects", "riparian.scheduler.worker")
    shells = {"riparian", "riparian.storage", "riparian.scheduler", "riparian.scheduler.core"}
    ours = {name for name in loaded if name.split(".")[0] == "riparian"}

    assert set() == _roots(loaded) & {
        "sqlalchemy",
        "fastapi",
        "starlette",
        "uvicorn",
        "apscheduler",
        "watchdog",
        "alembic",
    }
    assert {"riparian.scheduler.core.protocol"} >= {n for n in ours - shells if not n.startswith(allowed)}


def test_sdk_is_standard_library_only() -> None:
    """`import riparian`, which every user module does, loads the standard library and riparian.assets alone."""
    loaded = _loaded_by("import riparian")
    ours = {name for name in loaded if name.split(".")[0] == "riparian"}

    assert set() == _roots(loaded) - sys.stdlib_module_names - {"riparian"}
    assert {"riparian", "riparian.assets"} == {".".join(name.split(".")[:2]) for name in ours}


def test_pytest_is_not_slowed_by_the_plugin() -> None:
    """What pytest loads in every session, of the kit is the plugin alone: no planner, database or format."""
    loaded = _loaded_by("import riparian.testing.plugin")
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.split(".")[0] == "riparian"}

    assert {"riparian", "riparian.assets", "riparian.testing"} == ours
    assert set() == _roots(loaded) & {"sqlalchemy", "alembic", "pyarrow", "fsspec", "msgspec", "typer"}


def test_the_kit_is_loaded_when_it_is_asked_for() -> None:
    """pytest is asked for by the plugin alone, so that the kit works without it too."""
    assert "riparian.testing.instance" not in _loaded_by("import riparian.testing")
    assert "pytest" not in _roots(_loaded_by("from riparian.testing import Instance"))


def test_command_line_starts_without_server_and_database() -> None:
    """Loading the command line loads neither web framework, database layer nor Arrow: they cost a second."""
    loaded = _loaded_by("import riparian.api.cli")

    assert set() == _roots(loaded) & {"fastapi", "starlette", "sqlalchemy", "alembic", "pyarrow", "apscheduler"}


@pytest.mark.parametrize("room", ["assets", "scheduler", "storage", "api"])
def test_rooms_are_not_importable_by_their_folder(room: str) -> None:
    """From the repository's root `import assets` fails and names the remedy: no file is loaded under two names."""
    run = subprocess.run([sys.executable, "-c", f"import {room}"], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert run.returncode == 1
    assert f"ImportError: import riparian.{room}, not the folder {room}/" in run.stderr


IMPURE_MODULES = {
    "asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "print", "input", "uuid4", "getenv"}


def _impurities(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names if alias.name.split(".")[0] in IMPURE_MODULES}
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE_MODULES:
                found.add(module)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in IMPURE_CALLS:
                found.add(f"{name}()")
    return found


def test_impurities_are_found() -> None:
    """The search of the next test finds a clock, randomness and a file where there are any."""
    source = "import time\nfrom random import choice\nfrom datetime import datetime\ndatetime.now()\nopen('x')\n"

    assert {"time", "random", "now()", "open()"} == _impurities(source)


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.stem)
def test_core_is_pure(path: Path) -> None:
    """Nothing under scheduler/core reads a clock, draws a number, opens anything: time and ids are its arguments."""
    assert set() == _impurities(path.read_text())
