"""How does a version become a local file for code that wants a path?

By a private copy, always: through a link, hard or symbolic, or the path itself, user code could write into what was
committed. The copy lives as long as the attempt. Its process may be killed: therefore each process holds a lock on its
folder of copies, and the next one that makes a folder removes those that nobody holds any more.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from riparian.storage.objects.formats.base import Source
from riparian.storage.objects.store import check_sha256

_PREFIX = "riparian-files-"
_CHUNK = 1 << 20


def local_copy(source: Source, name: str) -> Path:
    """Returns a read-only file called ``name`` with the version's bytes; changing it changes nothing that is stored.

    Raises as ``Objects.open`` does, and ObjectCorrupt when the bytes do not have the committed sha256: all of them are
    read here, so that everything that the file holds was checked.
    """
    folder, _ = _folder(os.getpid())
    path = Path(tempfile.mkdtemp(dir=folder)) / name
    with path.open("xb") as copy:
        for chunk in _chunks(source):
            copy.write(chunk)
    path.chmod(0o400)
    return path


def _chunks(source: Source) -> Iterator[bytes]:
    if source.content is not None:
        yield source.read()
        return
    sha256 = hashlib.sha256()
    with source.open() as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            yield chunk
    check_sha256(source.stored, sha256.hexdigest())


@functools.cache
def _folder(process: int) -> tuple[str, int]:
    """Returns the folder of this process's copies and what holds its lock. A forked child gets one of its own, for it
    has a life of its own."""
    remove_abandoned()
    while True:
        folder = tempfile.mkdtemp(prefix=_PREFIX)
        # Held until the copies are removed or the process ends, however it ends.
        lock = _locked(folder)
        if lock is not None and Path(folder).is_dir():
            return folder, lock
        # Another process took it for abandoned in the moment before it was locked.
        if lock is not None:
            os.close(lock)


def remove_copies() -> None:
    """Removes the copies that this process made; it may make others afterwards."""
    if _folder.cache_info().currsize:
        folder, lock = _folder(os.getpid())
        _folder.cache_clear()
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Removes the copies of processes that live no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _locked(str(folder))
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: str) -> int | None:
    """Returns a descriptor that holds the lock of the folder, or None when it is gone, not ours, or held."""
    # O_NOFOLLOW: the folder of all temporary files is everybody's, and so are the names in it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return None
