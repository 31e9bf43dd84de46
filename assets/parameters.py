"""Which values may somebody give when they ask for a run, and what holds when nobody gives one?

A workflow's parameters are those of its function that stand behind ``*``, have a default and one of these types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import FunctionType
from typing import Any

from riparian.assets.errors import DeclarationError, Invalid, Location, Problem
from riparian.assets.fields import WHOLE, texts

MOST_PARAMETERS = 100
"""Of one workflow."""

LONGEST_TEXT = 1_000
"""Characters that a text may have: it is written for each item of a mapped task, and what is longer is data."""

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": f"a text of at most {LONGEST_TEXT:,} characters",
    "bool": "true or false",
    "date": "a date such as 2013-01-31",
}
"""The types, and how one writes such a value."""

_KINDS: Mapping[object, str] = {int: "int", float: "float", str: "str", bool: "bool", date: "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """One parameter; ``default`` is as JSON, a date as its text."""

    name: str
    type: str
    default: Any


def read_parameter(body: Any) -> ParameterSpec:
    """Reads what a manifest says of a parameter, ``[name, type, default]``; raises what a wrong shape raises."""
    name, kind, default = body
    texts([name, kind], "a parameter")
    if not name.isidentifier() or kind not in WORDS:
        raise DeclarationError(
            f"the parameter {name[:80]!r} has the type {kind[:80]!r}; write one of {', '.join(WORDS)}"
        )
    if not _fits(kind, default):
        raise DeclarationError(f"the default of the parameter {name!r} is not {WORDS[kind]}")
    return ParameterSpec(name=name, type=kind, default=default)


def parameter_of(
    function: FunctionType, name: str, annotation: object, location: Location
) -> ParameterSpec | Problem | None:
    """Returns what a keyword-only parameter with a default declares; None: it is an option of the function alone."""
    kind = _KINDS.get(annotation) if isinstance(annotation, type) else None
    if kind is None:
        return None
    default: Any = (function.__kwdefaults__ or {})[name]
    said = default.isoformat() if type(default) is date else default
    if _fits(kind, said) and (kind == "date") == (type(default) is date):
        return ParameterSpec(name=name, type=kind, default=said)
    return Problem(
        code="bad_default",
        message=f"the parameter {name!r} of {function.__qualname__} is a {kind}, but its default is {default!r}",
        remedy=f"Give it {WORDS[kind]}",
        location=location,
    )


def keyword_options(function: FunctionType) -> tuple[str, ...]:
    """Returns the parameters behind ``*`` that have a default, in their order."""
    code = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return tuple(name for name in names if name in (function.__kwdefaults__ or {}))


def judged(specs: Iterable[ParameterSpec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the given values; raises Invalid for an unknown one, or one of another type, and says what there is."""
    known = {spec.name: spec for spec in specs}
    there = ", ".join(f"{s.name} ({s.type}, otherwise {s.default!r})" for s in known.values()) or "none"
    for name, value in given.items():
        spec = known.get(name)
        if spec is None:
            raise Invalid(f"there is no parameter {name[:80]!r}; there are: {there}")
        if not _fits(spec.type, value):
            shown = repr(value)
            raise Invalid(
                f"the parameter {name!r} is {shown[:80]}{'…' * (len(shown) > 80)}, but takes {WORDS[spec.type]}; "
                f"there are: {there}"
            )
    return dict(given)


def effective(specs: Iterable[ParameterSpec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the value of every parameter: what is given, or else the default."""
    return {**{spec.name: spec.default for spec in specs}, **given}


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "int":
            return type(value) is int and value in WHOLE
        case "float":
            return (type(value) is float and value - value == 0) or (type(value) is int and value in WHOLE)
        case "str":
            return type(value) is str and len(value) <= LONGEST_TEXT
        case "bool":
            return type(value) is bool
        case _:
            return type(value) is str and len(value) == len("2013-01-31") and _is_date(value)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
