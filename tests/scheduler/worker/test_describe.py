"""Describing a project: a child process imports it, and gives its manifest, bundle and problems."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from riparian.assets.errors import Location
from riparian.scheduler.worker.bundles import Bundles
from riparian.scheduler.worker.describe import LOCK_MEMBER, Described, default_modules, describe

FLIGHTS = """\
from __future__ import annotations
from typing import TYPE_CHECKING
from riparian import Daily, FileDrop, Policy, asset, source
from pkg import clean
if TYPE_CHECKING:
    import pyarrow as pa

flights_csv = source(
    "air.flights_csv",
    arrives=FileDrop("drop/flights_{day:%Y-%m-%d}.csv"),
    partitions=Daily("day", start="2013-01-01"),
    policy=Policy(readers={"ops"}, tags={"pii"}),
)

@asset("air.flights", partitions=flights_csv.partitions)
def flights(flights_csv: pa.Table) -> pa.Table:
    return clean(flights_csv)

@asset("air.delays", inputs={"df": flights}, timeout=30)
def delays(df: pa.Table, ctx) -> dict[str, int]:
    import late
    return late.count(df)
"""


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / (name.replace("__dot__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def write_flights(root: Path) -> Path:
    return write(
        root,
        flights=FLIGHTS,
        late="from pkg import more\n\ndef count(df):\n    return {'n': more.ONE}\n",
        pkg__dot____init__="def clean(x):\n    return x\n",
        pkg__dot__more="ONE = 1\n",
        pkg__dot__unused="",
        test_flights="raise SystemExit('a test is no module of the project')\n",
    )


def members(described: Described) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(described.bundle)).namelist()


def test_a_project(tmp_path: Path) -> None:
    """The manifest holds what was declared, bound, with places; the bundle holds what running it imports."""
    described = describe(write_flights(tmp_path), "air", ["flights"])

    assert () == described.problems
    assert ["air.flights_csv", "air.flights", "air.delays"] == [a.key for a in described.manifest.assets]
    assert ["csv", "parquet", "json"] == [a.format for a in described.manifest.assets]
    assert [8, 15, 19] == [a.location.line for a in described.manifest.assets]
    daily, total = described.manifest.workflows
    assert [("flights_csv", "air.flights_csv", "identity")] == [
        (i.parameter, i.asset, i.mapping.kind) for i in daily.inputs
    ]
    assert [("flights_csv", "pyarrow.lib.Table")] == [(a.parameter, a.type) for a in daily.tasks[0].arguments]
    assert [("df", "air.flights", "all")] == [(i.parameter, i.asset, i.mapping.kind) for i in total.inputs]
    (task,) = total.tasks
    assert ("flights", "delays", "ctx", "dict", 30.0) == (
        task.module,
        task.qualname,
        task.context,
        task.returns,
        task.timeout_seconds,
    )
    assert ["flights.py", "late.py", "pkg/__init__.py", "pkg/more.py", LOCK_MEMBER] == members(described)
    assert "flights" not in sys.modules


def test_the_same_project_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither folder nor time of a checkout is in the manifest or the bundle."""
    one = describe(write_flights(tmp_path / "one"), "air", ["flights"])
    two = describe(write_flights(tmp_path / "two"), "air", ["flights"])

    assert one == two


def test_code_and_packages_change_the_bundle(tmp_path: Path) -> None:
    """Another line of code, or other installed packages, is another bundle."""
    root = write(tmp_path, a="X = 1\n")
    digests = [describe(root, "p").manifest.bundle]
    write(tmp_path, a="X = 2\n")
    digests.append(describe(root, "p").manifest.bundle)
    (root / "requirements.txt").write_text("numpy==2.0\n")
    digests.append(describe(root, "p").manifest.bundle)

    assert 3 == len(set(digests))


def test_a_worker_can_import_the_bundle(tmp_path: Path) -> None:
    """A worker accepts the zip under its digest, and everything the functions need is in it."""
    described = describe(write_flights(tmp_path / "project"), "air", ["flights"])
    folder = Bundles(tmp_path / "scratch", lambda digest: described.bundle).path(described.manifest.bundle)
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import flights; print(flights.delays(None, None))"

    assert "{'n': 1}\n" == subprocess.check_output([sys.executable, "-I", "-B", "-c", program], text=True)


def test_what_user_code_prints_does_not_disturb(tmp_path: Path) -> None:
    """The answer has a channel of its own, also when the project writes to or closes the usual ones."""
    text = "import os, sys\nprint('{')\nos.write(1, b'}')\nsys.stdout.close()\nos.close(1)\n"
    text += "from riparian import source\nsource('n.raw')\n"
    described = describe(write(tmp_path, noisy=text), "p")

    assert () == described.problems
    assert ["n.raw"] == [a.key for a in described.manifest.assets]


def test_import_errors_name_file_and_line(tmp_path: Path) -> None:
    """Each module that can not be imported is a problem at the line that raised; the others are judged as well."""
    root = write(
        tmp_path,
        a="import helper_\n",
        helper_="x = 1\ny = 1 / 0\n",
        b="def f(:\n",
        c="import not_installed_anywhere\n",
        d="import sys\n\nsys.exit('bye')\n",
        e="from riparian import asset\n@asset('n.e')\ndef e(raw: dict) -> set: ...\n",
    )
    described = describe(root, "p", ["a", "b", "c", "d", "e", "missing"])
    found = [(p.location, p.code) for p in described.problems]

    assert described.manifest is None
    assert b"" == described.bundle
    assert [
        (Location("b.py", 1), "import_failed"),
        (Location("c.py", 1), "import_failed"),
        (Location("d.py", 3), "import_failed"),
        (Location("e.py", 2), "unsupported_annotation"),
        (Location("helper_.py", 2), "import_failed"),
        (None, "import_failed"),
    ] == found
    messages = [p.message for p in described.problems]
    assert "ZeroDivisionError: division by zero" in messages[4]
    assert "ModuleNotFoundError: No module named 'not_installed_anywhere'" in messages[1]
    assert "the module 'missing' can not be found" in messages[5]


def test_a_wrong_declaration_names_file_and_line(tmp_path: Path) -> None:
    """What the SDK refuses is told at the user's line, with the remedy apart."""
    (problem,) = describe(write(tmp_path, a="from riparian import source\n\nsource('Bad Key')\n"), "p").problems

    assert ("invalid_declaration", Location("a.py", 3)) == (problem.code, problem.location)
    assert "'Bad Key' is not an asset key" == problem.message
    assert problem.remedy.startswith("Write dotted lower-case names")


def test_problems_of_the_whole_are_found(tmp_path: Path) -> None:
    """Rules over all declarations are run on what was imported."""
    text = "from riparian import asset, source\nsource('n.raw', format='prquet')\n"
    text += "@asset('n.a', inputs={'x': 'n.rwa'})\ndef a(x: bytes) -> bytes: ...\n"
    problems = describe(write(tmp_path, a=text), "p").problems

    assert [("unknown_format", 2), ("unknown_input", 3)] == [(p.code, p.location.line) for p in problems]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import os\nprint('last words', flush=True)\nos._exit(3)\n", "describe_died", "last words"),
        ("import time\ntime.sleep(60)\n", "describe_timeout", "longer than 1.5 s"),
    ],
)
def test_a_child_that_dies_or_hangs_is_a_problem(tmp_path: Path, text: str, code: str, said: str) -> None:
    """Whatever importing does, the caller gets an answer."""
    described = describe(write(tmp_path, a=text), "p", timeout_seconds=1.5)

    assert (None, [code]) == (described.manifest, [p.code for p in described.problems])
    assert said in described.problems[0].message


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("lambda *a: 'no problems'", "can not be read"),
        ("lambda *a: '[{}]\\n'", "can not be read"),
        ("lambda *a: '[' * 100_000", "can not be read"),
        ("lambda *a: '[]\\n{}'", "can not be read"),
        ("lambda manifest, *a: '[]\\n' + manifest.to_json().replace('mine', 'yours')", "the project 'yours'"),
    ],
)
def test_a_child_that_lies_is_a_problem(tmp_path: Path, lie: str, said: str) -> None:
    """The project's code runs beside what writes the answer; also the name of another project is no answer."""
    text = f"import __main__\nfrom riparian import source\nsource('n.a', format='json')\n__main__._body = {lie}\n"
    described = describe(write(tmp_path, liar=text), "mine", ["liar"])

    (problem,) = described.problems
    assert (None, b"", "describe_garbled") == (described.manifest, described.bundle, problem.code)
    assert said in problem.message


def test_threads_of_the_project_do_not_hold_the_child(tmp_path: Path) -> None:
    """A thread that never ends, started by an import, does not keep the answer back."""
    text = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"

    assert () == describe(write(tmp_path, a=text), "p", timeout_seconds=20).problems


def test_functions_that_a_worker_can_not_find_are_told(tmp_path: Path) -> None:
    """A factory's function has a name when it is assigned one; one lost in a loop is not dropped silently."""
    text = """\
from riparian import asset

def make(year):
    @asset(f"n.y{year}")
    def one() -> int:
        return year
    return one

first = make(2013)
for year in (2014, 2015):
    again = make(year)
"""
    described = describe(write(tmp_path, a=text), "p")
    (problem,) = described.problems

    assert ("unreachable_function", Location("a.py", 4)) == (problem.code, problem.location)
    assert "n.y2014" in problem.message
    write(tmp_path, a=text.replace("(2014, 2015)", "(2014,)"))
    tasks = [w.tasks[0] for w in describe(tmp_path, "p").manifest.workflows]
    assert [("a", "first"), ("a", "again")] == [(t.module, t.qualname) for t in tasks]


def test_a_shared_declaration_is_one(tmp_path: Path) -> None:
    """A source that two modules import is declared once, in the order of declaration."""
    root = write(
        tmp_path,
        a="from b import raw\nfrom riparian import asset\n@asset('n.x')\ndef x(raw: bytes) -> bytes: ...\n",
        b="from riparian import source\nraw = source('n.raw')\n",
    )

    assert ["n.raw", "n.x"] == [a.key for a in describe(root, "p").manifest.assets]


def test_modules_by_default(tmp_path: Path) -> None:
    """A project that names no modules has those of its folder, but no tests and no private ones."""
    write(tmp_path, flights="", _private="", test_flights="", conftest="", setup="", pkg__dot__inner="")
    (tmp_path / "not-a-name.py").write_text("")

    assert ("flights",) == default_modules(tmp_path)


def test_a_module_that_python_finds_elsewhere_is_told(tmp_path: Path) -> None:
    """A file that is named like a module of Python would never be read."""
    (problem,) = describe(write(tmp_path, json="X = 1\n"), "p").problems

    assert "shadowed_module" == problem.code


def test_an_environment_inside_the_project_is_not_its_code(tmp_path: Path) -> None:
    """Packages installed under the project's folder stay out of the bundle."""
    root = write(tmp_path, **{"venv__dot__lib__dot__site-packages__dot__other": "X = 1\n"})
    write(root, a=f"import sys\nsys.path.append({str(root / 'venv/lib/site-packages')!r})\nimport other\n")

    assert ["a.py", LOCK_MEMBER] == members(describe(root, "p"))


def test_a_thousand_assets(tmp_path: Path) -> None:
    """A large generated project is described as a small one is."""
    lines = ["from riparian import asset\n@asset('n.a0')\ndef a0() -> dict: return {}\n"]
    lines += [f"@asset('n.a{i}')\ndef a{i}(a{i - 1}: dict) -> dict: return a{i - 1}\n" for i in range(1, 1000)]
    manifest = describe(write(tmp_path, gen="".join(lines)), "p").manifest

    assert 1000 == len(manifest.assets)
    assert [f"n.a{i}" for i in range(999)] == [w.inputs[0].asset for w in manifest.workflows[1:]]
    assert 1000 == len({w.fingerprint for w in manifest.workflows})


def test_our_settings_are_hidden_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the control plane may hold tokens: user code that is imported does not see them."""
    monkeypatch.setenv("RIPARIAN_WORKER_TOKEN", "secret")
    text = "import os\nassert not [k for k in os.environ if k.startswith('RIPARIAN_')]\n"

    assert () == describe(write(tmp_path, a=text), "p").problems


def fingerprint(root: Path) -> str:
    described = describe(root, "demo")
    assert described.manifest is not None, described.problems
    (workflow,) = described.manifest.workflows
    return workflow.fingerprint


def test_what_a_function_imports_when_it_runs_is_its_code(tmp_path: Path) -> None:
    """A module that only running loads, in a package of its own, counts in the fingerprint."""
    text = "from riparian import asset\n\n@asset('a.b')\ndef b() -> dict:\n    from pkg.late import n\n    return n()\n"
    root = write(tmp_path, a=text, pkg__dot____init__="", pkg__dot__late="def n(): return {}\n")
    before = fingerprint(root)

    assert before == fingerprint(root)
    write(root, pkg__dot__late="def n(): return {'n': 1}\n")
    assert before != fingerprint(root)


def test_assertions_are_code_whatever_the_shell_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project has one fingerprint, also where PYTHONOPTIMIZE has Python leave assertions out."""
    text = "from riparian import asset\n\n@asset('a.b')\ndef b() -> dict:\n    assert __debug__\n    return {}\n"
    before = fingerprint(write(tmp_path, a=text))
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")

    assert before == fingerprint(tmp_path)
