"""Did the code change that makes an asset?

The fingerprint covers a function and the first-party functions, classes and constants that it names, and what those
name in turn. It is taken from the syntax tree: comments, docstrings and layout are not code. It decides staleness only,
never safety, so a name that can not be followed is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import FunctionType

PLAIN = (str, bytes, int, float, bool, type(None))
Functions = (ast.FunctionDef, ast.AsyncFunctionDef)

NOT_CODE = frozenset({"ctx", "kind", "type_comment"})
"""The fields of a tree's nodes that change nothing of what the code does."""

SEPARATE = NOT_CODE | {"body", "decorator_list"}

Reference = tuple[str, ...]
"""A name as code writes it, cut at its dots: ``("helpers", "clean")``. Behind ``""`` stands a path to import."""

Target = tuple[str, str]
"""A definition at the top level of a module: the module's name and its own."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One definition: the digest of its tree, and what it refers to outside itself."""

    digest: bytes
    references: frozenset[Reference]


class SourceFile:
    """What one module's file defines and imports at its top level. Parsed once."""

    def __init__(self, module: str, path: Path) -> None:
        self.module = module
        self.package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        self.tree = ast.parse(path.read_bytes(), str(path))
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, Target] = {}
        self.stars: list[str] = []
        self.functions: dict[int, ast.stmt] = {}
        self._nested: dict[int, ast.stmt] | None = None
        for statement in _flat(self.tree.body):
            self._index(statement)

    def _index(self, node: ast.stmt) -> None:
        if isinstance(node, (*Functions, ast.ClassDef)):
            self.definitions.setdefault(node.name, []).append(node)
            self.functions[_first_line(node)] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name, target in import_targets(node, self.package):
                if name == "*":
                    self.stars.append(target[0])
                else:
                    self.imports[name] = target
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for assigned in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(assigned):
                    if isinstance(part, ast.Name):
                        self.definitions.setdefault(part.id, []).append(node)

    def function(self, line: int) -> ast.stmt | None:
        """Returns the function whose definition (its first decorator) begins at ``line``, at any depth."""
        if line in self.functions:
            return self.functions[line]
        if self._nested is None:
            self._nested = {_first_line(n): n for n in ast.walk(self.tree) if isinstance(n, Functions)}
        return self._nested.get(line)

    @cached_property
    def dotted_imports(self) -> dict[str, str]:
        """The dotted name of each imported one: ``{"pa": "pyarrow"}``."""
        return {name: ".".join(filter(None, target)) for name, target in self.imports.items()}


class Code:
    """The first-party code of one project: ``files`` by module name. Each file is parsed when first needed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._paths = files
        self._files: dict[str, SourceFile | None] = {}
        self._pieces: dict[Target, Piece | None] = {}
        self._next: dict[Target, tuple[Target, ...]] = {}

    def file(self, module: str) -> SourceFile | None:
        """Returns a module's source, or None when it is not first-party or can not be read as Python."""
        if module not in self._files:
            try:
                self._files[module] = SourceFile(module, self._paths[module]) if module in self._paths else None
            except (OSError, SyntaxError, ValueError, RecursionError):
                self._files[module] = None
        return self._files[module]

    def fingerprint(self, function: FunctionType) -> str:
        """Returns 64 hex digits that change when the function, or first-party code that it names, does."""
        file = self.file(function.__module__)
        node = file.function(function.__code__.co_firstlineno) if file else None
        root = _piece([node], file) if file and node else None
        if file is None or root is None:
            return sha256(function.__code__.co_code + repr(function.__code__.co_names).encode()).hexdigest()
        digests = {root.digest, _closure_values(function)}
        seen: set[Target] = set()
        waiting = list(self._targets(file, root))
        while waiting:
            target = waiting.pop()
            if target in seen:
                continue
            seen.add(target)
            if piece := self._piece(target):
                digests.add(piece.digest)
                waiting.extend(self._neighbours(target, piece))
        return sha256(b"".join(sorted(digests))).hexdigest()

    def _piece(self, target: Target) -> Piece | None:
        if target not in self._pieces:
            file = self.file(target[0])
            self._pieces[target] = _piece(file.definitions[target[1]], file) if file else None
        return self._pieces[target]

    def _neighbours(self, target: Target, piece: Piece) -> tuple[Target, ...]:
        if target not in self._next:
            file = self.file(target[0])
            self._next[target] = tuple(self._targets(file, piece)) if file else ()
        return self._next[target]

    def _targets(self, file: SourceFile, piece: Piece) -> Iterator[Target]:
        for reference in piece.references:
            found = self._import(reference[1:], 0) if reference[0] == "" else self._resolve(file, reference, 0)
            if found is not None:
                yield found

    def _resolve(self, file: SourceFile, reference: Reference, depth: int) -> Target | None:
        """Follows a reference through imports to a definition. ``depth`` bounds imports that go round in circles."""
        first = reference[0]
        if first in file.definitions:
            return (file.module, first)
        if first in file.imports:
            module, name = file.imports[first]
            return self._import((module, *((name,) if name else ()), *reference[1:]), depth)
        for module in file.stars:
            if (found := self._import((module, *reference), depth)) is not None:
                return found
        return None

    def _import(self, path: Reference, depth: int) -> Target | None:
        """Finds the definition that ``module.name…`` means, where ``path[0]`` is a module's dotted name."""
        for cut in range(len(path), 0, -1):
            file = self.file(".".join(path[:cut]))
            if file is not None:
                return self._resolve(file, path[cut:], depth + 1) if cut < len(path) and depth < 20 else None
        return None


def import_targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Target]]:
    """Yields each name that an import binds, and its target: a module's dotted name, and a name in it or ``""``."""
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


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def _closure_values(function: FunctionType) -> bytes:
    """Stands for the constants around an inner function: what one factory makes differs in nothing else."""
    values: list[str] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            if isinstance(cell.cell_contents, PLAIN):
                values.append(f"{name}={cell.cell_contents!r}")
        except ValueError:  # the cell is empty: the name is bound later
            continue
    return repr(values).encode()


def _piece(nodes: list[ast.stmt], file: SourceFile) -> Piece | None:
    walk = _Walk(file)
    try:
        for node in nodes:
            walk.visit(node)
    except RecursionError:  # an expression of a thousand operands
        return None
    return Piece(sha256("".join(walk.text).encode("utf-8", "surrogatepass")).digest(), frozenset(walk.references()))


class _Walk:
    """Writes a tree as text without what is not code, and gathers the names that it takes from outside."""

    def __init__(self, file: SourceFile) -> None:
        self.text: list[str] = []
        self._file = file
        self._loads: set[Reference] = set()
        self._binds: set[str] = set()
        self._imports: dict[str, Reference] = {}
        self._imported: set[Reference] = set()

    def references(self) -> set[Reference]:
        return self._loads | self._imported

    def visit(self, node: ast.AST) -> None:
        kind = type(node)
        if kind is ast.Name:
            self._name(node)  # type: ignore[arg-type]  # `kind is` says it; isinstance is slower, on the hot path
        elif kind is ast.Constant:
            self.text.append(repr(node.value))  # type: ignore[attr-defined]  # the same
        elif kind is ast.Attribute:
            self._attribute(node)  # type: ignore[arg-type]  # the same
        elif kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda):
            self._scope(node)
        else:
            if kind in (ast.Import, ast.ImportFrom):
                self._import(node)  # type: ignore[arg-type]  # the same
            self._fields(node)

    def _fields(self, node: ast.AST, but: frozenset[str] = NOT_CODE) -> None:
        text = self.text
        text.append(type(node).__name__ + "(")
        for field in node._fields:
            # Empty fields are left out, so that a version of Python that adds one changes no fingerprint.
            value = None if field in but else getattr(node, field, None)
            if value is None or value == []:
                continue
            text.append(field)
            if isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
                    else:
                        text.append(repr(item))
                    text.append(",")
            else:
                text.append("=" + repr(value))
            text.append(";")
        text.append(")")

    def _name(self, node: ast.Name) -> None:
        self.text.append("$" + node.id)
        if type(node.ctx) is ast.Load:
            self._loads.add((node.id,))
        else:
            self._binds.add(node.id)

    def _attribute(self, node: ast.Attribute) -> None:
        if (path := _dotted(node)) is None:
            self._fields(node)
        else:
            self.text.append("$" + ".".join(path))
            self._loads.add(path)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, (module, member) in import_targets(node, self._file.package):
            self._binds.add(name)
            self._imports[name] = ("", module, member) if member else ("", module)

    def _scope(self, node: ast.AST) -> None:
        """A function or class: what it binds hides names of the same text outside."""
        outer_loads, outer_binds = self._loads, self._binds
        self._loads, self._binds = set(), set()
        self._fields(node, SEPARATE)
        for decorator in getattr(node, "decorator_list", []):
            if not self._is_ours(decorator):
                self.text.append("@")
                self.visit(decorator)
        # Defaults, annotations and decorators are evaluated outside: their names are not hidden by the parameters.
        outer_loads |= self._loads
        self._loads = set()
        arguments = getattr(node, "args", None)
        if isinstance(arguments, ast.arguments):
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
            self._binds.update(a.arg for a in every if a)
        body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]  # a scope has one
        self.text.append(":")
        for statement in body[_has_docstring(body) :]:
            self.visit(statement)
            self.text.append("\n")
        for path in self._loads:
            if path[0] not in self._binds:
                outer_loads.add(path)
            elif path[0] in self._imports:
                self._imported.add((*self._imports[path[0]], *path[1:]))
        self._loads, self._binds = outer_loads, outer_binds
        if name := getattr(node, "name", None):
            self._binds.add(name)

    def _is_ours(self, decorator: ast.expr) -> bool:
        path = _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        return path is not None and self._file.imports.get(path[0], ("", ""))[0].partition(".")[0] == "riparian"


def _dotted(node: ast.expr) -> Reference | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def _has_docstring(body: list[ast.AST]) -> bool:
    first = body[0] if body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
