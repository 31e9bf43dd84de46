"""What a shell is told while a command is typed."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from riparian.api import state
from riparian.api.cli import completion

if TYPE_CHECKING:
    from tests.api.conftest import Doors

KEYS = ["demo.numbers", "demo.total"]
COMPLETE = "import sys; from riparian.api.cli import main; sys.argv[0] = 'riparian'; main()"


def complete(folder: Path, line: str, **environ: str) -> list[str]:
    """What bash is told for the last word of the line.

    A server has 0.3 s to answer, which a busy machine may miss: something is to be had, so it is asked again.
    """
    for _ in range(10):
        if found := _once(folder, line, **environ):
            return found
    return []


def _once(folder: Path, line: str, **environ: str) -> list[str]:
    words = line.split(" ")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")}
    asked = {"_RIPARIAN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    ended = subprocess.run(
        [sys.executable, "-c", COMPLETE],
        cwd=folder,
        env={**clean, **environ, **asked},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout.split()


def of(demo: Doors, token: str | None = None) -> dict[str, str]:
    return {"RIPARIAN_URL": demo.url, "RIPARIAN_TOKEN": token or demo.token}


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    """Also those of a command inside another."""
    assert ["init"] == complete(tmp_path, "riparian in")
    assert ["--as", "--as-of"] == sorted(complete(tmp_path, "riparian lineage --as"))
    assert ["set", "show"] == sorted(complete(tmp_path, "riparian policy s"))
    assert ["latest"] == complete(tmp_path, "riparian plan --rebuild l")


@pytest.mark.parametrize("command", ["why", "data", "lineage", "runs", "run", "policy show"])
def test_keys_are_completed(demo: Doors, tmp_path: Path, command: str) -> None:
    """By the server, for whoever asks."""
    assert KEYS == complete(tmp_path, f"riparian {command} demo.", **of(demo))
    assert ["demo.total"] == complete(tmp_path, f"riparian {command} demo.t", **of(demo))


def test_nobody_learns_of_what_they_may_not_see(demo: Doors, tmp_path: Path) -> None:
    """Who may read nothing sees no key; a wrong token sees none either and nothing is said."""
    assert [] == _once(tmp_path, "riparian why ", **of(demo, demo.token_of("stranger")))
    assert [] == _once(tmp_path, "riparian why ", **of(demo, "nobody"))


def test_only_sources_are_completed_where_a_source_is_meant(demo: Doors, tmp_path: Path) -> None:
    """The demonstration has none."""
    assert [] == _once(tmp_path, "riparian event demo.", **of(demo))


def test_runs_are_completed(demo: Doors, tmp_path: Path) -> None:
    """The newest first; `riparian runs` takes keys and runs."""
    runs = [r["id"] for r in demo.ask("GET", "runs").json()["items"]]

    assert runs == complete(tmp_path, "riparian logs ", **of(demo))
    assert runs == complete(tmp_path, f"riparian runs {runs[0][:4]}", **of(demo))


def test_a_project_that_is_served_is_found(demo: Doors, tmp_path: Path) -> None:
    """By its folder, as the commands find it; the demonstration is served and says so nowhere, hence nothing."""
    assert [] == _once(tmp_path, f"riparian why --project {demo.state.parent} demo.")
    assert KEYS == complete(tmp_path, f"riparian why --url {demo.url} demo.", RIPARIAN_TOKEN=demo.token)


def test_a_copied_folder_sends_nobody_anything(tmp_path: Path) -> None:
    """Its files name a server, and nobody holds its lock: no token, of the caller or of the folder, goes there."""
    with socket.create_server(("127.0.0.1", 0)) as strangers:
        strangers.setblocking(False)
        url = f"http://127.0.0.1:{strangers.getsockname()[1]}"
        folder = tmp_path / ".riparian"
        state.prepare(folder)
        (folder / "lock").write_text(str(os.getpid()))
        (folder / "server.json").write_text(json.dumps({"url": url, "pid": os.getpid()}))
        state.write_token(folder, "of the folder")
        completed = _once(tmp_path, "riparian why ", RIPARIAN_TOKEN="secret")
        completed += _once(tmp_path, "riparian why ", RIPARIAN_URL=url)

        assert [] == completed
        with pytest.raises(BlockingIOError):  # nobody came
            strangers.accept()


def test_only_words_that_a_shell_leaves_alone_are_completed(tmp_path: Path) -> None:
    """What a server says beside them is dropped: a shell would run or show it."""
    keys = ["air.late", "01ARZ3", "$(touch$IFS.here)", "`id`", "a;b", "a b", "a\nb", "\x1b[31mred", "", "-", "é"]
    body = json.dumps({"items": [{"key": key} for key in keys], "next": None}).encode()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        completed = complete(tmp_path, "riparian why ", RIPARIAN_URL=url, RIPARIAN_TOKEN="secret")
        server.shutdown()
        thread.join()

    assert ["air.late", "01ARZ3", "-"] == completed


def test_a_server_that_is_slow_is_not_waited_for(tmp_path: Path) -> None:
    """One that takes the question and never answers costs no more than was promised."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        without = _seconds(tmp_path, {})
        waited = _seconds(tmp_path, {"RIPARIAN_URL": url, "RIPARIAN_TOKEN": "secret"})

    assert waited - without < completion.MOST_SECONDS + 1.0


def _seconds(folder: Path, environ: dict[str, str]) -> float:
    began = time.monotonic()
    assert [] == _once(folder, "riparian why ", **environ)
    return time.monotonic() - began


def test_a_mistake_in_the_project_is_not_told_now(tmp_path: Path) -> None:
    """A broken configuration completes nothing, without a word."""
    (tmp_path / "riparian.toml").write_text("[[[")

    assert [] == _once(tmp_path, "riparian why ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_and_is_answered(demo: Doors, tmp_path: Path, shell: str) -> None:
    """The script, to be put where the shell looks, asks as it says; the answer names what was looked for."""
    asked = {
        "_TYPER_COMPLETE_ARGS": "riparian why demo.t",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": "riparian why demo.t",
        "COMP_CWORD": "2",
    }
    said = []
    for instruction in ("source", "complete"):
        environ = {**os.environ, **of(demo), **asked, "_RIPARIAN_COMPLETE": f"{instruction}_{shell}"}
        ended = subprocess.run(
            [sys.executable, "-c", COMPLETE], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
        )
        said.append(ended.stdout)

    assert f"_RIPARIAN_COMPLETE=complete_{shell}" in said[0]
    assert ("demo.total" in said[1], "demo.numbers" in said[1]) == (True, False)


def test_bash_itself_completes(demo: Doors, tmp_path: Path) -> None:
    """With the script in force, a real bash fills in what it asked for."""
    bash, riparian = shutil.which("bash"), Path(sys.executable).with_name("riparian")
    assert bash is not None
    typed = f"""
        PATH={riparian.parent}:$PATH
        eval "$(riparian --show-completion bash)"
        COMP_WORDS=(riparian why demo.t); COMP_CWORD=2
        _riparian_completion riparian demo.t why
        echo "${{COMPREPLY[@]}}"
    """
    ended = subprocess.run(
        [bash, "--norc", "-c", typed], cwd=tmp_path, env={**os.environ, **of(demo)}, capture_output=True, text=True
    )

    assert ("demo.total\n", "") == (ended.stdout, ended.stderr)
