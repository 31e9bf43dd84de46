"""What do a worker and the control plane say to each other?

Messages are frozen values; times are durations, never instants, so that no clock has to agree with another.
``exchange`` is the hot path: what was done goes in, its results and the next leases come back.
A worker sends the same ``request`` again until it is answered, and gets the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec

PROTOCOL_VERSION = 1

DEFAULT_POOL = "default"
"""The pool of a worker and of a step that name none."""

Epoch = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""No catalogue takes another number."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """POST sessions, with the worker's token. ``incarnation`` is new in every process; ``slots`` run at once."""

    protocol: int
    incarnation: str
    pool: str
    slots: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the worker needs to work: its secret (bearer of every later call), the store, and how often to call."""

    session: str
    secret: str
    storage_url: str
    heartbeat_seconds: float
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One granted version: where its objects lie and how to read them. ``partition`` is empty for a whole asset.

    ``content`` is the JSON text of a small value that lies in the metadata; then there are no ``objects``.
    ``file`` is the path of the file that an ingested version was copied from.
    """

    partition: str
    version: str
    format: str
    digest: str
    objects: tuple[StoredObject, ...] = ()
    content: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One committed object. ``name`` is relative to the store's root; ``identity`` pins what was committed
    (etag or version id, locally inode, size and ctime); ``sha256`` is of the stored bytes."""

    name: str
    size: int
    sha256: str
    identity: str
    cipher: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What one parameter receives: the value of its one piece, or of that the ``item`` of this number.

    With ``many`` the pieces are a set of partitions; with ``listed`` they are results, which come as a list.
    With ``none`` there are none, and the value is None. ``dimensions`` names those of the partitions, where there are
    several.
    """

    parameter: str
    asset: str
    type: str
    many: bool
    pieces: tuple[Piece, ...]
    listed: bool = False
    item: int | None = None
    none: bool = False
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where one produced asset is written. ``directory`` is this attempt's own, relative to the store's root."""

    asset: str
    partition: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The function to run, in the bundle of that digest."""

    bundle: str
    module: str
    qualname: str
    context: str | None
    returns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """A file to copy in place of a function to run. It must still have ``fingerprint`` after the copy."""

    path: str
    fingerprint: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on one step, at one epoch. Exactly one of ``entry`` and ``ingest`` is set.

    ``constants`` are the values of parameters that are written in the workflow itself, or that somebody gave; those
    named in ``dates`` are dates. ``dimensions`` are the names of the partition's dimensions.
    """

    step: str
    run: str
    workflow: str
    task: str
    epoch: int
    attempt: int
    secret: str
    partition: str
    seed: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    params: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    entry: Entry | None = None
    ingest: Ingest | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One output as it lies in the attempt's directory, or as ``content`` (JSON of at most CONTENT_LIMIT bytes).

    ``digest`` is of the plaintext's canonical form; ``rows`` counts the items of a JSON list too, None: there are none.
    """

    asset: str
    format: str
    digest: str
    rows: int | None
    bytes: int
    objects: tuple[StoredObject, ...] = ()
    content: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How one attempt ended.

    ``outcome`` is ``succeeded`` (then each of the lease's outputs is in ``outputs``, or its asset in ``unchanged``
    because the function returned NoUpdate for it), ``failed`` (the function raised,
    or an input could not be read; ``error`` is what a person should read), ``timed_out``, ``lost`` (its process died)
    or ``released`` (never started). ``retryable`` is false where another try must end the same way. ``raised`` are the
    names of what the function raised: the exception's class and those above it, with their modules. ``partitions`` are
    keys that a success adds when its run ends, by dimension.
    """

    step: str
    epoch: Epoch
    secret: str
    outcome: str
    bundle: str | None = None
    outputs: tuple[Written, ...] = ()
    unchanged: tuple[str, ...] = ()
    error: str | None = None
    retryable: bool = True
    raised: tuple[str, ...] = ()
    partitions: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """POST exchange. ``request`` rises with each new message; ``want`` is how many leases may be granted.

    Parked up to ``wait_ms`` when there are no reports and nothing is ready. ``bundles`` are those it holds warm."""

    session: str
    request: int
    reports: tuple[Report, ...] = ()
    want: int = 0
    wait_ms: int = 0
    bundles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to one report. ``status`` is 200 (recorded), 409 (fenced: the attempt was not this worker's any more;
    nothing of it is visible) or 422 (the report itself can not be accepted; the attempt was failed for ``reason``)."""

    step: str
    epoch: int
    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reply to an exchange: a result for each report, in order, and the granted leases."""

    results: tuple[Result, ...] = ()
    leases: tuple[Lease, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease that the worker believes to hold."""

    step: str
    epoch: Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """POST heartbeat, one for all leases of a worker."""

    session: str
    leases: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAnswer:
    """``revoked``: end these attempts, they are not yours any more."""

    revoked: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """RFC 9457, the body of every refusal."""

    type: str
    title: str
    status: int
    detail: str = ""


def encode(message: object) -> bytes:
    """Returns the message as JSON."""
    return msgspec.json.encode(message)


def written(value: object) -> str:
    """Returns a JSON value as text: without spaces, the fields of objects in order."""
    return msgspec.json.encode(value, order="sorted").decode()


def decode(body: bytes | str, kind: type[T]) -> T:
    """Reads a message; raises ``msgspec.ValidationError`` or ``msgspec.DecodeError`` that name the field."""
    return msgspec.json.decode(body, type=kind)


CONTENT_LIMIT = 16 * 1024
"""Bytes of JSON up to which a value travels in the report and lies in the metadata."""
