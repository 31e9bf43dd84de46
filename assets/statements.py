"""What do the statements at the top level of a module define, and what do they import?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType

Functions = (ast.FunctionDef, ast.AsyncFunctionDef)

_DOCSTRING = re.compile(rb'^[ \t]+"""[^"\\]*+(?:"(?!"")[^"\\]*+)*+"""[ \t]*$', re.MULTILINE)
"""Text that begins an indented line and ends its last one. What is found first is never inside of other quotes, unless
those are left over when all of these are taken away."""

_DOUBTFUL = re.compile(rb'"""|\'\'\'|\\\r?\n|\r(?!\n)|\f')
"""What can make a line begin that does not begin where it seems to."""

_FUNCTION = re.compile(rb"^(?:@.*\n(?:[ \t)].*\n)*)*(?:async )?def (\w*).*\n(?:(?:[ \t)#].*)?\n)*", re.MULTILINE)
"""A function at the top level as it is usually laid out, with its decorators."""

_ONE_DECORATOR = re.compile(rb"@(\w+).*\n(?:[ \t)].*\n)*(?:async )?def ")

Target = tuple[str, str]
"""What an import means: a module's dotted name, and a name in it or ``""``."""

Decorator = tuple[str, CodeType | None]
"""What a function is decorated with: the name at its beginning (``""`` for others), and all of it."""


class Statements:
    """Those of one module. Functions are read only when they are asked for: a large project is made of them."""

    def __init__(self, content: bytes, package: str) -> None:
        self.imports: dict[str, Target] = {}
        self.stars: list[str] = []
        self._content = content
        self._package = package
        self._functions: dict[str, list[ast.stmt]] = {}
        self._others: dict[str, list[ast.stmt]] = {}
        without, self._left_out = _without_functions(content)
        # What was cut in the wrong place is no Python any more.
        if self._left_out and not self._read(without):
            self._left_out = frozenset()
            self._read(content)
        elif not self._left_out:
            self._read(content)

    def code(self, name: str) -> CodeType | None:
        """Returns the code of all statements that make ``name`` what it is, without docstrings; None without any."""
        if name in self._left_out or (self._left_out and not name.isascii()):
            self._left_out = frozenset()
            self._read(self._content)
        found = [*self._functions.get(name, ()), *self._others.get(name, ())]
        return _compiled(found) if found else None

    def more(self, name: str) -> CodeType | None:
        """Returns the code of the statements that have a part in ``name``, beside functions of that name."""
        return _compiled(found) if (found := self._others.get(name)) else None

    def has_more(self, name: str) -> bool:
        """Whether there are statements that have a part in ``name``, beside functions of that name."""
        return name in self._others

    def whole(self) -> CodeType | None:
        """Returns the code of the module, without docstrings."""
        try:
            return _compiled(ast.parse(self._content).body)
        except (SyntaxError, ValueError, RecursionError):
            return None

    def decorators(self, line: int) -> list[str]:
        """Returns the first names of the decorators of the function that begins in ``line``: there the first stands."""
        if not 0 < line < len(self._lines):
            return []
        at = self._lines[line - 1]
        if (one := _ONE_DECORATOR.match(self._content, at)) is not None:
            return [one[1].decode("utf-8", "replace")]
        if self._content[at : self._lines[line]].lstrip()[:1] != b"@":
            return []
        return [name for name, _ in self.decoration(line)]

    def decoration(self, line: int) -> list[Decorator]:
        """Returns the same as ``decorators``, with their code; costs a look at the whole file."""
        return self._decorated.get(line, [])

    @cached_property
    def dotted(self) -> dict[str, str]:
        """The full name of each import: ``{"pa": "pyarrow"}``."""
        return {name: ".".join(filter(None, target)) for name, target in self.imports.items()}

    @cached_property
    def _lines(self) -> list[int]:
        """Where each line begins, and the end."""
        begins = [0]
        for line in self._content.splitlines(keepends=True):
            begins.append(begins[-1] + len(line))
        return begins

    @cached_property
    def _decorated(self) -> dict[int, list[Decorator]]:
        try:
            tree = ast.parse(self._content)
        except (SyntaxError, ValueError, RecursionError):
            return {}
        found: dict[int, list[Decorator]] = {}
        for node in ast.walk(tree):
            if isinstance(node, Functions) and node.decorator_list:
                line = node.decorator_list[0].lineno
                found[line] = [(_first(each), _compiled([ast.Expr(each)])) for each in node.decorator_list]
        return found

    def _read(self, content: bytes) -> bool:
        try:
            body = ast.parse(content).body
        except (SyntaxError, ValueError, RecursionError):
            return False
        self.imports, self.stars, self._functions, self._others = {}, [], {}, {}
        for statement in body:
            if not isinstance(statement, ast.Pass):
                self._index(statement)
        return True

    def _index(self, statement: ast.stmt) -> None:
        for node in _flat([statement]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name, target in import_targets(node, self._package):
                    if name == "*":
                        self.stars.append(target[0])
                    else:
                        self.imports[name] = target
        if isinstance(statement, Functions):
            self._functions.setdefault(statement.name, []).append(statement)
        for name in () if _is_never_imported(statement) else dict.fromkeys(_named(statement)):
            self._others.setdefault(name, []).append(statement)


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


def _without_functions(content: bytes) -> tuple[bytes, frozenset[str]]:
    """Returns the text without the functions at its top level, and their names; all of the text where in doubt."""
    # A function that says `global` has a part in other names.
    if b"global" in content:
        return content, frozenset()
    plain = _DOCSTRING.sub(lambda found: b" " * len(found[0]), content)
    if _DOUBTFUL.search(plain) is not None:
        return content, frozenset()
    parts: list[bytes] = []
    names: set[str] = set()
    end = 0
    for found in _FUNCTION.finditer(plain):
        # A line of its own: what was left of a function in error can not become part of what stands before.
        parts += [content[end : found.start()], b"pass\n"]
        names.add(found[1].decode("utf-8", "replace"))
        end = found.end()
    return b"".join([*parts, content[end:]]), frozenset(names)


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements of a module's top level, also those under if, for, try and with."""
    for statement in body:
        yield statement
        if not isinstance(statement, (*Functions, ast.ClassDef)):
            for field in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(statement, field, ()))
            for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from _flat(branch.body)


def _named(statement: ast.stmt) -> Iterator[str]:
    """Yields the names that a statement has a part in: it binds them, stores into them, or does something with them."""
    if isinstance(statement, ast.ClassDef):
        yield statement.name
    if isinstance(statement, (*Functions, ast.ClassDef)):
        for node in ast.walk(statement):
            if isinstance(node, ast.Global):
                yield from node.names
        return
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield _first(node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Global(names=names):
                yield from names
            case ast.Expr(value=value):
                yield from (inner.id for inner in ast.walk(value) if isinstance(inner, ast.Name))


def _first(node: ast.expr) -> str:
    """Returns the name at the beginning of ``a.b[c](d)``; ``""`` when there is none."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return ""
    return node.id


def _is_never_imported(statement: ast.stmt) -> bool:
    """Whether it is what a module does as a program, or for type checkers alone."""
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]), orelse=[]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=[]):
            return True
    return False


def _compiled(body: Iterable[ast.stmt]) -> CodeType | None:
    bare = [_bare(s) for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    try:
        return compile(ast.Module(body=bare, type_ignores=[]), "<definition>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):  # such as an expression of a thousand operands
        return None


def _bare(statement: ast.stmt) -> ast.stmt:
    """Returns the statement without docstrings, all in one line: where it stands is not what it does."""
    for node in ast.walk(statement):
        if isinstance(node, (*Functions, ast.ClassDef)):
            # What stands behind a docstring is one as soon as that is gone.
            while ast.get_docstring(node, clean=False) is not None:
                node.body[:1] = [] if len(node.body) > 1 else [ast.Pass(lineno=1, col_offset=0)]
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]  # it has them
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return statement
