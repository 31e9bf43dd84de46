"""A state of assets that are named, or else of all that the workflow has to do with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.fields import LIST, Kinds
from riparian.assets.keys import AssetKey, key_of
from riparian.assets.triggers.base import Trigger, quoted


@dataclass(frozen=True, slots=True)
class OfAssets(Trigger):
    """A state of ``assets``; which of the workflow's are meant where none is named is for each kind to say. Its kind is
    also the name of the function that declares it."""

    fields: ClassVar[Mapping[str, Kinds]] = {"assets": LIST}

    assets: tuple[AssetKey, ...] = ()

    @property
    def named(self) -> tuple[AssetKey, ...]:
        return self.assets

    @property
    def by_update(self) -> bool:
        return True

    @property
    def is_state(self) -> bool:
        return True

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "assets": list(self.assets)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return cls(tuple(key_of(a) for a in body["assets"]))

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(map(quoted, self.assets))})"
