"""Run when each, or one, of several triggers is true."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, Kinds
from riparian.assets.triggers.base import Signals, Trigger

MOST_PARTS = 500
"""Updates, schedules and states in one trigger: all of them are looked at whenever it is."""


@dataclass(frozen=True, slots=True)
class Combined(Trigger):
    """Several triggers, none of them of this kind: what is nested says nothing more than the flat one."""

    fields: ClassVar[Mapping[str, Kinds]] = {"triggers": LIST}
    operator: ClassVar[str]

    triggers: tuple[Trigger, ...]

    def __post_init__(self) -> None:
        flat = (t.triggers if isinstance(t, Combined) and t.kind == self.kind else (t,) for t in self.triggers)
        object.__setattr__(self, "triggers", tuple(dict.fromkeys(t for ts in flat for t in ts)))
        if sum(1 for node in self.nodes() if not node.parts) > MOST_PARTS:
            raise DeclarationError(
                f"a trigger combines more than {MOST_PARTS} parts; name many assets in one on_update(…), and "
                "many ticks in one on_cron('*/5 * * * *')"
            )

    @property
    def parts(self) -> tuple[Trigger, ...]:
        return self.triggers

    @property
    def is_state(self) -> bool:
        return all(t.is_state for t in self.triggers)

    @staticmethod
    @abstractmethod
    def quantifier(answers: Iterable[bool]) -> bool:
        """Returns what the answers of ``triggers`` come to."""

    @property
    def by_update(self) -> bool:
        return self.quantifier(t.by_update for t in self.triggers)

    def since(self, signals: Signals) -> int | None:
        held = self.holds(signals)
        sinces = [t.since(signals) for t in self.triggers if t.holds(signals) == held]
        if any(since is None for since in sinces):
            return None
        # Where all had to agree the last one decided, else the first.
        agreed = self.quantifier((True, False)) != held
        return (max if agreed else min)(since for since in sinces if since is not None)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "triggers": [t.to_json() for t in self.triggers]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        parts = tuple(operand(cls.kind, None, read(t)) for t in body["triggers"])
        if not parts:
            raise DeclarationError(f"a trigger of kind {cls.kind!r} combines nothing; name what it combines")
        return cls(parts)

    def __str__(self) -> str:
        # & binds tighter than |, so only an | inside an & needs them.
        parts = (f"({t})" if isinstance(t, Or) else str(t) for t in self.triggers)
        return f" {self.operator} ".join(parts)


@dataclass(frozen=True, slots=True)
class And(Combined):
    """True while each of ``triggers`` is."""

    kind = "and"
    operator = "&"

    @staticmethod
    def quantifier(answers: Iterable[bool]) -> bool:
        return all(answers)

    def when(self, signals: Signals) -> int | None:
        latest = 0
        for trigger in self.triggers:
            at = trigger.when(signals)
            if at is None:
                return None
            latest = max(latest, at)
        return latest

    def waits(self, signals: Signals) -> Trigger:
        return max(self.triggers, key=lambda t: t.when(signals) or 0).waits(signals)

    def words(self, signals: Signals) -> str:
        return "each of these" if self.holds(signals) else "not each of these"


@dataclass(frozen=True, slots=True)
class Or(Combined):
    """True while one of ``triggers`` is."""

    kind = "or"
    operator = "|"

    @staticmethod
    def quantifier(answers: Iterable[bool]) -> bool:
        return any(answers)

    def when(self, signals: Signals) -> int | None:
        return min((at for t in self.triggers if (at := t.when(signals)) is not None), default=None)

    def waits(self, signals: Signals) -> Trigger:
        first = self.when(signals)
        return next(t for t in self.triggers if t.when(signals) == first).waits(signals)

    def words(self, signals: Signals) -> str:
        return "one of these" if self.holds(signals) else "none of these"


def combined(kind: type[And] | type[Or], left: Trigger, right: object) -> Trigger:
    """Returns both as one trigger; one of the same is itself. Raises DeclarationError for what can not be combined."""
    both = kind((operand(kind.operator, right, left), operand(kind.operator, left, right)))
    return both.triggers[0] if len(both.triggers) == 1 else both


def operand(operator: str, other: object, value: object) -> Trigger:
    """Returns ``value`` if it can be combined; ``other`` is what it is combined with."""
    if isinstance(value, Trigger):
        if value.is_manual:
            raise DeclarationError(
                "manual() can not be combined: a request runs every workflow, whatever its trigger; leave manual() out"
            )
        return value
    name = getattr(value, "__name__", "")
    if getattr(value, "__module__", "").startswith("riparian.assets.triggers") and name:
        raise DeclarationError(f"{other} {operator} {name}: it is not called; write {name}(…)")
    raise DeclarationError(f"{other} {operator} {value!r}: that is no trigger; write on_update(…) around an asset")
