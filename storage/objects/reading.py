"""What do readers' doors see of a version: its first rows, or its bytes?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.objects.formats.base import Source
from riparian.storage.objects.formats.registry import format_named
from riparian.storage.objects.store import Objects, check_sha256


def read_preview(
    objects: Objects,
    piece_objects: Sequence[StoredObject],
    format: str,
    content: str | None,
    rows: int,
) -> dict[str, Any]:
    """Returns ``{"columns": [name], "types": [word], "rows": [[value]]}``, all JSON values, with at most ``rows`` rows.

    Reads only what it needs, after the identity was checked; raises as ``Objects.open`` does, and UnreadableInput.
    """
    # Where it lies in the store is nothing that readers need to know.
    source = Source(objects=objects, where="the data", pieces=tuple(piece_objects), content=content)
    return asdict(format_named(format).preview(source, rows))


def iter_bytes(objects: Objects, stored: StoredObject, chunk: int = 1 << 20) -> Iterator[bytes]:
    """Returns the object's bytes, ``chunk`` at a time.

    Raises as ``Objects.open`` does at once, before the first byte, and ObjectCorrupt after the last one when their
    sha256 differs: a download that ends in that error must not be used.
    """
    return _chunks(objects.open(stored), stored, chunk)


def _chunks(file: BinaryIO, stored: StoredObject, chunk: int) -> Iterator[bytes]:
    sha256 = hashlib.sha256()
    with file:
        while data := file.read(chunk):
            sha256.update(data)
            yield data
    check_sha256(stored, sha256.hexdigest())
