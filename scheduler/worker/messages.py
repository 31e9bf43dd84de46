"""What do supervisor, zygote and child say to each other over their sockets?

Supervisor and zygote share a socket that keeps message boundaries: a ``Start`` comes with one end of a new attempt's
socket. Supervisor and child share that attempt's socket, one JSON message a line.
"""

from __future__ import annotations

import msgspec

from riparian.scheduler.core.protocol import Lease, Written


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Supervisor to zygote: fork a child for the socket that comes with this message."""

    child: int


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Supervisor to zygote: end the child and all its descendants now, if it still is your child."""

    child: int


class Born(msgspec.Struct, frozen=True, tag="born"):
    """Zygote to supervisor: the child stands ready."""

    child: int
    pid: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Zygote to supervisor: the child left. ``status`` is its exit code, or the negative number of a signal."""

    child: int
    status: int


class Assignment(msgspec.Struct, frozen=True):
    """Supervisor to child, once: what to run, where the store is, and the file that receives stdout and stderr."""

    lease: Lease
    storage_url: str
    log: str


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """Child to supervisor: the time allowed for the attempt counts from here."""


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """Child to supervisor, its last word: ``succeeded`` with all outputs but those that are ``unchanged``, and with the
    ``partitions`` to add, by dimension; or not, with an ``error`` to read."""

    succeeded: bool
    outputs: tuple[Written, ...] = ()
    unchanged: tuple[str, ...] = ()
    error: str | None = None
    retryable: bool = True
    raised: tuple[str, ...] = ()
    partitions: dict[str, tuple[str, ...]] = {}


FromChild = Begun | Outcome
from_child: msgspec.json.Decoder[FromChild] = msgspec.json.Decoder(FromChild)
to_zygote: msgspec.json.Decoder[Start | Kill] = msgspec.json.Decoder(Start | Kill)
from_zygote: msgspec.json.Decoder[Born | Ended] = msgspec.json.Decoder(Born | Ended)
assignment: msgspec.json.Decoder[Assignment] = msgspec.json.Decoder(Assignment)
encode = msgspec.json.Encoder().encode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are no message."""

CONTROL_BYTES = 4096
"""More than any message between supervisor and zygote needs."""
