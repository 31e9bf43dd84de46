"""When should a workflow run?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.keys import AssetKey, key_of


@dataclass(frozen=True, slots=True)
class OnUpdate:
    """True while one of ``assets`` (none named: one of the consumed) has news since the last run."""

    assets: tuple[AssetKey, ...] = ()

    def watches(self, asset: AssetKey) -> bool:
        """Whether an update of ``asset``, which the workflow consumes or names, can make this true."""
        return not self.assets or asset in self.assets

    def to_json(self) -> dict[str, Any]:
        return {"kind": "on_update", "assets": list(self.assets)}


@dataclass(frozen=True, slots=True)
class Manual:
    """Never true by itself: runs only when somebody asks."""

    assets: tuple[AssetKey, ...] = ()

    def watches(self, asset: AssetKey) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        return {"kind": "manual"}


Trigger = OnUpdate | Manual


def on_update(*assets: object) -> OnUpdate:
    """Run when one of ``assets`` (keys, sources, @asset functions) is updated; without any, when a consumed one is."""
    return OnUpdate(tuple(key_of(a) for a in assets))


def manual() -> Manual:
    """Run only when somebody asks."""
    return Manual()


def trigger_from_json(body: dict[str, Any]) -> Trigger:
    match body.get("kind"):
        case "on_update":
            return on_update(*body["assets"])
        case "manual":
            return manual()
        case other:
            raise DeclarationError(f"unknown trigger {other!r}; this version knows 'on_update' and 'manual'")
