"""Which checks does each asset have, and does each take and return what a check does?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType

from riparian.assets.binding import Evaluate, annotated, context_of
from riparian.assets.checks import RETURNS
from riparian.assets.declare import Check, Source
from riparian.assets.errors import Location, Problem
from riparian.assets.keys import AssetKey, last_segment
from riparian.assets.tasks import CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCheck:
    """How a check's function is called; texts are empty where a problem says why."""

    parameter: str
    type: str
    returns: str
    context: str | None
    problems: tuple[Problem, ...]


def bind_check(declared: Check, function: FunctionType, evaluate: Evaluate, location: Location) -> BoundCheck:
    """Returns as what the check receives the asset's value, and what it returns, with what is wrong about it."""
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    wanted = last_segment(declared.asset)
    problems: list[Problem] = []
    if code.co_posonlyargcount or code.co_flags & 0x0C or set(parameters) - {CONTEXT} != {wanted}:
        problems.append(
            Problem(
                code="unbound_parameter",
                message=f"the check {function.__qualname__} takes {', '.join(parameters) or 'nothing'}, "
                f"but it checks {declared.asset} alone",
                remedy=f"Let it take {wanted!r}, and {CONTEXT!r} where it needs the context; what it compares with, "
                "give to the function that makes the asset",
                location=location,
            )
        )
        return BoundCheck(parameter="", type="", returns="", context=None, problems=tuple(problems))
    read = annotated(function, wanted, evaluate, location)
    returns = annotated(function, "return", evaluate, location)
    problems += [found for found in (read, returns) if isinstance(found, Problem)]
    if isinstance(returns, str) and returns not in RETURNS:
        problems.append(
            Problem(
                code="bad_check",
                message=f"the check {function.__qualname__} returns {returns}",
                remedy="Let it return bool, or CheckResult(passed, metadata={…}, description='…')",
                location=location,
            )
        )
    return BoundCheck(
        parameter=wanted,
        type=read if isinstance(read, str) else "",
        returns=returns if returns in RETURNS else "",
        context=context_of(function),
        problems=tuple(problems),
    )


def misplaced(
    checks: Iterable[tuple[Check, Location]], made: frozenset[AssetKey], sources: Iterable[Source]
) -> Iterator[Problem]:
    """Yields a problem for each check of what this project does not make."""
    from_outside = {s.key for s in sources}
    for declared, location in checks:
        said = f"the check {declared.name!r} is of {declared.asset}"
        if declared.asset in made:
            continue
        if declared.asset in from_outside:
            yield Problem(
                code="unchecked_source",
                message=f"{said}, which is a source: checks run with the function that makes an asset",
                remedy="Check what is made from it, or let an asset pass it on and check that",
                location=location,
            )
            continue
        close = difflib.get_close_matches(declared.asset, [*made, *from_outside], n=1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        yield Problem(
            code="unknown_asset",
            message=f"{said}, which nothing here declares",
            remedy=f"{meant}A check stands in the project that makes its asset",
            location=location,
        )
