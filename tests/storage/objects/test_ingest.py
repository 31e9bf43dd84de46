"""A source's file is sealed as one state of it, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from riparian.scheduler.core.protocol import Ingest
from riparian.storage.objects import Objects, SourceChanged, SourceRefused, copy_in, fingerprint_of

CSV = b"a,b\n1,2\n"


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    path = tmp_path / "drop.csv"
    path.write_bytes(CSV)
    return path


def ingest_of(path: Path, format: str = "csv") -> Ingest:
    return Ingest(path=str(path), fingerprint=fingerprint_of(path.stat()), format=format)


def test_the_copy_is_the_file(store: Objects, dropped: Path) -> None:
    """The bytes are copied as they are; the digest is theirs; the source stays as it was."""
    before = fingerprint_of(dropped.stat())
    written = copy_in(store, "v/aa/x", "air.flights_csv", ingest_of(dropped))

    digest = hashlib.sha256(CSV).hexdigest()
    assert (written.asset, written.format, written.rows, written.bytes) == ("air.flights_csv", "csv", None, len(CSV))
    assert (written.digest, written.objects[0].sha256, written.objects[0].name) == (digest, digest, "v/aa/x/part-0.csv")
    assert store.read(written.objects[0]) == CSV
    assert fingerprint_of(dropped.stat()) == before


def test_fingerprint_is_size_time_and_inode(dropped: Path) -> None:
    """The text that the ledger keeps."""
    status = dropped.stat()

    assert fingerprint_of(status) == f"8-{status.st_mtime_ns}-{status.st_ino}"


@pytest.mark.parametrize(
    ("format", "name"), [("parquet", "part-0.parquet"), ("json", "value.json"), ("bytes", "value.bin")]
)
def test_every_format_is_copied_unread(store: Objects, dropped: Path, format: str, name: str) -> None:
    """Sealing does not parse: what can not be read is the reader's error, with the bytes kept."""
    written = copy_in(store, "v/aa/x", "a", ingest_of(dropped, format))

    assert [o.name for o in written.objects] == [f"v/aa/x/{name}"]


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"3,4\n")


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(CSV)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


CHANGES = [_append, _replace, _touch, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_before_the_copy(store: Objects, dropped: Path, change: Callable[[Path], None]) -> None:
    """A file that is not the observed one any more is not copied."""
    ingest = ingest_of(dropped)
    change(dropped)

    with pytest.raises(SourceChanged, match=r"a: .*drop\.csv is not the file that was observed"):
        copy_in(store, "v/aa/x", "a", ingest)
    assert store.list() == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_during_the_copy(
    store: Objects, dropped: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was appended to, replaced, touched or removed while it was read leaves no copy."""
    ingest = ingest_of(dropped)
    read = os.read

    def changing(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if not data:
            monkeypatch.undo()
            change(dropped)
        return data

    monkeypatch.setattr(os, "read", changing)
    with pytest.raises(SourceChanged):
        copy_in(store, "v/aa/x", "a", ingest)
    assert store.list() == []


def test_a_short_read(store: Objects, dropped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer bytes than the file has are no copy, even if size and time say that nothing changed."""
    ingest = ingest_of(dropped)
    monkeypatch.setattr(os, "read", lambda *_: b"")

    with pytest.raises(SourceChanged, match="found 0 bytes to read"):
        copy_in(store, "v/aa/x", "a", ingest)
    assert store.list() == []


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('\n [{"a": 1}, [2], 3]', 3),
        ("[]", 0),
        ('{"a": [1]}', None),
        ("[1,", None),
        ("[" * 9_000, None),
        ('["' + "x" * (8 << 20) + '"]', None),
    ],
)
def test_a_json_list_tells_its_length(store: Objects, tmp_path: Path, content: str, rows: int | None) -> None:
    """Tasks may be mapped over it. What is no list, or too large to be looked into, has no rows and is still copied."""
    path = tmp_path / "drop.json"
    path.write_text(content)

    assert rows == copy_in(store, "v/aa/x", "a", ingest_of(path, "json")).rows
    assert copy_in(store, "v/aa/y", "a", ingest_of(path, "csv")).rows is None


def test_links_folders_and_pipes_are_refused(store: Objects, dropped: Path, tmp_path: Path) -> None:
    """Only a regular file is copied: a link could lead to any file that the worker may read."""
    link, folder, pipe = tmp_path / "link", tmp_path / "folder", tmp_path / "pipe"
    link.symlink_to(dropped)
    folder.mkdir()
    os.mkfifo(pipe)

    for path in (link, folder, pipe):
        with pytest.raises(SourceRefused, match="not a regular file"):
            copy_in(store, "v/aa/x", "a", ingest_of(path))
    assert store.list() == []
