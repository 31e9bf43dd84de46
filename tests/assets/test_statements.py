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
        "for x in y: pass\n",
        "with a as x: pass\n",
        "match a:\n    case {**x}: pass\n",
        "print(x := 1)\n",
        "x[0] = 1\n",
        "x.a.b = 1\n",
        "x.append(1)\n",
        "if a:\n    def x(): pass\n",
        "def f():\n    global x\n",
        # What is cut out with functions must be functions.
        'def f():\n    """One\n    two "three".\n    """\n    return 1\nx = 1\n',
        'def f():\n    return """\n"""\nx = 1\ndef g():\n    return """\n"""\n',
        "def f():\n    return '''\n'''\nx = 1\ndef g():\n    return '''\n'''\n",
        'y = """\n    """ + """\ndef f():\n    """\nx = 1\n',
        "def f(): pass\rx = 1\n",
        "def f():\n    pass\n    \fx = 1\n",
        "def f(): return [\nx]\ndef x(): pass\n",
        "def é(): pass\ndef x(): pass\n",
    ],
)
def test_what_defines_a_name(text: str) -> None:
    """All that binds it at the top level, stores into it or asks it to do something, also beside quoted code."""
    assert defines(text)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    x = 1\n",
        "import x\n",
        "y = x\n",
        "if __name__ == '__main__':\n    x()\n",
        "x = (",
        "x = '\0'\n",
        "",
    ],
)
def test_what_does_not_define_it(text: str) -> None:
    """Neither what is inside of functions, nor imports, nor what only a program does, nor what is no Python."""
    assert not defines(text)


def test_where_imports_lead() -> None:
    """By the name that is bound; relative ones from the package, also where only type checkers look."""
    text = "import a.b\nimport c.d as e\nfrom .f import g as h\nfrom .. import i\nfrom j import *\n"
    text += "if TYPE_CHECKING:\n    import pyarrow as pa\n"
    found = Statements(text.encode(), "pkg.inner")

    assert {"a": "a", "e": "c.d", "h": "pkg.inner.f.g", "i": "pkg.i", "pa": "pyarrow"} == found.dotted
    assert ["j"] == found.stars


def test_decorators_are_found_by_line() -> None:
    """By the name that each begins with: at the line where the first of them stands, nowhere else."""
    text = "@a.b(\n    1,\n)\ndef f(): pass\n\n@a\n@c[0]\ndef g():\n    @d\n    def h(): pass\n"
    found = Statements(text.encode(), "pkg")

    assert [["a"], [], ["a", "c"], ["d"], [], []] == [found.decorators(line) for line in (1, 4, 6, 9, 10, 99)]
