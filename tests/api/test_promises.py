"""What every command promises: help, --json and nothing else on stdout, the same exit codes for the same failures.

A new command that is not in the table below fails here, and so does one that breaks a promise.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from riparian.api.cli import app
from riparian.api.cli.command import COMMON, LOOKS

if TYPE_CHECKING:
    from tests.api.conftest import Doors

NOTHING = "demo.nothing"
NO_RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

ASKING: dict[tuple[str, ...], tuple[str, ...]] = {
    ("ls",): (),
    ("files",): (),
    ("plan",): (),
    ("apply",): (),
    ("token", "create"): ("eve",),
    ("runs",): (NO_RUN,),
    ("logs",): (NO_RUN,),
    ("cancel",): (NO_RUN,),
    ("rerun",): (NO_RUN,),
    ("backfills",): (),
    ("backfill", "start"): (NOTHING,),
    ("backfill", "pause"): (NO_RUN,),
    ("backfill", "resume"): (NO_RUN,),
    ("backfill", "cancel"): (NO_RUN,),
    ("partitions", "add"): ("nothing", "acme"),
    ("partitions", "remove"): ("nothing", "acme"),
    ("partitions", "list"): ("nothing",),
    ("token", "revoke"): (NO_RUN,),
    ("why",): (NOTHING,),
    ("checks",): (NOTHING,),
    ("lineage",): (NOTHING,),
    ("data",): (NOTHING,),
    ("run",): (NOTHING,),
    ("event",): (NOTHING, "--value", "1"),
    ("policy", "show"): (NOTHING,),
    ("policy", "set"): (NOTHING, "--nobody"),
    ("policy", "approve"): (NOTHING,),
}
"""The commands that ask a server, with arguments: where one is needed, it names what is not there."""

OTHERS = {("init",), ("doctor",), ("dev",), ("serve",), ("check",)}
"""The commands that ask nobody; their own tests say how they end."""

LOOKING = {
    *{("ls",), ("runs",), ("why",), ("checks",), ("lineage",), ("files",), ("data",), ("logs",), ("plan",)},
    ("backfills",),
    ("partitions", "list"),
    ("policy", "show"),
}
"""The commands that ask and change nothing. Only they can look as somebody else."""

BECOMES_ANOTHER = {("worker",)}
"""`riparian worker` is replaced by a program with options of its own."""


def tree(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be typed, with its words."""
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from tree(inner, (*words, name))
        else:
            yield (*words, name), inner


COMMANDS = dict(tree(typer.main.get_command(app)))
USUAL = [words for words in COMMANDS if words not in BECOMES_ANOTHER]


def invoke(folder: Path, words: tuple[str, ...], *more: str, **environ: str) -> Result:
    return CliRunner().invoke(app, [*words, *more, "--project", str(folder)], env=environ)


def error(ended: Result) -> dict[str, Any]:
    """What a command says on stderr with --json: one document; on stdout there is nothing."""
    assert "" == ended.stdout
    told: dict[str, Any] = json.loads(ended.stderr)["error"]
    assert {"code", "detail", "problems"} == told.keys()
    return told


def test_the_table_is_whole() -> None:
    """Whoever adds a command says here how its promises are tried."""
    assert {*ASKING, *OTHERS, *BECOMES_ANOTHER} == COMMANDS.keys()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    """In a sentence, for itself and for each of its arguments and options."""
    command = COMMANDS[words]

    assert command.help.strip().endswith(".") or "." in command.help
    assert [] == [p.name for p in command.params if not getattr(p, "help", None)]


@pytest.mark.parametrize("words", USUAL, ids=" ".join)
def test_every_command_takes_the_common_options(words: tuple[str, ...]) -> None:
    """--json among them; --as only where it can do something, and elsewhere it is a wrong call."""
    taken = {p.name for p in COMMANDS[words].params} & set(COMMON)
    ended = invoke(Path(), words, *ASKING.get(words, ()), "--as", "ana", "--nonsense")

    assert (set(COMMON) if words in LOOKING else set(COMMON) - {LOOKS}) == taken
    assert (words not in LOOKING) is ("No such option: --as" in ended.stderr)


@pytest.mark.parametrize("words", USUAL, ids=" ".join)
def test_a_wrong_call_ends_with_2(words: tuple[str, ...], tmp_path: Path) -> None:
    """In words, and as JSON on stderr alone."""
    plain, as_json = invoke(tmp_path, words, "--nonsense"), invoke(tmp_path, words, "--nonsense", "--json")

    assert (2, 2, "") == (plain.exit_code, as_json.exit_code, plain.stdout)
    assert ("invalid", True) == (error(as_json)["code"], "--nonsense" in error(as_json)["detail"])


@pytest.mark.parametrize("words", [w for w in USUAL if w not in {("init",), ("doctor",)}], ids=" ".join)
def test_wrong_settings_end_with_2(words: tuple[str, ...], tmp_path: Path) -> None:
    """Before anybody is asked; `init` reads none, and `doctor` tells them as a finding."""
    (tmp_path / "riparian.toml").write_text("[server]\nprot = 1\n")
    ended = invoke(tmp_path, words, *ASKING.get(words, ()), "--json")

    assert (2, "invalid") == (ended.exit_code, error(ended)["code"])


@pytest.mark.parametrize("words", [w for w in ASKING if w != ("apply",)], ids=" ".join)
def test_where_there_is_no_project_nothing_is_made(words: tuple[str, ...], tmp_path: Path) -> None:
    """It ends with 4, says what makes one, and leaves the folder as it was; only `apply` begins one."""
    ended = invoke(tmp_path, words, *ASKING[words], "--json")

    assert (4, "not_found") == (ended.exit_code, error(ended)["code"])
    assert (True, []) == ("`riparian init` makes one" in error(ended)["detail"], list(tmp_path.iterdir()))


@pytest.mark.parametrize("words", [w for w in USUAL if w not in {("init",), ("doctor",)}], ids=" ".join)
def test_a_folder_that_is_not_there_ends_with_2(words: tuple[str, ...], tmp_path: Path) -> None:
    """A project that was named and is not there is a wrong call, and is not made."""
    ended = invoke(tmp_path / "nowhere", words, *ASKING.get(words, ()), "--json")

    assert (2, "invalid") == (ended.exit_code, error(ended)["code"])
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_answer_ends_with_1(words: tuple[str, ...], tmp_path: Path) -> None:
    """Nobody listens at the address."""
    ended = invoke(
        tmp_path, words, *ASKING[words], "--json", RIPARIAN_URL="http://127.0.0.1:9", RIPARIAN_TOKEN="secret"
    )

    assert (1, "unreachable") == (ended.exit_code, error(ended)["code"])


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_bad_token_ends_with_5(words: tuple[str, ...], demo: Doors, tmp_path: Path) -> None:
    """Refused before anything is looked up."""
    ended = invoke(tmp_path, words, *ASKING[words], "--json", RIPARIAN_URL=demo.url, RIPARIAN_TOKEN="nobody")

    assert (5, "unauthenticated") == (ended.exit_code, error(ended)["code"])


@pytest.mark.parametrize("words", [w for w, given in ASKING.items() if {NOTHING, NO_RUN} & {*given}], ids=" ".join)
def test_what_is_not_there_ends_with_4(words: tuple[str, ...], demo: Doors, tmp_path: Path) -> None:
    """And so does what the caller may not know of: it is the same answer."""
    stranger = demo.token_of("stranger")
    endings = [
        invoke(tmp_path, words, *ASKING[words], "--json", RIPARIAN_URL=demo.url, RIPARIAN_TOKEN=token)
        for token in (demo.token, stranger)
        if not (words[0] == "token" and token == stranger)  # only owners have anything to do with tokens
    ]

    assert {(4, "not_found")} == {(e.exit_code, error(e)["code"]) for e in endings}


@pytest.mark.parametrize("words", [("check",), ("apply",), ("plan",)], ids=" ".join)
def test_wrong_declarations_end_with_3(words: tuple[str, ...], demo: Doors, tmp_path: Path) -> None:
    """With each problem, its place and its remedy."""
    (tmp_path / "riparian.toml").write_text("")
    (tmp_path / "air.py").write_text("from riparian import asset\n\n@asset('Air')\ndef air() -> dict:\n    return {}\n")
    ended = invoke(tmp_path, words, "--json", RIPARIAN_URL=demo.url, RIPARIAN_TOKEN=demo.token)
    [problem] = error(ended)["problems"]

    assert (3, "invalid_declaration", "air.py") == (ended.exit_code, error(ended)["code"], problem["file"])


@pytest.mark.parametrize("words", [w for w, given in ASKING.items() if not given], ids=" ".join)
def test_an_answer_is_one_document(words: tuple[str, ...], demo: Doors, tmp_path: Path) -> None:
    """On stdout; on stderr there is nothing."""
    if words == ("apply",):
        (tmp_path / "air.py").write_text("")
    ended = invoke(tmp_path, words, "--json", RIPARIAN_URL=demo.url, RIPARIAN_TOKEN=demo.token)

    assert (0, "") == (ended.exit_code, ended.stderr), ended.output
    assert isinstance(json.loads(ended.stdout), (dict, list))


def test_a_reader_that_leaves_early_is_no_error(demo: Doors, tmp_path: Path) -> None:
    """`riparian ls | head`: the command ends quietly, also when the reader left before the first line."""
    with subprocess.Popen(
        [sys.executable, "-m", "riparian", "ls", "--project", str(tmp_path)],
        env={**os.environ, "RIPARIAN_URL": demo.url, "RIPARIAN_TOKEN": demo.token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        said = listing.stderr.read()

    assert (0, b"") == (listing.returncode, said)


def test_an_interruption_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C while a server is waited for: 130, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        waiting = subprocess.Popen(
            [sys.executable, "-m", "riparian", "ls", "--project", str(tmp_path)],
            env={**os.environ, "RIPARIAN_URL": url, "RIPARIAN_TOKEN": "secret"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        asked, _ = silent.accept()
        asked.recv(1)
        time.sleep(0.1)  # the answer is waited for by now; if not, it is interrupted while it asks
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        asked.close()

    assert (130, "", "interrupted\n") == (waiting.returncode, out, err)
