"""How is a source's file sealed, so that what was read is one state of it and not two halves?"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riparian.scheduler.core.protocol import Ingest, Written
from riparian.storage.objects.errors import SourceChanged, SourceRefused
from riparian.storage.objects.formats.registry import format_named
from riparian.storage.objects.store import Objects

_CHUNK = 1 << 20
_COUNTED = 8 << 20
"""Bytes of a JSON file up to which it is looked into for how many items it has."""


def fingerprint_of(status: os.stat_result) -> str:
    """Returns size, modification time in nanoseconds and inode as one text: another one is another file or content."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def copy_in(objects: Objects, directory: str, asset: str, ingest: Ingest) -> Written:
    """Copies the file into the attempt's ``directory`` and returns what was written; its digest is of the bytes.

    Raises SourceChanged, leaving no copy, unless the file has ``ingest.fingerprint`` before and after; SourceRefused
    when the path is no regular file (links are not followed).
    """
    name = f"{directory}/{format_named(ingest.format).object_name}"
    with _opened(asset, ingest) as fd:
        _expect(asset, ingest, os.fstat(fd))
        read: list[bytes] = []
        with objects.create(name) as out:
            while chunk := os.read(fd, _CHUNK):
                out.write(chunk)
                if ingest.format == "json" and out.tell() <= _COUNTED:
                    read.append(chunk)
            # Of the path: it names the file that was read, which has the inode, or the file was replaced meanwhile.
            _expect(asset, ingest, _status_of_path(asset, ingest))
            # Where times are coarse, a file that was cut and filled again shows only by what was read.
            if out.tell() != os.fstat(fd).st_size:
                raise _changed(asset, ingest, f"{out.tell()} bytes to read")
    stored = out.stored
    return Written(
        asset=asset,
        format=ingest.format,
        digest=stored.sha256,
        rows=_items(b"".join(read)) if read and stored.size <= _COUNTED else None,
        bytes=stored.size,
        objects=(stored,),
    )


def _items(data: bytes) -> int | None:
    """Returns how many items a JSON list has; None for what is none. Whoever reads it says what is wrong with it."""
    if not data.lstrip().startswith(b"["):
        return None
    try:
        return len(json.loads(data))
    except (ValueError, RecursionError):
        return None


@contextmanager
def _opened(asset: str, ingest: Ingest) -> Iterator[int]:
    # Without NONBLOCK a FIFO in the folder would hold the worker for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(ingest.path, flags)
    except FileNotFoundError as exc:
        raise _changed(asset, ingest, "no file") from exc
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENXIO):
            raise _refused(asset, ingest) from exc
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _refused(asset, ingest)
        yield fd
    finally:
        os.close(fd)


def _status_of_path(asset: str, ingest: Ingest) -> os.stat_result:
    try:
        return Path(ingest.path).lstat()
    except FileNotFoundError as exc:
        raise _changed(asset, ingest, "no file") from exc


def _expect(asset: str, ingest: Ingest, status: os.stat_result) -> None:
    if fingerprint_of(status) != ingest.fingerprint:
        raise _changed(asset, ingest, fingerprint_of(status))


def _changed(asset: str, ingest: Ingest, found: str) -> SourceChanged:
    return SourceChanged(
        f"{asset}: {ingest.path} is not the file that was observed: expected {ingest.fingerprint} (size, time, inode), "
        f"found {found}; it is taken up again when it stands still, write elsewhere and rename it in to avoid this"
    )


def _refused(asset: str, ingest: Ingest) -> SourceRefused:
    return SourceRefused(
        f"{asset}: {ingest.path} is not a regular file (links are not followed); put the file itself there"
    )
