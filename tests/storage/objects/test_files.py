"""A version as a local file is a private copy, checked, and gone with the process that asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from riparian.scheduler.core.protocol import Input, Piece, Written
from riparian.storage.objects import ObjectChanged, ObjectCorrupt, Objects, WrongValue, files, read_input, write_value

PATH = "pathlib.Path"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    files._folder.cache_clear()
    yield folder
    files._folder.cache_clear()


@pytest.fixture(params=["{}", "memory://files"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Objects:
    return Objects(request.param.format(tmp_path / "store") + ("" if request.param == "{}" else f"/{tmp_path.name}"))


def take(store: Objects, written: Written, type_name: str = PATH, partitions: tuple[str, ...] = ()) -> Any:
    pieces = tuple(
        Piece(
            partition=partition,
            version="1",
            format=written.format,
            digest=written.digest,
            objects=written.objects,
            content=written.content,
        )
        for partition in partitions or ("",)
    )
    return read_input(store, Input(parameter="p", asset="a.b", type=type_name, many=bool(partitions), pieces=pieces))


@pytest.mark.parametrize(
    ("type_name", "value", "name"),
    [
        ("bytes", b"\x00\xff", "value.bin"),
        ("bytes", b"", "value.bin"),
        ("dict", {"a": 1}, "value.json"),
        ("str", "x" * 100_000, "value.json"),
        ("pyarrow.lib.Table", pa.table({"a": [1]}), "part-0.parquet"),
    ],
)
def test_every_format_is_a_file(store: Objects, type_name: str, value: Any, name: str) -> None:
    """The file holds the stored bytes, and its suffix says what they are."""
    written = write_value(store, "v/1", "a.b", type_name, value)
    path = take(store, written)

    assert isinstance(path, Path)
    assert path.name == name
    assert path.read_bytes() == take(store, written, "bytes")


def test_many_are_a_dict_of_files(store: Objects) -> None:
    """Each partition is a file of its own."""
    written = write_value(store, "v/1", "a.b", "bytes", b"x")
    paths = take(store, written, partitions=("d2", "d1"))

    assert list(paths) == ["d1", "d2"]
    assert paths["d1"] != paths["d2"]
    assert [b"x", b"x"] == [path.read_bytes() for path in paths.values()]


def test_what_is_done_to_the_file_is_done_to_a_copy(store: Objects) -> None:
    """It is read-only; made writable, written and deleted by force, the committed object stays as it was."""
    written = write_value(store, "v/1", "a.b", "bytes", b"true")
    path = take(store, written)
    mode = path.stat().st_mode & 0o777
    path.chmod(0o600)
    path.write_bytes(b"fake")
    again = take(store, written)
    path.unlink()

    assert mode == 0o400
    assert again.read_bytes() == b"true"
    assert store.read(written.objects[0]) == b"true"


def test_what_is_copied_is_checked(store: Objects) -> None:
    """Bytes with another sha256 and an object that was rewritten are not handed out."""
    written = write_value(store, "v/1", "a.b", "bytes", b"true")
    stored = written.objects[0]

    with pytest.raises(ObjectCorrupt, match="v/1"):
        take(store, replace(written, objects=(replace(stored, sha256="0" * 64),)))
    with pytest.raises(ObjectChanged, match="v/1"):
        take(store, replace(written, objects=(replace(stored, size=3),)))


def test_a_file_is_kept_as_its_bytes(store: Objects, tmp_path: Path) -> None:
    """A returned path is the content of its file, equal to the same bytes; the name is not kept, the file is."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"\x00" * 3_000_000)
    written = write_value(store, "v/1", "a.b", PATH, file)

    assert (written.format, written.bytes, written.rows) == ("bytes", 3_000_000, None)
    assert written.digest == write_value(store, "v/2", "a.b", "bytes", file.read_bytes()).digest
    assert take(store, written).read_bytes() == file.read_bytes()
    assert take(store, written).name == "value.bin"


def test_an_input_can_be_returned(store: Objects) -> None:
    """A function that hands its file on keeps the same bytes."""
    written = write_value(store, "v/1", "a.b", "bytes", b"x")

    assert write_value(store, "v/2", "a.b", PATH, take(store, written)).digest == written.digest


def test_paths_that_are_no_file(store: Objects, tmp_path: Path) -> None:
    """A folder, nothing, a pipe and a text are refused with what to do; nothing is stored, nobody waits."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = [
        (tmp_path, r"a\.b: .* is a folder, and one file is kept; return an archive"),
        (tmp_path / "none", r"a\.b: there is no file .*/none; write it"),
        (pipe, r"a\.b: there is no file .*/pipe; write it"),
        (str(tmp_path), r"a\.b: declared pathlib\.Path, returned str; "),
        (None, r"a\.b: declared pathlib\.Path, returned NoneType; did you forget return\?"),
    ]

    for value, message in told:
        with pytest.raises(WrongValue, match=message):
            write_value(store, "v/1", "a.b", PATH, value)
    assert store.list() == []


SCRIPT = """
import os, sys
from riparian.storage.objects import files
from riparian.storage.objects.formats.base import Source
print(files.local_copy(Source(objects=None, where="a.b", content="1"), "value.json"), flush=True)
sys.stdin.read(1)
os._exit(0)
"""


def start(scratch: Path) -> tuple[subprocess.Popen[str], Path]:
    """Starts a process that makes a copy and waits; returns it and the copy."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_copies_live_as_long_as_their_process(scratch: Path) -> None:
    """Those of a process that was killed go when another one makes copies; those of a living one stay."""
    killed, left = start(scratch)
    living, used = start(scratch)
    try:
        killed.kill()
        killed.wait(10)
        assert left.exists()
        files.remove_abandoned()

        assert (left.exists(), used.exists()) == (False, True)
        assert [used.parent.parent] == list(scratch.iterdir())
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate(timeout=10)
    _, last = start_and_end(scratch)
    assert [last.parent.parent] == list(scratch.iterdir())


def start_and_end(scratch: Path) -> tuple[int, Path]:
    process, path = start(scratch)
    process.communicate("x", timeout=10)
    return process.returncode, path


def test_what_others_put_there_is_left_alone(scratch: Path, tmp_path: Path) -> None:
    """A link that bears the name of a folder of copies is not followed, and files beside them stay."""
    (precious := tmp_path / "precious").mkdir()
    (precious / "file").touch()
    (scratch / "riparian-files-link").symlink_to(precious)
    (scratch / "riparian-other").mkdir()
    files.remove_abandoned()

    assert ["riparian-files-link", "riparian-other"] == sorted(path.name for path in scratch.iterdir())
    assert (precious / "file").exists()


def test_the_end_of_an_attempt_removes_its_copies(store: Objects) -> None:
    """What was readable as a file for one attempt does not lie about after it."""
    script = (
        "import sys\n"
        "from riparian.storage.objects import Objects\n"
        "from riparian.storage.objects.files import local_copy, remove_copies\n"
        "from riparian.storage.objects.formats.base import Source\n"
        "remove_copies()\n"
        "path = local_copy(Source(objects=Objects('memory://'), where='x', content='1'), 'value.json')\n"
        "print(path, path.exists()); remove_copies(); print(path.parent.parent.exists())\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert ["True", "False"] == said[1:]
