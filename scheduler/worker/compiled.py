"""What was compiled of a project's modules before? Kept by the digest of their text, so that it is never out of date.

Python's own ``__pycache__`` goes by a file's size and second: what is saved twice within one would be taken for the
same, and it would lie among the user's files.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

from riparian.assets.closure import is_first_party

STATE = ".riparian"
"""The folder in a project's that holds what is ours. Where it is missing, nothing is kept."""

FOLDER = "compiled"
DIGEST_BYTES = 32

PYTHON = f"{sys.implementation.cache_tag} {sys.version} {sys.flags.optimize} ".encode() + MAGIC_NUMBER
"""What compiles: another version, or one that leaves assertions out, makes other code of the same text."""


class Compiled:
    """The compiled modules of the project in ``root`` (resolved)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / STATE / FOLDER
        self._is_ours = _is_ours(self._folder)
        self._used: set[str] = set()

    def install(self) -> None:
        """Has the modules below ``root`` imported by way of this; must be called before the first of them is."""
        loader = _loader(self.code)
        kinds = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (loader, SOURCE_SUFFIXES))

        def finder(path: str) -> FileFinder:
            if not Path(path).is_dir() or not is_first_party(self._root, Path(path).resolve()):
                raise ImportError("not a folder of the project")  # the next hook is asked
            return FileFinder(path, *kinds)

        sys.path_hooks.insert(0, finder)
        sys.path_importer_cache.clear()

    def code(self, path: str, text: bytes, compiled: Callable[[], CodeType]) -> CodeType:
        """Returns the code of a module: what was kept of the same text at the same place, else ``compiled()``."""
        name = sha256(b"\0".join((PYTHON, os.fsencode(path), text))).hexdigest()
        self._used.add(name)
        if (kept := self._read(name)) is not None:
            return kept
        code = compiled()
        self._write(name, marshal.dumps(code))
        return code

    def tidy(self) -> None:
        """Removes what was not used since this was made: the folder never holds more than one load of the project."""
        with suppress(OSError):
            if not self._is_ours:
                return
            for file in self._folder.iterdir():
                if file.name not in self._used:
                    file.unlink()

    def _read(self, name: str) -> CodeType | None:
        if not self._is_ours:
            return None
        try:
            kept = (self._folder / name).read_bytes()
        except OSError:
            return None
        digest, body = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
        # Damaged bytes could end the interpreter that reads them.
        code = marshal.loads(body) if digest == sha256(body).digest() else None  # noqa: S302  # our own, as it was written
        return code if isinstance(code, CodeType) else None

    def _write(self, name: str, body: bytes) -> None:
        if not self._is_ours:
            return
        # A cache: a full disk or a folder of somebody else costs time only.
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            part = self._folder / f"{name}.{os.getpid()}"
            part.write_bytes(sha256(body).digest() + body)
            part.replace(self._folder / name)


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have written what lies in ``folder``, or it is yet to be made: code in it is run."""
    try:
        found = folder.lstat()
    except OSError:
        return folder.parent.is_dir()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and not found.st_mode & others and found.st_uid == os.geteuid()


def _loader(code: Callable[[str, bytes, Callable[[], CodeType]], CodeType]) -> type[SourceFileLoader]:
    class Loader(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType | None:
            path = self.get_filename(fullname)
            text = self.get_data(path)
            return code(path, text, lambda: self.source_to_code(text, path))

    return Loader
