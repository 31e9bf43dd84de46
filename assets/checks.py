"""What is asked of an asset's value before anybody may see it?

A check is a step of the run that makes the asset: after the asset's task, before the run's heads move.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from riparian.assets.declare import Check, F, first_line, location_of, note, plain_function, seconds_of
from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.fields import NUMBER, TEXT, Kinds, judge, within
from riparian.assets.keys import MAX_LENGTH, AssetKey, key_of
from riparian.assets.tasks import LONGEST_SECONDS, SHORTEST_SECONDS

RESULT = f"dataclass:{__name__}:CheckResult"
"""The type's name by which a CheckResult travels."""

RETURNS = ("bool", RESULT)
"""What a check may return, by the names of annotations.py."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found, where there is more to say than True or False.

    ``metadata`` is a dict of JSON values, such as counts; all together is at most 16 KiB as JSON. Who may not read the
    asset sees nothing of it. Raises Invalid for what is of another type.
    """

    passed: bool
    metadata: Dict[str, Any] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        for name, kind, example in (
            ("passed", bool, "bool(…)"),
            ("metadata", dict, "a dict"),
            ("description", str, "a text"),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise Invalid(f"CheckResult: {name} is a {type(value).__name__}; give it {example}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One check of ``asset``: ``module:qualname`` in the bundle, whose ``parameter`` receives the asset's value.

    A ``blocking`` one that does not pass ends the run, and no head of it moves; of any other it is only noted.
    """

    asset: AssetKey
    name: str
    module: str
    qualname: str
    parameter: str
    type: str  # as which the value is read, a name of annotations.py
    returns: str  # one of RETURNS
    context: str | None = None
    blocking: bool = False
    timeout_seconds: float | None = None
    description: str = ""

    @property
    def full_name(self) -> str:
        """What it is called in words and as a step: ``air.flights.not_empty``."""
        return f"{self.asset}.{self.name}"


def check(
    asset: object,
    *,
    blocking: bool = False,
    name: str | None = None,
    timeout: float | timedelta | None = None,
    description: str | None = None,
) -> Callable[[F], F]:
    """Declares that the decorated function checks ``asset`` (a key, or the function that makes it), and returns it
    unchanged.

    It receives the value just made, by a parameter of the asset's last name, and ``ctx`` where it asks for it; it
    returns True or False, or a CheckResult. With ``blocking``, a version that does not pass never becomes the head:
    its run fails and the former head stays. Without, what it found is noted and the head moves. An error of the
    function counts as not passed. An edit of it makes nothing stale.
    Raises DeclarationError when a value can not be meant.
    """
    key = key_of(asset)
    if not isinstance(blocking, bool):
        raise DeclarationError(f"blocking={blocking!r} can not be meant; write True or False")
    limit = seconds_of(timeout)

    def decorate(function: F) -> F:
        plain = plain_function(function, "@check")
        declared = Check(
            asset=key,
            name=check_name(plain.__name__ if name is None else name),
            function=function,
            blocking=blocking,
            timeout_seconds=limit,
            description=first_line(plain.__doc__) if description is None else description,
            location=location_of(plain),
        )
        function.__riparian__ = declared  # type: ignore[attr-defined]  # functions take any attribute
        note(declared)
        return function

    return decorate


def check_name(text: str) -> str:
    """Returns ``text`` as the name of a check; raises DeclarationError when it is none."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH or not _NAME.fullmatch(text):
        raise DeclarationError(
            f"{text!r} is no name of a check; write name='not_empty', of small letters, digits and _"
        )
    return text


# Written out and sparse, as all of a manifest.

_FIELDS: Dict[str, Kinds] = {
    "asset": TEXT,
    "name": TEXT,
    "module": TEXT,
    "qualname": TEXT,
    "parameter": TEXT,
    "type": TEXT,
    "returns": TEXT,
    "context": TEXT,
    "blocking": (bool,),
    "timeout_seconds": NUMBER,
    "description": TEXT,
}


def check_json(spec: CheckSpec) -> dict[str, Any]:
    body: dict[str, Any] = {
        name: getattr(spec, name) for name in ("asset", "name", "module", "qualname", "parameter", "type", "returns")
    }
    if spec.context is not None:
        body["context"] = spec.context
    if spec.blocking:
        body["blocking"] = True
    if spec.timeout_seconds is not None:
        body["timeout_seconds"] = spec.timeout_seconds
    if spec.description:
        body["description"] = spec.description
    return body


def check_from_json(body: Any, key: Callable[[Any], AssetKey]) -> CheckSpec:
    """Reads what ``check_json`` wrote; raises what a wrong shape raises, or DeclarationError. ``key`` reads keys."""
    judge(body, _FIELDS, "a check")
    name = check_name(body["name"])
    if "timeout_seconds" in body:
        within(body["timeout_seconds"], SHORTEST_SECONDS, LONGEST_SECONDS, f"the check {name}: timeout_seconds")
    return CheckSpec(**{**body, "asset": key(body["asset"]), "name": name})
