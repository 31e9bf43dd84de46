"""Does what each task of a workflow takes fit what it is given?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Dict

from riparian.assets.annotations import DATACLASS, READS, TYPES, is_readable
from riparian.assets.errors import Problem
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, WorkflowSpec
from riparian.assets.parameters import LONGEST_TEXT
from riparian.assets.tasks import Argument, Ref, TaskSpec

DECIDES = ("str", "bool", "")
"""What a task returns that a branch decides by; where nothing is said, the run will tell."""

LONGEST_NAME = 200

MOST_TASKS = 10_000
"""Of one workflow: each run writes a row for each of them at once."""

MOST_CONSTANTS = 16 * 1024
"""Bytes of JSON that each item of a mapped task is given beside itself: they are written for every item."""


def task_problems(workflow: WorkflowSpec, assets: Dict[AssetKey, AssetSpec]) -> Iterator[Problem]:
    """Yields what is wrong with the tasks of one workflow; ``assets`` are all that are declared."""
    if len(workflow.tasks) > MOST_TASKS:
        yield Problem(
            code="too_many_tasks",
            message=f"{workflow.key} has {len(workflow.tasks)} tasks; {MOST_TASKS} are allowed",
            remedy="Map a task over a list, or cut the workflow into several",
            location=workflow.location,
        )
        return
    inputs = {i.parameter: i for i in workflow.inputs}
    tasks: dict[str, TaskSpec] = {}
    for task in workflow.tasks:
        if (strange := _strange(workflow, inputs, task, tasks)) is not None:
            yield Problem(
                code="bad_composition",
                message=f"the task {task.name} of {workflow.key} {strange}",
                remedy="Let `riparian apply` write the manifest",
                location=workflow.location,
            )
            return
        for argument in task.arguments:
            for why, remedy in _unreadable(assets, inputs, tasks, task, argument):
                yield Problem(
                    code="unreadable_input",
                    message=f"the parameter {argument.parameter!r} of {_named(workflow, task)} {why}",
                    remedy=remedy,
                    location=workflow.location,
                )
        if task.mapped and (size := _constants(task)) > MOST_CONSTANTS:
            yield Problem(
                code="large_constants",
                message=f"each item of {_named(workflow, task)} is given constants of {size} bytes beside itself; "
                f"{MOST_CONSTANTS} are allowed",
                remedy="Let the function read them from the project, or consume an asset",
                location=workflow.location,
            )
        if task.labels and task.returns not in DECIDES:
            yield Problem(
                code="bad_decision",
                message=f"a branch of {workflow.key} decides by {task.name}, which returns {task.returns}",
                remedy="Let it return a text, or True or False",
                location=workflow.location,
            )
        tasks[task.name] = task
    for key in sorted(set(workflow.produces) - {t.output for t in workflow.tasks}) if workflow.tasks else ():
        yield Problem(
            code="unmade_asset",
            message=f"no task of {workflow.key} makes {key}, which it produces",
            remedy="Return a task's result for it, or take it out of produces=",
            location=workflow.location,
        )


def _named(workflow: WorkflowSpec, task: TaskSpec) -> str:
    return workflow.key if len(workflow.tasks) == 1 else f"{task.name} in {workflow.key}"


def _constants(task: TaskSpec) -> int:
    import json  # only for what is mapped

    refs = [r for a in task.arguments if a.parameter != task.mapped for r in a.ref.walk()]
    given = sum(LONGEST_TEXT for ref in refs if ref.kind == "param")
    return given + sum(len(json.dumps(ref.value)) for ref in refs if ref.kind == "value")


def _strange(
    workflow: WorkflowSpec, inputs: Collection[str], task: TaskSpec, before: Dict[str, TaskSpec]
) -> str | None:
    """Returns what no composed task has: only a manifest that nobody composed can be so."""
    if task.name in before:
        return "is there twice"
    if len(task.name) > LONGEST_NAME or not task.name.isprintable():
        return "has a name that can not be shown"
    if task.mapped and task.output:
        return f"is mapped, and makes {task.output} too"
    if task.mapped and task.labels:
        return "is mapped, and a branch decides by it"
    if task.output and task.output not in workflow.produces:
        return f"makes {task.output}, which the workflow does not produce"
    if task.mapped and task.mapped not in {a.parameter for a in task.arguments}:
        return f"is mapped over {task.mapped!r}, which it does not take"
    over = [a.ref for a in task.arguments if a.parameter == task.mapped] if task.mapped else []
    for ref in (r for each in over for r in each.walk()):
        if ref.kind in ("list", "param") or (ref.kind == "value" and not isinstance(ref.value, list)):
            return f"goes through {ref.value!r}, which is no list"
    for road in task.roads:
        if road.decision not in before or road.label not in before[road.decision].labels:
            return f"runs on the road {road.label!r} of {road.decision!r}, which is not there"
    for ref in [r for a in task.arguments for r in a.ref.walk()]:
        if ref.kind == "input":
            if ref.name not in inputs:
                return f"takes the input {ref.name!r}, which the workflow does not have"
            continue  # as most are
        if ref.kind == "param" and ref.name not in {p.name for p in workflow.parameters}:
            return f"takes the parameter {ref.name!r}, which the workflow does not have"
        if ref.kind in ("task", "results", "choice") and ref.name not in before:
            return f"takes what {ref.name!r} makes, which does not come before it"
        if ref.kind in ("task", "results") and (ref.kind == "results") != bool(before[ref.name].mapped):
            return f"takes the {ref.kind} of {ref.name!r}, which is {'' if before[ref.name].mapped else 'not '}mapped"
        if ref.kind == "list" and not ref.items:
            return "takes a list of nothing"
        if ref.kind == "list" and any(i.kind not in ("task", "choice", "value") for i in _within(ref)):
            return "takes a list of what is no single result"
        if ref.kind == "choice" and not set(ref.labels) <= set(before[ref.name].labels):
            return f"takes a road of {ref.name!r} that is not there"
    return None


def _within(ref: Ref) -> list[Ref]:
    return [inner for item in ref.items for inner in item.walk()]


def _unreadable(
    assets: Dict[AssetKey, AssetSpec],
    inputs: Dict[str, InputSpec],
    before: Dict[str, TaskSpec],
    task: TaskSpec,
    argument: Argument,
) -> Iterator[tuple[str, str]]:
    """Yields why the argument can not be read as its type, with the remedy."""
    is_item = task.mapped == argument.parameter
    for ref in argument.ref.walk():
        if ref.kind == "input":
            spec = inputs[ref.name]
            asset = assets.get(spec.asset)
            if asset is None:
                continue
            if is_item and (asset.format != "json" or spec.mapping.many):
                yield (
                    f"goes through the items of {spec.asset}, which is no list",
                    "Let a @task return the list",
                )
            elif not is_item and not is_readable(argument.type, asset.format):
                yield _wants(argument, f"{spec.asset} is stored as {asset.format}", asset.format)
        elif ref.kind in ("task", "results"):
            yield from _unreadable_result(before[ref.name], argument, is_item)


def _unreadable_result(made: TaskSpec, argument: Argument, is_item: bool) -> Iterator[tuple[str, str]]:
    stored = stored_as(made.returns)
    if is_item and not made.mapped:
        if made.returns and made.returns != "list":
            yield f"goes through the items of {made.name}, which returns {made.returns}", "Let it return a list"
        elif argument.type and stored_as(argument.type) != "json":
            yield f"is an item of a list, which is no {argument.type}", "Annotate a type of JSON, or a dataclass"
    elif stored and argument.type and not is_readable(argument.type, stored):
        yield _wants(argument, f"what {made.name} returns is stored as {stored}", stored)


def _wants(argument: Argument, but: str, stored: str) -> tuple[str, str]:
    return f"wants {argument.type}, but {but}", f"Annotate it with one of: {', '.join(READS[stored])}"


def stored_as(type_name: str) -> str:
    """Returns the format in which what a task returns is stored; empty where it is not known."""
    return "json" if type_name.startswith(DATACLASS) else TYPES.get(type_name, "")
