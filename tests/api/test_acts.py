"""Commands that make something happen, and the one that says beforehand what would."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from riparian.api.cli import app, connection, edits, output, runs, steps
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import Static

if TYPE_CHECKING:
    from tests.api.conftest import Doors

PROJECT = """
from riparian import asset

@asset("demo.numbers")
def numbers() -> dict:
    return {}

@asset("demo.total")
def total(numbers: dict) -> dict:
    return numbers
"""


def cli(doors: Doors, *arguments: str, folder: Path | None = None) -> Result:
    """Runs a command in this process against a running app."""
    environ = {"RIPARIAN_URL": doors.url, "RIPARIAN_TOKEN": doors.token}
    return CliRunner().invoke(app, [*arguments, "--project", str(folder or _elsewhere(doors))], env=environ)


def _elsewhere(doors: Doors) -> Path:
    """A folder that is no project: what is asked is asked of the server alone."""
    folder = doors.state.parent.parent / "no project"
    folder.mkdir(exist_ok=True)
    return folder


def answer(doors: Doors, *arguments: str, folder: Path | None = None) -> Any:
    ended = cli(doors, *arguments, "--json", folder=folder)
    assert (0, "") == (ended.exit_code, ended.stderr), ended.output
    return json.loads(ended.stdout)


def project(folder: Path, code: str = PROJECT) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "riparian.toml").write_text('[project]\nname = "demo"\nmodules = ["air"]\n')
    (folder / "air.py").write_text(code)
    return folder


def test_a_run_is_cancelled_and_run_again(doors: Doors) -> None:
    """Each answers with the run; what has ended otherwise can not be cancelled (5)."""
    doors.apply()
    first = answer(doors, "run", "demo.numbers")["run"]
    cancelled = answer(doors, "cancel", first)
    again = answer(doors, "rerun", first)["run"]
    doors.work({"one": 1})
    ended = cli(doors, "cancel", again)

    assert (first, "cancelled") == (cancelled["id"], cancelled["state"])
    assert first != again
    assert (5, True) == (ended.exit_code, "has ended already" in ended.stderr)
    assert f"{first}\tcancelled\n" == cli(doors, "cancel", first).stdout


def test_a_run_goes_on_from_where_it_was_cancelled(doors: Doors) -> None:
    """With its own inputs and code; once another run came since, only without (5)."""
    doors.apply()
    first = answer(doors, "run", "demo.numbers")["run"]
    answer(doors, "cancel", first)
    again = answer(doors, "rerun", first, "--from-failed")["run"]
    doors.work({"one": 1})
    refused = cli(doors, "rerun", first, "--from-failed")

    assert (first != again, "succeeded") == (True, answer(doors, "runs", again)["state"])
    assert (5, True) == (refused.exit_code, "without --from-failed" in refused.stderr)


def test_what_would_run_later_is_told_in_words(doors: Doors) -> None:
    """A second wish while the first runs has no run yet."""
    doors.apply()
    cli(doors, "run", "demo.numbers")
    doors._exchange(want=1)
    later = cli(doors, "run", "demo.numbers")
    waited = cli(doors, "run", "demo.numbers", "--wait")

    assert (0, True) == (later.exit_code, " " in later.stdout.strip()), later.output
    assert (5, True) == (waited.exit_code, "no run to wait for" in waited.stderr)


def test_the_run_that_is_waited_for_is_of_its_partition(doors: Doors) -> None:
    """Others may be planned meanwhile."""
    source = AssetSpec(key=AssetKey("demo.feed"), kind="source", format="json", partitions=Static("shop", ["n", "s"]))
    doors.apply(replace(doors.manifest(), assets=(source,)))
    told = [answer(doors, "event", "demo.feed", "--value", "1", "-p", shop)["run"] for shop in ("n", "s")]

    with connection.remote(doors.url, doors.token, {}) as client:
        assert told == [runs._newest(client, {"asset": "demo.feed", "partition": shop}) for shop in ("n", "s")]
        assert told[0] == runs._newest(client, runs._like(client, told[0]))


def test_an_update_is_reported_once(doors: Doors) -> None:
    """Told again under the same name it changes nothing, which is told."""
    source = AssetSpec(key=AssetKey("demo.feed"), kind="source", format="json")
    doors.apply(replace(doors.manifest(), assets=(source,)))
    first = answer(doors, "event", "demo.feed", "--value", '{"n": 1}', "--id", "one")
    again = cli(doors, "event", "demo.feed", "--value", '{"n": 1}', "--id", "one")

    assert (False, 0) == (first["repeated"], again.exit_code), again.output
    assert f"version {first['version']} of demo.feed (it was known, nothing moved)\n" == again.stdout
    assert {"n": 1} == doors.ask("GET", "assets/demo.feed/data/download").json()


def test_an_update_says_what_is_new(doors: Doors) -> None:
    """Without a value and without a digest nothing is told, hence nothing is reported (2)."""
    source = AssetSpec(key=AssetKey("demo.feed"), kind="source", format="json")
    doors.apply(replace(doors.manifest(), assets=(source,)))
    silent = cli(doors, "event", "demo.feed")
    null = answer(doors, "event", "demo.feed", "--value", "null")

    assert (2, True) == (silent.exit_code, "--value JSON, or --digest TEXT" in silent.stderr)
    assert not null["repeated"]


def test_a_value_that_is_no_json_is_not_guessed_at(doors: Doors) -> None:
    """A misspelt object must not become a text: 2, with how a text is written."""
    ended = cli(doors, "event", "demo.feed", "--value", "{n: 1}")

    assert (2, True) == (ended.exit_code, "a text is written with quotes" in ended.stderr)


def test_what_an_apply_would_do_is_shown_and_not_done(doors: Doors, tmp_path: Path) -> None:
    """The changes, the runs with their causes, and the command that does it; asking again says the same."""
    folder = project(tmp_path / "project")
    told = [cli(doors, "plan", folder=folder) for _ in range(2)]
    body = answer(doors, "plan", folder=folder)

    assert told[0].stdout == told[1].stdout
    assert ["added\tdemo.numbers", "added\tdemo.total"] == sorted(told[0].stdout.splitlines())[:2]
    assert ("`riparian apply` does this\n", ["demo.numbers", "demo.total"]) == (
        told[0].stderr,
        sorted(body["apply"]["added"]),
    )
    assert [] == doors.ask("GET", "assets").json()["items"]


def test_what_stays_stale_is_shown(doors: Doors, tmp_path: Path) -> None:
    """Edited code runs nothing by itself: what it makes stale is told, and how it would be made anew."""
    folder = project(tmp_path / "project")
    assert 0 == cli(doors, "apply", folder=folder).exit_code
    assert 0 == cli(doors, "run", "demo.numbers").exit_code
    doors.work({})
    project(folder, PROJECT.replace("return {}", "return {'n': 1}"))
    told, latest = cli(doors, "plan", folder=folder), cli(doors, "plan", "--rebuild", "latest", folder=folder)

    assert ["changed\tdemo.numbers", "code\tdemo.numbers", "stale\tdemo.numbers"] == [
        "\t".join(line.split("\t")[:2]) for line in told.stdout.splitlines()
    ]
    assert "`riparian apply --rebuild latest` (or all) also makes anew" in told.stderr
    assert "run\tdemo.numbers" in latest.stdout
    assert "`riparian apply --rebuild latest` does this" in latest.stderr


def test_without_a_change_what_is_about_to_happen_is_shown(doors: Doors) -> None:
    """What is queued, and when nothing is, that."""
    nothing = cli(doors, "plan")
    doors.apply()
    run = answer(doors, "run", "demo.numbers")["run"]
    queued, *_ = cli(doors, "plan").stdout.splitlines()
    doors._exchange(want=1)
    running, *_ = cli(doors, "plan").stdout.splitlines()

    assert ("", "nothing runs or is about to\n") == (nothing.stdout, nothing.stderr)
    assert ["queued", "demo.numbers", run] == queued.split("\t")[:3]
    assert ["running", "demo.numbers", run] == running.split("\t")[:3]


def test_who_may_not_apply_is_shown_what_is_about_to_happen(doors: Doors, tmp_path: Path) -> None:
    """With a note instead of the changes, and with --json that there are none to be shown."""
    folder = project(tmp_path / "project")
    assert 0 == cli(doors, "apply", folder=folder).exit_code
    reader = replace_token(doors, doors.token_of("ana", "ops"))
    told = cli(reader, "plan", folder=folder)
    body = answer(reader, "plan", folder=folder)

    assert (0, ["queued", "demo.numbers"]) == (told.exit_code, told.stdout.split("\t")[:2]), told.output
    assert told.stderr.startswith("what an apply would do is not shown: ")
    assert (None, True, "queued") == (body["apply"], bool(body["refused"]), body["now"][0]["state"])


def replace_token(doors: Doors, token: str) -> Doors:
    """The same server, asked by somebody else."""
    other = copy(doors)
    other.token = token
    return other


def test_a_run_is_shown_with_its_steps(doors: Doors) -> None:
    """By its id, where a key would list runs."""
    doors.apply()
    run = answer(doors, "run", "demo.numbers")["run"]
    doors.work({"one": 1})
    shown = cli(doors, "runs", run).stdout.splitlines()

    assert f"{run}: demo.numbers succeeded" == shown[0]
    assert ["demo.numbers", "succeeded"] == shown[-2].split("\t")[:2]
    assert "demo.numbers" == shown[-1].split("\t")[0]
    assert run == answer(doors, "runs", run)["id"]


def step(task: str, state: str, place: int | None = None, **more: Any) -> dict[str, Any]:
    attempt = {"seconds": 0.5, "error": more.get("error")}
    return {"task": task, "state": state, "map_index": place, "reason": more.get("reason"), "attempts": [attempt]}


def test_mapped_steps_are_numbers_and_roads_have_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """A mapped task is one line, and one for each item that failed; a road not taken says why."""
    run = {
        **dict.fromkeys(steps.FIELDS),
        "id": "01",
        "workflow": "air.report",
        "partition": "2020-01-01",
        "state": "failed",
        "steps": [
            step("full", "skipped", reason="road decided calm"),
            step("day", "failed", 7, error="Traceback\nValueError: no wind"),
            step("day", "succeeded", 8),
        ],
        "step_counts": [
            {"task": "full", "state": "skipped", "steps": 1},
            {"task": "day", "state": "failed", "steps": 1},
            {"task": "day", "state": "succeeded", "steps": 1200},
        ],
        "outputs": [],
    }
    steps.print_run(run)

    assert [
        "01: air.report[2020-01-01] failed",
        "full\tskipped\t0.50\t1\troad decided calm",
        "day\t1 failed, 1,200 succeeded\t1.00\t2\t",
        "day[7]\tfailed\t0.50\t1\tValueError: no wind",
    ] == capsys.readouterr().out.splitlines()


EDIT = {
    "key": "demo.numbers",
    "kind": "workflow",
    "changes": [{"what": "code", "words": "pipeline.clean changed", "stale": True}],
    "stale": 3,
    "first": "2024-01-01",
    "last": "2024-01-03",
    "former": 1,
    "runs": 1,
    "latest": 1,
    "all": 3,
    "why": "its code changed",
}
MOVE = {"before": "everyone", "after": "ops", "gain": [], "lose": ["bob"]}


def test_an_edit_is_a_tree_for_a_person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What changes, what that makes stale and how much runs; in a pipe a line for each change."""
    edits.print_edits([EDIT], 2)
    piped = capsys.readouterr().out
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    edits.print_edits([EDIT], 0)
    shown = capsys.readouterr().out

    assert "code\tdemo.numbers\tpipeline.clean changed\nedited\t2 more\n" == piped
    assert [
        "demo.numbers",
        "├── code: pipeline.clean changed",
        "├── 1 partition of before: no partitions any more, and kept",
        "├── stale: 3 partitions, 2024-01-01 … 2024-01-03",
        "├── made anew by --rebuild latest: 1, all: 3",
        "├── would run: 1",
        "└── not now: its code changed",
    ] == shown.splitlines()


def test_whose_right_to_read_moves_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Once where all versions are meant, else by those that there are and those to come; what is hidden is not told."""
    hidden = {"before": None, "after": None, "gain": ["bob"], "lose": []}
    edits.print_access(
        [
            {"asset": "demo.a", "heads": MOVE, "coming": MOVE, "approved": None},
            {"asset": "demo.b", "heads": None, "coming": MOVE, "approved": hidden},
        ],
        truncated=True,
    )
    told = capsys.readouterr()

    assert [
        "access\tdemo.a\tall\t\tbob\tops (was everyone)",
        "access\tdemo.b\tthose to come\t\tbob\tops (was everyone)",
        "access\tdemo.b\tonce approved\tbob\t\trestricted by what is not yours to see",
    ] == told.out.splitlines()
    assert "`riparian policy" in told.err
