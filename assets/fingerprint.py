"""Did the code change that makes an asset?

The fingerprint covers a function and the first-party functions, classes and constants that it names, and what those
name in turn. It is taken from compiled code, in which comments, docstrings, layout and line numbers leave no trace. It
decides staleness only, never safety: a name that can not be followed is left out, one that may be meant counts.
Another minor version of Python compiles otherwise, so every fingerprint changes with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from opcode import EXTENDED_ARG, hasconst, opmap
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from riparian.assets.statements import Statements, statements_of

GLOBAL, NAME, IMPORT = opmap["LOAD_GLOBAL"], opmap["LOAD_NAME"], opmap["IMPORT_NAME"]
TELLING = re.compile(b"[%b]" % re.escape(bytes([*hasconst, GLOBAL, NAME, IMPORT])))
"""The instructions whose argument says something that other instructions do not."""

PLAIN = frozenset({str, bytes, int, float, complex, bool, type(None), type(...)})
DOCUMENTED = 0x4000000
"""The flag of a code object that has a docstring, in versions of Python that have the flag."""

MOST_LAYERS = 20
"""How deep functions are wrapped at most: a wrapper may wrap itself."""

_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")
_WORD = re.compile(r"[^\W\d]\w*")

Target = tuple[str, str]
"""A name at the top level of a module: the module's name and its own."""

Unit = FunctionType | Target | str
"""What counts: a function, what the statements of a target define, or words for something that is not ours."""


class Piece(NamedTuple):
    """What one code object does, with those inside it: ``text`` stands for it. And what it names outside itself."""

    text: str
    globals: set[str]
    imports: set[str]
    names: set[str]  # of globals, imports and attributes alike


class Code:
    """The first-party code of one project: its loaded ``modules`` by name. Each unit is read when first needed."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._names = {name: vars(module) for name, module in modules.items()}
        self._statements: dict[str, Statements] = {}
        self._meanings: dict[Target, tuple[list[Unit], str]] = {}
        self._units: dict[Unit, tuple[bytes, list[Unit]]] = {}

    def statements(self, module: str) -> Statements:
        """Returns the statements of a module; none when it is not first-party or can not be read as Python."""
        if module not in self._statements:
            file = self._names.get(module, {}).get("__file__")
            self._statements[module] = statements_of(module, Path(file or ""))
        return self._statements[module]

    def fingerprint(self, function: Callable[..., Any]) -> str:
        """Returns 64 hex digits that change when the function, or first-party code that it names, does."""
        digests: set[bytes] = set()
        seen: set[Unit] = set()
        waiting = self._layers(function) or [u for u in _unwrapped(function) if isinstance(u, FunctionType)]
        while waiting:
            unit = waiting.pop()
            if unit not in seen:
                seen.add(unit)
                if unit not in self._units:
                    self._units[unit] = self._read(unit)
                digest, found = self._units[unit]
                digests.add(digest)
                waiting.extend(found)
        return sha256(b"".join(sorted(digests))).hexdigest()

    def _read(self, unit: Unit) -> tuple[bytes, list[Unit]]:
        """Returns a unit's digest, and the units that it names."""
        if isinstance(unit, str):
            return _digest(unit), []
        return self._function(unit) if isinstance(unit, FunctionType) else self._target(*unit)

    def _function(self, function: FunctionType) -> tuple[bytes, list[Unit]]:
        piece = _piece(function.__code__)
        # By position: the names of parameters are among those of the code's variables.
        annotations = "\n".join(map(_annotation, function.__annotations__.values()))
        piece.globals.update(_WORD.findall(annotations))
        found = self._found(function.__globals__.get("__name__", ""), piece)
        around = _around(function)
        for value in around:
            found += self._layers(value)
        return _digest("\n".join([piece.text, annotations, *map(_constant, around)])), found

    def _target(self, module: str, name: str) -> tuple[bytes, list[Unit]]:
        statements = self.statements(module)
        if (code := statements.code(name)) is not None:
            piece = _piece(code)
            return _digest(piece.text), self._found(module, piece)
        imported = [statements.imports[name]] if name in statements.imports else [(m, name) for m in statements.stars]
        return b"", [unit for target in imported for unit in self._meaning(target)[0]]

    def _found(self, module: str, piece: Piece) -> list[Unit]:
        """Returns the units that a piece of ``module`` names."""
        found: list[Unit] = []
        looked = [(module, piece.globals)]
        looked += [(m, piece.names) for name in piece.imports for m in self._imported(module, name)]
        modules = {module for module, _ in looked}
        for module, names in looked:
            namespace = self._names.get(module, {})
            for name in names:
                if name in namespace:
                    units, inner = self._meaning((module, name))
                    found += units
                    if inner in self._names and inner not in modules:
                        modules.add(inner)
                        looked.append((inner, piece.names))
        return found

    def _imported(self, module: str, name: str) -> Iterator[str]:
        """Yields the modules that ``import name`` inside of ``module`` can mean: from which package is not in it."""
        yield name
        while module:
            yield f"{module}.{name}".rstrip(".")
            module = module.rpartition(".")[0]

    def _meaning(self, target: Target) -> tuple[list[Unit], str]:
        """Returns what a name stands for: units, or the name of a module whose members are meant."""
        if target not in self._meanings:
            self._meanings[target] = self._mean(*target)
        return self._meanings[target]

    def _mean(self, module: str, name: str) -> tuple[list[Unit], str]:
        value = self._names.get(module, {}).get(name, len)
        if isinstance(value, ModuleType):
            return [], value.__name__
        if isinstance(value, type):
            outer = value.__qualname__.partition(".")[0]
            home = self._names.get(value.__module__)
            return [] if home is None else [(value.__module__, outer) if outer in home else (module, name)], ""
        is_foreign = isinstance(value, FunctionType | BuiltinFunctionType)
        return self._layers(value) or ([] if is_foreign else [(module, name)]), ""

    def _layers(self, value: object) -> list[Unit]:
        """Returns the functions of ours that a value wraps, and words for what others wrapped around; else nothing."""
        layers: list[Unit] = []
        is_ours = False
        for layer in _unwrapped(value):
            if not isinstance(layer, FunctionType):
                kind = type(layer)
                if not kind.__module__.startswith("riparian."):
                    layers.append(f"{kind.__module__}.{kind.__qualname__}")
            elif layer.__globals__.get("__name__") in self._names:
                layers.append(layer)
                is_ours = True
            else:
                layers.append(f"{layer.__code__.co_qualname}{[*map(_constant, _around(layer))]}")
        return layers if is_ours else []


def _unwrapped(value: object) -> Iterator[object]:
    """Yields a value and what it wraps, as functools leaves it, from outside to inside."""
    for _ in range(MOST_LAYERS):
        yield value
        try:
            # Not by getattr: objects that make up their attributes have every one.
            value = object.__getattribute__(value, "__dict__")["__wrapped__"]
        except (AttributeError, KeyError):
            return


def _piece(code: CodeType) -> Piece:
    """Reads one code object, and those inside it."""
    operations, co_names, co_consts = bytearray(code.co_code), code.co_names, code.co_consts
    named, imported, names = set(), set(), set(co_names)
    constants: list[str] = []
    # Operations and arguments take turns.
    for found in TELLING.finditer(operations[::2]):
        at = found.start()
        operation, argument, shift, before = operations[2 * at], operations[2 * at + 1], 8, 2 * at - 2
        while before >= 0 and operations[before] == EXTENDED_ARG:
            argument |= operations[before + 1] << shift
            shift, before = shift + 8, before - 2
        if operation == GLOBAL:
            named.add(co_names[argument >> 1])  # the lowest bit says something else
        elif operation == NAME:
            named.add(co_names[argument])
        elif operation == IMPORT:
            imported.add(co_names[argument])
        elif isinstance(constant := co_consts[argument], CodeType):
            inner = _piece(constant)
            constants.append(inner.text)
            named |= inner.globals
            imported |= inner.imports
            names |= inner.names
            operations[2 * at + 1] = 0
        else:
            # By what it is: at which place it is kept depends on whether there is a docstring.
            constants.append(repr(constant) if type(constant) in PLAIN else _constant(constant))
            operations[2 * at + 1] = 0
    parts = (
        f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags & ~DOCUMENTED}",
        *(operations.hex(), " ".join(co_names), " ".join(code.co_varnames), " ".join(code.co_freevars)),
        *constants,
    )
    return Piece("\n".join(parts), named, imported, names)


def _around(function: FunctionType) -> list[object]:
    """Returns the values that a function was made with: its defaults, and what it closes over."""
    values: list[object] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # the cell is empty: the name is bound later
            continue
    return values


def _constant(value: object) -> str:
    """Returns a text that is the same in every process: the value where it is plain, else its type."""
    kind = type(value)
    if kind in PLAIN:
        return repr(value)
    if kind in (tuple, list):
        return f"{kind.__name__}{[*map(_constant, value)]}"  # type: ignore[call-overload]  # `kind` says it
    if kind in (set, frozenset):
        return f"{kind.__name__}{sorted(map(_constant, value))}"  # type: ignore[call-overload]  # the same
    return f"{kind.__module__}.{kind.__qualname__}"


def _annotation(value: object) -> str:
    if isinstance(value, str):
        return value
    return value.__qualname__ if isinstance(value, type) else _ADDRESS.sub("", repr(value))


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
