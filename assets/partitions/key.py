"""What does user code receive as a partition's key?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from riparian.assets.partitions.boxes import SEPARATOR


class PartitionKey(str):
    """The key's text, such as ``2013-01-31,eu``, and by the dimension's name the key of each: ``key["region"]``.

    ``dimensions`` are all of them, in their order; there is none where an asset is in one piece.
    """

    dimensions: Mapping[str, str]

    def __new__(cls, text: str, names: Sequence[str] = ()) -> PartitionKey:
        made = super().__new__(cls, text)
        parts = text.split(SEPARATOR) if len(names) > 1 else [text]
        made.dimensions = MappingProxyType(dict(zip(names, parts, strict=False)))
        return made

    def __getitem__(self, at: Any) -> str:
        if not isinstance(at, str):
            return super().__getitem__(at)
        if at not in self.dimensions:
            raise KeyError(f"the partition has no dimension {at!r}; it has {', '.join(self.dimensions) or 'none'}")
        return self.dimensions[at]

    def __reduce__(self) -> Any:
        return type(self), (str(self), tuple(self.dimensions))
