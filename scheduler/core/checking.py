"""Which steps judge what a run makes, and what does the answer of one say?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import dimensions_of
from riparian.assets.tasks import Argument, Ref
from riparian.scheduler.core.pinned import StepSpec

LONGEST_DESCRIPTION = 2_000
"""Characters of an error that are kept with the result of a check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found: as assets.checks.CheckResult."""

    passed: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


def check_steps(workflow: WorkflowSpec) -> Iterator[StepSpec]:
    """Yields the steps of the workflow's checks: each waits for the task that makes the asset, and is skipped when
    that made none. What several tasks make, each on its road, has a step for each of them."""
    for spec in workflow.checks:
        makers = [task.name for task in workflow.tasks if task.output == spec.asset]
        for maker in makers:
            yield StepSpec(
                task=spec.full_name if len(makers) == 1 else f"{spec.full_name} ({maker})",
                module=spec.module,
                qualname=spec.qualname,
                context=spec.context,
                returns=spec.returns,
                arguments=(Argument(parameter=spec.parameter, type=spec.type, ref=Ref(kind="task", name=maker)),),
                checks=spec.asset,
                check=spec.name,
                blocking=spec.blocking,
                timeout_seconds=spec.timeout_seconds,
                dimensions=tuple(d.name for d in dimensions_of(workflow.partitions)),
            )


def maker_of(spec: StepSpec) -> str:
    """Returns the task whose result the check judges."""
    return spec.arguments[0].ref.name


def read_verdict(content: str | None) -> Verdict | str:
    """Returns what the check said, by the JSON of its result, or why that is no answer."""
    if content is None:
        return "a result that is too large: what a check finds is at most 16 KiB as JSON; count instead of listing"
    try:
        said = msgspec.convert(json.loads(content), type=bool | Verdict)
    except (msgspec.ValidationError, ValueError, RecursionError) as exc:
        return f"what is no answer of a check ({exc}); it returns True, False or a CheckResult"
    return Verdict(passed=said) if isinstance(said, bool) else said
