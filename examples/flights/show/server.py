"""How is Riparian started and ended here? As a person would: `riparian dev` in the project's folder, then Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
PROJECT = ("pipeline.py", "riparian.toml", "README.md")
MARK = ".gitignore"
"""Lies in every folder that a demonstration made, so that git leaves it alone and the next one may replace it."""

MARK_TEXT = "# made by the flights demonstration of Riparian\n*\n"
START_SECONDS, END_SECONDS = 40.0, 20.0


class Failed(Exception):
    """Something that was expected did not happen; the message says what, and where to look."""


def make_project(folder: Path) -> Path | None:
    """Copies the project into ``folder``, made anew. What an earlier demonstration left there is moved beside it, to
    ``<folder>.before``, whose own content goes; returns that folder. Raises Failed for a folder that is not ours."""
    before = None
    if folder.exists() and any(folder.iterdir()):
        if not _is_ours(folder):
            raise Failed(f"{folder} holds something else; name another folder with --folder")
        if _is_served(folder):
            raise Failed(f"a server runs in {folder} (`riparian dev`?); end it, or name another folder with --folder")
        before = folder.with_name(f"{folder.name}.before")
        if before.exists():
            if not _is_ours(before):
                raise Failed(f"{before} is in the way and holds something else; move it, or use --folder")
            shutil.rmtree(before)
        folder.rename(before)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(MARK_TEXT, encoding="utf-8")
    for name in PROJECT:
        shutil.copyfile(HERE / name, folder / name)
    return before


def _is_ours(folder: Path) -> bool:
    mark = folder / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == MARK_TEXT


def _is_served(folder: Path) -> bool:
    # The server takes this file away at its end; a killed one leaves it behind, with the number of a dead process.
    try:
        pid = json.loads((folder / ".riparian" / "server.json").read_text(encoding="utf-8"))["pid"]
    except (OSError, ValueError, KeyError):
        return False
    return subprocess.run(["/bin/kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers and the owner's token. ``log`` is where it and its worker write."""

    url: str
    token: str
    log: Path
    pid: int


@contextmanager
def serving(project: Path) -> Iterator[Running]:
    """Runs `riparian dev` (control plane and worker) in the project; gives it once it listens, and ends it after."""
    log = project / "riparian.log"
    # The settings of another project in this environment must not lead this one astray.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RIPARIAN_")}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "riparian", "dev", "--json"],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for the demonstration, which then ends what it started
        )
    try:
        yield Running(_url(process, log), _token(project), log, process.pid)
    finally:
        _end(process, log)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Returns where the server listens, once the project's declarations are in force too."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        events = {event.get("what"): event for event in _events(log)}
        if "not applied" in events:
            raise Failed(f"the project can not be used: {events['not applied']['detail']}; see {log}")
        if "applied" in events:
            return str(events["listening"]["subject"])
        if process.poll() is not None:
            raise Failed(f"`riparian dev` ended with code {process.returncode} before it listened; see {log}")
        time.sleep(0.02)
    raise Failed(f"`riparian dev` was not ready within {START_SECONDS:.0f} s; see {log}")


def _events(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{") and line.endswith("}"):
            yield json.loads(line)


def _token(project: Path) -> str:
    return (project / ".riparian" / "token").read_text(encoding="utf-8").strip()


def _end(process: subprocess.Popen[bytes], log: Path) -> None:
    """Ctrl-C, and time to drain; raises Failed when that was not enough, after ending by force what is left."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C: somebody has no patience left
        workers = _children(process.pid)
        process.kill()
        process.wait()
        for pid in workers:
            subprocess.run(["/bin/kill", "-KILL", str(pid)], capture_output=True, check=False)
        raise Failed(f"`riparian dev` did not end within {END_SECONDS:.0f} s and was killed; see {log}") from None


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["/bin/ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    own = [child for child, parent in pairs if parent == pid]
    return own + [c for child in own for c in _children(child)]
