"""What do the REST answers and bodies look like? The contract that the OpenAPI page shows.

Answers are what the view gives, with its names. A value is null where the caller may not know it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

Item = TypeVar("Item")

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


class AssetDetail(AssetOut):
    consumes: list[Neighbour]
    consumed_by: list[Neighbour]
    trigger: dict[str, Any] | None
    columns: Any = Field(alias="schema", description="Of a table: the columns of its newest version.")


class LineageOut(BaseModel):
    """Nodes and edges. A node that the caller may not know of keeps its place and loses its name."""

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

    readers: list[list[str]] = []
    tags: list[str] = []
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


class RunDetail(RunOut):
    bundle: str | None
    definition: int
    steps: list[dict[str, Any]]
    pins: list[dict[str, Any]]
    outputs: list[VersionOut]


class WhyOut(BaseModel):
    """What the planner says now (``code``, ``words``), and what it noted last and since when."""

    asset: str
    partition: str
    workflow: str
    code: str
    words: str
    noted: str | None
    since: datetime | None
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


class AskedOut(BaseModel):
    """The planned run; null when it starts later, for the reason in ``words``."""

    run: str | None
    words: str


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


class TokenBody(Body):
    name: str
    groups: list[str] = []
    clear: list[str] = Field(default=[], description="Tags that they are cleared for.")
    kind: Literal["user", "worker"] = "user"
    expires_seconds: float | None = Field(default=None, gt=0)


class TokenOut(BaseModel):
    """The token is shown this once; it is kept nowhere."""

    id: str
    name: str
    token: str


class HealthOut(BaseModel):
    status: Literal["ok", "trouble"]
    version: str
    problems: list[str] | None = Field(default=None, description="In words; for owners only.")
