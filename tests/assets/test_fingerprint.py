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
