"""What changes a fingerprint, and what does not."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riparian.assets.declare import plain_function
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

    def of(module: str = "flights", old: str = "", new: str = "", function: str = "delays") -> str:
        assert old in BASE[module]
        files = {}
        for name, text in BASE.items():
            path = tmp_path / (name.replace(".", "/") + ("/__init__.py" if name == "pkg" else ".py"))
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace(old, new, 1) if name == module else text)
            files[name] = path
        spec = importlib.util.spec_from_file_location("flights", files["flights"])
        loaded = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(tmp_path))
        try:
            spec.loader.exec_module(loaded)
        finally:
            sys.path.remove(str(tmp_path))
            for name in [n for n in sys.modules if n.partition(".")[0] == "pkg"]:
                del sys.modules[name]
        return Code(files).fingerprint(plain_function(getattr(loaded, function)))

    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    yield of
    sys.dont_write_bytecode = before


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
    """The fingerprint of many functions costs one parse of their file."""
    path = tmp_path / "m.py"
    path.write_text("def a():\n    return 1\n\ndef b():\n    return a()\n")
    names = {"__name__": "m"}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102  # a module without importing it
    code = Code({"m": path})
    first = code.fingerprint(names["a"])
    path.unlink()

    assert first == code.fingerprint(names["a"]) != code.fingerprint(names["b"])


def test_functions_of_one_factory_differ_by_what_they_close_over(tmp_path: Path) -> None:
    """A factory's functions share their text; the constants that they took from it tell them apart."""
    path = tmp_path / "m.py"
    path.write_text("def make(year):\n    def one():\n        return year\n    return one\n")
    names = {"__name__": "m"}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102  # a module without importing it
    code = Code({"m": path})

    assert code.fingerprint(names["make"](2013)) == code.fingerprint(names["make"](2013))
    assert code.fingerprint(names["make"](2013)) != code.fingerprint(names["make"](2014))


def test_code_without_a_file_still_has_a_fingerprint() -> None:
    """A function that was made from text is told apart by its compiled code."""
    names = {"__name__": "nowhere"}
    exec("def a(): return b\ndef b(): return a", names)  # noqa: S102  # the point of the test

    assert Code({}).fingerprint(names["a"]) != Code({}).fingerprint(names["b"])


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    """A name that is imported round in circles is left out."""
    (tmp_path / "a.py").write_text("from b import x\n\ndef f():\n    return x\n")
    (tmp_path / "b.py").write_text("from a import x\n")
    names = {"__name__": "a", "x": 1}
    exec(compile("\n\ndef f():\n    return x\n", str(tmp_path / "a.py"), "exec"), names)  # noqa: S102

    assert 64 == len(Code({"a": tmp_path / "a.py", "b": tmp_path / "b.py"}).fingerprint(names["f"]))
