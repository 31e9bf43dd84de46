"""Which format keeps a type, and which one reads what was kept?

Formats of third parties come by the entry point group ``riparian.formats`` (name = the format's name, object = a
``Format``); they are looked for only when a name is none of ours, and can not replace ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from riparian.storage.objects.errors import UnknownFormat
from riparian.storage.objects.formats import csv, json, parquet, raw
from riparian.storage.objects.formats.base import Format

GROUP = "riparian.formats"

BUILT_IN: tuple[Format, ...] = (parquet.FORMAT, csv.FORMAT, json.FORMAT, raw.FORMAT)


def format_named(name: str) -> Format:
    """Returns the format of that name; raises UnknownFormat that lists the known ones."""
    for known in _formats():
        if known.name == name:
            return known
    names = ", ".join(sorted(f.name for f in _formats()))
    raise UnknownFormat(f"there is no format {name!r}; there are {names}; install the package that brings it")


def format_writing(type_name: str) -> Format:
    """Returns the one format that keeps values of the type; raises UnknownFormat that lists the known types."""
    key = type_key(type_name)
    for known in _formats():
        if key in known.writes:
            return known
    types = ", ".join(sorted(t for f in _formats() for t in f.writes))
    raise UnknownFormat(f"no format keeps values of type {type_name or '(none declared)'}; annotate one of {types}")


def type_key(type_name: str) -> str:
    """Returns the name under which formats list a type: without arguments, every dataclass as ``dataclass``."""
    if type_name.startswith("dataclass:"):
        return "dataclass"
    return type_name.partition("[")[0].removeprefix("builtins.")


def _formats() -> Iterator[Format]:
    yield from BUILT_IN
    # Slow to import, and only asked for when none of ours fits.
    from importlib.metadata import entry_points

    ours = {f.name for f in BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        if point.name not in ours:
            yield point.load()
