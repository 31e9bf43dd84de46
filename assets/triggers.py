"""When should a workflow run? Values that are combined with ``&``, ``|`` and, over states, ``~``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, OBJECT, TEXT, Kinds, judge
from riparian.assets.keys import AssetKey, key_of
from riparian.assets.schedules import check_schedule

LONGEST_CRON = 100
"""Characters of an expression, and of a timezone."""

MOST_PARTS = 500
"""Updates, schedules and states in one trigger: all of them are looked at whenever it is."""

DEEPEST = 20
"""Levels of ``&`` and ``|`` in one another that a manifest may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How things stand for one workflow partition: the assets with news, the schedules (by name) that are due, the
    assets without a version; and which assets the workflow consumes and makes."""

    updated: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    consumes: frozenset[str] = frozenset()
    makes: frozenset[str] = frozenset()


class Trigger(ABC):
    """A question to the signals. Events (an update, a tick) are true until a run has answered them; states are true
    as long as they last."""

    __slots__ = ()

    @property
    def assets(self) -> tuple[AssetKey, ...]:
        """The assets that it names."""
        named = (leaf.assets for leaf in self.leaves() if isinstance(leaf, (OnUpdate, Missing)))
        return tuple(dict.fromkeys(a for assets in named for a in assets))

    @property
    def schedules(self) -> tuple[OnCron, ...]:
        return tuple(dict.fromkeys(leaf for leaf in self.leaves() if isinstance(leaf, OnCron)))

    @property
    def by_update(self) -> bool:
        """Whether updates alone can make it true."""
        return False

    @property
    def is_state(self) -> bool:
        return False

    def watches(self, asset: AssetKey, *, consumed: bool = True) -> bool:
        """Whether an update of ``asset``, which the workflow consumes or else only names, can help to make it true."""
        return any(
            asset in leaf.assets or (consumed and not leaf.assets)
            for leaf in self.leaves()
            if isinstance(leaf, OnUpdate)
        )

    def absences(self, makes: Iterable[AssetKey]) -> frozenset[AssetKey]:
        """Returns the assets that it asks to be missing, or not to be, for a workflow that makes ``makes``."""
        asked = [leaf.assets or tuple(makes) for leaf in self.leaves() if isinstance(leaf, Missing)]
        return frozenset(a for assets in asked for a in assets)

    @abstractmethod
    def holds(self, signals: Signals) -> bool:
        """Whether it is true, as things stand."""

    def fills(self, signals: Signals) -> bool:
        """Whether something is missing that it wants made: that asks for what nothing else asks for."""
        return False

    def leaves(self) -> Iterator[Trigger]:
        yield self

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Returns what ``trigger_from_json`` reads."""

    def __and__(self, other: object) -> Trigger:
        return _combined(And, self, other)

    def __or__(self, other: object) -> Trigger:
        return _combined(Or, self, other)

    # What is on the left then is no trigger, and is told so.

    def __rand__(self, other: object) -> Trigger:
        return _combined(And, self, other)

    def __ror__(self, other: object) -> Trigger:
        return _combined(Or, self, other)

    def __invert__(self) -> Trigger:
        raise DeclarationError(
            f"~ stands before {self}, which is an event; that it has not happened is no state that could start a run. "
            "Write ~ before a state, such as ~missing('air.flights')"
        )

    def __bool__(self) -> bool:
        raise DeclarationError(
            f"the trigger {self} was asked whether it is true, by `and`, `or`, `not` or `if`; "
            "combine triggers with & and |, and negate states with ~"
        )


@dataclass(frozen=True, slots=True)
class OnUpdate(Trigger):
    """True while one of ``assets`` (none named: of the consumed) has news since the last run; with ``all``, each."""

    assets: tuple[AssetKey, ...] = ()
    all: bool = False

    @property
    def by_update(self) -> bool:
        return True

    def holds(self, signals: Signals) -> bool:
        wanted = frozenset[str](self.assets) or signals.consumes
        return bool(wanted) and (wanted <= signals.updated if self.all else bool(wanted & signals.updated))

    def to_json(self) -> dict[str, Any]:
        body = {"kind": "on_update", "assets": list(self.assets)}
        return {**body, "all": True} if self.all else body

    def __str__(self) -> str:
        return f"on_update({', '.join([*map(_quoted, self.assets), *(['all=True'] if self.all else [])])})"


@dataclass(frozen=True, slots=True)
class OnCron(Trigger):
    """True while a tick of the schedule has not been answered. Ticks that were missed count as one, the latest."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        for name, value in (("the expression", self.expression), ("timezone", self.timezone)):
            if not isinstance(value, str):
                raise DeclarationError(f"on_cron: {name} is {value!r}; write on_cron('0 6 * * *', timezone='UTC')")
            if len(value) > LONGEST_CRON:
                raise DeclarationError(
                    f"on_cron: {name} is longer than {LONGEST_CRON} characters: {value[:LONGEST_CRON]!r}…; "
                    "combine shorter ones by |, such as on_cron('0 6 * * *') | on_cron('30 18 * * *')"
                )
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        check_schedule(self.expression, self.timezone)

    @property
    def name(self) -> str:
        """What the schedule is called in words and in the catalogue."""
        return f"{self.expression} ({self.timezone})"

    def holds(self, signals: Signals) -> bool:
        return self.name in signals.due

    def to_json(self) -> dict[str, Any]:
        return {"kind": "on_cron", "expression": self.expression, "timezone": self.timezone}

    def __str__(self) -> str:
        zone = "" if self.timezone == "UTC" else f", timezone={_quoted(self.timezone)}"
        return f"on_cron({_quoted(self.expression)}{zone})"


@dataclass(frozen=True, slots=True)
class Missing(Trigger):
    """True while one of ``assets`` (none named: of what the workflow makes) has no version in the partition."""

    assets: tuple[AssetKey, ...] = ()

    @property
    def by_update(self) -> bool:
        return True

    @property
    def is_state(self) -> bool:
        return True

    def holds(self, signals: Signals) -> bool:
        return bool((frozenset[str](self.assets) or signals.makes) & signals.missing)

    def fills(self, signals: Signals) -> bool:
        return self.holds(signals)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "missing", "assets": list(self.assets)}

    def __invert__(self) -> Trigger:
        return Not(self)

    def __str__(self) -> str:
        return f"missing({', '.join(map(_quoted, self.assets))})"


@dataclass(frozen=True, slots=True)
class Manual(Trigger):
    """Never true by itself: runs only when somebody asks."""

    def holds(self, signals: Signals) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        return {"kind": "manual"}

    def __invert__(self) -> NoReturn:
        raise DeclarationError("manual() stands alone: it says that nothing but a request runs it; write it without ~")

    def __str__(self) -> str:
        return "manual()"


@dataclass(frozen=True, slots=True)
class Not(Trigger):
    """True while ``state`` is not."""

    state: Trigger

    def __post_init__(self) -> None:
        if not self.state.is_state:
            self.state.__invert__()  # which says why not

    @property
    def by_update(self) -> bool:
        return True

    @property
    def is_state(self) -> bool:
        return True

    def holds(self, signals: Signals) -> bool:
        return not self.state.holds(signals)

    def leaves(self) -> Iterator[Trigger]:
        return self.state.leaves()

    def to_json(self) -> dict[str, Any]:
        return {"kind": "not", "trigger": self.state.to_json()}

    def __invert__(self) -> Trigger:
        return self.state

    def __str__(self) -> str:
        return f"~({self.state})" if isinstance(self.state, _Combined) else f"~{self.state}"


@dataclass(frozen=True, slots=True)
class _Combined(Trigger):
    """Several triggers, none of them of this kind: what is nested says nothing more than the flat one."""

    triggers: tuple[Trigger, ...]
    kind: ClassVar[str]
    operator: ClassVar[str]

    def __post_init__(self) -> None:
        flat = (t.triggers if isinstance(t, _Combined) and t.kind == self.kind else (t,) for t in self.triggers)
        object.__setattr__(self, "triggers", tuple(dict.fromkeys(t for ts in flat for t in ts)))
        if sum(1 for _ in self.leaves()) > MOST_PARTS:
            raise DeclarationError(
                f"a trigger combines more than {MOST_PARTS} parts; name many assets in one on_update(…), and "
                "many ticks in one on_cron('*/5 * * * *')"
            )

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

    def holds(self, signals: Signals) -> bool:
        return self.quantifier(t.holds(signals) for t in self.triggers)

    def fills(self, signals: Signals) -> bool:
        return any(t.fills(signals) for t in self.triggers)

    def leaves(self) -> Iterator[Trigger]:
        for trigger in self.triggers:
            yield from trigger.leaves()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "triggers": [t.to_json() for t in self.triggers]}

    def __invert__(self) -> Trigger:
        # Not `super()`: a dataclass with slots is another class than the one whose body this is.
        return Not(self) if self.is_state else Trigger.__invert__(self)

    def __str__(self) -> str:
        # & binds tighter than |, so only an | inside an & needs them.
        parts = (f"({t})" if isinstance(t, Or) else str(t) for t in self.triggers)
        return f" {self.operator} ".join(parts)


@dataclass(frozen=True, slots=True)
class And(_Combined):
    """True while each of ``triggers`` is."""

    kind = "and"
    operator = "&"

    @staticmethod
    def quantifier(answers: Iterable[bool]) -> bool:
        return all(answers)


@dataclass(frozen=True, slots=True)
class Or(_Combined):
    """True while one of ``triggers`` is."""

    kind = "or"
    operator = "|"

    @staticmethod
    def quantifier(answers: Iterable[bool]) -> bool:
        return any(answers)


def on_update(*assets: object, all: bool = False) -> OnUpdate:  # the word people expect here
    """Run when one of ``assets`` (keys, sources, @asset functions) is updated; without any, when a consumed one is.
    With ``all``, when each of them was since the last run."""
    return OnUpdate(tuple(key_of(a) for a in assets), all)


def on_cron(expression: str, timezone: str = "UTC") -> OnCron:
    """Run at the ticks of a cron expression (minute, hour, day of the month, month, day of the week), read by the
    clocks of ``timezone``: with what differs then, and not at all when nothing does.

    Ticks that were missed are made up for by one run. A workflow without inputs runs at each tick. One with partitions
    but without partitioned inputs runs at a tick for the day that its clock shows then, or for each of its ``Static``
    keys. Raises DeclarationError for an expression that can not be read or never ticks, and for an unknown timezone.
    """
    return OnCron(expression, timezone)


def missing(*assets: object) -> Missing:
    """A state: one of ``assets``, or without any of what the workflow itself makes, has no version in this partition.

    By itself it runs what was never made, for partitions too that were there before the workflow.
    """
    return Missing(tuple(key_of(a) for a in assets))


def manual() -> Manual:
    """Run only when somebody asks."""
    return Manual()


_FIELDS: dict[str, dict[str, Kinds]] = {
    "on_update": {"kind": TEXT, "assets": LIST, "all": (bool,)},
    "on_cron": {"kind": TEXT, "expression": TEXT, "timezone": TEXT},
    "missing": {"kind": TEXT, "assets": LIST},
    "manual": {"kind": TEXT},
    "not": {"kind": TEXT, "trigger": OBJECT},
    "and": {"kind": TEXT, "triggers": LIST},
    "or": {"kind": TEXT, "triggers": LIST},
}


def trigger_from_json(body: dict[str, Any], depth: int = 0) -> Trigger:
    """Reads what ``to_json`` wrote; raises DeclarationError for what this version does not know."""
    if depth > DEEPEST:
        raise DeclarationError(f"a trigger is nested deeper than {DEEPEST} levels; write fewer parentheses")
    kind = body.get("kind")
    if isinstance(kind, str) and kind in _FIELDS:
        judge(body, _FIELDS[kind], "the trigger")
    match kind:
        case "on_update":
            return on_update(*body["assets"], all=body.get("all", False))
        case "on_cron":
            return on_cron(body["expression"], body["timezone"])
        case "missing":
            return missing(*body["assets"])
        case "manual":
            return manual()
        case "not":
            return Not(trigger_from_json(body["trigger"], depth + 1))
        case "and" | "or" as kind:
            parts = tuple(_operand(kind, None, trigger_from_json(t, depth + 1)) for t in body["triggers"])
            if not parts:
                raise DeclarationError(f"a trigger of kind {kind!r} combines nothing; name what it combines")
            return And(parts) if kind == "and" else Or(parts)
        case other:
            raise DeclarationError(f"unknown trigger {other!r}; use the same version of riparian on both sides")


def _combined(kind: type[And] | type[Or], left: Trigger, right: object) -> Trigger:
    both = kind((_operand(kind.operator, right, left), _operand(kind.operator, left, right)))
    return both.triggers[0] if len(both.triggers) == 1 else both


def _operand(operator: str, other: object, value: object) -> Trigger:
    """Returns ``value`` if it can be combined; ``other`` is what it is combined with."""
    if isinstance(value, Manual):
        raise DeclarationError(
            "manual() can not be combined: a request runs every workflow, whatever its trigger; leave manual() out"
        )
    if isinstance(value, Trigger):
        return value
    name = getattr(value, "__name__", "")
    if name in ("on_update", "on_cron", "missing", "manual"):
        raise DeclarationError(f"{other} {operator} {name}: it is not called; write {name}(…)")
    raise DeclarationError(f"{other} {operator} {value!r}: that is no trigger; write on_update(…) around an asset")


def _quoted(text: str) -> str:
    return f'"{text}"'
