"""Declaring checks: what may be checked, by what, and what is said of mistakes."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from riparian.assets.checks import CheckResult, CheckSpec, check, check_from_json, check_json
from riparian.assets.declare import collecting
from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.keys import parse_key
from riparian.assets.project import Project, describe

HEAD = """
from riparian import CheckResult, Context, FileDrop, Policy, asset, check, source, task, workflow, branch

raw = source("air.raw", arrives=FileDrop("drop/raw.json"), policy=Policy())

@asset("air.flights")
def flights(raw: list) -> list:
    return raw

"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Describes a project of one module with ``HEAD`` and more."""
    (tmp_path / "checked_air.py").touch()

    def described(text: str) -> Project:
        file = tmp_path / "checked_air.py"
        file.write_text(HEAD + text, encoding="utf-8")
        module = ModuleType("checked_air")
        module.__file__ = str(file)
        sys.modules["checked_air"] = module
        with collecting() as declared:
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), module.__dict__)  # noqa: S102
        return describe(tmp_path.resolve(), declared, {"checked_air": module})

    yield described
    sys.modules.pop("checked_air", None)


def test_a_check_belongs_to_the_workflow_that_makes_its_asset(told: Callable[[str], Project]) -> None:
    """By its key or by the function; the name, what it blocks and the description are as declared."""
    project = told(
        """
@check("air.flights", blocking=True, timeout=5)
def not_empty(flights: list) -> bool:
    "There are flights."
    return bool(flights)

@check(flights, name="few", description="Not many.")
def second(flights: list, ctx: Context) -> CheckResult:
    return CheckResult(len(flights) < 9)
"""
    )
    (workflow,) = project.workflows

    assert () == project.problems
    assert [("not_empty", True, 5, "There are flights.", None), ("few", False, None, "Not many.", "ctx")] == [
        (c.name, c.blocking, c.timeout_seconds, c.description, c.context) for c in workflow.checks
    ]
    assert ("air.flights.few", "checked_air", "second", "list") == (
        workflow.checks[1].full_name,
        workflow.checks[1].module,
        workflow.checks[1].qualname,
        workflow.checks[1].type,
    )


def test_an_edit_of_a_check_makes_nothing_stale(told: Callable[[str], Project]) -> None:
    """The fingerprint is of what makes the asset."""
    without = told("").workflows[0].fingerprint
    text = "@check(flights)\ndef good(flights: list) -> bool:\n    return len(flights) > {}\n"

    assert {without} == {told(text.format(n)).workflows[0].fingerprint for n in (0, 1)}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('@check("air.flihts")\ndef f(flihts: list) -> bool: ...', "unknown_asset", "Did you mean 'air.flights'"),
        ("@check(raw)\ndef f(raw: list) -> bool: ...", "unchecked_source", "which is a source"),
        ("@check(flights)\ndef f(raw: list) -> bool: ...", "unbound_parameter", "takes raw, but it checks air.flights"),
        ("@check(flights)\ndef f() -> bool: ...", "unbound_parameter", "takes nothing"),
        ("@check(flights)\ndef f(flights: list, raw: list) -> bool: ...", "unbound_parameter", "takes flights, raw"),
        ("@check(flights)\ndef f(flights: list, *more) -> bool: ...", "unbound_parameter", "air.flights alone"),
        ("@check(flights)\ndef f(flights) -> bool: ...", "missing_annotation", "'flights' of f"),
        ("@check(flights)\ndef f(flights: list): ...", "missing_annotation", "the return value of f"),
        ("@check(flights)\ndef f(flights: list) -> str: ...", "bad_check", "the check f returns str"),
        ("@check(flights)\ndef f(flights: set) -> bool: ...", "unsupported_annotation", "set"),
        (
            "import pyarrow as pa\n@check(flights)\ndef f(flights: pa.Table) -> bool: ...",
            "unreadable_input",
            "air.flights is stored as json",
        ),
        (
            "@check(flights)\ndef f(flights: list) -> bool: ...\n"
            "@check(flights, name='f')\ndef g(flights: list) -> bool: ...",
            "two_checks",
            "two checks 'f', here and at checked_air.py:10",
        ),
        (
            "@check(flights)\ndef f(flights: list) -> bool: ...\n"
            "@asset('air.flights.f')\ndef g(raw: list) -> list: ...",
            "bad_check",
            "as an asset is",
        ),
        (
            "def make():\n    @check(flights)\n    def f(flights: list) -> bool: ...\nmake()",
            "unreachable_function",
            "f",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(told: Callable[[str], Project], text: str, code: str, words: str) -> None:
    """One problem, with file and line, and what to do."""
    (problem,) = told(text).problems

    assert (code, "checked_air.py", True) == (problem.code, problem.location.file, words in str(problem))


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: check("air.flights", blocking=1), "write True or False"),
        (lambda: check(3), "is no asset"),
        (lambda: check("air.flights", timeout=0), "leaves no time"),
        (lambda: check("air.flights", name="Not Empty")(lambda flights: True), "write name='not_empty'"),
        (lambda: check("air.flights")(len), "which is no function"),
    ],
)
def test_values_that_can_not_be_meant_are_refused_at_once(declare: Callable[[], Any], words: str) -> None:
    """With the word to write."""
    with pytest.raises(DeclarationError, match=words):
        declare()


def test_a_check_stays_a_function() -> None:
    """A unit test calls it with a value."""

    @check("air.flights")
    def few(flights: list) -> CheckResult:
        return CheckResult(len(flights) < 2, {"count": len(flights)})

    assert CheckResult(passed=True, metadata={"count": 1}) == few([1])


@pytest.mark.parametrize("said", [{"passed": 1}, {"passed": True, "metadata": []}, {"passed": True, "description": 3}])
def test_a_result_of_other_types_is_refused_where_it_is_made(said: dict[str, Any]) -> None:
    """There the line that errs is known."""
    with pytest.raises(Invalid, match="CheckResult"):
        CheckResult(**said)


SPEC = CheckSpec(
    asset=parse_key("n.a"), name="good", module="m", qualname="f", parameter="a", type="dict", returns="bool"
)


@pytest.mark.parametrize(
    "spec", [SPEC, replace(SPEC, context="ctx", blocking=True, timeout_seconds=2.5, description="It is good.")]
)
def test_what_a_manifest_holds_is_read_back(spec: CheckSpec) -> None:
    """What is left out has its default."""
    assert spec == check_from_json(json.loads(json.dumps(check_json(spec))), parse_key)


@pytest.mark.parametrize(
    "said",
    [
        {"name": "Good"},
        {"name": "a.b"},
        {"name": ""},
        {"asset": "../x"},
        {"asset": 1},
        {"blocking": 1},
        {"timeout_seconds": -1},
        {"timeout_seconds": True},
        {"returns": None},
        {"more": 1},
        {"description": {}},
    ],
)
def test_a_strange_check_is_refused(said: dict[str, Any]) -> None:
    """A manifest comes over the network."""
    with pytest.raises(DeclarationError):
        check_from_json({**check_json(SPEC), **said}, parse_key)
