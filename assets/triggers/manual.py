"""Run only when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from riparian.assets.triggers.base import Signals, Trigger


@dataclass(frozen=True, slots=True)
class Manual(Trigger):
    """Never true by itself: runs only when somebody asks."""

    kind = "manual"

    @property
    def is_manual(self) -> bool:
        return True

    def when(self, signals: Signals) -> int | None:
        return None

    def words(self, signals: Signals) -> str:
        return "only a request runs it"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return manual()

    def __str__(self) -> str:
        return "manual()"


def manual() -> Manual:
    """Run only when somebody asks."""
    return Manual()
