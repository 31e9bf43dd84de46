"""Partitions by keys that are added while the project is in use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.static import check_key

MOST_ADDED = 10_000
"""Keys that one request, or one attempt of a task, may add: all of them are looked at while nobody else writes."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """One partition for each key of the dimension ``name``, which all assets of a project that say it have in common.

    Keys are added, and taken out again, by people (`riparian partitions add`), by tasks (``ctx.add_partitions``) and by
    files whose pattern names the dimension. They are written as those of ``Static`` are. Which of them there are only
    the catalogue knows: here a key is told from what can be none.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise DeclarationError(
                f"Dynamic({self.name!r}): the dimension's name must be an identifier, such as 'customer'"
            )

    def parse(self, text: str) -> str:
        """Returns ``text`` if it can be a partition key, whether or not it is there; raises DeclarationError."""
        check_key(text, f"Dynamic({self.name!r})")
        return text

    def overlaps(self, other: object) -> bool:
        return self == other

    def to_json(self) -> dict[str, Any]:
        return {"kind": "dynamic", "name": self.name}

    def __str__(self) -> str:
        return f"Dynamic({self.name!r})"

    __repr__ = __str__


def judged(name: str, keys: Iterable[str]) -> list[str]:
    """Returns the keys in order, each once; raises DeclarationError for what is no name, for what can be no key and for
    too many at once."""
    cut, where = Dynamic(name), f"Dynamic({name!r})"
    if isinstance(keys, str):
        raise DeclarationError(f"{where}: the keys are the text {keys!r:.80}; write a list, such as [{keys!r:.80}]")
    found = {cut.parse(key) for key in keys}
    if len(found) > MOST_ADDED:
        raise DeclarationError(f"{where}: {len(found):,} keys at once; add at most {MOST_ADDED:,}, and then the others")
    return sorted(found)
