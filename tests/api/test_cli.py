"""How commands ask, print and end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from riparian.api import state
from riparian.api.cli import app, declarations
from riparian.api.cli.reads import _print_trigger
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import Static

if TYPE_CHECKING:
    from tests.api.conftest import Doors

PROJECT = """
from riparian import asset, source, Daily, FileDrop, Static

days = Daily("day", start="2020-01-01")
shops = Static("shop", ["north", "south"])
arrivals = source("air.flights", arrives=FileDrop("drop/{day:%Y-%m-%d}.csv"), partitions=days)

@asset("air.numbers")
def numbers() -> dict:
    return {"one": 1}

@asset("air.shop", partitions=shops)
def shop() -> dict:
    return {}

@asset("air.total")
def total(numbers: dict) -> dict:
    return {"total": sum(numbers.values())}
"""


def cli(doors: Doors, *arguments: str, token: str | None = None) -> Result:
    """Runs a command in this process against a running app."""
    environ = {"RIPARIAN_URL": doors.url, "RIPARIAN_TOKEN": token or doors.token}
    return CliRunner().invoke(app, [*arguments, "--project", str(doors.state.parent)], env=environ)


def shell(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a person would, in ``folder``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")}
    return subprocess.run(
        [sys.executable, "-m", "riparian", *arguments],
        cwd=folder,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def here(folder: Path, *arguments: str) -> Result:
    """Runs a command in this process, with no server to ask: a process of its own spends a second on imports."""
    return CliRunner().invoke(app, [*arguments, "--project", str(folder)], env={})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder; what is applied to it stays for the other tests of the module."""
    folder = tmp_path_factory.mktemp("air")
    (folder / "air.py").write_text(PROJECT)
    return folder


def test_importing_the_command_line_loads_no_server() -> None:
    """Help and completion must be quick: no database, no server, no HTTP, no tables."""
    heavy = {"fastapi", "sqlalchemy", "httpx", "rich", "pyarrow", "uvicorn", "pydantic", "watchdog", "msgspec"}
    code = "import sys, json, riparian.api.cli; print(json.dumps(sorted(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert set() == heavy & set(json.loads(loaded))


def test_the_version_is_told() -> None:
    """For whoever asks for help."""
    assert f"riparian {version('riparian')}\n" == CliRunner().invoke(app, ["--version"]).stdout


def test_worker_becomes_the_worker(tmp_path: Path) -> None:
    """All its options go through to `python -m riparian.scheduler.worker`; without a token it ends as a wrong call."""
    ended = shell(tmp_path, "worker", "--url", "http://127.0.0.1:9", "--pool", "small")

    assert 2 == ended.returncode
    assert "RIPARIAN_WORKER_TOKEN" in ended.stderr


def test_check_tells_of_a_good_project(project: Path) -> None:
    """As words, and as JSON."""
    words, body = shell(project, "check"), shell(project, "check", "--json")

    assert (0, 0) == (words.returncode, body.returncode), words.stderr
    assert "4 assets, 3 workflows, no problems" in words.stdout
    assert [] == json.loads(body.stdout)["problems"]


def test_check_tells_file_line_reason_and_remedy(tmp_path: Path) -> None:
    """It ends with 3, and nothing of the project is run or kept."""
    (tmp_path / "air.py").write_text(PROJECT + "\n@asset('air.broken')\ndef broken(nothing: dict) -> dict: return {}\n")

    words, body = shell(tmp_path, "check"), shell(tmp_path, "check", "--json")
    [problem] = json.loads(body.stderr)["error"]["problems"]

    assert (3, 3, "") == (words.returncode, body.returncode, body.stdout)
    assert words.stderr.startswith("air.py:20: ")
    assert ("air.py", True, True) == (problem["file"], bool(problem["message"]), bool(problem["remedy"]))
    assert not (tmp_path / ".riparian").exists()


def test_without_a_server_commands_run_in_process(project: Path) -> None:
    """The same app under the lock: apply, list, ask for a run, and say that nobody is there to do it."""
    applied = shell(project, "apply", "--json")
    listed, words = here(project, "ls", "--json"), here(project, "ls")
    asked = here(project, "run", "air.numbers", "--json")

    keys = ["air.flights", "air.numbers", "air.shop", "air.total"]
    assert keys[1:] == sorted(json.loads(applied.stdout)["added"])
    assert keys == [a["key"] for a in json.loads(listed.stdout)]
    assert ["daily day from 2020-01-01", "", "static shop (2 keys)", ""] == [
        line.split("\t")[3] for line in words.stdout.splitlines()
    ]
    assert (0, True) == (asked.exit_code, "it starts when" in asked.stderr)
    assert not (project / ".riparian" / "server.json").exists()


def test_many_changes_are_told_by_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty keys are listed, more are counted; how many runs were planned is told."""
    body = {"changed": [f"a.b{i}" for i in range(20)], "removed": [], "pending": [], "definition": 7}

    declarations.print_applied({**body, "added": [f"a.a{i}" for i in range(1000)], "planned": 1020})
    lines = capsys.readouterr().out.splitlines()

    assert "1,000 added" == lines[0]
    assert [f"changed\ta.b{i}" for i in range(20)] == lines[1:-1]
    assert "definition 7 is in force, 1,020 runs planned" == lines[-1]


def test_waiting_without_a_server_brings_a_worker(tmp_path: Path) -> None:
    """One command from a declaration to its data; a run that fails ends with 1 and says why."""
    (tmp_path / "air.py").write_text(
        PROJECT
        + """
@asset("air.broken")
def broken() -> dict:
    raise ValueError("no wind")
"""
    )
    applied = here(tmp_path, "apply")
    ran = shell(tmp_path, "run", "air.numbers", "--wait", "--json")
    failed = here(tmp_path, "run", "air.broken", "--wait")
    data = here(tmp_path, "data", "air.numbers")
    here(tmp_path, "run", "air.numbers")
    again = here(tmp_path, "rerun", json.loads(ran.stdout)["id"], "--wait")

    assert (0, 0, 1, 0) == (applied.exit_code, ran.returncode, failed.exit_code, data.exit_code), ran.stderr
    assert (0, True) == (again.exit_code, again.stdout.endswith("\tsucceeded\n")), again.stderr
    assert "succeeded" == json.loads(ran.stdout)["state"]
    assert "no wind" in failed.stderr
    assert "1" in data.stdout


def test_a_project_in_use_is_told(project: Path) -> None:
    """A second process ends with 5 and names the first."""
    with state.exclusive(project / ".riparian"):
        refused = shell(project, "ls")

    assert (5, True) == (refused.returncode, f"process {os.getpid()} " in refused.stderr)


def test_lists_are_plain_lines_in_a_pipe(demo: Doors) -> None:
    """Cells are separated by tabs, without heading or colour."""
    listed = cli(demo, "ls")

    assert ["demo.numbers", "demo.total"] == [line.split("\t")[0] for line in listed.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("runs", "--state", "succeeded"), "demo.total"),
        (("why", "demo.total"), "demo.total: "),
        (("checks", "demo.total"), ""),
        (("lineage", "demo.total"), "demo.numbers\tdemo.total"),
        (("lineage", "demo.total", "--level", "version"), "demo.numbers"),
        (("policy", "show", "demo.total"), "demo.numbers"),
        (("data", "demo.total"), "1"),
        (("files",), ""),
    ],
)
def test_reading(demo: Doors, arguments: tuple[str, ...], told: str) -> None:
    """Every reading command prints words, and the whole answer with --json."""
    words, body = cli(demo, *arguments), cli(demo, *arguments, "--json")

    assert (0, 0) == (words.exit_code, body.exit_code), words.output
    assert told in words.stdout
    assert isinstance(json.loads(body.stdout), (dict, list))


def test_data_is_written_to_a_file(demo: Doors, tmp_path: Path) -> None:
    """As it is stored; the file appears when it is whole."""
    written = cli(demo, "data", "demo.total", "--output", str(tmp_path / "total.json"))

    assert 0 == written.exit_code, written.output
    assert ["total.json"] == [p.name for p in tmp_path.iterdir()]
    assert {"total": 1} == json.loads((tmp_path / "total.json").read_text())


def test_logs_are_printed_as_they_are(demo: Doors) -> None:
    """Every byte, and nothing else."""
    [run] = json.loads(cli(demo, "runs", "demo.numbers", "--json").stdout)

    assert "counting\n" == cli(demo, "logs", run["id"]).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ls",), 0),
        (("ls", "--nonsense"), 2),
        (("apply", "--rebuild", "some"), 2),
        (("lineage", "demo.total", "--level", "row"), 2),
        (("policy", "set", "demo.total"), 2),
        (("policy", "set", "demo.total", "--nobody", "--reader", "ops"), 2),
        (("run", "demo.total", "--param", "n"), 2),
        (("run", "demo.total", "--param", "m=1"), 2),
        (("run", "demo.total", "--param", "n=x"), 2),
        (("run", "demo.total", "--partition", "2020-01-01"), 2),
        (("why", "demo.nothing"), 4),
        (("data", "demo.nothing", "-o", "nothing.bin"), 4),
        (("logs", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), 4),
        (("token", "revoke", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), 4),
        (("policy", "approve", "demo.total"), 5),
        (("ls", "--as", "ana"), 5),
    ],
)
def test_exit_codes_are_a_promise(demo: Doors, arguments: tuple[str, ...], code: int) -> None:
    """0 ok, 2 usage, 4 not found, 5 conflict or refused; with --json the error is JSON."""
    ended = cli(demo, *arguments)

    assert code == ended.exit_code, ended.output
    if code > 2:
        as_json = cli(demo, *arguments, "--json")
        error = json.loads(as_json.stderr)["error"]
        assert "" == as_json.stdout
        assert f"error: {error['detail']}" in ended.stderr


def test_without_a_good_token_nothing_is_told(demo: Doors) -> None:
    """An unknown token is refused; the message says how to get one."""
    ended = cli(demo, "ls", token="nobody")

    assert (5, "") == (ended.exit_code, ended.stdout)
    assert "riparian token create" in ended.stderr


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In words and with 1, not with a traceback."""
    ended = CliRunner().invoke(
        app, ["ls", "--url", "http://127.0.0.1:9", "--project", str(tmp_path)], env={"RIPARIAN_TOKEN": "t"}
    )

    assert (1, "") == (ended.exit_code, ended.stdout)
    assert "does not answer" in ended.stderr


def test_the_folders_token_is_not_sent_elsewhere(tmp_path: Path) -> None:
    """To another address than the folder's own server, the caller's own token is needed."""
    state.prepare(tmp_path / ".riparian")
    state.write_token(tmp_path / ".riparian", "secret")
    ended = CliRunner().invoke(app, ["ls", "--url", "http://127.0.0.1:9", "--project", str(tmp_path)], env={})

    assert (5, True) == (ended.exit_code, "set RIPARIAN_TOKEN" in ended.stderr)


def test_inside_a_project_without_a_file_no_other_is_made(project: Path) -> None:
    """Its state folder marks it: from a folder inside, the project is asked."""
    assert 0 == here(project, "apply").exit_code
    inside = project / "notes"
    inside.mkdir()
    listed = shell(inside, "ls", "--json")

    assert (0, []) == (listed.returncode, list(inside.iterdir())), listed.stderr


def test_a_folder_that_declares_nothing_is_told(tmp_path: Path) -> None:
    """`check` finds no problem, and says beside that there is nothing."""
    ended = CliRunner().invoke(app, ["check", "--project", str(tmp_path)], env={})

    assert (0, True) == (ended.exit_code, "nothing is declared in" in ended.stderr)
    assert "0 assets, 0 workflows, no problems" in ended.stdout


def test_a_bad_configuration_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the file and the key."""
    (tmp_path / "riparian.toml").write_text("[server]\nprot = 1\n")

    ended = CliRunner().invoke(app, ["check", "--project", str(tmp_path)], env={})

    assert (2, True) == (ended.exit_code, "did you mean 'server.port'?" in ended.stderr)


def test_a_token_made_by_a_command_opens_and_closes(demo: Doors) -> None:
    """The token alone is on stdout; its id, to revoke it, beside."""
    made: dict[str, Any] = json.loads(cli(demo, "token", "create", "eve", "--group", "ops", "--json").stdout)
    before = cli(demo, "ls", token=made["token"])
    revoked = cli(demo, "token", "revoke", made["id"])
    after = cli(demo, "ls", token=made["token"])

    assert [0, 0, 5] == [r.exit_code for r in (before, revoked, after)]
    assert 1 == len(cli(demo, "token", "create", "eve").stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("token", "create", "Bob"), "NAME can not be a name; write lower-case letters"),
        (("token", "create", "bob", "--group", "A B"), "--group is no name of a group; write"),
        (("token", "create", "bob", "--clear", "Ä", "--kind", "robot"), "--clear is no tag"),
        (("token", "create", "bob", "--kind", "robot"), "write user or worker"),
        (("token", "create", "bob", "--expires-seconds", "-1"), "--expires-seconds is no time from now"),
        (("policy", "set", "demo.total", "--reader", "a b"), "--reader is no group and no user:NAME; write 1 to 200"),
        (("policy", "set", "demo.total", "--tag", "a b"), "--tag is no tag; write"),
        (("policy", "set", "demo.total", "--expires", "soon"), "such as 2030-01-31T00:00:00Z"),
        (("policy", "set", "demo.total", "--isolation", "7"), "write 0, 1 or 2"),
    ],
)
def test_what_can_not_be_used_is_told_by_the_options_name(demo: Doors, arguments: tuple[str, ...], told: str) -> None:
    """With what to write instead; not in the words of the server's library."""
    ended = cli(demo, *arguments)

    assert (2, True, False) == (ended.exit_code, told in ended.stderr, "body." in ended.stderr), ended.stderr


def test_which_partition_was_taken_is_told(doors: Doors, tmp_path: Path) -> None:
    """When none was named; beside the data, so that a pipe gets the data alone."""
    source = AssetSpec(key=AssetKey("demo.feed"), kind="source", format="json", partitions=Static("shop", ["n", "s"]))
    doors.apply(replace(doors.manifest(), assets=(source,)))
    for shop in ("n", "s"):
        assert 0 == cli(doors, "event", "demo.feed", "--value", f'"{shop}"', "-p", shop).exit_code
    shown = [cli(doors, "data", "demo.feed", *more) for more in ((), ("-p", "n"), ("-o", "-"), ("-o", "-", "-p", "n"))]
    note = "of partition s, which moved last; -p names another\n"

    assert [(note, "s"), ("", "n"), (note, "s"), ("", "n")] == [(s.stderr, s.stdout.strip().strip('"')) for s in shown]


def test_why_tells_apart_what_was_decided_and_what_holds(demo: Doors) -> None:
    """The first line is of now; what was decided before bears its time."""
    now, decided, trigger, *_ = cli(demo, "why", "demo.total").stdout.splitlines()

    assert re.fullmatch(
        r"on_update\(\) is false since \d{4}-.*Z: demo.numbers was not updated since the last run", trigger
    )
    assert now.startswith("demo.total: ")
    assert re.fullmatch(r"decided \d{4}-[^ ]+Z: .*demo.numbers was updated.*", decided)


def test_why_shows_a_trigger_part_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each part, indented below what it is part of, with its label and since when."""
    leaf = {"kind": "on_update", "label": "", "text": 'on_update("a.b")', "holds": True, "parts": []}
    leaf |= {"since": "2025-03-01T06:00:00Z", "until": None, "words": "a.b was updated"}
    quiet = {**leaf, "label": "at rest", "text": 'on_update("a.b").debounce("5m")', "holds": False, "parts": [leaf]}
    _print_trigger({**quiet, "since": None, "words": "not yet"}, "")

    assert [
        'at rest: on_update("a.b").debounce("5m") is false: not yet',
        '  on_update("a.b") is true since 2025-03-01T06:00:00Z: a.b was updated',
    ] == capsys.readouterr().out.splitlines()


def test_usage_names_each_argument_once() -> None:
    """Brackets are the parser's."""
    assert "[[" not in CliRunner().invoke(app, ["runs", "--help"]).stdout


def test_a_policy_is_set_and_cleared(doors: Doors) -> None:
    """What was set shows, and is gone after --clear."""
    doors.apply()

    tightened = cli(doors, "policy", "set", "demo.numbers", "--reader", "finance", "--tag", "pii", "--json")
    cleared = cli(doors, "policy", "set", "demo.numbers", "--clear", "--json")

    overlay = json.loads(tightened.stdout)["overlay"]
    assert ([["finance"]], ["pii"]) == (overlay["readers"], overlay["tags"])
    assert None is json.loads(cleared.stdout)["overlay"]
