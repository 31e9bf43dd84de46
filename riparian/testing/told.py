"""What is a test told of runs, plans and reasons? Values to compare, and what to read when they are not as expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from riparian.assets.errors import RiparianError


class RunFailed(RiparianError):
    """A run failed for a reason that no task raised, such as a result that can not be kept."""

    code = "run_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. ``state`` is queued, running, succeeded, failed, cancelled or superseded.

    ``steps`` gives the state of each task by name, of a mapped one each item's as ``at_airport[0]``; ``error`` is what
    a person would read.
    """

    id: str
    workflow: str
    partition: str
    state: str
    cause: str
    error: str | None
    params: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is about to happen to ``target``, such as ``air.flights[2013-02-08]``: ``state`` is queued (it runs next),
    held (when something above it has ended) or waiting; ``words`` say why."""

    target: str
    state: str
    words: str


def target_of(workflow: str, partition: str) -> str:
    """Returns how a workflow's partition is written: ``air.flights[2013-02-08]``, ``air.delays``."""
    return f"{workflow}[{partition}]" if partition else workflow


def plan_difference(expected: Iterable[str] | Mapping[str, str], plan: Sequence[Planned]) -> str:
    """Returns in what the queued part of ``plan`` is not as expected, for a person; nothing where it is.

    A mapping says of each target what its cause holds, too.
    """
    causes = expected if isinstance(expected, Mapping) else dict.fromkeys(expected, "")
    queued = {p.target: p.words for p in plan if p.state == "queued"}
    lines = []
    for target in sorted(causes.keys() | queued.keys()):
        if target not in queued:
            lines.append(f"- {target}: expected, and not planned{_otherwise(target, plan)}")
        elif target not in causes:
            lines.append(f"+ {target}: planned, and not expected: {queued[target]}")
        elif causes[target] not in queued[target]:
            lines.append(f"~ {target}: planned because {queued[target]!r}, which does not say {causes[target]!r}")
        else:
            lines.append(f"  {target}: {queued[target]}")
    if all(line.startswith("  ") for line in lines):
        return ""
    later = [f"  {p.target} is {p.state}: {p.words}" for p in plan if p.state != "queued"]
    return "\n".join(["what would run now is not what was expected:", *lines, *(["later:", *later] if later else [])])


def _otherwise(target: str, plan: Sequence[Planned]) -> str:
    for planned in plan:
        if planned.target == target:
            return f": it is {planned.state}"
    close = difflib.get_close_matches(target, [p.target for p in plan], 1)
    return f"; did you mean {close[0]}?" if close else ""


def reason_difference(target: str, expected: str, found: Mapping[str, Any], others: Mapping[str, str]) -> str:
    """Returns in words that the reason is another one, with those of all others."""
    lines = [f"{target} is {found['code']!r}, not {expected!r}: {found['words']}"]
    if others:
        width = max(len(code) for code in others.values())
        lines += ["all reasons:", *(f"  {code:{width}}  {asset}" for asset, code in others.items())]
    return "\n".join(lines)
