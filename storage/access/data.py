"""May these bytes leave the house? The one door through which people get data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.access.assets import require
from riparian.storage.access.partitions import check_partition
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.objects import Objects, UnreadableInput, iter_bytes, read_preview

MOST_ROWS = 1000

_KINDS = {
    "parquet": ("application/vnd.apache.parquet", "parquet"),
    "csv": ("text/csv", "csv"),
    "json": ("application/json", "json"),
    "bytes": ("application/octet-stream", "bin"),
}

MEDIA_TYPES = tuple(kind for kind, _ in _KINDS.values())
"""What a download may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One version as it is stored. ``chunks`` can be read once; ``size`` is in bytes."""

    filename: str
    media_type: str
    size: int
    chunks: Iterator[bytes]


def resolve(judge: Judge, key: str, partition: str | None) -> AnyRow:
    """Returns the head that the principal asked for and may read, in the snapshot in which that was judged.

    Without a partition: the whole, or of a partitioned asset the head that moved last. Raises NotFound for an asset
    that is hidden or missing, or has no such head; Invalid for a partition that it can not have; Refused, with the
    chain in words, where the asset may be known of.
    """
    require(judge, key)
    check_partition(judge, key, partition)
    if partition is None:
        row = catalogue.newest_heads(judge.tx, [key]).get(key)
    else:
        row = catalogue.current(judge.tx, key, partition)
    if row is None:
        where = f"partition {partition!r} of {key}" if partition else key
        raise NotFound(f"{where} has no version yet; `riparian why {key}` says what it waits for")
    denied = judge.denials(row.origins, key)
    if denied:
        raise Refused(f"{key} may not be read by {judge.principal.name}: {carried(judge, key, row)}")
    return row


def carried(judge: Judge, key: str, row: AnyRow) -> str:
    """Returns in words which origins of the version do not admit the principal."""
    denied = judge.denials(row.origins, key)
    inherited = any(d.asset != key for d in denied)
    return f"{f'{key} carries ' if inherited else ''}{judge.because(denied)}"


def preview(objects: Objects, row: AnyRow, rows: int) -> dict[str, Any]:
    """Returns the first rows of the version, as JSON values, and what it is."""
    try:
        shown = read_preview(objects, stored_objects(row), row.format, row.content, rows)
    except UnreadableInput as exc:
        raise Invalid(f"can not be shown as a table: {exc}; a download gives it as it is stored") from exc
    return {
        "asset": row.asset,
        "partition": row.partition,
        "version": row.id,
        "format": row.format,
        "total_rows": row.rows,
        **shown,
    }


def download(objects: Objects, row: AnyRow) -> Download:
    """Opens the version's bytes; raises as the store does when they are not what was committed."""
    media_type, suffix = _KINDS.get(row.format, ("application/octet-stream", row.format))
    name = f"{row.asset}-{row.partition}" if row.partition else row.asset
    filename = f"{name}.{suffix}"
    if row.content is not None:
        content = row.content.encode()
        return Download(filename=filename, media_type=media_type, size=len(content), chunks=iter((content,)))
    pieces = stored_objects(row)
    if len(pieces) != 1:
        raise Conflict(f"version {row.id} is kept in {len(pieces)} objects and can not be downloaded as one file")
    chunks = iter_bytes(objects, pieces[0])
    return Download(filename=filename, media_type=media_type, size=pieces[0].size, chunks=chunks)


def stored_objects(row: AnyRow) -> list[StoredObject]:
    return msgspec.json.decode(row.objects, type=list[StoredObject])


def check_rows(rows: int) -> None:
    if not 1 <= rows <= MOST_ROWS:
        raise Invalid(f"rows={rows} is out of range; ask for 1 to {MOST_ROWS}")
