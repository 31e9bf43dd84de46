"""Local folders and memory keep what every store promises, and local folders keep more."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from riparian.storage.objects import InvalidName, ObjectExists, ObjectMissing, Objects
from riparian.storage.objects.conformance import StoreTests


class TestLocalFolder(StoreTests):
    """A folder, seen past Objects by pathlib."""

    def make(self, tmp_path: Path) -> Objects:
        return Objects(str(tmp_path / "deep" / "store"))

    def set(self, objects: Objects, name: str, data: bytes) -> None:
        path = Path(objects.url, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def raw(self, objects: Objects, name: str) -> bytes | None:
        path = Path(objects.url, name)
        return path.read_bytes() if path.is_file() else None


class TestMemory(StoreTests):
    """fsspec's memory, seen past Objects by fsspec itself."""

    def make(self, tmp_path: Path) -> Objects:
        return Objects(f"memory://{tmp_path.name}")

    def set(self, objects: Objects, name: str, data: bytes) -> None:
        fsspec.filesystem("memory").pipe_file(f"{objects.url}/{name}", data)

    def raw(self, objects: Objects, name: str) -> bytes | None:
        memory = fsspec.filesystem("memory")
        path = f"{objects.url}/{name}"
        return memory.cat_file(path) if memory.isfile(path) else None


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


@pytest.mark.parametrize("url", ["{}", "file://{}", "local://{}", "{}/", "{}/x/.."])
def test_a_path_and_a_file_url_are_the_same_folder(tmp_path: Path, url: str) -> None:
    """However a local folder is written, url is its absolute path."""
    objects = Objects(url.format(tmp_path))

    stored = objects.put("v/x", b"x")
    assert (tmp_path / "v" / "x").read_bytes() == b"x"
    assert objects.read(stored) == b"x"


def test_a_relative_path_stays_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store made from a relative path does not move with the working directory of user code."""
    monkeypatch.chdir(tmp_path)
    objects = Objects("store")
    monkeypatch.chdir("/")

    objects.put("x", b"")
    assert (tmp_path / "store" / "x").exists()


def test_everything_is_synced_before_close_returns(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, its folder and the parents of every new folder are synced: a committed object survives a power cut."""
    synced = []
    fsync = os.fsync

    def recording(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", recording)
    store.put("v/ab/x", b"x")

    root = Path(store.url)
    expected = [root / "v/ab/x", root / "v/ab", root / "v", root, root.parent]
    assert sorted(path.stat().st_ino for path in expected) == sorted(synced)


def test_files_are_private(store: Objects) -> None:
    """Neither the files nor the new folders can be read by other accounts."""
    store.put("v/x", b"x")

    modes = [stat.S_IMODE(Path(store.url, name).stat().st_mode) for name in ("v", "v/x")]
    assert modes == [0o700, 0o600]


def test_a_full_disk_leaves_nothing(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """When syncing fails, the error is raised and no object stays."""

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put("v/x", b"x")
    assert store.list() == []


def test_a_failed_writer_does_not_remove_its_rival(store: Objects) -> None:
    """Discarding removes this writer's file only, not one that took the name after it was gone."""
    out = store.create("v/x")
    out.write(b"mine")
    store.delete("v/x")
    store.put("v/x", b"theirs")
    out.discard()

    assert store.get("v/x") == b"theirs"


def test_links_are_not_objects(store: Objects, tmp_path: Path) -> None:
    """A link that a worker planted is neither read, listed, nor followed by delete."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"secret")
    store.put("v/a/x", b"x")
    Path(store.url, "v/a/link").symlink_to(secret / "key")
    Path(store.url, "v/a/folder").symlink_to(secret)

    for name in ("v/a/link", "v/a/folder/key"):
        with pytest.raises(InvalidName):
            store.get(name)
    for outside in (store.exists, store.delete, store.create):
        with pytest.raises(InvalidName):
            outside("v/a/folder/key")
    with pytest.raises(InvalidName):
        store.list("v/a/folder")
    with pytest.raises(InvalidName):
        store.create("v/a/folder/deeper/new")
    with pytest.raises(ObjectExists):
        store.create("v/a/link")
    assert not store.exists("v/a/link")
    store.delete("v/a")
    assert [p.name for p in secret.iterdir()] == ["key"]


def test_links_are_not_listed(store: Objects, tmp_path: Path) -> None:
    """list names regular files only, so that what it names can be read."""
    (tmp_path / "outside").write_bytes(b"")
    store.put("v/x", b"x")
    Path(store.url, "v/link").symlink_to(tmp_path / "outside")

    assert store.list() == ["v/x"]


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    """The operator may put the whole store elsewhere by a link."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    objects = Objects(str(tmp_path / "link"))

    assert objects.read(objects.put("v/x", b"x")) == b"x"


def test_a_pipe_holds_no_reader(store: Objects) -> None:
    """A named pipe in place of an object is missing, at once."""
    store.put("v/x", b"")
    os.mkfifo(Path(store.url, "v/pipe"))

    with pytest.raises(ObjectMissing):
        store.get("v/pipe")


def test_an_unclosed_writer_never_seals(store: Objects) -> None:
    """A writer that is forgotten has no description to report, so its bytes are garbage."""
    out = store.create("v/x")
    out.write(b"half")

    with pytest.raises(ValueError, match="not stored"):
        _ = out.stored


@pytest.mark.parametrize("url", ["{}", "memory://pickled"])
def test_a_store_can_be_sent_to_another_process(tmp_path: Path, url: str) -> None:
    """A store survives pickling, also after use."""
    objects = Objects(url.format(tmp_path))
    objects.exists("x")

    assert pickle.loads(pickle.dumps(objects)).url == objects.url  # noqa: S301 - our own bytes


@pytest.mark.parametrize("url", ["{}", "memory://forked"])
def test_a_store_works_after_a_fork(tmp_path: Path, url: str) -> None:
    """A store that a zygote used opens anew in its child."""
    objects = Objects(url.format(tmp_path))
    stored = objects.put("v/before", b"x")
    pid = os.fork()
    if pid == 0:
        try:
            good = objects.read(stored) == b"x" and objects.put("v/after", b"y").size == 1
            os._exit(0 if good else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_importing_loads_nothing_heavy() -> None:
    """Neither pyarrow nor fsspec nor the database is loaded by importing the package or using a local folder."""
    code = """
import sys, tempfile
from riparian.storage.objects import Objects, write_value
objects = Objects(tempfile.mkdtemp())
write_value(objects, "v/aa/x", "a", "bytes", b"x")
print([name for name in ("pyarrow", "fsspec", "sqlalchemy", "fastapi", "asyncio") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"
