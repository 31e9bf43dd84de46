"""Run while something is not so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import OBJECT, Kinds
from riparian.assets.triggers.base import Signals, Trigger
from riparian.assets.triggers.combined import Combined


@dataclass(frozen=True, slots=True)
class Not(Trigger):
    """True while ``state`` is not. Raises DeclarationError for what is no state."""

    kind = "not"
    fields: ClassVar[Mapping[str, Kinds]] = {"trigger": OBJECT}

    state: Trigger

    def __post_init__(self) -> None:
        if self.state.is_manual:
            raise DeclarationError(
                f"{self.state} stands alone: it says that nothing but a request runs it; write it without ~"
            )
        if not self.state.is_state:
            raise DeclarationError(
                f"~ stands before {self.state}, which is no state: that an event has not happened, or a time not come, "
                "could start no run. Write ~ before a state, such as ~missing('air.flights')"
            )

    @property
    def parts(self) -> tuple[Trigger, ...]:
        return (self.state,)

    @property
    def by_update(self) -> bool:
        return True

    @property
    def is_state(self) -> bool:
        return True

    def when(self, signals: Signals) -> int | None:
        # States hold or do not, whatever the time.
        return None if self.state.holds(signals) else 0

    def fills(self, signals: Signals) -> bool:
        return False

    def since(self, signals: Signals) -> int | None:
        return self.state.since(signals)

    def words(self, signals: Signals) -> str:
        return "the opposite of what follows"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "trigger": self.state.to_json()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return Not(read(body["trigger"]))

    def __invert__(self) -> Trigger:
        return self.state

    def __str__(self) -> str:
        return f"~({self.state})" if isinstance(self.state, Combined) else f"~{self.state}"
