"""Do the checks of a workflow fit what it makes?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from riparian.assets.annotations import READS, is_readable
from riparian.assets.checks import RETURNS, CheckSpec
from riparian.assets.errors import Problem
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.task_rules import MOST_TASKS, stored_as


def check_problems(workflow: WorkflowSpec, assets: Container[AssetKey]) -> Iterator[Problem]:
    """Yields what is wrong with the checks of one workflow; ``assets`` are all that are declared."""
    if not workflow.checks:
        return
    made = Counter(task.output for task in workflow.tasks)
    if (steps := len(workflow.tasks) + sum(made[spec.asset] for spec in workflow.checks)) > MOST_TASKS:
        yield Problem(
            code="too_many_checks",
            message=f"each run of {workflow.key} would have {steps} steps with its checks; {MOST_TASKS} are allowed",
            remedy="Let one check look at several things",
            location=workflow.location,
        )
        return
    seen: set[str] = set()
    for spec in workflow.checks:
        if (strange := _strange(workflow, spec, seen)) is not None:
            yield Problem(
                code="bad_check",
                message=f"the check {spec.name} of {spec.asset} {strange}",
                remedy="Let `riparian apply` write the manifest",
                location=workflow.location,
            )
            return
        seen.add(spec.full_name)
        if AssetKey(spec.full_name) in assets:
            yield Problem(
                code="bad_check",
                message=f"the check {spec.name} of {spec.asset} would be called {spec.full_name}, as an asset is",
                remedy="Give the check another name: name='…'",
                location=workflow.location,
            )
        kept = {stored_as(task.returns) for task in workflow.tasks if task.output == spec.asset} - {""}
        for stored in sorted(kept) if spec.type else ():
            if not is_readable(spec.type, stored):
                yield Problem(
                    code="unreadable_input",
                    message=f"the check {spec.name} wants {spec.type}, but {spec.asset} is stored as {stored}",
                    remedy=f"Annotate {spec.parameter!r} with one of: {', '.join(READS[stored])}",
                    location=workflow.location,
                )


def _strange(workflow: WorkflowSpec, spec: CheckSpec, seen: Container[str]) -> str | None:
    """Returns what no declared check has: only a manifest that nobody wrote by declaring can be so."""
    if spec.asset not in workflow.produces:
        return f"is told of by {workflow.key}, which does not make that asset"
    if spec.full_name in seen:
        return "is there twice"
    if any(f"{task.name} (".startswith(f"{spec.full_name} (") for task in workflow.tasks):
        return "is called as a task is"
    if spec.returns and spec.returns not in RETURNS:
        return f"returns {spec.returns[:80]!r}, which is no answer"
    return None
