"""How is a long list read in pieces, without telling how much of it is hidden?"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from riparian.assets.errors import Invalid

T = TypeVar("T")

MOST = 1000
"""Items on one page, at most."""

_SLICE = 200

_MOST = 2**63
"""What the database can compare a number with."""


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list. ``next`` is the cursor of the following piece; None: there is none that the reader may see."""

    items: list[dict[str, Any]]
    next: str | None = None


def fill(
    limit: int,
    cursor: str | None,
    *,
    fetch: Callable[[list[Any] | None, int], Sequence[T]],
    keep: Callable[[Sequence[T]], list[T]],
    place: Callable[[T], list[Any]],
) -> tuple[list[T], str | None]:
    """Returns up to ``limit`` items that ``keep`` keeps, and the cursor to go on with.

    ``fetch`` gives items that lie after a place. The cursor names the last item returned, never one that was hidden,
    and there is one only when a further item is kept: neither its value nor its presence tells of hidden items.
    """
    check_limit(limit)
    after, kept = _decode(cursor), list[T]()
    while len(kept) <= limit:
        batch = fetch(after, _SLICE)
        kept += keep(batch)
        if len(batch) < _SLICE:
            break
        after = place(batch[-1])
    items = kept[:limit]
    return items, _encode(place(items[-1])) if len(kept) > limit else None


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST:
        raise Invalid(f"limit={limit} is out of range; ask for 1 to {MOST}")


def iso(micros: int | None) -> str | None:
    """Returns the instant as ISO 8601 in UTC; None stays None."""
    if micros is None:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def _encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as exc:
        raise _not_ours(cursor) from exc
    # Every list of ours is placed by texts, the ledger of files by a number and two texts.
    if not isinstance(place, list) or [type(part) for part in place] not in ([str], [int, str, str]):
        raise _not_ours(cursor)
    if not all(_can_be_compared(part) for part in place):
        raise _not_ours(cursor)
    return place


def _can_be_compared(part: int | str) -> bool:
    if isinstance(part, int):
        return -_MOST <= part < _MOST
    try:
        part.encode()
    except UnicodeEncodeError:  # half a character, which JSON can write and UTF-8 can not
        return False
    return True


def _not_ours(cursor: str) -> Invalid:
    return Invalid(f"{cursor!r} is not a cursor of ours; leave it out, or send the `next` of an earlier answer")
