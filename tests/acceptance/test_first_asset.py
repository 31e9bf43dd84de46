"""The first example, as its page tells it: each command is typed, in order, beside a real `riparian dev`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "first_asset"
PATIENCE_SECONDS = 60.0

TOLD: dict[str, tuple[int, str]] = {
    "cp flights.csv drop/": (0, ""),
    "riparian ls": (0, "air.late_by_carrier"),
    "riparian why air.late_by_carrier": (0, "air.late was updated"),
    "riparian lineage air.late_by_carrier": (0, "air.flights_csv\tair.late\n"),
    "riparian data air.late_by_carrier": (5, "only ops may read"),
    "riparian token create ana --group ops": (0, ""),
    "riparian data air.late_by_carrier --as ana": (0, "AA\t2\nUA\t2\n"),
    "riparian token create bob --group sales": (0, ""),
    "riparian data air.late_by_carrier --as bob": (4, "there is no asset"),
    "riparian ls --as bob": (0, ""),
}
"""What the page shows: how each command ends, and what it says."""


@dataclass
class Terminal:
    """A person's terminal, in the folder of the example."""

    folder: Path
    environ: dict[str, str]

    def type(self, line: str) -> tuple[int, str]:
        ended = subprocess.run(
            shlex.split(line),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """In a copy of the example, with the `riparian` of this environment."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("example") / "air"))
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    return Terminal(folder, environ)


@pytest.fixture(scope="module")
def served(terminal: Terminal) -> Iterator[Path]:
    """`riparian dev` in the first terminal; gives what it says, a JSON document a line."""
    said = terminal.folder.parent / "dev.log"
    with said.open("wb") as log:
        dev = subprocess.Popen(
            ["riparian", "dev", "--json"], cwd=terminal.folder, env=terminal.environ, stdout=log, stderr=log
        )
    try:
        until(said, what="applied")
        yield said
    finally:
        dev.send_signal(signal.SIGINT)
        assert 0 == dev.wait(30)


def until(said: Path, **wanted: str) -> None:
    """Waits until something is told that is as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(wanted.items() <= event.items() for event in events(said)):
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


def events(said: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def typed() -> list[str]:
    """The commands of the page, without what it says of them."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (EXAMPLE / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_the_page_says_what_is_tried() -> None:
    """No command of it is left out here."""
    assert ["riparian dev", *TOLD] == typed()


def test_the_story(terminal: Terminal, served: Path) -> None:
    """The file arrives, both assets are made, and who may read them is as the page says."""
    for line, (code, told) in TOLD.items():
        ended, said = terminal.type(line)

        assert (code, True) == (ended, told in said), f"{line}: {ended} {said}"
        if line.startswith("cp "):
            until(served, what="committed", subject="air.late_by_carrier")
    assert "" == terminal.type("riparian ls --as bob")[1]
