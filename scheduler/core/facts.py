"""What does the planner look at, and what does it answer? Plain values; somebody else loads and writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from riparian.assets.manifest import WorkflowSpec
from riparian.assets.parameters import effective
from riparian.assets.partitions import EVERYTHING, Keys
from riparian.assets.schedules import local
from riparian.assets.triggers import OnCron
from riparian.scheduler.core.graph import Edge

Target = tuple[str, str]
"""A workflow's key and a partition."""


@dataclass(frozen=True, slots=True)
class Level:
    """How an asset partition (or a set of them) stands: the seq of its last move, its content and its origins.

    ``news`` is the seq of its last move that others are to run for, ``current`` of the last by a run of today's class;
    where they are left out it was that same move.
    """

    seq: int
    digest: str
    origins: tuple[str, ...]
    version: str | None = None
    news: int | None = None
    current: int | None = None

    @property
    def told(self) -> int:
        """The seq of its last move that others are to run for."""
        return self.seq if self.news is None else self.news

    @property
    def told_today(self) -> int:
        """The seq of its last move by a run of today's class."""
        return self.seq if self.current is None else self.current

    def differs(self, other: Level) -> bool:
        """Whether a consumer of ``other`` would get something else now."""
        return (self.digest, self.origins) != (other.digest, other.origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run exists. ``kind`` is update (``body``: seqs by asset, adopted, and the ticks of the schedules that
    were due, by name, in UTC microseconds), tick (ticks alone; late: they are made up for), missing (what is
    missing, seqs, adopted), request (id, by, params), rerun (of, id, by, params), backfill (id, ask: how often it
    asked, by, only, propagate), fingerprint (of the code, definition; edited: its inputs, not the code), adopted,
    file (path, fingerprint, seq) or event (id, by).
    """

    kind: str
    body: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps({"kind": self.kind, **self.body}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Cause:
        body = json.loads(text)
        return cls(kind=body.pop("kind"), body=body)

    @property
    def is_asked(self) -> bool:
        """Whether a person asked for just this run."""
        return self.kind in ("request", "rerun")

    @property
    def words(self) -> str:
        match self.kind:
            case "update":
                return " and ".join([f"{updated(self.body['seqs'])} updated", *_due(self.body)])
            case "tick":
                return " and ".join(_due(self.body))
            case "missing":
                *rest, last = self.body["missing"]
                return f"{', '.join(rest)} and {last} have no version" if rest else f"{last} has no version"
            case "request":
                return f"{self.body['by']} asked for it"
            case "rerun":
                how = "to go on from where it failed" if self.body.get("from_failed") else "to run it again"
                return f"{self.body['by']} asked {how} (as {self.body['of']})"
            case "backfill":
                alone = "" if self.body["propagate"] else ", which nothing is to follow"
                return f"{self.body['by']} asked for a backfill{alone}"
            case "event":
                return f"{self.body['by']} reported an update"
            case "fingerprint":
                return f"its {self.body.get('edited', 'code')} changed and a rebuild was asked for"
            case "adopted":
                return "it is new and needs no input"
            case "file":
                return f"the file {self.body['path']} arrived"
            case other:
                return other


def trigger_key(workflow: str, partition: str, cause: Cause) -> str:
    """Returns the key that makes a run unique for its cause."""
    return hashlib.sha256("\n".join((workflow, partition, cause.to_json())).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Of the partitions that an input means, ``have`` have a version and ``need`` of them must; ``some`` that have none
    are named where they can be."""

    have: int
    need: int
    of: int
    some: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """One input of one workflow partition: how it stands, and how it stood when it was last consumed. ``keys`` are the
    asset's partitions that are meant, and ``lack`` what is missing of a set of them, so that ``now`` is None."""

    edge: Edge
    now: Level | None
    then: Level | None
    keys: Keys = ()
    lack: Lack | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a schedule of the trigger stands: the latest ``tick`` that rang, the seq of that moment, and when the next
    one is due. Ticks up to ``since`` are history. Instants are UTC microseconds."""

    cron: OnCron
    since: int
    tick: int
    seq: int
    next_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When what the trigger asks about happened, in UTC microseconds; what is not there is not known. Of each asset
    with news: its ``first`` update that no run has answered, the first ``untried`` since a run failed, and its
    ``last``. ``answered`` says when a run answered assets and schedules, ``created`` when the last run was planned,
    ``took`` how long the last success needed."""

    first: Mapping[str, int] = field(default_factory=dict)
    untried: Mapping[str, int] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    created: int | None = None
    took: int = 0


CLOCK = "@clock"
"""The blocker of who waits for a tick of its own schedule; the blocker's partition is the workflow's key."""


ANY = EVERYTHING.hi
"""The partition of a blocker of which every partition may be what is waited for."""


PLANNER = "@planner"
"""The blocker of what the planner failed at; no workflow has this key. The blocker's partition is empty or, of a mark
of many partitions that could not be read, their end."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A workflow partition whose unfinished or failed run may still change an input; or the clock. ``check`` is the
    full name of the check that ended the run."""

    workflow: str
    partition: str
    failed: bool
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The run of this workflow partition that is not at its end. ``asked``: somebody asked for just this run.
    ``backfill`` is its cause where it is a backfill's."""

    run: str
    trigger_key: str
    granted: bool
    asked: bool = False
    backfill: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides whether one workflow partition runs. ``baseline`` is the seq up to which news is history,
    ``adopted`` when the workflow was declared, which tells its causes from those of an earlier one of its name;
    ``missing`` are those assets without a version that the trigger asks for, ``unchecked`` those whose checks it asks
    for and that have not all passed, with the reason. ``consumed_fingerprint`` is None when no run ever succeeded;
    ``attempted`` is the seq at which the inputs of a run that failed, ``timed_out`` or was ``cancelled`` were pinned,
    None when the last run succeeded; ``stopped_by`` is the check that ended it. Ticks are by schedule: the last
    answered, or tried. ``moments`` are looked up where the trigger asks for them."""

    workflow: WorkflowSpec
    partition: str
    inputs: tuple[InputFacts, ...]
    baseline: int
    adopted: int = 0
    schedules: tuple[Schedule, ...] = ()
    missing: frozenset[str] = frozenset()
    unchecked: Mapping[str, str] = field(default_factory=dict)
    stopped_by: str = ""
    consumed_fingerprint: str | None = None
    consumed_inputs: frozenset[str] = frozenset()
    consumed_params: str = "{}"
    consumed_ticks: Mapping[str, int] = field(default_factory=dict)
    attempted: int | None = None
    attempted_ticks: Mapping[str, int] = field(default_factory=dict)
    cancelled: bool = False
    timed_out: bool = False
    unfinished: Unfinished | None = None
    blocker: Blocker | None = None
    ask: Cause | None = None
    now: int = 0
    moments: Moments = field(default_factory=Moments)

    @property
    def reads(self) -> bool:
        """Whether the workflow has an input at all."""
        return any(i.edge.input is not None for i in self.inputs)

    @property
    def is_of_own_parameters(self) -> bool:
        """Whether a person's parameters made what is there: what runs by itself has the defaults."""
        return bool(json.loads(self.consumed_params) != effective(self.workflow.parameters, {}))

    @property
    def has_partitioned_input(self) -> bool:
        """Whether an input says for which partitions it could run."""
        return any(i.edge.cuts for i in self.inputs)


class Action(Enum):
    """RUN plans a run; ADVANCE notes the news as consumed without one; HOLD waits for a blocker; NONE does nothing."""

    RUN = "run"
    ADVANCE = "advance"
    HOLD = "hold"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, with its reason as a stable ``code`` and in ``words``. ``ticks`` are those that ADVANCE answers;
    ``wake_at`` is when time alone may change the answer; ``late``: the run goes behind today's work."""

    action: Action
    code: str
    words: str
    cause: Cause | None = None
    blocker: Blocker | None = None
    supersedes: str | None = None
    ticks: Mapping[str, int] = field(default_factory=dict)
    wake_at: int | None = None
    late: bool = False


def due(schedule: str, tick: int) -> str:
    """Returns that the schedule of that name was due, with the time by its own clock."""
    zone = schedule.removesuffix(")").rpartition("(")[2]
    return f"the schedule {schedule} was due at {local(tick, zone):%Y-%m-%d %H:%M}"


def _due(body: Mapping[str, Any]) -> list[str]:
    return [due(name, tick) for name, tick in body.get("ticks", {}).items()]


def updated(names: Iterable[str]) -> str:
    """Returns the names as the beginning of a sentence: ``a was``, ``a and b were``."""
    *rest, last = sorted(names)
    return f"{', '.join(rest)} and {last} were" if rest else f"{last} was"
