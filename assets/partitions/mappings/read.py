"""Which mappings are there, and how are they read from JSON?

A new mapping is one file beside this one and one line in each of the tables below.
"""

from __future__ import annotations

from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, OBJECT, TEXT, Kinds, judge, texts
from riparian.assets.partitions.mappings.all import AllPartitions, One
from riparian.assets.partitions.mappings.base import Mapping
from riparian.assets.partitions.mappings.by_dimension import ByDimension, Rule
from riparian.assets.partitions.mappings.by_key import ByKey
from riparian.assets.partitions.mappings.identity import Identity
from riparian.assets.partitions.mappings.offset import Offset
from riparian.assets.partitions.mappings.overlapping import Overlapping
from riparian.assets.partitions.mappings.single import Fixed, Last

MAPPINGS: dict[str, Mapping] = {m.kind: m for m in (Identity(), AllPartitions(), One(), Overlapping(), Last())}
"""By kind, those that need nothing more to be said. ``mapping_from_json`` reads the others too."""

_NUMBER: Kinds = (int,)
_FIELDS: dict[str, dict[str, Kinds]] = {
    "all": {"kind": TEXT, "at_least": _NUMBER},
    "overlapping": {"kind": TEXT, "at_least": _NUMBER},
    "fixed": {"kind": TEXT, "key": TEXT},
    "offset": {"kind": TEXT, "first": _NUMBER, "last": _NUMBER},
    "by_key": {"kind": TEXT, "table": OBJECT, "at_least": _NUMBER},
    "by_dimension": {"kind": TEXT, "dimensions": LIST},
}


def mapping_from_json(body: Any) -> Mapping:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if type(body) is str and body in MAPPINGS:
        return MAPPINGS[body]
    kind = body.get("kind") if type(body) is dict else None
    if type(kind) is not str or kind not in _FIELDS:
        raise DeclarationError(f"unknown mapping {body!r:.80}; use the same version of riparian on both sides")
    judge(body, _FIELDS[kind], "a mapping")
    match kind:
        case "all":
            return AllPartitions(body["at_least"])
        case "overlapping":
            return Overlapping(body["at_least"])
        case "fixed":
            return Fixed(body["key"])
        case "offset":
            return Offset(body["first"], body.get("last"))
        case "by_dimension":
            return ByDimension.of(_rules(body["dimensions"]))
        case _:
            for needs in body["table"].values():
                judge({"needs": needs}, {"needs": LIST}, "a mapping")
                texts(needs, "a mapping")
            return ByKey(body["table"], body.get("at_least"))


def _rules(dimensions: list[Any]) -> list[Rule]:
    found: list[Rule] = []
    for said in dimensions:
        judge(said, {"name": TEXT, "of": (str, type(None)), "mapping": (str, dict)}, "a mapping")
        inner = said["mapping"]
        if type(inner) is dict and inner.get("kind") == "by_dimension":
            # Refused before it is read, or a stranger's could lie in one another as deep as they like.
            raise DeclarationError("a mapping by dimension lies in another; use the same version on both sides")
        if said["name"] in {rule.name for rule in found}:
            raise DeclarationError(f"a mapping says {said['name']!r:.80} twice; use the same version on both sides")
        found.append(Rule(name=said["name"], of=said["of"], mapping=mapping_from_json(inner)))
    return found
