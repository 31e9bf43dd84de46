"""What the doors tell of checks and parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from riparian.api.cli import app
from riparian.assets.checks import CheckSpec
from riparian.assets.keys import AssetKey

if TYPE_CHECKING:
    from tests.api.conftest import Doors

FOUND = {"passed": False, "metadata": {"bad": 2}, "description": "two are bad"}


def checked(doors: Doors, *, blocking: bool, answer: Any) -> str:
    """Declares an asset with a check, runs it, lets the check answer, and returns the run."""
    asset, workflow = doors.made("demo.numbers")
    spec = CheckSpec(
        asset=AssetKey("demo.numbers"),
        name="good",
        module="code",
        qualname="numbers",
        parameter="numbers",
        type="dict",
        returns="bool",
        blocking=blocking,
        description="They are good.",
    )
    applied = doors.apply(doors.manifest((asset, replace(workflow, checks=(spec,)))))
    assert 200 == applied.status_code, applied.text
    run = doors.ask("POST", "assets/demo.numbers/materialize", json={}).json()["run"]
    doors.work({"one": 1})
    doors.work(answer)
    return str(run)


def cli(doors: Doors, *arguments: str) -> Any:
    return CliRunner().invoke(
        app, [*arguments], env={"RIPARIAN_URL": doors.url, "RIPARIAN_TOKEN": doors.token}, catch_exceptions=False
    )


def test_a_check_is_told_with_what_it_found_last(doors: Doors) -> None:
    """In words and as JSON, with the run too."""
    run = checked(doors, blocking=False, answer=FOUND)
    body = doors.ask("GET", "assets/demo.numbers/checks").json()
    (told,) = body["checks"]

    assert ("demo.numbers", None, "good", False, "They are good.") == (
        body["asset"],
        body["partition"],
        *(told[name] for name in ("name", "blocking", "description")),
    )
    assert {**FOUND, "blocked": False, "head": True, "run": run} == {
        name: told["result"][name] for name in (*FOUND, "blocked", "head", "run")
    }
    assert [("good", False)] == [(c["check"], c["passed"]) for c in doors.ask("GET", f"runs/{run}").json()["checks"]]
    listed, shown = cli(doors, "checks", "demo.numbers"), cli(doors, "runs", run)
    assert ["good", "no", "not passed"] == listed.stdout.split("\t")[:3]
    assert "two are bad; bad=2" in listed.stdout
    assert "demo.numbers.good\tnot passed\ttwo are bad" in shown.stdout
    assert body == json.loads(cli(doors, "checks", "demo.numbers", "--json").stdout)


def test_a_check_that_stopped_a_run_is_the_reason(doors: Doors) -> None:
    """Which, and what it found: in the run, in its reason and beside the check."""
    run = checked(doors, blocking=True, answer=FOUND)
    why = doors.ask("GET", "assets/demo.numbers/why").json()

    assert (
        "demo.numbers did not pass the check demo.numbers.good: two are bad"
        == (doors.ask("GET", f"runs/{run}").json()["error"])
    )
    assert [run] == [r["id"] for r in why["runs"] if "two are bad" in r["error"]]
    assert doors.ask("GET", "assets/demo.numbers/checks").json()["checks"][0]["result"]["blocked"]


def test_who_may_not_know_of_the_asset_does_not_know_of_checks(doors: Doors) -> None:
    """The same answer as for what is not there; a partition that can not be is a mistake."""
    checked(doors, blocking=False, answer=True)
    closed = doors.ask("PUT", "assets/demo.numbers/policy", json={"readers": [["ops"]]})
    assert 200 == closed.status_code, closed.text
    hidden = doors.ask("GET", "assets/demo.numbers/checks", token=doors.token_of("bob"))
    nothing = doors.ask("GET", "assets/demo.nothing/checks", token=doors.token_of("eve"))

    assert [404, 404] == [hidden.status_code, nothing.status_code]
    assert hidden.json()["detail"].replace("numbers", "nothing") == nothing.json()["detail"]
    assert 403 == doors.ask("GET", "assets/demo.numbers/checks").status_code


def test_parameters_are_told_and_judged(doors: Doors) -> None:
    """With the asset; who errs reads which there are."""
    doors.apply()
    refused = doors.ask("POST", "assets/demo.numbers/materialize", json={"params": {"m": 1}})
    asset = doors.ask("GET", "assets/demo.numbers").json()

    assert [{"name": "n", "type": "int", "default": 0}] == asset["parameters"]
    assert "there is no parameter 'm'; there are: n (int, otherwise 0)" in refused.json()["detail"]
