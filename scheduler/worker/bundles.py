"""Which files does a worker run? Those of the bundle it was told to run, verified before anything imports them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from riparian.assets.bundles import bundle_digest, read_zip
from riparian.assets.errors import Invalid


class Bundles:
    """The unpacked bundles of one worker, one read-only folder a digest."""

    def __init__(self, folder: Path, download: Callable[[str], bytes]) -> None:
        self._folder = folder
        self._download = download
        self._verified: set[str] = set()

    def path(self, digest: str) -> Path:
        """Returns the folder of the bundle, fetched when it is not there.

        A folder left by an earlier process is verified once before it is used: a changed file must not run under a
        digest that promises another. Raises Invalid when what was downloaded is not what ``digest`` names.
        """
        target = self._folder / digest
        if digest in self._verified and target.is_dir():
            return target
        if target.is_dir() and bundle_digest(_files_under(target)) == digest:
            self._verified.add(digest)
            return target
        remove(target)
        files = read_zip(self._download(digest))
        found = bundle_digest(files)
        if found != digest:
            raise Invalid(
                f"the bundle offered as {digest} has the digest {found}; it was refused before any import. "
                "Apply the project again, and see who can write to the store"
            )
        self._unpack(files, target)
        self._verified.add(digest)
        return target

    def _unpack(self, files: Mapping[str, bytes], target: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o444)
        staging.chmod(0o755)
        try:
            staging.rename(target)
        except OSError:
            # Another worker on the same scratch folder was first; what it unpacked has the same digest.
            remove(staging)
            if not target.is_dir():
                raise
        for folder, _, _ in os.walk(target):
            Path(folder).chmod(0o555)


def _files_under(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def remove(folder: Path) -> None:
    """Removes the folder with all below it, read-only folders too."""
    if not folder.exists():
        return
    for inside, _, _ in os.walk(folder):
        Path(inside).chmod(stat.S_IRWXU)
    shutil.rmtree(folder)
