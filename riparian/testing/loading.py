"""Which declarations does a test work with? Those of a project's folder, or those that it names. Imported right here.

A server asks a child process instead (scheduler/worker/describe.py); what is judged and written down is the same.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from riparian.api import settings
from riparian.assets.closure import closure
from riparian.assets.declare import Check, Declared, Workflow, collecting, declaration_of, plain_function
from riparian.assets.errors import Invalid
from riparian.assets.manifest import Manifest
from riparian.assets.project import first_party_modules
from riparian.assets.workflows import Task
from riparian.scheduler.register import InvalidProject
from riparian.scheduler.worker.describe import default_modules, described, import_problem

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A project that is imported. ``named`` are modules that give names to what has none of its own; while the test
    runs they must be among the imported ones."""

    root: Path
    manifest: Manifest
    bundle: bytes
    named: Mapping[str, ModuleType] = field(default_factory=lambda: MappingProxyType({}))

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Lets the project's functions import what they import."""
        with _on_path(self.root):
            sys.modules.update(self.named)
            try:
                yield
            finally:
                for name in self.named:
                    sys.modules.pop(name, None)


def of_project(start: Path) -> Loaded:
    """Loads the project whose configuration lies in ``start`` or above it; raises InvalidProject that names what is
    wrong with its declarations, Invalid when there is no project."""
    # The environment is that of the machine that runs the tests: it says where a server is, not what is tested.
    found = settings.load(start, environ={})
    if found.file is None:
        raise Invalid(f"there is no {settings.PROJECT_FILE} in {start} or above it; write one, or use Instance.of(…)")
    root = found.root.resolve()
    names = found.modules or default_modules(root)
    with _on_path(root):
        once, new = _imported(root, names)
    files = [Path(str(sys.modules[name].__file__)).resolve() for name in names if name in sys.modules]
    reached = closure(root, files, complete=False)
    own = {
        name: module
        for name, module in first_party_modules(root, _under((root, found.root), names)).items()
        if name in new or Path(str(module.__file__)).resolve().relative_to(root).as_posix() in reached
    }
    declared = _by_name(own.values())
    known = {declared_as(d) for d in declared}
    return _loaded(root, found.name, [*declared, *(d for d in once if declared_as(d) not in known)], own)


def of(things: Sequence[object]) -> Loaded:
    """Loads what a test names: modules, or sources and decorated functions. Raises InvalidProject as ``of_project``
    does, Invalid for anything that declares nothing."""
    modules = [thing for thing in things if isinstance(thing, ModuleType)]
    declared = list(dict.fromkeys(_by_name(modules)))
    named = ModuleType(f"riparian_named_{next(_numbers)}")
    for thing in things:
        if isinstance(thing, ModuleType):
            continue
        one = declaration_of(thing)
        if one is None:
            raise Invalid(
                f"{getattr(thing, '__qualname__', repr(thing))} declares nothing; name modules, sources, and functions "
                "decorated with @asset or @workflow"
            )
        declared.append(one)
        _name(named, thing, declared_as(one)[1].rpartition(".")[2])
    if not declared:
        raise Invalid(f"nothing is declared in {', '.join(m.__name__ for m in modules) or 'what was named'}")
    functions = [function for d in declared if (function := _function(d)) is not None]
    for function in functions:
        for task in _tasks(function):
            _name(named, task, task.function.__name__)
    homes = {m.__name__: m for m in modules}
    homes |= {f.__module__: sys.modules[f.__module__] for f in functions if f.__module__ in sys.modules}
    root = Path(declared[0].location.file).resolve().parent
    return _loaded(root, "test", list(dict.fromkeys(declared)), {**homes, named.__name__: named}, named)


def _under(folders: Sequence[Path], names: Sequence[str]) -> dict[str, ModuleType]:
    """Returns the loaded modules whose files lie there by their names alone, and those that are named: to resolve the
    path of each of a thousand modules takes longer than many a test."""
    begins = tuple(f"{folder}/" for folder in folders)
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name in names or str(getattr(module, "__file__", None) or "").startswith(begins)
    }


def declared_as(declared: Declared) -> tuple[str, str]:
    key = f"{declared.asset}.{declared.name}" if isinstance(declared, Check) else declared.key
    return (type(declared).__name__, key)


def _loaded(
    root: Path,
    name: str,
    declared: Sequence[Declared],
    modules: Mapping[str, ModuleType],
    named: ModuleType | None = None,
) -> Loaded:
    found = described(root, name, declared, modules)
    if found.manifest is None:
        raise InvalidProject(found.problems)
    extra = {} if named is None else {named.__name__: named}
    return Loaded(root=root, manifest=found.manifest, bundle=found.bundle, named=MappingProxyType(extra))


# A module is imported once in a process, and says what it declares but once.
@functools.cache
def _imported(root: Path, names: tuple[str, ...]) -> tuple[tuple[Declared, ...], frozenset[str]]:
    """Imports a project's modules; returns what was declared by that, and the modules that were new."""
    before = set(sys.modules)
    with collecting() as declared:
        problems = [p for name in names if (p := import_problem(root, name)) is not None]
    if problems:
        raise InvalidProject(problems)
    return tuple(declared), frozenset(set(sys.modules) - before)


def _by_name(modules: Any) -> list[Declared]:
    """Returns what the modules have names for, in order."""
    values = [value for module in modules for value in list(vars(module).values())]
    return list(dict.fromkeys(d for value in values if (d := declaration_of(value)) is not None))


def _name(module: ModuleType, value: object, wanted: str) -> None:
    """Gives the value a name there, best its own."""
    wanted = getattr(value, "__name__", wanted)
    name = next(
        n for n in itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(2))) if not hasattr(module, n)
    )
    setattr(module, name, value)


def _function(declared: Declared) -> Callable[..., Any] | None:
    if isinstance(declared, Workflow):
        return declared.body
    return getattr(declared, "function", None)


def _tasks(function: Callable[..., Any]) -> list[Task[..., Any]]:
    """Returns the tasks that a workflow's body finds around it and not at the top of its module."""
    around = inspect.getclosurevars(plain_function(function)).nonlocals.values()
    return [value for value in around if type(value) is Task]


@contextmanager
def _on_path(root: Path) -> Iterator[None]:
    """Modules of the folder can be imported, as they can in a worker."""
    if str(root) in sys.path:
        yield
        return
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        if str(root) in sys.path:
            sys.path.remove(str(root))
