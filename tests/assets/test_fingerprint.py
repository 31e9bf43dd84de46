"""What changes a fingerprint, and what does not."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from riparian.assets.fingerprint import Code

Fingerprint = Callable[..., str]

BASE = {
    "flights": """
from functools import lru_cache
from riparian import asset
import pkg.tools
from pkg import clean
LIMIT = 3
OTHER = 4

class Rules:
    def keep(self, x):
        return x > 0

def unused(x):
    return x

@asset("air.delays")
def delays(flights: dict) -> dict:
    return clean(flights, LIMIT, Rules().keep, pkg.tools.scale)

def flights(x):
    return x
""",
    "pkg": "from .inner import clean\n",
    "pkg.inner": "def clean(x, *rest):\n    return deep(x)\n\ndef deep(x):\n    return x\n",
    "pkg.tools": "FACTOR = 2\n\ndef scale(x):\n    from pkg.late import late\n    return FACTOR * late(x)\n",
    "pkg.late": "def late(x):\n    return x\n",
}


@pytest.fixture
def fingerprint(tmp_path: Path) -> Iterator[Fingerprint]:
    """Returns the fingerprint of `flights.delays` after replacing text in one module."""
    folders = (tmp_path / str(number) for number in range(10))

    def of(module: str = "flights", old: str = "", new: str = "", function: str = "delays") -> str:
        assert old in BASE[module]
        folder = next(folders)
        for name, text in BASE.items():
            path = folder / (name.replace(".", "/") + ("/__init__.py" if name == "pkg" else ".py"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new, 1) if name == module else text)
        sys.path.insert(0, str(folder))
        try:
            modules = {name: importlib.import_module(name) for name in BASE}
        finally:
            sys.path.remove(str(folder))
            for name in BASE:
                sys.modules.pop(name, None)
        return Code(modules).fingerprint(getattr(modules["flights"], function))

    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    yield of
    sys.dont_write_bytecode = before


def module(name: str, text: str, path: Path | None = None) -> ModuleType:
    """Returns a module of the text, without importing it."""
    made = ModuleType(name)
    if path is not None:
        path.write_text(text)
        made.__file__ = str(path)
    exec(compile(text, str(path), "exec"), vars(made))  # noqa: S102  # a module without importing it
    return made


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("flights", "    return clean", "    # why\n\n    return clean"),
        ("flights", "    return clean", '    """Delays."""\n    return clean'),
        ("flights", "clean(flights, LIMIT", "clean(flights,LIMIT"),
        ("flights", '@asset("air.delays")', '@asset(\n    "air.late", description="x")'),
        ("flights", "def unused(x):\n    return x", "def unused(x):\n    return -x"),
        ("flights", "OTHER = 4", "OTHER = 5"),
        # The parameter hides the function of the same name.
        ("flights", "def flights(x):\n    return x", "def flights(x):\n    return -x"),
        ("flights", "from functools", "import math\n\n\nfrom functools"),
        ("pkg.inner", "def deep(x):", 'def deep(x):\n    """Doc."""'),
    ],
)
def test_unchanged_by(fingerprint: Fingerprint, module: str, old: str, new: str) -> None:
    """Comments, docstrings, layout, our decorator and code that is not named change nothing."""
    assert fingerprint() == fingerprint(module, old, new)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("flights", "return clean(flights, LIMIT", "return clean(flights, -LIMIT"),
        ("flights", "LIMIT = 3", "LIMIT = 5"),
        ("flights", "return x > 0", "return x >= 0"),
        ("flights", "-> dict", "-> list"),
        ("flights", "def delays", "@lru_cache\ndef delays"),
        ("pkg.inner", "return deep(x)", "return deep(deep(x))"),
        ("pkg.inner", "def deep(x):\n    return x", "def deep(x):\n    return -x"),
        ("pkg.tools", "FACTOR = 2", "FACTOR = 3"),
        ("pkg.late", "return x", "return -x"),
    ],
)
def test_changed_by(fingerprint: Fingerprint, module: str, old: str, new: str) -> None:
    """The body, callees at any depth and module, classes, constants and foreign decorators are its code."""
    assert fingerprint() != fingerprint(module, old, new)


def test_each_file_is_read_once(tmp_path: Path) -> None:
    """The fingerprint of many functions costs at most one look at their file."""
    path = tmp_path / "m.py"
    m = module("m", "LIMIT = {}\n\ndef a():\n    return LIMIT\n\ndef b():\n    return a()\n", path)
    code = Code({"m": m})
    first = code.fingerprint(m.a)
    path.unlink()

    assert first == code.fingerprint(m.a) != code.fingerprint(m.b)


def test_functions_of_one_factory_differ_by_what_they_close_over() -> None:
    """A factory's functions share their text; the constants that they took from it tell them apart."""
    m = module("m", "def make(year):\n    def one():\n        return year\n    return one\n")
    code = Code({"m": m})

    assert code.fingerprint(m.make(2013)) == code.fingerprint(m.make(2013))
    assert code.fingerprint(m.make(2013)) != code.fingerprint(m.make(2014))


def test_code_without_a_file_still_has_a_fingerprint() -> None:
    """A function that was made from text is told apart by its compiled code."""
    m = module("nowhere", "def a(): return b\ndef b(): return a")

    assert Code({}).fingerprint(m.a) != Code({}).fingerprint(m.b)


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    """A name that is imported round in circles is left out."""
    a = module("a", "x = []\n\ndef f():\n    return x\n", tmp_path / "a.py")
    b = module("b", "x = []\n", tmp_path / "b.py")
    (tmp_path / "a.py").write_text("from b import x\n\ndef f():\n    return x\n")
    (tmp_path / "b.py").write_text("from a import x\n")

    assert 64 == len(Code({"a": a, "b": b}).fingerprint(a.f))


def test_another_process_gives_the_same(tmp_path: Path) -> None:
    """Neither addresses, nor the order of sets, nor the folder are in a fingerprint."""
    text = "from pathlib import Path\nHERE = Path(__file__)\nclass A:\n    kinds = {'a', 'b', 'c'}\n"
    text += "def f(x, to=A()):\n    return x in {'d', 'e', 'f'} and [A, HERE, lambda: {'g'}, object()]\n"
    program = (
        "import sys; import m; from riparian.assets.fingerprint import Code; print(Code({'m': m}).fingerprint(m.f))"
    )
    said = set()
    for seed in "123":
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "m.py").write_text(text)
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(folder)}
        said.add(subprocess.check_output([sys.executable, "-B", "-c", program], env=environment, text=True))

    assert 1 == len(said)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = Decimal('1')", "LIMIT = Decimal('2')"),
        ("LIMIT = Decimal('1')", "LIMIT = Decimal('1')\nLIMIT += 1"),
        ("if True:\n    LIMIT = 1", "if True:\n    LIMIT = 2"),
        ("def build(): return Decimal('1')\nLIMIT = build()", "def build(): return Decimal('2')\nLIMIT = build()"),
        ("LIMIT = lambda: 1", "LIMIT = lambda: 2"),
        ("def inner(): return 1\nLIMIT = partial(inner)", "def inner(): return 2\nLIMIT = partial(inner)"),
        ("class LIMIT(dict):\n    x = 1", "class LIMIT(dict):\n    x = 2"),
        ("@lru_cache\ndef LIMIT(): return 1", "@lru_cache\ndef LIMIT(): return 2"),
        ("@lru_cache\ndef LIMIT(): return 1", "def LIMIT(): return 1"),
        ("@other\ndef LIMIT(): return 1", "@other\ndef LIMIT(): return 2"),
    ],
)
def test_whatever_a_name_stands_for_counts(tmp_path: Path, before: str, after: str) -> None:
    """Values without a text of their own, what they were computed with, what is wrapped or hidden in an object."""
    start = "from decimal import Decimal\nfrom functools import lru_cache, partial\n"
    start += "class other:\n    def __init__(self, f): self.f = f\n"
    end = "\ndef f() -> dict:\n    return LIMIT\n"
    one = module("m", f"{start}{before}{end}", tmp_path / "one.py")
    two = module("m", f"{start}{after}{end}", tmp_path / "two.py")

    assert Code({"m": one}).fingerprint(one.f) == Code({"m": one}).fingerprint(one.f)
    assert Code({"m": one}).fingerprint(one.f) != Code({"m": two}).fingerprint(two.f)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("class A:\n    x = 1", 'class A:\n    """Doc."""\n\n    # why\n    x = 1'),
        ("class A:\n    def x(self): return 1", 'class A:\n    def x(self):\n        """Doc."""\n        return 1'),
        ("A = dict(a=1, b=2)", "A = dict(\n    a=1,  # why\n    b=2,\n)"),
        ("def A(): print()", 'def A():\n    """Doc."""\n    print()'),
        ("def A():\n    return None, 1", 'def A():\n    """Doc."""\n    return None, 1'),
        ("A = 1", 'DOC = """\ndef f():\n    x\n"""\nA = 1'),
    ],
)
def test_words_and_layout_of_what_is_named_do_not_count(tmp_path: Path, before: str, after: str) -> None:
    """Docstrings move the constants of compiled code, comments its lines."""
    end = "\ndef f() -> dict:\n    return A\n"
    one = module("m", before + end, tmp_path / "one.py")
    two = module("m", after + end, tmp_path / "two.py")

    assert Code({"m": one}).fingerprint(one.f) == Code({"m": two}).fingerprint(two.f)


TRIED = "    two()\n  except KeyError: return 1\n"
TRIED_LESS = "  except KeyError: return 1\n  else: two()\n"

USES = """
import functools, math, cmath
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
import pathlib, zipfile

def one(x=0): return 1
def two(x=0): return 2
def make(value):
    def f(x): return value
    return f
def given(value):
    def decorate(function):
        @functools.wraps(function)
        def wrapped(*args): return function(*args), value
        return wrapped
    return decorate
def noted(value):
    def decorate(function):
        function.n = value
        return function
    return decorate
TABLE = {}
def registered(function):
    TABLE[function.__name__] = function
    return function
class Ours:
    def __init__(self, value=0): self.value = value
@dataclass(frozen=True)
class Frozen:
    value: int
class Color(Enum):
    RED = 1
    BLUE = 2
"""


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        # Which code an exception leaves is in a table beside the instructions.
        ("def f(x):\n  try:\n    one()\n    two()\n  except KeyError: return 1\n", TRIED, TRIED_LESS),
        ("def f(x: pathlib.Path): return x\n", "pathlib.", "zipfile."),
        ("def f(a: int, b): return a\n", "a: int, b", "a, b: int"),
        ("def f(a: int, b: str): return a\n", "a: int, b: str", "a: str, b: int"),
        ("def f(*, a=1, b): return a\n", "a=1, b", "a, b=1"),
        ("def f(*, a=1, b=2): return a\n", "a=1, b=2", "a=2, b=1"),
        # Which of two names means what.
        ("def a(): pass\ndef b(): 1 / 0\ndef f(x): return a() - b()\n", "pass\ndef b(): 1 / 0", "1 / 0\ndef b(): pass"),
        ("A = 1\nB = 2\ndef f(x): return A - B\n", "A = 1\nB = 2", "A = 2\nB = 1"),
        ("a, b = one, two\ndef f(x): return a() - b()\n", "one, two", "two, one"),
        ("a = one\nb = two\ndef f(x): return a() - b()\n", "a = one\nb = two", "a = two\nb = one"),
        ("from os.path import join as g\ndef f(x): return g(x)\n", "join", "split"),
        ("from math import sin as g\ndef f(x): return g(x)\n", "sin", "cos"),
        ("from pyarrow.compute import min as g\ndef f(x): return g(x)\n", "min", "max"),
        ("import numpy as g\ndef f(x): return g.zeros(2)\n", "numpy", "numpy.ma"),
        # Values that a function is made with.
        ("def f(x, to={'a': 1}): return to\n", "1", "2"),
        ("TO = {'a': 1}\ndef f(x, to=TO): return to\n", "1", "2"),
        ("def f(x, to=timedelta(days=1)): return to\n", "=1", "=2"),
        ("def f(x, to=[date(2013, 1, 1)]): return to\n", "2013", "2014"),
        ("def f(x, to=Path('a')): return to\n", "'a'", "'b'"),
        ("def f(x, to=Decimal(1)): return to\n", "(1)", "(2)"),
        ("def f(x, to=Color.RED): return to\n", "RED", "BLUE"),
        ("def f(x, to=Frozen(1)): return to\n", "(1)", "(2)"),
        ("def f(x, to=Ours(1)): return to\n", "(1)", "(2)"),
        ("def f(x, to=Ours): return to\n", "value=0", "value=1"),
        ("f = make({'a': {1, 2}})\n", "2", "3"),
        ("f = make({one, two})\n", "return 2", "return 3"),
        ("f = make(Ours)\n", "value=0", "value=1"),
        ("f = make(Ours(1).__init__)\n", "(1)", "(2)"),
        ("f = make(Ours(two))\n", "return 2", "return 3"),
        ("f = make(partial(one, 1))\n", "one, 1", "one, 2"),
        ("f = make([one])\n", "return 1", "return 3"),
        ("f = make(timedelta(days=1))\n", "=1", "=2"),
        ("@given({'a': 1})\ndef f(x): return x\n", "'a': 1", "'a': 2"),
        ("@noted(1)\ndef f(x): return f.n\n", "@noted(1)", "@noted(2)"),
        ("@noted(1)\ndef g(x): return x\ndef f(x): return g.n\n", "@noted(1)", "@noted(2)"),
        ("@functools.lru_cache(maxsize=1)\ndef f(x): return x\n", "=1", "=2"),
        # What statements at the top level do to a name.
        ("for K in [1]: pass\ndef f(x): return K\n", "[1]", "[2]"),
        ("while True:\n  K = 1\n  break\ndef f(x): return K\n", "K = 1", "K = 2"),
        ("match 1:\n  case K: pass\ndef f(x): return K\n", "match 1", "match 2"),
        ("match [1, 2]:\n  case [1, *K]: pass\ndef f(x): return K\n", "[1, 2]", "[1, 3]"),
        ("with open(0, closefd=False) as K: pass\ndef f(x): return K\n", "closefd", "opener=None, closefd"),
        ("print(end='') or (K := 1)\ndef f(x): return K\n", ":= 1", ":= 2"),
        ("T = {}\nT.update(a=1)\ndef f(x): return T\n", "a=1", "a=2"),
        ("T = {}\nfor i in range(3): T[i] = i\ndef f(x): return T\n", "(3)", "(4)"),
        ("@registered\ndef g(): return 5\ndef f(x): return TABLE['g']()\n", "5", "6"),
        ("FLAG = True\nif FLAG: K = 1\nelse: K = 2\ndef f(x): return K\n", "True", "False"),
        ("if 1 == 1:\n  class K: a = 1\nelse:\n  class K: a = 2\ndef f(x): return K.a\n", "1 == 1", "1 == 2"),
        ("def f(x): return f.n\nf.n = 1\n", "n = 1", "n = 2"),
        ("Ours.n = 1\ndef f(x): return Ours.n\n", "n = 1", "n = 2"),
        ("K = 0\ndef g():\n  global K\n  K = 1\ng()\ndef f(x): return K\n", "K = 1", "K = 2"),
        ("g = functools.singledispatch(one)\n@g.register\ndef _(x: int): return 5\ndef f(x): return g(x)\n", "5", "6"),
        ("g = one\ng = partial(g, 1)\ndef f(x): return g()\n", "return 1", "return 3"),
        ("globals()['K'] = 1\ndef f(x): return K\n", "= 1\ndef f", "= 2\ndef f"),
        # Text that looks like code.
        ('T = """\ndef g():\n    return 7\n"""\ndef f(x): return T\n', "7", "8"),
        ('def a():\n  return """\nx\n"""\nK = 7\ndef b():\n  return """\nx\n"""\ndef f(x): return K\n', "7", "8"),
        ('K = 1\ndef a():\n  x = """\n"""\nK = 7\ndef b():\n  x = """\n"""\ndef f(x): return K\n', "7", "8"),
        ("T = 'a\\\ndef g():\\\n    return 7\\\n'\ndef f(x): return T\n", "7", "8"),
    ],
)  # fmt: skip
def test_changed_where_behaviour_is(tmp_path: Path, text: str, old: str, new: str) -> None:
    """Whatever can make a function do something else makes another fingerprint."""
    before = module("m", f"{USES}{text}", tmp_path / "before.py")
    edited = f"{USES}{text.replace(old, new, 1)}" if old in text else f"{USES.replace(old, new, 1)}{text}"
    after = module("m", edited, tmp_path / "after.py")

    assert Code({"m": before}).fingerprint(before.f) != Code({"m": after}).fingerprint(after.f)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a: int, b: Path) -> list[int]: return a\n", "def f(a: int, b: Path) -> list[int]: return a\n"),
        ("def f(x): return one()\n", "def f(x): return one()\nif __name__ == '__main__':\n  one()\n"),
        ("def f(x): return 1\n", "@asset('a.b')\ndef f(x): return 1\n"),
        ("def f(x): return 1\n", "@asset(\n  'a.b',\n  description='x',\n)\ndef f(x): return 1\n"),
        ("K = 1\ndef f(x): return K\n", "def other(x):\n  '''Text'''\n  return [\n    x]\nK = 1\ndef f(x): return K\n"),
    ],
)
def test_unchanged_where_behaviour_is_not(tmp_path: Path, before: str, after: str) -> None:
    """How an annotation is written, what only a program does, our decorators and other functions do not count."""
    start = "from pathlib import Path\nfrom riparian import asset\ndef one(): return 1\n"
    one = module("m", start + before, tmp_path / "one.py")
    two = module("m", f"from __future__ import annotations\n{start}{after}", tmp_path / "two.py")

    assert Code({"m": one}).fingerprint(one.f) == Code({"m": two}).fingerprint(two.f)


def test_which_import_is_meant(tmp_path: Path) -> None:
    """Two functions of another module that change places under the names of this one are a change."""
    other = module("h", "def low(x): return x\ndef high(x): return -x\n", tmp_path / "h.py")
    said = set()
    for name, second in (("low", "high"), ("high", "low")):
        m = ModuleType("m")
        m.__file__ = str(tmp_path / f"{name}.py")
        text = f"from h import {name} as a, {second} as b\ndef f(x): return a(x) - b(x)\n"
        Path(m.__file__).write_text(text)
        sys.modules["h"] = other
        try:
            exec(compile(text, m.__file__, "exec"), vars(m))  # noqa: S102  # a module without importing it
        finally:
            del sys.modules["h"]
        said.add(Code({"m": m, "h": other}).fingerprint(m.f))

    assert 2 == len(said)


@pytest.mark.parametrize(
    "imports", ["import late", "from late import inner", "from pkg import late", "import pkg.late"]
)
def test_what_is_imported_when_it_runs_counts(tmp_path: Path, imports: str) -> None:
    """A module that nobody loads before counts as a whole, with what it imports in turn."""
    m = module("m", f"def f(x):\n    {imports}\n    return late.inner(x)\n", tmp_path / "m.py")
    said = set()
    for number in "12":
        late, deep = tmp_path / "late.py", tmp_path / "deep.py"
        late.write_text(f"# {number}\nfrom deep import LIMIT\ndef inner(x): return LIMIT\n")
        deep.write_text(f"LIMIT = {number}\n")
        said.add(Code({"m": m}, {"late": late, "pkg.late": late, "deep": deep}).fingerprint(m.f))
    deep.write_text("# why\nLIMIT = 2\n")

    assert 2 == len(said)
    assert Code({"m": m}, {"late": late, "pkg.late": late, "deep": deep}).fingerprint(m.f) in said


def test_values_without_end_have_a_fingerprint(tmp_path: Path) -> None:
    """What holds itself, and what is very large, is followed so far and no further."""
    text = "LOOP = []\nLOOP.append(LOOP)\nLOOP.append({'a': LOOP})\nMANY = list(range(100_000))\n"
    m = module("m", f"{text}def f(x, loop=LOOP, many=MANY): return f\n", tmp_path / "m.py")

    assert Code({"m": m}).fingerprint(m.f) == Code({"m": m}).fingerprint(m.f)


def test_what_is_asked_for_by_its_name_counts(tmp_path: Path) -> None:
    """A text beside `getattr` can be the name of something in a module that is named too."""
    m = module("m", "def f(x): return getattr(h, 'LIMIT')\n", tmp_path / "m.py")
    said = set()
    for number in "12":
        m.h = module("h", f"LIMIT = {number}\n", tmp_path / f"h{number}.py")
        said.add(Code({"m": m, "h": m.h}).fingerprint(m.f))

    assert 2 == len(said)


@pytest.mark.parametrize(
    "made",
    [
        "class Given(enum.Flag):\n    A = 1\n",
        "class Given(datetime.tzinfo):\n    def __init__(self, hours): self.hours = hours\n",
        "class Given(dict):\n    def __init__(self, n): super().__init__(n=n)\n    def items(self): 1 / 0\n",
    ],
)
def test_a_value_of_a_class_of_ours_says_the_same_each_time(tmp_path: Path, made: str) -> None:
    """A flag of no member has no name, what shows itself by its address lies elsewhere, and its code is not run."""
    text = f"import datetime, enum\n{made}def f(x, given=Given(0)): return given\n"
    said = set()
    kept = []
    for _ in range(3):
        kept.append(module("m", text, tmp_path / "m.py"))
        said.add(Code({"m": kept[-1]}).fingerprint(kept[-1].f))
    other = module("m", text.replace("Given(0)", "Given(1)"), tmp_path / "m.py")

    assert 1 == len(said)
    assert Code({"m": other}).fingerprint(other.f) not in said


def test_units_name_what_a_fingerprint_read(tmp_path: Path) -> None:
    """Each with a digest of its own and what it refers to; what stands alone is left out."""
    text = "LIMIT = {}\ndef clean(x): return x < LIMIT\ndef f(x): return clean(x)\ndef alone(x): return x\n"
    read = []
    for number in "12":
        m = module("m", text.format(number), tmp_path / f"m{number}.py")
        code = Code({"m": m})
        code.fingerprint(m.f)
        code.fingerprint(m.alone)
        read.append(code.units())
    before, after = read

    assert {"m.f": ("m.clean",), "m.clean": ("m.LIMIT",), "m.LIMIT": ()} == {n: refs for n, (_, refs) in before.items()}
    assert ["m.LIMIT"] == [name for name in before if before[name] != after[name]]
