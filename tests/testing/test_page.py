"""docs/testing.md tells what happens: its files are written and its commands typed, and pytest says what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
FILE = re.compile(r"^`([\w.]+)`(?:, ([\w ]+))?:$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LAST_TEST = re.compile(r"\n\ndef test_(?:(?!\ndef ).)*\Z", re.DOTALL)


def acts() -> Iterator[tuple[str, str, str]]:
    """What the page does, in order: (``write``, file, new content by how), (``run``, …), (``told``, …)."""
    text = PAGE.read_text(encoding="utf-8")
    before = 0
    for block in BLOCK.finditer(text):
        named = list(FILE.finditer(text, before, block.start()))
        before = block.end()
        language, body = block.groups()
        if language in ("python", "toml"):
            (file,) = named
            yield file[2] or "", file[1], body
        else:
            yield language, "", body


def write(path: Path, how: str, body: str) -> None:
    """Writes the file as the page says: anew, further, or its last test anew."""
    there = path.read_text() if path.exists() else ""
    kept = {"": "", "further": f"{there}\n\n", "its last test anew": LAST_TEST.sub("\n\n\n", there)}[how]
    path.write_text(kept + body)


TYPED = """
import os, sys
import alembic.command, pyarrow.csv, pytest, riparian.testing.instance  # once, and not in each of the processes below

for folder in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        for descriptor in (1, 2):
            os.dup2(os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        ended = pytest.main(["-p", "no:cacheprovider", "-p", "riparian.testing.plugin"])
        sys.stdout.flush()
        os._exit(int(ended))
    os.waitpid(child, 0)
"""
"""Types `pytest` in each folder, in a process of its own."""


def test_what_the_page_shows_happens(tmp_path: Path) -> None:
    """Each line that is shown is part of a line that was said, in the same order."""
    told: list[tuple[Path, str]] = []
    files = tmp_path / "files"
    files.mkdir()
    for how, file, body in acts():
        if file:
            write(files / file, how, body)
        elif how == "sh":
            assert "pytest\n" == body
            typed = Path(shutil.copytree(files, tmp_path / f"typed_{len(told)}"))
        else:
            told.append((typed, body))
    command = [sys.executable, "-c", TYPED, *(str(folder) for folder, _ in told)]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # those of our own tests take seconds to load
    subprocess.run(command, env=alone, capture_output=True, check=True, timeout=110)

    assert len(told) > 5
    for folder, body in told:
        said = (folder / "said.txt").read_text().splitlines()
        lines = iter(said)
        for line in body.splitlines():
            assert any(line in one for one in lines), f"not said: {line}\n" + "\n".join(said)
