"""What is a trigger? The question that each kind answers, and the signals from which it does.

A kind is a frozen dataclass in a file of its own: what it is called in JSON (``kind``), the fields it has there, from
when on it holds, and how that is said. It is found through the table in ``kinds.py``, or by an entry point.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import Kinds
from riparian.assets.keys import AssetKey

if TYPE_CHECKING:
    from riparian.assets.triggers.on_cron import OnCron

NO_ASSETS: frozenset[AssetKey] = frozenset()

LONGEST_LABEL = 100
"""Characters of a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How things stand for one workflow partition: the assets with news, the schedules (by name) that are due, the
    assets without a version, those of which not all checks have passed; and which assets the workflow consumes and
    makes.

    The rest says when, in UTC microseconds. ``first``: since when there is news of an asset that no run has answered,
    or a schedule is due; ``untried``: the same of news since the last run that failed; ``last``: the newest update of
    each; ``rings``: the next tick of each schedule; ``answered``: when a run last answered each asset and schedule;
    ``created``: when the last run was planned; ``took``: how long the last success needed. What is not there is not
    known, or was not asked for.
    """

    now: int = 0
    updated: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    unchecked: frozenset[str] = frozenset()
    consumes: frozenset[str] = frozenset()
    makes: frozenset[str] = frozenset()
    first: Mapping[str, int] = field(default_factory=dict)
    untried: Mapping[str, int] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)
    rings: Mapping[str, int] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    created: int | None = None
    took: int = 0


class Trigger(ABC):
    """A question to the signals. Events (an update, a tick) are true until a run has answered them; states are true
    as long as they last; some become true by time alone."""

    __slots__ = ()

    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, Kinds]] = {}
    """What its JSON holds beside the kind."""

    of_updates: ClassVar[bool] = False
    """Whether updates of ``named``, or without any of what is consumed, are what it waits for."""

    timed: ClassVar[bool] = False
    """Whether it asks when something happened, which costs a look."""

    held_as: ClassVar[str] = ""
    """The reason's code while time alone is what it waits for."""

    @property
    def parts(self) -> tuple[Trigger, ...]:
        """The triggers that it is made of."""
        return ()

    @property
    def named(self) -> tuple[AssetKey, ...]:
        """The assets that itself names, not its parts."""
        return ()

    def nodes(self) -> Iterator[Trigger]:
        """Yields it and all that it is made of."""
        yield self
        for part in self.parts:
            yield from part.nodes()

    @property
    def assets(self) -> tuple[AssetKey, ...]:
        """The assets that it names."""
        if not self.parts:
            return tuple(dict.fromkeys(self.named))  # as are most, of which large projects ask this many times
        return tuple(dict.fromkeys(a for node in self.nodes() for a in node.named))

    @property
    def schedules(self) -> tuple[OnCron, ...]:
        """The schedules that it names."""
        return tuple(dict.fromkeys(s for part in self.parts for s in part.schedules)) if self.parts else ()

    @property
    def by_update(self) -> bool:
        """Whether updates, and time that passes after them, can make it true without a tick or a person."""
        return False

    @property
    def is_state(self) -> bool:
        """Whether ``~`` may stand before it."""
        return False

    @property
    def is_manual(self) -> bool:
        """Whether nothing but a request runs the workflow."""
        return False

    @property
    def is_timed(self) -> bool:
        """Whether anything in it asks when something happened."""
        return any(node.timed for node in self.nodes()) if self.parts else self.timed

    def watches(self, asset: AssetKey, *, consumed: bool = True) -> bool:
        """Whether an update of ``asset``, which the workflow consumes or else only names, can help to make it true."""
        return any(n.of_updates and (asset in n.named or (consumed and not n.named)) for n in self.nodes())

    def absences(self, makes: Iterable[AssetKey]) -> frozenset[AssetKey]:
        """Returns the assets that it asks to be missing, or not to be, for a workflow that makes ``makes``."""
        if not self.parts:
            return NO_ASSETS
        makes = tuple(makes)
        return frozenset(a for part in self.parts for a in part.absences(makes))

    def checked(self, consumes: Iterable[AssetKey]) -> frozenset[AssetKey]:
        """Returns the assets whose checks it asks for, in a workflow that consumes ``consumes``."""
        if not self.parts:
            return NO_ASSETS
        consumes = tuple(consumes)
        return frozenset(a for part in self.parts for a in part.checked(consumes))

    @abstractmethod
    def when(self, signals: Signals) -> int | None:
        """Returns from which instant on it holds if nothing more happens, past or to come; 0 where it holds and nobody
        knows since when, None when only an event could make it true."""

    def holds(self, signals: Signals) -> bool:
        """Whether it is true, as things stand."""
        at = self.when(signals)
        return at is not None and at <= signals.now

    def waits(self, signals: Signals) -> Trigger:
        """Returns the part whose time decides, of a trigger that time alone will make true."""
        return self

    def fills(self, signals: Signals) -> bool:
        """Whether something is missing that it wants made: that asks for what nothing else asks for."""
        return any(part.fills(signals) for part in self.parts)

    def since(self, signals: Signals) -> int | None:
        """Returns since when it is true, or is not, by what makes it so now; None where that is not known."""
        return (self.when(signals) or None) if self.holds(signals) else None

    @abstractmethod
    def words(self, signals: Signals) -> str:
        """Returns what makes it true, or what it waits for, as part of a sentence."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Returns what ``trigger_from_json`` reads."""

    @classmethod
    @abstractmethod
    def from_json(cls, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Trigger]) -> Trigger:
        """Reads what ``to_json`` wrote, of fields that are of the right types; ``read`` reads the triggers in it."""

    # Imported in the functions: what triggers are combined by are triggers themselves.

    def label(self, label: str) -> Trigger:
        """Returns the same trigger under a name that explanations show, such as ``"month end"``."""
        from riparian.assets.triggers.labelled import Labelled

        return Labelled(self.parts[0] if isinstance(self, Labelled) else self, label)

    def debounce(self, quiet: object, *, at_most: object = None) -> Trigger:
        """Returns a trigger that holds once no update of what this one waits for has come for ``quiet`` (``"5m"``),
        and at the latest ``at_most`` (ten times as long, where it is not said) after the first one that waits."""
        from riparian.assets.triggers.debounced import debounced

        return debounced(self, quiet, at_most)

    def not_more_often_than(self, span: object) -> Trigger:
        """Returns a trigger that holds while this one does and the last run was planned at least ``span`` ago."""
        from riparian.assets.triggers.limited import not_more_often_than

        return self & not_more_often_than(span)

    def __and__(self, other: object) -> Trigger:
        from riparian.assets.triggers.combined import And, combined

        return combined(And, self, other)

    def __or__(self, other: object) -> Trigger:
        from riparian.assets.triggers.combined import Or, combined

        return combined(Or, self, other)

    # What is on the left then is no trigger, and is told so.

    def __rand__(self, other: object) -> Trigger:
        return self & other

    def __ror__(self, other: object) -> Trigger:
        return self | other

    def __invert__(self) -> Trigger:
        from riparian.assets.triggers.negated import Not

        return Not(self)

    def __bool__(self) -> bool:
        raise DeclarationError(
            f"the trigger {self} was asked whether it is true, by `and`, `or`, `not` or `if`; "
            "combine triggers with & and |, and negate states with ~"
        )


def quoted(text: str) -> str:
    return f'"{text}"'


def listed(names: Iterable[str]) -> str:
    """Returns the names for a sentence: ``a``, ``a and b``."""
    *rest, last = sorted(names)
    return f"{', '.join(rest)} and {last}" if rest else last
