"""What do the REST answers and bodies look like? The contract that the OpenAPI page shows.

Answers are what the view gives, with its names. A value is null where the caller may not know it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

Item = TypeVar("Item")

RunState = Literal["queued", "running", "succeeded", "failed", "superseded", "cancelled"]
FileState = Literal["settling", "ready", "ingesting", "committed", "quarantined", "unmatched", "superseded", "vanished"]

PrincipalName = Annotated[str, Field(pattern="^[a-z][a-z0-9_.-]*$")]
PolicyName = Annotated[str, Field(pattern="^[A-Za-z0-9_.@:/-]{1,200}$")]

MOST_DEPTH = 64
"""How deep a body may be nested. Nothing of ours comes near, and deeper ones exhaust who reads them."""


class Body(BaseModel):
    """What a caller sends. A field that nobody reads is a mistake of the caller."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, body: Any) -> Any:
        """JSON can write half a character, and nest without end; no catalogue keeps the one, no reader the other."""
        level, depth = [body], 0
        while level:
            if depth > MOST_DEPTH:
                raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels; flatten it")
            if not all(_is_text(value) for value in level if isinstance(value, str)):
                raise ValueError("it holds half a character (a lone surrogate), which is no text; leave it out")
            level = [inner for value in level if isinstance(value, (dict, list)) for inner in _inside(value)]
            depth += 1
        return body


def _inside(value: dict[Any, Any] | list[Any]) -> Iterable[Any]:
    return (*value.keys(), *value.values()) if isinstance(value, dict) else value


def _is_text(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


class ProblemItem(BaseModel):
    code: str
    message: str
    remedy: str
    file: str | None = None
    line: int | None = None


class ProblemOut(BaseModel):
    """RFC 9457. ``code`` is for programs, ``detail`` for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    problems: list[ProblemItem] = []


class PageOut(BaseModel, Generic[Item]):
    """A piece of a list. Send ``next`` as ``cursor`` for what follows; null: nothing does."""

    items: list[Item]
    next: str | None


class VersionOut(BaseModel):
    id: str
    asset: str
    partition: str
    run: str
    committed_at: datetime
    state: str
    head: bool
    readable: bool
    format: str | None
    digest: str | None
    rows: int | None
    bytes: int | None
    bundle: str | None
    file: str | None


class VersionDetail(VersionOut):
    columns: Any = Field(alias="schema", description="Of a table: its columns.")


class AssetOut(BaseModel):
    key: str
    kind: str
    project: str
    owner: str
    description: str
    format: str | None
    partitions: dict[str, Any] | None
    producer: str | None
    location: str | None
    status: str
    readable: bool
    heads: int
    newest: VersionOut | None
    removed_at: datetime | None


class Neighbour(BaseModel):
    asset: str | None
    id: str
    restricted: bool
    mapping: str | None


class ParameterOut(BaseModel):
    name: str
    type: Literal["int", "float", "str", "bool", "date"]
    default: Any = Field(description="What holds where nothing is given; a date as its text.")


class AssetDetail(AssetOut):
    consumes: list[Neighbour]
    consumed_by: list[Neighbour]
    trigger: dict[str, Any] | None
    parameters: list[ParameterOut] = Field(description="What may be given to who asks for it.")
    columns: Any = Field(alias="schema", description="Of a table: the columns of its newest version.")


class LineageOut(BaseModel):
    """Nodes and edges. A node that the caller may not know of keeps its place and loses its name. Without a root there
    was no version to begin at, or none that the caller may know of."""

    level: str
    roots: list[str]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, str]]
    truncated: bool
    left_out: int = Field(description="Neighbours that the limit kept out.")


class PolicyOut(BaseModel):
    asset: str
    owner: str
    yours: bool
    declared: dict[str, Any] | None
    overlay: dict[str, Any] | None
    pending: dict[str, Any] | None
    effective: dict[str, Any] | None
    taken_from: str = Field(alias="from", description="Where the origins come from: heads or declarations.")
    origins: list[dict[str, Any]]
    readable: bool
    words: str
    readers: list[str] | None
    removed_at: datetime | None


class PolicyBody(Body):
    """Readers as clauses: of each inner list the caller must match one name; [] is everyone, [[]] is nobody."""

    readers: list[list[PolicyName]] = []
    tags: list[PolicyName] = []
    expires: datetime | None = None
    isolation: Literal[0, 1, 2] = 0


class RunOut(BaseModel):
    id: str
    workflow: str
    partition: str
    kind: str
    state: str
    readable: bool
    makes: list[str]
    cause: str
    cause_kind: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    error: str | None
    params: dict[str, Any] | None
    waits: str | None = Field(description="Of a run that has no place yet: the limit that is full.")


class AttemptOut(BaseModel):
    epoch: int
    number: int
    outcome: str | None
    leased_at: datetime
    ended_at: datetime | None
    seconds: float | None
    error: str | None
    log_bytes: int | None


class ResultOut(BaseModel):
    """What a step made for other steps of its run; it is no asset."""

    format: str
    rows: int | None
    bytes: int


class StepOut(BaseModel):
    id: str
    task: str
    map_index: int | None = Field(description="Of a mapped task: which item.")
    state: str
    reason: str | None = Field(description="Why it was skipped.")
    pool: str
    result: ResultOut | None
    attempts: list[AttemptOut]


class StepCount(BaseModel):
    task: str
    state: str
    steps: int


class FoundOut(BaseModel):
    """What a check found in one version."""

    passed: bool
    blocked: bool = Field(description="It did not pass, and so the version never became the head.")
    metadata: dict[str, Any]
    description: str
    partition: str
    version: str
    run: str
    checked_at: datetime


class FoundInRun(FoundOut):
    asset: str
    check: str


class FoundLast(FoundOut):
    head: bool = Field(description="The version is the current one of its partition.")


class CheckOut(BaseModel):
    name: str
    blocking: bool
    description: str
    result: FoundLast | None = Field(description="What it found last; null: it looked at nothing yet.")


class ChecksOut(BaseModel):
    asset: str
    partition: str | None
    checks: list[CheckOut]


class RunDetail(RunOut):
    bundle: str | None
    definition: int
    steps: list[StepOut] = Field(description="Of very many 500, those that failed before all others.")
    steps_left_out: int = Field(description="Steps that are not listed.")
    step_counts: list[StepCount]
    steps_withheld: bool = Field(
        description="The data decides which steps run, or how many, and you may not read it: none is told of."
    )
    pins: list[dict[str, Any]]
    outputs: list[VersionOut]
    checks: list[FoundInRun] = Field(description="What checks found in what it made.")


class TriggerOut(BaseModel):
    """A part of a trigger: what people type, whether it is true (``holds``) and why.

    ``since`` is the time of what makes it so, null where that is not known, or of what is not yours to see; ``until``
    when time alone will make it true.
    """

    kind: str
    label: str
    text: str
    holds: bool
    since: datetime | None
    until: datetime | None
    words: str
    parts: list[TriggerOut]


class WhyOut(BaseModel):
    """What the planner says now (``code``, ``words``), what it noted last and since when, and how each part of the
    trigger stands; a source has none."""

    asset: str
    partition: str
    workflow: str
    code: str
    words: str
    noted: str | None
    since: datetime | None
    trigger: TriggerOut | None
    runs: list[RunOut]


class PreviewOut(BaseModel):
    """The first rows. A value that is no table is shown as one."""

    asset: str
    partition: str
    version: str
    format: str
    total_rows: int | None
    columns: list[str]
    types: list[str]
    rows: list[list[Any]]


class FileOut(BaseModel):
    source: str
    path: str
    partition: str | None
    state: str
    reason: str
    size: int | None
    seen_at: datetime
    changed_at: datetime
    run: str | None
    version: str | None


class MaterializeBody(Body):
    partition: str = ""
    params: dict[str, Any] = {}


class EventBody(Body):
    """An update of a source that others made. ``value`` is at most 16 KiB as JSON; ``digest`` stands for content that
    lies elsewhere. To send the same ``id`` again within a partition changes nothing; in another partition it is another
    update."""

    id: str | None = Field(default=None, min_length=1, max_length=200)
    partition: str = ""
    value: Any = None
    digest: str | None = Field(default=None, min_length=1, max_length=200)


class EventOut(BaseModel):
    run: str
    version: str
    repeated: bool = Field(description="It was known already in this partition, and nothing changed.")


class AskedOut(BaseModel):
    """The planned run; null when it starts later, for the reason in ``words``."""

    run: str | None
    words: str


class BackfillBody(Body):
    """Which partitions of an asset to make. Null ends are the first and the last that there are."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    asset: str
    first: str | None = Field(default=None, alias="from")
    last: str | None = Field(default=None, alias="to")
    only: Literal["missing", "stale", "all"] = Field(
        default="missing", description="What was never made, also what is not fresh, or everything."
    )
    propagate: bool = Field(default=True, description="Whether what depends on it runs too.")


class BackfillState(BaseModel):
    """Partitions that stand alike, and whether they would be made."""

    state: Literal["missing", "code", "parameters", "input", "fresh", "no_input"]
    made: bool
    count: int
    first: str
    last: str


class BackfillPreview(BaseModel):
    """What would be made and why. ``seconds`` is an estimate by the median of the last ``of_runs`` runs, null without
    one; ``truncated``: there are more partitions than were looked at."""

    asset: str
    workflow: str
    first: str | None = Field(alias="from")
    last: str | None = Field(alias="to")
    only: str
    makes: int
    skips: int
    truncated: bool
    states: list[BackfillState]
    seconds: float | None
    of_runs: int
    at_once: int


class BackfillOut(BaseModel):
    """How far it is, in partitions. ``skipped`` needed no run or can have none; ``waiting`` are asked for and behind
    another run; ``left`` are still to be looked at (``truncated``: or more)."""

    id: str
    asset: str
    workflow: str
    first: str | None = Field(alias="from")
    last: str | None = Field(alias="to")
    only: str
    propagate: bool
    state: Literal["running", "paused", "cancelled", "done"]
    words: str
    by: str
    created_at: datetime
    ended_at: datetime | None
    made: int
    failed: int
    skipped: int
    running: int
    queued: int
    waiting: int
    left: int
    truncated: bool


class BackfillFailure(BaseModel):
    partition: str
    run: str | None


class BackfillDetail(BackfillOut):
    failures: list[BackfillFailure] = Field(description="The first hundred.")


class KeysBody(Body):
    keys: list[Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]] = Field(max_length=10_000)


class KeysOut(BaseModel):
    """What changed: the ``keys`` that were added, or taken out. The others were so already."""

    name: str
    project: str
    keys: list[str]


class DimensionOut(BaseModel):
    """``keys`` and ``assets`` are those that you may know of."""

    name: str
    project: str
    keys: int = Field(description="How many there are.")
    assets: list[str] = Field(description="What is partitioned by them.")


class KeyOut(BaseModel):
    """``added_by`` and ``removed_by`` name a person or, where data brought the key, a workflow or a source."""

    key: str
    added_at: datetime
    added_by: str
    removed_at: datetime | None
    removed_by: str | None


class DefinitionOut(BaseModel):
    project: str
    seq: int
    bundle: str
    applied_by: str
    applied_at: datetime


class ApplyBody(Body):
    """``manifest`` is the text that `riparian apply` writes, ``bundle`` the zip of the code that it describes."""

    manifest: str
    bundle: Base64Bytes
    rebuild: Literal["none", "latest", "all"] = "none"


class AppliedOut(BaseModel):
    definition: int
    bundle: str
    added: list[str]
    changed: list[str]
    removed: list[str]
    pending: list[str] = Field(description="Assets whose policy was loosened; each waits for its owner.")
    planned: int = Field(description="So many runs were planned at once.")


class PlanBody(Body):
    """``manifest`` is the text that `riparian apply` writes; the code itself is not needed."""

    manifest: str
    rebuild: Literal["none", "latest", "all"] = "none"
    limit: int = Field(default=100, ge=1, le=500, description="At most so many items in a list.")


class PlannedRun(BaseModel):
    workflow: str
    partition: str
    cause: str
    state: Literal["queued", "held"] = Field(description="Held: it runs when what it waits for has ended.")
    words: str


class StaleOut(BaseModel):
    workflow: str
    partition: str
    code: str
    why: str


class ChangeOut(BaseModel):
    """One thing that an edit changes: code, composition, parameters, inputs, output, partitions, trigger, retry,
    timeout, policy or arrival."""

    what: str
    words: str
    stale: bool = Field(description="What was made before is not what would be made now.")


class EditOut(BaseModel):
    """A workflow or a source that stays declared and changes, or is stale since an earlier edit (then without
    changes)."""

    key: str
    kind: Literal["workflow", "source"]
    changes: list[ChangeOut]
    stale: int = Field(description="So many partitions were made, or are being made, by other declarations.")
    first: str | None
    last: str | None
    former: int = Field(description="So many were made that are no partitions any more; they stay readable.")
    runs: int = Field(description="So many runs this apply would plan.")
    latest: int = Field(description="So many stale partitions `rebuild=latest` would make anew.")
    all: int = Field(description="So many stale partitions `rebuild=all` would make anew.")
    why: str = Field(description="Why the newest of those that stay stale does not run.")


class ShiftOut(BaseModel):
    """Who may read before and after, in words (null: restricted by what is not yours to see), and the people who gain
    or lose it: everyone for who administers principals, else only you."""

    before: str | None
    after: str | None
    gain: list[str]
    lose: list[str]


class AccessOut(BaseModel):
    """Whose right to read an asset moves. Versions keep their origins: a policy acts on those that there are, other
    inputs only on those that are made from now on."""

    asset: str
    heads: ShiftOut | None = Field(description="Of the current versions, at once.")
    coming: ShiftOut | None = Field(description="Of what is made from now on.")
    approved: ShiftOut | None = Field(description="Once the owners approve what is looser.")


class PreviewedOut(BaseModel):
    """What an apply would do. With ``problems`` it would be refused, and the rest is empty."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    pending: list[str] = Field(description="Assets whose policy would be loosened; each waits for its owner.")
    code: bool = Field(description="Later runs would execute other files; runs that are planned keep theirs.")
    edits: list[EditOut]
    edits_left_out: int
    runs: list[PlannedRun]
    runs_left_out: int
    truncated: bool = Field(description="There would be more runs than were looked for.")
    follow: list[str] = Field(description="Workflows below the runs, which run too if these make something else.")
    follow_left_out: int
    access: list[AccessOut]
    access_truncated: bool = Field(description="More assets may be concerned.")
    stale: list[StaleOut] = Field(description="Made by other code, and not run by this apply; newest first.")
    stale_left_out: int
    stale_counts: dict[str, int] = Field(description="How many partitions of each workflow are stale.")
    problems: list[ProblemItem]


class PendingOut(BaseModel):
    """One workflow partition: its run waits for a worker (``queued``), it waits for another's run (``held``), or for
    something else (``waiting``), as ``words`` say."""

    workflow: str
    partition: str
    state: Literal["queued", "held", "waiting"]
    run: str | None
    cause: str | None
    params: dict[str, Any] | None
    code: str | None
    words: str
    since: datetime | None


class TokenBody(Body):
    name: PrincipalName
    groups: list[PrincipalName] = []
    clear: list[PrincipalName] = Field(default=[], description="Tags that they are cleared for.")
    kind: Literal["user", "worker"] = "user"
    expires_seconds: float | None = Field(default=None, gt=0, le=100 * 365 * 86_400)


class TokenOut(BaseModel):
    """The token is shown this once; it is kept nowhere."""

    id: str
    name: str
    token: str


class HealthOut(BaseModel):
    status: Literal["ok", "trouble"]
    version: str
    problems: list[str] | None = Field(default=None, description="In words; for owners only.")
