"""What do the statements at the top level of a module define, and what do they import?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType

Functions = (ast.FunctionDef, ast.AsyncFunctionDef)

_FUNCTION = re.compile(rb"^(?:@.*\n(?:[ \t)].*\n)*)*(?:async )?def .*\n(?:(?:[ \t)#].*)?\n)*", re.MULTILINE)
"""A function at the top level as it is usually laid out, with its decorators."""

Target = tuple[str, str]
"""What an import means: a module's dotted name, and a name in it or ``""``."""


class Statements:
    """Those of one module. Functions are read only when they are asked for: a large project is made of them."""

    def __init__(self, content: bytes, package: str) -> None:
        self.imports: dict[str, Target] = {}
        self.stars: list[str] = []
        self._content = content
        self._package = package
        self._defined: dict[str, list[ast.stmt]] = {}
        without = _FUNCTION.sub(b"", content)
        # Text that begins a line inside of quotes may be taken for code: then the rest is no Python any more.
        self._is_whole = without == content or not self._read(without)
        if self._is_whole:
            self._read(content)

    def code(self, name: str) -> CodeType | None:
        """Returns the code of the statements that define ``name``, without docstrings; None where there are none."""
        if name not in self._defined and name not in self.imports and not self._is_whole:
            self._is_whole = True
            self._read(self._content)
        if (found := self._defined.get(name)) is None:
            return None
        tree = ast.Module(body=[_bare(statement) for statement in found], type_ignores=[])
        try:
            return compile(tree, "<definition>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):  # such as an expression of a thousand operands
            return None

    @cached_property
    def dotted(self) -> dict[str, str]:
        """The full name of each import: ``{"pa": "pyarrow"}``."""
        return {name: ".".join(filter(None, target)) for name, target in self.imports.items()}

    def _read(self, content: bytes) -> bool:
        try:
            body = ast.parse(content).body
        except (SyntaxError, ValueError, RecursionError):
            return False
        self.imports, self.stars, self._defined = {}, [], {}
        for statement in _flat(body):
            self._index(statement)
        return True

    def _index(self, node: ast.stmt) -> None:
        if isinstance(node, (*Functions, ast.ClassDef)):
            self._defined.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name, target in import_targets(node, self._package):
                if name == "*":
                    self.stars.append(target[0])
                else:
                    self.imports[name] = target
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for assigned in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(assigned):
                    if isinstance(part, ast.Name):
                        self._defined.setdefault(part.id, []).append(node)


def statements_of(module: str, path: Path) -> Statements:
    """Returns those of a module's file; none when it can not be read as Python."""
    try:
        content = path.read_bytes() if path.suffix == ".py" else b""
    except OSError:
        content = b""
    return Statements(content, module if path.name == "__init__.py" else module.rpartition(".")[0])


def import_targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Target]]:
    """Yields each name that an import binds, and its target."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            # `import a.b` binds `a`; `import a.b as c` binds the module a.b.
            first = alias.name.partition(".")[0]
            yield (alias.asname, (alias.name, "")) if alias.asname else (first, (first, ""))
        return
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *([base] if base else [])])
    for alias in node.names:
        yield alias.asname or alias.name, (base, alias.name)


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements of a module's top level, also those under if, try and with."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for field in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _flat(handler.body)


def _bare(statement: ast.stmt) -> ast.stmt:
    """Returns the statement without docstrings, all in one line: where it stands is not what it does."""
    for node in ast.walk(statement):
        if isinstance(node, (*Functions, ast.ClassDef)) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass(lineno=1, col_offset=0)]
        if isinstance(node, ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
    return statement
