"""Which statements define a name, and where does an import lead?"""

from __future__ import annotations

import pytest

from riparian.assets.statements import Statements


def defines(text: str, name: str = "x") -> bool:
    return Statements(text.encode(), "pkg").code(name) is not None


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n",
        "x: int = 1\n",
        "x, y = 1, 2\n",
        "class x:\n    pass\n",
        "def x():\n    pass\n",
        "async def x(\n    a,\n):\n    pass\n",
        "try:\n    x = 1\nexcept ImportError:\n    pass\n",
        "if a:\n    pass\nelse:\n    x = 1\n",
        'def f():\n    """\ndef g():\n    """\n\nx = 1\n',
        "@f(\n    1,\n)\ndef g(a):\n    return a\nx = 1",
    ],
)
def test_what_defines_a_name(text: str) -> None:
    """Assignments, classes and functions at the top level, also under conditions and beside quoted code."""
    assert defines(text)


@pytest.mark.parametrize("text", ["def f():\n    x = 1\n", "import x\n", "y = x\n", "x = (", "x = '\0'\n", ""])
def test_what_does_not_define_it(text: str) -> None:
    """Neither what is inside of functions, nor imports, nor what is no Python."""
    assert not defines(text)


def test_where_imports_lead() -> None:
    """By the name that is bound; relative ones from the package, also where only type checkers look."""
    text = "import a.b\nimport c.d as e\nfrom .f import g as h\nfrom .. import i\nfrom j import *\n"
    text += "if TYPE_CHECKING:\n    import pyarrow as pa\n"
    found = Statements(text.encode(), "pkg.inner")

    assert {"a": "a", "e": "c.d", "h": "pkg.inner.f.g", "i": "pkg.i", "pa": "pyarrow"} == found.dotted
    assert ["j"] == found.stars
