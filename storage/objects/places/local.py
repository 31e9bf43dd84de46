"""How are objects kept in a local folder, so that neither a crash nor a planted link makes them lie?"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from riparian.storage.objects.errors import InvalidName, ObjectExists, ObjectMissing

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BUFFER = 1 << 20


def local_root(url: str) -> str | None:
    """Returns the absolute folder that ``url`` names, or None when it names no local folder."""
    for prefix in ("file://", "local://"):
        if url.startswith(prefix):
            url = url.removeprefix(prefix)
            break
    else:
        if "://" in url or "::" in url:
            return None
    return str(Path(url).expanduser().absolute())


class LocalSink:
    """A new file. It is visible, as garbage, until it is sealed or discarded: a name counts only once committed."""

    def __init__(self, path: Path, file: BinaryIO, fresh_directories: list[Path]) -> None:
        self._path = path
        self._file = file
        self._fresh = fresh_directories
        status = os.fstat(file.fileno())
        self._inode = (status.st_dev, status.st_ino)

    def write(self, data: memoryview) -> None:
        self._file.write(data)

    def seal(self) -> str:
        with self._file:
            self._file.flush()
            _sync(self._file.fileno())
            identity = _identity(os.fstat(self._file.fileno()))
        # The file's entry, and those of the directories made for it, must survive a power cut as its bytes do.
        for directory in [self._path.parent, *self._fresh]:
            _sync_directory(directory)
        return identity

    def discard(self) -> None:
        # Unlinked first: closing flushes, and on a full disk that raises while the file must go all the same.
        try:
            status = self._path.lstat()
            if (status.st_dev, status.st_ino) == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass
        finally:
            try:
                self._file.close()
            except OSError as exc:
                if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                    raise


class LocalPlace:
    """A folder of files; made with the first object."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def create(self, name: str) -> LocalSink:
        path = self._root / name
        self._check_inside(path.parent, name)
        fresh = _make_directories(path.parent)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | _NOFOLLOW, 0o600)
        except FileExistsError as exc:
            raise ObjectExists(f"{name} exists already in {self._root}; names are never used twice") from exc
        return LocalSink(path, os.fdopen(fd, "wb", buffering=_BUFFER), fresh)

    def open(self, name: str) -> tuple[BinaryIO, str, int]:
        path = self._root / name
        self._check_inside(path.parent, name)
        try:
            # Without NONBLOCK a planted FIFO would hold the reader for ever.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | _NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise self._missing(name) from exc
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise InvalidName(f"{name} is a link, not an object; links are never followed") from exc
            raise
        file = os.fdopen(fd, "rb")
        # Of the open file, not of the path: what is compared is what will be read.
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            file.close()
            raise self._missing(name)
        return file, _identity(status), status.st_size

    def stat(self, name: str) -> tuple[str, int]:
        status = self._lstat(name)
        if status is None:
            raise self._missing(name)
        return _identity(status), status.st_size

    def exists(self, name: str) -> bool:
        return self._lstat(name) is not None

    def list(self, directory: str) -> list[str]:
        top = self._root / directory
        if directory:
            self._check_inside(top, directory)
        found = []
        for folder, _, files in os.walk(top):
            paths = [path for name in files if (path := Path(folder, name)).is_file() and not path.is_symlink()]
            found += [path.relative_to(self._root).as_posix() for path in paths]
        return found

    def delete(self, name: str) -> None:
        path = self._root / name
        self._check_inside(path.parent, name)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except (IsADirectoryError, PermissionError):  # macOS answers a directory with EPERM
            if not path.is_dir():
                raise
            # Idempotent also beside another deleter of the same directory.
            shutil.rmtree(path, onerror=_ignore_missing)

    def _lstat(self, name: str) -> os.stat_result | None:
        path = self._root / name
        self._check_inside(path.parent, name)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _check_inside(self, directory: Path, name: str) -> None:
        # A worker may plant a link in its own attempt's directory; no name that it reports may lead out by it.
        root = os.path.realpath(self._root)
        if os.path.realpath(directory) != os.path.normpath(os.path.join(root, directory.relative_to(self._root))):  # noqa: PTH118
            raise InvalidName(f"{name} leads through a link; links are never followed")

    def _missing(self, name: str) -> ObjectMissing:
        return ObjectMissing(
            f"{name} is not in {self._root}; it was deleted or never written: "
            "restore the store, or materialize the asset again"
        )


def _make_directories(directory: Path) -> list[Path]:
    """Makes ``directory``; returns the directories that got a new entry by it."""
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for new in reversed(missing):
        # Objects may be restricted before they are sealed: nobody else's account looks into the store.
        new.mkdir(mode=0o700, exist_ok=True)
    return [new.parent for new in missing]


def _identity(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_ctime_ns}"


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # On macOS fsync does not empty the drive's cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ignore_missing(function: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
