"""What does the planner look at, and what does it answer? Plain values; somebody else loads and writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from riparian.assets.manifest import WorkflowSpec
from riparian.scheduler.core.graph import Edge


@dataclass(frozen=True, slots=True)
class Level:
    """How an asset partition (or a set of them) stands: the seq of its last move, its content and its origins."""

    seq: int
    digest: str
    origins: tuple[str, ...]
    version: str | None = None

    def differs(self, other: Level) -> bool:
        """Whether a consumer of ``other`` would get something else now."""
        return (self.digest, self.origins) != (other.digest, other.origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run exists. ``kind`` is update (``body``: seqs by asset, adopted), request (id, by, params), fingerprint
    (of the code, definition), adopted or file (path, fingerprint, seq)."""

    kind: str
    body: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps({"kind": self.kind, **self.body}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Cause:
        body = json.loads(text)
        return cls(kind=body.pop("kind"), body=body)

    @property
    def words(self) -> str:
        match self.kind:
            case "update":
                return f"{updated(self.body['seqs'])} updated"
            case "request":
                return f"{self.body['by']} asked for it"
            case "fingerprint":
                return "its code changed and a rebuild was asked for"
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
class InputFacts:
    """One input of one workflow partition: how it stands, and how it stood when it was last consumed."""

    edge: Edge
    now: Level | None
    then: Level | None


@dataclass(frozen=True, slots=True)
class Blocker:
    """A workflow partition whose unfinished or failed run may still change an input."""

    workflow: str
    partition: str
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The run of this workflow partition that is not at its end. ``asked``: somebody asked for just this run."""

    run: str
    trigger_key: str
    granted: bool
    asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides whether one workflow partition runs. ``baseline`` is the seq up to which news is history,
    ``adopted`` when the workflow was declared, which tells its causes from those of an earlier one of its name;
    ``consumed_fingerprint`` is None when no run ever succeeded; ``attempted`` is the seq at which a failed run's
    inputs were pinned, None when the last run succeeded."""

    workflow: WorkflowSpec
    partition: str
    inputs: tuple[InputFacts, ...]
    baseline: int
    adopted: int = 0
    consumed_fingerprint: str | None = None
    consumed_inputs: frozenset[str] = frozenset()
    consumed_params: str = "{}"
    attempted: int | None = None
    unfinished: Unfinished | None = None
    blocker: Blocker | None = None
    ask: Cause | None = None


class Action(Enum):
    """RUN plans a run; ADVANCE notes the news as consumed without one; HOLD waits for a blocker; NONE does nothing."""

    RUN = "run"
    ADVANCE = "advance"
    HOLD = "hold"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, with its reason as a stable ``code`` and in ``words``."""

    action: Action
    code: str
    words: str
    cause: Cause | None = None
    blocker: Blocker | None = None
    supersedes: str | None = None


def updated(names: Iterable[str]) -> str:
    """Returns the names as the beginning of a sentence: ``a was``, ``a and b were``."""
    *rest, last = sorted(names)
    return f"{', '.join(rest)} and {last} were" if rest else f"{last} was"
