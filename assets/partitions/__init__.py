"""Into which pieces is an asset cut, and which pieces of one asset does another need?

One file for each kind of partitions, and one for the mappings between them. A kind is a value with a ``name``; it knows
its keys (``parse``), how many of them lie in an interval (``count``, ``within``, ``clip``) and its JSON. Those by time
are ``Windows``, which know instants too. ``Dynamic`` knows only what can be a key: those that there are lie in the
catalogue.
"""

from __future__ import annotations

from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, TEXT, Kinds, judge
from riparian.assets.partitions.base import EVERYTHING, NOTHING, WHOLE, Interval, Keys
from riparian.assets.partitions.cron import Cron
from riparian.assets.partitions.daily import Daily
from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.hourly import Hourly
from riparian.assets.partitions.mappings import (
    MAPPINGS,
    AllPartitions,
    ByDimension,
    ByKey,
    Fixed,
    Identity,
    Last,
    Mapping,
    Offset,
    One,
    Overlapping,
    completed,
    default_mapping,
    mapping_from_json,
)
from riparian.assets.partitions.monthly import Monthly
from riparian.assets.partitions.product import Product, dimensions_of
from riparian.assets.partitions.static import Static
from riparian.assets.partitions.weekly import Weekly
from riparian.assets.partitions.windows import Windows

Partitions = Windows | Static | Dynamic | Product
"""Every partition definition there is. ``None`` stands for an asset in one piece."""

KINDS = (Hourly, Daily, Weekly, Monthly, Cron, Static, Dynamic, Product)


def fits(partitions: Partitions | None, key: str) -> bool:
    """Whether ``key`` is a partition of an asset that is cut so (None: in one piece), or could be where the catalogue
    alone knows the keys."""
    if partitions is None:
        return key == WHOLE
    if isinstance(partitions, Static):
        return key in partitions
    if isinstance(partitions, Product):
        parts = partitions.split(key)
        return parts is not None and all(map(fits, partitions.dimensions, parts))
    try:
        partitions.parse(key)
    except DeclarationError:
        return False
    return True


_OPTIONAL: Kinds = (str, type(None))
_WINDOWS: dict[str, Kinds] = {"kind": TEXT, "name": TEXT, "start": TEXT, "end": _OPTIONAL}
_DATED: dict[str, Kinds] = {**_WINDOWS, "timezone": TEXT}
_FIELDS: dict[str, dict[str, Kinds]] = {
    "hourly": _WINDOWS,
    "daily": _DATED,
    "weekly": _DATED,
    "monthly": _DATED,
    "cron": {**_DATED, "expression": TEXT},
    "static": {"kind": TEXT, "name": TEXT, "keys": LIST},
    "dynamic": {"kind": TEXT, "name": TEXT},
    "product": {"kind": TEXT, "dimensions": LIST},
}


def partitions_from_json(body: dict[str, Any] | None) -> Partitions | None:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if body is None:
        return None
    kind = body.get("kind")
    if isinstance(kind, str) and kind in _FIELDS:
        judge(body, _FIELDS[kind], "partitions")
    match kind:
        case "hourly":
            return Hourly(body["name"], body["start"], body.get("end"))
        case "daily":
            return Daily(body["name"], body["start"], body.get("end"), body.get("timezone", "UTC"))
        case "weekly":
            return Weekly(body["name"], body["start"], body.get("end"), body.get("timezone", "UTC"))
        case "monthly":
            return Monthly(body["name"], body["start"], body.get("end"), body.get("timezone", "UTC"))
        case "cron":
            zone = body.get("timezone", "UTC")
            return Cron(body["name"], body["expression"], body["start"], body.get("end"), zone)
        case "static":
            return Static(body["name"], body["keys"])
        case "dynamic":
            return Dynamic(body["name"])
        case "product":
            return Product(*map(_dimension_from_json, body["dimensions"]))
        case other:
            known = ", ".join(repr(name) for name in _FIELDS)
            raise DeclarationError(f"unknown partitions {other!r}; this version knows {known}")


def _dimension_from_json(body: Any) -> Any:
    # One in another is refused before it is read, or a stranger's could lie as deep as they like.
    if type(body) is not dict or body.get("kind") == "product":
        raise DeclarationError(f"{body!r:.80} is no dimension of a product; use the same version on both sides")
    return partitions_from_json(body)


__all__ = [
    "EVERYTHING",
    "KINDS",
    "MAPPINGS",
    "NOTHING",
    "WHOLE",
    "AllPartitions",
    "ByDimension",
    "ByKey",
    "Cron",
    "Daily",
    "Dynamic",
    "Fixed",
    "Hourly",
    "Identity",
    "Interval",
    "Keys",
    "Last",
    "Mapping",
    "Monthly",
    "Offset",
    "One",
    "Overlapping",
    "Partitions",
    "Product",
    "Static",
    "Weekly",
    "Windows",
    "completed",
    "default_mapping",
    "dimensions_of",
    "fits",
    "mapping_from_json",
    "partitions_from_json",
]
