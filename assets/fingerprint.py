"""Did the code change that makes an asset?

The fingerprint covers a function and the first-party functions, classes and constants that it names, and what those
name in turn. It is taken from compiled code, in which comments, docstrings, layout and line numbers leave no trace. It
decides staleness only, never safety: a name that can not be followed is left out, one that may be meant counts.
Another minor version of Python compiles otherwise, so every fingerprint changes with it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePath
from re import Pattern
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from riparian.assets.annotations import Unresolved, evaluate
from riparian.assets.errors import Location
from riparian.assets.excerpts import PLAIN, excerpt_of
from riparian.assets.statements import Statements, statements_of

SAYING = (date, time, timedelta, tzinfo, PurePath, Pattern, range, slice)
ALSO_SAYING = frozenset({"decimal.Decimal", "fractions.Fraction", "uuid.UUID"})
"""The types, beside the plain ones, whose representation says all of a value; by name where importing takes long."""

LISTS = (list, tuple, deque)
SETS = (set, frozenset)
DICTS = (dict, MappingProxyType)

MOST_LAYERS = 20
"""How deep functions are wrapped at most: a wrapper may wrap itself."""
DEEPEST = 8
MOST_VALUES = 10_000
"""How deep values are followed, and how many of one unit: what lies beyond counts by its type."""

OF_MODULES = vars(ModuleType("")).keys() | {"__file__", "__path__", "__cached__", "__builtins__"}
"""What every module has: it says where a module lies, or what it is called."""

_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")
_WORD = re.compile(r"[^\W\d]\w*")

Target = tuple[str, str]
"""A name at the top level of a module: the module's name and its own; ``""`` for all of a module."""

Unit = FunctionType | Target
"""What is read by itself: a function, or what the statements of a target do."""

Units = dict[str, tuple[str, tuple[str, ...]]]
"""Units by name: a short digest of what each says, and the names of those that it refers to."""

Read = dict[str, tuple[set[bytes], set[str]]]
"""Digests by the names of units, of which several may have one name; and the names of those that they refer to."""

Meaning = tuple[str, tuple[Unit, ...], str]
"""What a name stands for: in words, in units, and as the module whose members are meant (``""`` for none)."""


class Said:
    """What is written down of one unit: words, and in the same order the units that they refer to."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.units: list[Unit] = []
        self.left = MOST_VALUES

    def add(self, words: str, units: Collection[Unit] = ()) -> None:
        # How many units belong to which words must be told, or they could change places.
        self.words.append(f"{words} →{len(units)}" if units else words)
        self.units += units

    def text(self) -> bytes:
        return "\n".join(self.words).encode("utf-8", "surrogatepass")

    def read(self) -> tuple[bytes, tuple[Unit, ...]]:
        """Returns the digest of the words, and the units from last to first."""
        return sha256(self.text()).digest(), tuple(reversed(self.units))


class Code:
    """The first-party code of one project: its loaded ``modules`` by name. Each unit is read when first needed.

    ``late`` are the files of modules that functions import when they run, by the module's name: all of one counts.
    """

    def __init__(self, modules: Mapping[str, ModuleType], late: Mapping[str, Path] = MappingProxyType({})) -> None:
        self._names = {name: vars(module) for name, module in modules.items()}
        self._late = {name: path for name, path in late.items() if name not in modules}
        self._statements: dict[str, Statements] = {}
        self._meanings: dict[Target, Meaning] = {}
        self._annotations: dict[tuple[str, object], Meaning] = {}
        self._units: dict[Unit, tuple[bytes, tuple[Unit, ...]]] = {}

    def statements(self, module: str) -> Statements:
        """Returns the statements of a module; none when it is not first-party or can not be read as Python."""
        if module not in self._statements:
            file = self._late.get(module) or self._names.get(module, {}).get("__file__")
            self._statements[module] = statements_of(module, Path(file or ""))
        return self._statements[module]

    def fingerprint(self, function: Callable[..., Any]) -> str:
        """Returns 64 hex digits that change when the function, or first-party code that it names, does."""
        said = Said()
        self._layers(said, function, ours_only=False)
        digests = [said.text()]
        seen: dict[Unit, int] = {}
        waiting = said.units[::-1]
        # Which unit refers to which counts too. A unit that was seen is told by its number: the order of the walk
        # follows from what the units say, so the same code has the same numbers.
        while waiting:
            unit = waiting.pop()
            if (number := seen.get(unit)) is not None:
                digests.append(b"%d " % number)
                continue
            seen[unit] = len(seen)
            if unit not in self._units:
                self._units[unit] = self._function(unit) if isinstance(unit, FunctionType) else self._target(*unit)
            digest, found = self._units[unit]
            digests.append(digest)
            waiting += found
        return sha256(b"".join(digests)).hexdigest()

    def begin(self, functions: Sequence[Callable[..., Any]]) -> None:
        """Is told of which functions the fingerprints are asked for first, in that order."""

    def units(self) -> Units:
        """Returns what was read for fingerprints so far, so that a change can be named. What neither names other units
        nor is named by one is left out: if a fingerprint of it differs, it is that which changed."""
        read = self.read()
        named = {other for _, others in read.values() for other in others}
        return {
            name: (_short(digests), tuple(sorted(others)))
            for name, (digests, others) in read.items()
            if others or name in named
        }

    def read(self) -> Read:
        """Returns the digests of all that was read so far, by its name, and what it refers to."""
        found: Read = {}
        for unit, (digest, units) in self._units.items():
            name = _name(unit)
            digests, others = found.setdefault(name, (set(), set()))
            digests.add(digest)
            others.update(other for other in map(_name, units) if other != name)
        return found

    def _function(self, function: FunctionType) -> tuple[bytes, tuple[Unit, ...]]:
        said = Said()
        code = function.__code__
        module = function.__globals__.get("__name__", "")
        self._code(said, module, code)
        for name, annotation in function.__annotations__.items():
            words, units, _ = self._annotation(function, annotation)
            said.add(f"{name}: {words}", units)
        self._around(said, function)
        if code.co_filename == self._names.get(module, {}).get("__file__"):
            statements = self.statements(module)
            self._decorators(said, function, statements)
            if (more := statements.more(function.__qualname__)) is not None:
                self._code(said, module, more)
        return said.read()

    def _decorators(self, said: Said, function: FunctionType, statements: Statements) -> None:
        """What a function is decorated with: a decorator may note it, or keep what it was given out of sight."""
        line = function.__code__.co_firstlineno
        if (first := statements.decorators(line)) and not all(_is_riparian(function, name) for name in first):
            for name, code in statements.decoration(line):
                if code is not None and not _is_riparian(function, name):
                    self._code(said, function.__globals__["__name__"], code)

    def _target(self, module: str, name: str) -> tuple[bytes, tuple[Unit, ...]]:
        said = Said()
        names = self._names.get(module, {})
        statements = self.statements(module)
        code = statements.code(name) if name else statements.whole()
        if code is not None:
            self._code(said, module, code)
        if name in statements.imports:
            words, units, _ = self._meaning(statements.imports[name])
            said.add(words, units)
        elif code is None and name:
            found = [star for star in statements.stars if name in self._names.get(star, ())]
            for star in found:
                said.add("*", self._meaning((star, name))[1])
            if not found and name in names:
                self._value(said, names[name])  # nothing else says what it is
        if name in names:
            # What it holds may have been put there by others. Plain values in it may say when and where it was made.
            held = Said()
            self._value(held, names[name])
            said.add("holds", [unit for unit in held.units if unit != (module, name)])
        return said.read()

    def _code(self, said: Said, module: str, code: CodeType) -> None:
        """What code of ``module`` does and names."""
        excerpt = excerpt_of(code)
        said.add(excerpt.text)
        self._found(said, module, excerpt.globals, excerpt.names, excerpt.imports)

    def _found(self, said: Said, module: str, names: set[str], members: set[str], imports: Iterable[str] = ()) -> None:
        """What the ``names`` mean in ``module``, and the ``members`` in the modules that are named or imported."""
        looked = [(module, names)]
        for imported in sorted(imports):
            for possible in self._imported(module, imported):
                if possible in self._names:
                    looked.append((possible, members))
                if self._late:
                    late = (possible, *(f"{possible}.{member}" for member in sorted(members)))
                    said.add(imported, [(one, "") for one in late if one in self._late])
        modules = {module for module, _ in looked}
        for inside, wanted in looked:
            namespace = self._names.get(inside)
            if namespace is None:
                continue
            for name in sorted([name for name in wanted if name in namespace and name not in OF_MODULES]):
                words, units, inner = self._meaning((inside, name))
                said.add(f"{name if inside == module else f'{inside}.{name}'}={words}", units)
                if inner in self._names and inner not in modules:
                    modules.add(inner)
                    looked.append((inner, members))

    def _imported(self, module: str, name: str) -> Iterator[str]:
        """Yields the modules that ``import name`` inside of ``module`` can mean: from which package is not in it."""
        if name:
            yield name
        while module:
            yield f"{module}.{name}".rstrip(".")
            module = module.rpartition(".")[0]

    def _meaning(self, target: Target) -> Meaning:
        """Returns what a name stands for."""
        if target not in self._meanings:
            self._meanings[target] = self._mean(*target)
        return self._meanings[target]

    def _mean(self, module: str, name: str) -> Meaning:
        names = self._names.get(module, {})
        if name not in names:
            inner = f"{module}.{name}".rstrip(".")
            return inner, (), inner if inner in self._names else ""
        value = names[name]
        said = Said()
        inner = value.__name__ if isinstance(value, ModuleType) else ""
        statements = self.statements(module)
        is_told = inner or isinstance(value, type | BuiltinFunctionType) or self._is_function(value)
        if is_told:
            self._value(said, value)
        elif (imported := statements.imports.get(name)) is not None and imported[0] not in self._names:
            said.add(".".join(imported))
        if (not is_told or statements.has_more(name)) and (module, name) not in said.units:
            said.add("", [(module, name)])
        return " ".join(said.words), tuple(said.units), inner

    def _annotation(self, function: FunctionType, annotation: object) -> Meaning:
        """Returns what an annotation means: whether it is written as text is not part of it."""
        module = function.__globals__.get("__name__", "")
        at = (module, annotation if isinstance(annotation, str) else id(annotation))
        if at in self._annotations:
            return self._annotations[at]
        value = annotation
        if isinstance(annotation, str):
            try:
                value = evaluate(annotation, function.__globals__, self.statements(module).dotted)
            except Exception:  # noqa: BLE001  # the project's own text, which nobody may ever have evaluated
                value = Unresolved(annotation)
        said = Said()
        if isinstance(value, Unresolved):
            said.add(value.name)
        elif type(value) is type or value is None:
            self._value(said, value)
        else:
            words = _ADDRESS.sub("", repr(value))
            said.add(words)
            self._found(said, module, set(_WORD.findall(words)), set(_WORD.findall(words)))
        self._annotations[at] = " ".join(said.words), tuple(said.units), ""
        return self._annotations[at]

    def _is_function(self, value: object) -> bool:
        """Whether a value is a function, or wraps one of ours."""
        return isinstance(value, FunctionType) or any(self._is_own(layer) for layer in _unwrapped(value))

    def _is_own(self, value: object) -> bool:
        return isinstance(value, FunctionType) and value.__globals__.get("__name__") in self._names

    def _layers(self, said: Said, function: object, depth: int = 0, *, ours_only: bool = True) -> None:
        """The functions of ours that one wraps, and words for what others wrapped around."""
        for layer in _unwrapped(function):
            if not isinstance(layer, FunctionType):
                kind = type(layer)
                if not kind.__module__.startswith("riparian."):
                    said.add(f"{kind.__module__}.{kind.__qualname__}")
            elif self._is_own(layer) or not ours_only:
                said.add("function", [layer])
            else:
                said.add(f"{layer.__module__}.{layer.__qualname__} {layer.__name__}")
                if depth or "__wrapped__" in vars(layer):
                    self._around(said, layer, depth + 1)

    def _around(self, said: Said, function: FunctionType, depth: int = 0) -> None:
        """The values that a function was made with: its defaults, and what it closes over."""
        if not (function.__defaults__ or function.__kwdefaults__ or function.__closure__):
            return
        for value in function.__defaults__ or ():
            said.add("default")
            self._value(said, value, depth)
        for name, value in (function.__kwdefaults__ or {}).items():
            said.add(f"default {name}")
            self._value(said, value, depth)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            try:
                value = cell.cell_contents
            except ValueError:  # the cell is empty: the name is bound later
                continue
            said.add(f"closure {name}")
            self._value(said, value, depth)

    def _value(self, said: Said, value: object, depth: int = 0) -> None:
        """What a value is: the same in every process, where the value itself is."""
        kind = type(value)
        said.left -= 1
        if kind in PLAIN:
            said.add(f"{kind.__name__} {value!r}")
            return
        words = f"{kind.__module__}.{kind.__qualname__}"
        if depth > DEEPEST or said.left < 0:
            said.add(words)
        elif isinstance(value, ModuleType):
            said.add(f"module {value.__name__}")
        elif isinstance(value, type):
            self._class(said, value)
        elif isinstance(value, BuiltinFunctionType):
            said.add(f"{value.__module__}.{value.__qualname__}")
        elif self._is_function(value):
            self._layers(said, value, depth)
        elif isinstance(value, Enum):
            self._class(said, kind)
            if value.name is not None:
                said.add(value.name)
            else:  # flags of which no member is set
                self._value(said, value.value, depth + 1)
        elif isinstance(value, Location):
            said.add(words)  # of a declaration: a line is not what is done
        elif isinstance(value, SAYING) or words in ALSO_SAYING:
            said.add(f"{words} {_ADDRESS.sub('', repr(value))}")
            if kind.__module__ in self._names:
                self._class(said, kind)
                self._held(said, value, depth + 1)
        else:
            self._class(said, kind)
            self._held(said, value, depth + 1)

    def _held(self, said: Said, value: object, depth: int) -> None:
        """What a value holds, where it is known how to look."""
        if isinstance(value, (*DICTS, *LISTS, *SETS)):
            said.add(f"{len(value)}")
        if isinstance(value, DICTS):
            # Of the dict itself: what a class of the project makes of it is code.
            items = dict.items(value) if isinstance(value, dict) else value.items()
            for key, each in islice([*items], max(said.left, 0)):
                self._value(said, key, depth)
                self._value(said, each, depth)
        elif isinstance(value, LISTS):
            for each in islice([*value], max(said.left, 0)):
                self._value(said, each, depth)
        elif isinstance(value, SETS):
            # Which of them are the first is chance.
            held = [self._one(each, depth) for each in value] if len(value) <= said.left else []
            said.left -= len(held)
            for one in sorted(held, key=lambda one: [*one.words, *map(_name, one.units)]):
                said.words += one.words
                said.units += one.units
        elif isinstance(value, MethodType):
            for each in (value.__func__, value.__self__):
                self._value(said, each, depth)
        elif isinstance(value, partial):
            for each in (value.func, value.args, value.keywords):
                self._value(said, each, depth)
        if is_dataclass(value) or type(value).__module__ in self._names:
            for name in _attributes(value):
                try:
                    # Not by getattr: what looks like an attribute may be code of the project.
                    each = object.__getattribute__(value, name)
                except AttributeError:
                    continue
                said.add(name)
                self._value(said, each, depth)
        said.add("end")

    def _one(self, value: object, depth: int) -> Said:
        said = Said()
        self._value(said, value, depth)
        return said

    def _class(self, said: Said, kind: type) -> None:
        """What a class is: one of ours by its statements, and by those of the function that makes it."""
        home = self._names.get(kind.__module__, {})
        outer = kind.__qualname__.partition(".")[0]
        if not home:
            said.add(f"{kind.__module__}.{kind.__qualname__}")
            return
        said.add(kind.__qualname__, [(kind.__module__, outer)] if outer in home else ())


def _unwrapped(value: object) -> Iterator[object]:
    """Yields a value and what it wraps, as functools leaves it, from outside to inside."""
    for _ in range(MOST_LAYERS):
        yield value
        try:
            # Not by getattr: objects that make up their attributes have every one.
            value = object.__getattribute__(value, "__dict__")["__wrapped__"]
        except (AttributeError, KeyError):
            return


def _attributes(value: object) -> list[str]:
    """Returns the names of what an object keeps."""
    slots = [getattr(kind, "__slots__", ()) for kind in type(value).__mro__]
    named = [name for each in slots for name in ((each,) if isinstance(each, str) else each)]
    return sorted({*named, *getattr(value, "__dict__", ())} - {"__dict__", "__weakref__"})


def _is_riparian(function: FunctionType, name: str) -> bool:
    """Whether a name, as the function sees it, is one of riparian's."""
    value = function.__globals__.get(name)
    found = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(found, str) and found.partition(".")[0] == "riparian"


def _name(unit: Unit) -> str:
    return f"{unit.__module__}.{unit.__qualname__}" if isinstance(unit, FunctionType) else ".".join(filter(None, unit))


def _short(digests: Collection[bytes]) -> str:
    """Returns eight hex digits: several units may have one name, and in which order they are read is chance."""
    (one, *more) = sorted(digests)
    return (sha256(b"".join([one, *more])).digest() if more else one)[:4].hex()
