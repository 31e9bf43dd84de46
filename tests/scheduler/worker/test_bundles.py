"""Can a worker be brought to run other files than those it was told to run?"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from riparian.assets.bundles import bundle_digest
from riparian.assets.errors import Invalid
from riparian.scheduler.worker.bundles import Bundles

FILES = {"work.py": b"x = 1\n", "pkg/__init__.py": b"", "_lock": b"abc"}


def packed(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


def test_unpacked_once_and_read_only(tmp_path: Path) -> None:
    """The files lie under the digest, can not be written, and are not fetched twice, also by a later process."""
    asked: list[str] = []
    digest = bundle_digest(FILES)

    def download(digest: str) -> bytes:
        asked.append(digest)
        return packed(FILES)

    path = Bundles(tmp_path, download).path(digest)
    again = Bundles(tmp_path, download).path(digest)

    assert (tmp_path / digest, [digest]) == (path, asked)
    assert again == path
    assert FILES == {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    assert {0o444} == {p.stat().st_mode & 0o777 for p in path.rglob("*") if p.is_file()}


def test_wrong_content_leaves_nothing(tmp_path: Path) -> None:
    """A download with another digest is refused and not unpacked."""
    with pytest.raises(Invalid, match="refused before any import"):
        Bundles(tmp_path, lambda digest: packed({"work.py": b"evil"})).path(bundle_digest(FILES))

    assert [] == list(tmp_path.iterdir())


def test_changed_folder_is_fetched_anew(tmp_path: Path) -> None:
    """What was changed on disk since an earlier process is not run."""
    digest = bundle_digest(FILES)
    path = Bundles(tmp_path, lambda digest: packed(FILES)).path(digest)
    (path / "work.py").chmod(0o644)
    (path / "work.py").write_bytes(b"evil")
    again = Bundles(tmp_path, lambda digest: packed(FILES)).path(digest)

    assert b"x = 1\n" == (again / "work.py").read_bytes()
