"""What does a project declare, as values that need none of its code?"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from riparian.assets.annotations import evaluate, format_of
from riparian.assets.binding import Binding, Catalogue, bind
from riparian.assets.check import FORMATS, check, in_order
from riparian.assets.closure import is_first_party
from riparian.assets.declare import Declaration, Declared, Source, declaration_of, plain_function
from riparian.assets.errors import Location, Problem
from riparian.assets.fingerprint import Code
from riparian.assets.manifest import AssetSpec, TaskSpec, WorkflowSpec

Name = tuple[str, str]
"""A module, and a dotted name in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The declarations of a project and what is wrong with them. With problems, ``workflows`` may lack some."""

    assets: tuple[AssetSpec, ...]
    workflows: tuple[WorkflowSpec, ...]
    problems: tuple[Problem, ...]


def first_party_modules(root: Path, modules: Mapping[str, ModuleType] = sys.modules) -> dict[str, ModuleType]:
    """Returns the loaded modules whose files belong to the project in ``root`` (resolved), by name."""
    found: dict[str, ModuleType] = {}
    for name, module in list(modules.items()):
        file = getattr(module, "__file__", None)
        ours = name == "riparian" or name.startswith("riparian.") or name == "__main__"
        if not ours and isinstance(file, str) and is_first_party(root, Path(file).resolve()):
            found[name] = module
    return found


def describe(
    root: Path,
    declared: Iterable[Declared],
    modules: Mapping[str, ModuleType],
    *,
    formats: Collection[str] = FORMATS,
) -> Project:
    """Returns what was ``declared``, bound and checked. ``modules`` are the first-party ones, by name."""
    names = _names(modules)
    reader = _Reader(root, modules)
    own = [d for d in dict.fromkeys(declared) if id(d) in names or reader.is_own(d.location)]
    catalogue = Catalogue((d.key, d.partitions) for d in own)
    assets: list[AssetSpec] = []
    workflows: list[WorkflowSpec] = []
    problems: list[Problem] = []
    for each in own:
        location = reader.relative(each.location)
        if isinstance(each, Source):
            assets.append(_source(each, location))
            continue
        binding = bind(each, catalogue, reader.evaluator(each), location)
        problems.extend(binding.problems)
        name = _entry(each, modules, names)
        if name is None:
            problems.append(_unreachable(each, location))
        assets.append(_asset(each, binding, location))
        workflows.append(_workflow(each, binding, name or ("", ""), reader.fingerprint(each), location))
    problems.extend(check(assets, workflows, formats=formats))
    return Project(assets=tuple(assets), workflows=tuple(workflows), problems=in_order(problems))


class _Reader:
    """What has to be looked up in the project's files, each once."""

    def __init__(self, root: Path, modules: Mapping[str, ModuleType]) -> None:
        self._root = root
        self._code = Code({name: Path(str(module.__file__)).resolve() for name, module in modules.items()})
        self._files: dict[str, tuple[bool, str]] = {}
        self._evaluated: dict[tuple[int, str], object] = {}

    def _file(self, location: Location) -> tuple[bool, str]:
        """Returns whether the file is first-party, and its path relative to the project (absolute outside of it)."""
        if location.file not in self._files:
            path = Path(location.file).resolve()
            name = path.relative_to(self._root) if path.is_relative_to(self._root) else path
            self._files[location.file] = (is_first_party(self._root, path), name.as_posix())
        return self._files[location.file]

    def is_own(self, location: Location) -> bool:
        return self._file(location)[0]

    def relative(self, location: Location) -> Location:
        return Location(self._file(location)[1], location.line)

    def fingerprint(self, declared: Declaration) -> str:
        return self._code.fingerprint(plain_function(declared.function))

    def evaluator(self, declared: Declaration) -> Any:
        function = plain_function(declared.function)
        names = function.__globals__

        def evaluated(annotation: object) -> object:
            if not isinstance(annotation, str):
                return annotation
            at = (id(names), annotation)
            if at not in self._evaluated:
                file = self._code.file(function.__module__)
                self._evaluated[at] = evaluate(annotation, names, file.dotted_imports if file else {})
            return self._evaluated[at]

        return evaluated


def _names(modules: Mapping[str, ModuleType]) -> dict[int, list[tuple[Name, object]]]:
    """Returns under which names each declaration can be found, by the declaration's id."""
    names: dict[int, list[tuple[Name, object]]] = {}
    for module_name, module in modules.items():
        for name, value in list(vars(module).items()):
            if (declared := declaration_of(value)) is not None:
                names.setdefault(id(declared), []).append(((module_name, name), value))
    return names


def _entry(
    declared: Declaration, modules: Mapping[str, ModuleType], names: Mapping[int, list[tuple[Name, object]]]
) -> Name | None:
    """Returns the name by which a worker finds the function, best the one that it has itself."""
    function = plain_function(declared.function)
    value: object = modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        value = getattr(value, part, None)
    if value is declared.function:
        return (function.__module__, function.__qualname__)
    return next((name for name, value in names.get(id(declared), ()) if value is declared.function), None)


def _unreachable(declared: Declaration, location: Location) -> Problem:
    name = plain_function(declared.function).__qualname__
    return Problem(
        code="unreachable_function",
        message=f"the function of {declared.key} has no name of its own at module level, so a worker can not find it",
        remedy=f"Assign what {name.partition('.')[0]} makes to a module-level name of its own, or define it there",
        location=location,
    )


def _source(declared: Source, location: Location) -> AssetSpec:
    return AssetSpec(
        key=declared.key,
        kind="source",
        format=declared.format,
        partitions=declared.partitions,
        policy=declared.policy,
        arrives=declared.arrives,
        description=declared.description,
        location=location,
    )


def _asset(declared: Declaration, binding: Binding, location: Location) -> AssetSpec:
    return AssetSpec(
        key=declared.key,
        kind="asset",
        format=format_of(binding.returns) if binding.returns else "",
        partitions=declared.partitions,
        policy=declared.policy,
        producer=declared.key,
        description=declared.description,
        location=location,
    )


def _workflow(
    declared: Declaration, binding: Binding, name: Name, fingerprint: str, location: Location
) -> WorkflowSpec:
    task = TaskSpec(
        name=name[1].rpartition(".")[2],
        module=name[0],
        qualname=name[1],
        context=binding.context,
        returns=binding.returns,
        retry=declared.retry,
        timeout_seconds=declared.timeout_seconds,
    )
    return WorkflowSpec(
        key=declared.key,
        inputs=binding.inputs,
        produces=(declared.key,),
        tasks=(task,),
        trigger=declared.trigger,
        partitions=declared.partitions,
        fingerprint=fingerprint,
        location=location,
    )
