"""What does a project declare, as values that need none of its code?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from riparian.assets.annotations import evaluate, format_of
from riparian.assets.binding import Catalogue, Evaluate, bind
from riparian.assets.bound_checks import bind_check, misplaced
from riparian.assets.checks import CheckSpec
from riparian.assets.closure import dotted_name, is_first_party
from riparian.assets.composition import Body, Composed, read_body
from riparian.assets.declare import Check, Declaration, Declared, Source, Workflow, declaration_of, plain_function
from riparian.assets.errors import Location, Problem
from riparian.assets.fingerprint import Code, Units
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, WorkflowSpec
from riparian.assets.rules import FORMATS, check, in_order
from riparian.assets.tasks import TaskSpec, task_json
from riparian.assets.workflows import Task

Name = tuple[str, str]
"""A module, and a dotted name in it."""

NOWHERE: Name = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The declarations of a project and what is wrong with them. With problems, ``workflows`` may lack some."""

    assets: tuple[AssetSpec, ...]
    workflows: tuple[WorkflowSpec, ...]
    problems: tuple[Problem, ...]
    units: Units


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
    files: Collection[str] = (),
    formats: Collection[str] = FORMATS,
    code: type[Code] = Code,
) -> Project:
    """Returns what was ``declared``, bound and checked. ``modules`` are the first-party ones, by name.

    ``files`` are the paths, relative to ``root``, of all its code: of ``modules``, and what their functions import.
    ``code`` reads it.
    """
    reader = _Reader(root, modules, code(modules, {dotted_name(file): root / file for file in files}))
    found = [d for d in dict.fromkeys(declared) if reader.is_own(d)]
    checks = [d for d in found if isinstance(d, Check)]
    own = [d for d in found if not isinstance(d, Check)]
    reader.begin([d.function for d in own if isinstance(d, Declaration)])
    catalogue = Catalogue((key, d.partitions) for d in own for key in _makes(d))
    assets: list[AssetSpec] = []
    workflows: list[WorkflowSpec] = []
    for each in own:
        match each:
            case Source():
                assets.append(_source(each, reader.place(each.location)))
            case Declaration():
                made, workflow = _asset(each, reader, catalogue)
                assets.append(made)
                workflows.append(workflow)
            case Workflow():
                products, workflow = _workflow(each, reader, catalogue)
                assets.extend(products)
                workflows.append(workflow)
    checked = {c.asset: [o for o in checks if o.asset == c.asset] for c in checks}
    workflows = [_checked(w, checked, reader) for w in workflows] if checked else workflows
    makes = frozenset(key for w in workflows for key in w.produces)
    placed = [(c, reader.place(c.location)) for c in checks]
    reader.problems.extend(misplaced(placed, makes, [d for d in own if isinstance(d, Source)]))
    problems = [*reader.problems, *check(assets, workflows, formats=formats)]
    return Project(assets=tuple(assets), workflows=tuple(workflows), problems=in_order(problems), units=reader.units())


class _Reader:
    """What has to be looked up in the project's files and modules, each once, and what was found wrong there."""

    def __init__(self, root: Path, modules: Mapping[str, ModuleType], code: Code) -> None:
        self._root = root
        self._modules = modules
        self._names = _names(modules)
        self._code = code
        self._files: dict[str, tuple[bool, str]] = {}
        self._evaluated: dict[tuple[int, str], object] = {}
        self.problems: list[Problem] = []

    def _file(self, location: Location) -> tuple[bool, str]:
        """Returns whether the file is first-party, and its path relative to the project (absolute outside of it)."""
        if location.file not in self._files:
            path = Path(location.file).resolve()
            name = path.relative_to(self._root) if path.is_relative_to(self._root) else path
            self._files[location.file] = (is_first_party(self._root, path), name.as_posix())
        return self._files[location.file]

    def is_own(self, declared: Declared) -> bool:
        """Whether the project declares it: in one of its files, or by a name in one of its modules."""
        return id(declared) in self._names or self._file(declared.location)[0]

    def place(self, location: Location) -> Location:
        """Returns the location as people see it."""
        return Location(self._file(location)[1], location.line)

    def begin(self, functions: Sequence[Callable[..., Any]]) -> None:
        self._code.begin(functions)

    def fingerprint(self, function: Callable[..., Any]) -> str:
        return self._code.fingerprint(function)

    def units(self) -> Units:
        return self._code.units()

    def entry(self, value: object, function: FunctionType, what: str, location: Location) -> Name:
        """Returns the name by which a worker finds ``value``, best the one that its function has itself."""
        found: object = self._modules.get(function.__module__)
        for part in function.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is value:
            return (function.__module__, function.__qualname__)
        for name, named in self._names.get(id(value), ()):
            if named is value:
                return name
        self.problems.append(
            Problem(
                code="unreachable_function",
                message=f"{what} has no name of its own at module level, so a worker can not find it",
                remedy=f"Assign what {function.__qualname__.partition('.')[0]} makes to a module-level name of its "
                "own, or define it there",
                location=location,
            )
        )
        return NOWHERE

    def evaluator(self, function: FunctionType) -> Evaluate:
        """Returns what turns annotations of the function that are text into what they stand for."""
        names = function.__globals__

        def evaluated(annotation: object) -> object:
            if not isinstance(annotation, str):
                return annotation
            at = (id(names), annotation)
            if at not in self._evaluated:
                imports = self._code.statements(function.__module__).dotted
                self._evaluated[at] = evaluate(annotation, names, imports)
            return self._evaluated[at]

        return evaluated


def _names(modules: Mapping[str, ModuleType]) -> dict[int, list[tuple[Name, object]]]:
    """Returns under which names each task, each declaration and what it stands on can be found, by their ids."""
    names: dict[int, list[tuple[Name, object]]] = {}
    for module_name, module in modules.items():
        for name, value in list(vars(module).items()):
            declared = declaration_of(value)
            for found in (declared, value) if declared is not None else (value,) if type(value) is Task else ():
                names.setdefault(id(found), []).append(((module_name, name), value))
    return names


def _makes(declared: Source | Declaration | Workflow) -> tuple[AssetKey, ...]:
    return declared.produces if isinstance(declared, Workflow) else (declared.key,)


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


def _asset(declared: Declaration, reader: _Reader, catalogue: Catalogue) -> tuple[AssetSpec, WorkflowSpec]:
    location = reader.place(declared.location)
    function = plain_function(declared.function)
    binding = bind(declared, catalogue, reader.evaluator(function), location)
    reader.problems.extend(binding.problems)
    module, qualname = reader.entry(declared.function, function, f"the function of {declared.key}", location)
    made = AssetSpec(
        key=declared.key,
        kind="asset",
        format=format_of(binding.returns) if binding.returns else "",
        partitions=declared.partitions,
        policy=declared.policy,
        producer=declared.key,
        description=declared.description,
        location=location,
    )
    task = TaskSpec(
        name=qualname.rpartition(".")[2],
        module=module,
        qualname=qualname,
        context=binding.context,
        returns=binding.returns,
        arguments=binding.arguments,
        output=declared.key,
        retry=declared.retry,
        timeout_seconds=declared.timeout_seconds,
    )
    workflow = WorkflowSpec(
        key=declared.key,
        inputs=binding.inputs,
        produces=(declared.key,),
        tasks=(task,),
        trigger=declared.trigger,
        partitions=declared.partitions,
        parameters=binding.parameters,
        fingerprint=reader.fingerprint(declared.function),
        location=location,
        limits=declared.urgency.limits,
        priority=declared.urgency.priority,
        run_timeout_seconds=declared.urgency.run_timeout_seconds,
        catch_up=declared.urgency.catch_up,
    )
    return made, workflow


def _workflow(declared: Workflow, reader: _Reader, catalogue: Catalogue) -> tuple[list[AssetSpec], WorkflowSpec]:
    location = reader.place(declared.location)
    body = read_body(declared, catalogue, reader.evaluator, reader.place)
    reader.problems.extend(body.problems)
    formats = {c.call.output: format_of(c.returns) for c in body.calls if c.returns}
    made = [
        AssetSpec(
            key=key,
            kind="asset",
            format=formats.get(key, ""),
            partitions=declared.partitions,
            policy=declared.policies[key],
            producer=declared.key,
            description=declared.description,
            location=location,
        )
        for key in declared.produces
    ]
    tasks = tuple(_task(each, declared, reader) for each in body.calls)
    workflow = WorkflowSpec(
        key=declared.key,
        inputs=body.inputs,
        produces=declared.produces,
        tasks=tasks,
        trigger=declared.trigger,
        partitions=declared.partitions,
        parameters=body.parameters,
        fingerprint=_fingerprint(declared, body, tasks, reader),
        location=location,
        limits=declared.urgency.limits,
        priority=declared.urgency.priority,
        run_timeout_seconds=declared.urgency.run_timeout_seconds,
        catch_up=declared.urgency.catch_up,
    )
    return made, workflow


def _checked(workflow: WorkflowSpec, checks: Mapping[AssetKey, list[Check]], reader: _Reader) -> WorkflowSpec:
    """Returns the workflow with the checks of what it makes. A second one of a name is a problem, told where it is."""
    found: dict[str, CheckSpec] = {}
    places: dict[str, Location] = {}
    for declared in (c for key in workflow.produces for c in checks.get(key, ())):
        spec, location = _check(declared, reader)
        if spec.full_name not in found:
            found[spec.full_name], places[spec.full_name] = spec, location
            continue
        reader.problems.append(
            Problem(
                code="two_checks",
                message=f"{declared.asset} has two checks {declared.name!r}, here and at {places[spec.full_name]}",
                remedy="Give one of them another name: name='…'",
                location=location,
            )
        )
    return replace(workflow, checks=tuple(found.values())) if found else workflow


def _check(declared: Check, reader: _Reader) -> tuple[CheckSpec, Location]:
    location = reader.place(declared.location)
    function = plain_function(declared.function, "@check")
    bound = bind_check(declared, function, reader.evaluator(function), location)
    reader.problems.extend(bound.problems)
    module, qualname = reader.entry(
        declared.function, function, f"the check {declared.name} of {declared.asset}", location
    )
    spec = CheckSpec(
        asset=declared.asset,
        name=declared.name,
        module=module,
        qualname=qualname,
        parameter=bound.parameter,
        type=bound.type,
        returns=bound.returns,
        context=bound.context,
        blocking=declared.blocking,
        timeout_seconds=declared.timeout_seconds,
        description=declared.description,
    )
    return spec, location


def _task(composed: Composed, declared: Workflow, reader: _Reader) -> TaskSpec:
    call = composed.call
    function = plain_function(call.task.function)
    module, qualname = reader.entry(
        call.task, function, f"the task {call.name} of {declared.key}", reader.place(declared.location)
    )
    return TaskSpec(
        name=call.name,
        module=module,
        qualname=qualname,
        context=composed.context,
        returns=composed.returns,
        arguments=composed.arguments,
        output=call.output,
        mapped=call.mapped,
        roads=call.roads,
        labels=call.labels,
        retry=call.task.retry,
        timeout_seconds=call.task.timeout_seconds,
    )


def _fingerprint(declared: Workflow, body: Body, tasks: tuple[TaskSpec, ...], reader: _Reader) -> str:
    """Of the body and of every function that it calls, each with what it takes; retries and time-outs make nothing."""
    calls = []
    for composed, task in zip(body.calls, tasks, strict=True):
        said = task_json(task)
        for name in ("retry", "timeout_seconds", "module", "qualname"):
            said.pop(name, None)
        calls.append([said, reader.fingerprint(composed.call.task.function)])
    return sha256(json.dumps([reader.fingerprint(declared.body), calls], sort_keys=True).encode()).hexdigest()
