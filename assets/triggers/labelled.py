"""Run as another trigger says, which has a name for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import OBJECT, TEXT, Kinds
from riparian.assets.triggers.base import LONGEST_LABEL, Signals, Trigger
from riparian.assets.triggers.combined import Combined
from riparian.assets.triggers.negated import Not


@dataclass(frozen=True, slots=True)
class Labelled(Trigger):
    """True while ``trigger`` is; explanations call it by its label."""

    kind = "labelled"
    fields: ClassVar[Mapping[str, Kinds]] = {"trigger": OBJECT, "label": TEXT}

    trigger: Trigger
    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip() or not self.text.isprintable():
            raise DeclarationError(f"a label is {self.text!r:.200}; write a few words, such as .label('month end')")
        if len(self.text) > LONGEST_LABEL:
            raise DeclarationError(
                f"the label {self.text[:40]!r}… is longer than {LONGEST_LABEL} characters; write a few words"
            )

    @property
    def parts(self) -> tuple[Trigger, ...]:
        return (self.trigger,)

    @property
    def by_update(self) -> bool:
        return self.trigger.by_update

    @property
    def is_state(self) -> bool:
        return self.trigger.is_state

    @property
    def is_manual(self) -> bool:
        return self.trigger.is_manual

    def when(self, signals: Signals) -> int | None:
        return self.trigger.when(signals)

    def waits(self, signals: Signals) -> Trigger:
        return self.trigger.waits(signals)

    def since(self, signals: Signals) -> int | None:
        return self.trigger.since(signals)

    def words(self, signals: Signals) -> str:
        return self.trigger.words(signals)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "trigger": self.trigger.to_json(), "label": self.text}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        return Labelled(read(body["trigger"]), body["label"])

    def __str__(self) -> str:
        inner = f"({self.trigger})" if isinstance(self.trigger, (Combined, Not)) else str(self.trigger)
        return f"{inner}.label({self.text!r})"
