"""Which kinds of triggers are there, and which one is meant? Reads what a manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import TEXT, judge
from riparian.assets.triggers.base import Trigger
from riparian.assets.triggers.behind import Behind
from riparian.assets.triggers.checks_passed import ChecksPassed
from riparian.assets.triggers.combined import And, Or
from riparian.assets.triggers.debounced import Debounced
from riparian.assets.triggers.labelled import Labelled
from riparian.assets.triggers.limited import Limited
from riparian.assets.triggers.manual import Manual
from riparian.assets.triggers.missing import Missing
from riparian.assets.triggers.negated import Not
from riparian.assets.triggers.on_cron import OnCron
from riparian.assets.triggers.on_update import OnUpdate

DEEPEST = 20
"""Levels of triggers in one another that a manifest may hold."""

KINDS: Mapping[str, type[Trigger]] = {
    kind.kind: kind
    for kind in (OnUpdate, OnCron, Missing, ChecksPassed, Manual, Debounced, Limited, Behind, Labelled, Not, And, Or)
}
"""The built-in kinds, which can not be replaced."""

GROUP = "riparian.triggers"
"""The group of entry points in which installed packages name further kinds: the kind's name, and its class."""


def trigger_from_json(body: dict[str, Any], depth: int = 0) -> Trigger:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if depth > DEEPEST:
        raise DeclarationError(f"a trigger is nested deeper than {DEEPEST} levels; write fewer parentheses")
    if type(body) is not dict:
        raise DeclarationError("a trigger is no object; write the manifest by `riparian apply`")
    name = body.get("kind")
    kind = None if type(name) is not str else KINDS.get(name) or _installed().get(name)
    if kind is None:
        raise DeclarationError(f"unknown trigger {name!r:.80}; use the same version of riparian on both sides")
    judge(body, {"kind": TEXT, **kind.fields}, "the trigger")
    return kind.from_json(body, lambda inner: trigger_from_json(inner, depth + 1))


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, type[Trigger]]:
    from importlib.metadata import entry_points

    # Only of what is installed beside the control plane: a manifest brings no code.
    return {point.name: point.load() for point in entry_points(group=GROUP)}
