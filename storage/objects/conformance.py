"""What must hold for every kind of store? Import ``StoreTests``, subclass it, and give it a store.

class TestMyStore(StoreTests):
    def make(self, tmp_path): return Objects("my://bucket/" + tmp_path.name)
    def set(self, objects, name, data): ...   # past Objects, so that Objects is what is tested
    def raw(self, objects, name): ...
"""
# ruff: noqa: S101 - this is a test suite that ships

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from riparian.storage.objects.errors import InvalidName, ObjectChanged, ObjectCorrupt, ObjectExists, ObjectMissing
from riparian.storage.objects.store import Objects

CLIMBING = ("../x", "a/../../x", "..", ".", "./a", "a\\..\\b", "/", "/etc/passwd", "c:/x", "s3://x")
NOT_PLAIN = ("", "a//b", "a/", "a\0b", "a/ b", "a/%2e%2e", "a/*", "ä", "x" * 2000)


@contextmanager
def raises(kind: type[Exception]) -> Iterator[list[str]]:
    """Fails unless the block raises ``kind``; the list then holds its message."""
    message: list[str] = []
    try:
        yield message
    except kind as exc:
        message.append(str(exc))
    else:
        raise AssertionError(f"expected {kind.__name__}")


class StoreTests:
    """One store, empty at the beginning of each test. pytest gives ``tmp_path``; nothing else is asked of it."""

    def make(self, tmp_path: Path) -> Objects:
        """Returns an empty store of its own."""
        raise NotImplementedError

    def set(self, objects: Objects, name: str, data: bytes) -> None:
        """Stores or overwrites ``data``, using nothing of ``objects`` but its url."""
        raise NotImplementedError

    def raw(self, objects: Objects, name: str) -> bytes | None:
        """Returns what lies under ``name``, None for nothing, using nothing of ``objects`` but its url."""
        raise NotImplementedError

    def test_put_stores_and_describes_the_bytes(self, tmp_path: Path) -> None:
        """put leaves exactly the bytes under the name and returns their name, size and sha256."""
        objects = self.make(tmp_path)
        stored = objects.put("v/ab/one.bin", b"hello")

        assert self.raw(objects, "v/ab/one.bin") == b"hello"
        assert (stored.name, stored.size, stored.cipher) == ("v/ab/one.bin", 5, "none")
        assert stored.sha256 == hashlib.sha256(b"hello").hexdigest()

    def test_empty_object(self, tmp_path: Path) -> None:
        """An object of no bytes is an object."""
        objects = self.make(tmp_path)
        stored = objects.put("empty", b"")

        assert objects.read(stored) == b""
        assert stored.size == 0

    def test_create_takes_any_buffers_in_order(self, tmp_path: Path) -> None:
        """What is written piece by piece, from memory that is reused, comes back in order."""
        objects = self.make(tmp_path)
        memory = bytearray(b"aaaa")
        with objects.create("v/x") as out:
            out.write(memory)
            memory[:] = b"bbbb"
            out.write(memoryview(memory))
            out.flush()
            assert out.tell() == 8

        assert self.raw(objects, "v/x") == b"aaaabbbb"
        assert out.closed
        assert objects.read(out.stored) == b"aaaabbbb"

    def test_an_exception_leaves_nothing(self, tmp_path: Path) -> None:
        """An exception in the with block discards the object, also when it was closed inside."""
        objects = self.make(tmp_path)
        for close in (False, True):
            with raises(ZeroDivisionError), objects.create("v/half") as out:
                out.write(b"half")
                if close:
                    out.close()
                raise ZeroDivisionError
            assert self.raw(objects, "v/half") is None
            with raises(ValueError):
                _ = out.stored

    def test_a_closed_writer_takes_no_more(self, tmp_path: Path) -> None:
        """Writing after close is an error; closing again is none."""
        objects = self.make(tmp_path)
        out = objects.create("v/x")
        out.write(b"1")
        out.close()
        out.close()

        with raises(ValueError):
            out.write(b"2")
        assert self.raw(objects, "v/x") == b"1"

    def test_names_are_never_reused(self, tmp_path: Path) -> None:
        """A second object under the same name is refused and the first one stays as it was."""
        objects = self.make(tmp_path)
        stored = objects.put("v/x", b"first")

        with raises(ObjectExists):
            objects.put("v/x", b"second")
        assert objects.read(stored) == b"first"

    def test_open_reads_what_was_committed(self, tmp_path: Path) -> None:
        """Two readers of one object have positions of their own and can seek."""
        objects = self.make(tmp_path)
        stored = objects.put("v/x", b"0123456789")
        with objects.open(stored) as one, objects.open(stored) as two:
            one.seek(5)

            assert two.read(3) == b"012"
            assert one.read() == b"56789"

    def test_a_missing_object(self, tmp_path: Path) -> None:
        """What was deleted is missing for every way of asking; the message names it."""
        objects = self.make(tmp_path)
        stored = objects.put("v/gone", b"x")
        objects.delete("v/gone")

        for ask in (objects.open, objects.read, objects.verify):
            with raises(ObjectMissing) as message:
                ask(stored)
            assert "v/gone" in message[0]
        with raises(ObjectMissing):
            objects.get("v/gone")

    def test_rewriting_is_detected(self, tmp_path: Path) -> None:
        """An object rewritten after its commit, also with the same size, is not read."""
        objects = self.make(tmp_path)
        stored = objects.put("v/x", b"true")
        objects.verify(stored)
        # Longer than the tick of a file system's clock.
        time.sleep(0.02)
        self.set(objects, "v/x", b"fake")

        for ask in (objects.open, objects.read, objects.verify):
            with raises(ObjectChanged) as message:
                ask(stored)
            assert "v/x" in message[0]
            assert stored.identity in message[0]

    def test_another_size_is_detected(self, tmp_path: Path) -> None:
        """A description whose size is not the object's is refused."""
        objects = self.make(tmp_path)
        stored = replace(objects.put("v/x", b"true"), size=3)

        with raises(ObjectChanged):
            objects.verify(stored)

    def test_corrupt_bytes_are_detected(self, tmp_path: Path) -> None:
        """Bytes that do not have the committed sha256 are not handed out."""
        objects = self.make(tmp_path)
        stored = replace(objects.put("v/x", b"true"), sha256="0" * 64)

        objects.verify(stored)
        with raises(ObjectCorrupt):
            objects.read(stored)

    def test_get_and_exists_go_by_name(self, tmp_path: Path) -> None:
        """What others stored is found by its name; directories are no objects."""
        objects = self.make(tmp_path)
        self.set(objects, "b/one.zip", b"zip")

        assert objects.get("b/one.zip") == b"zip"
        assert objects.exists("b/one.zip")
        assert not objects.exists("b")
        assert not objects.exists("b/two.zip")

    def test_list_names_what_is_below(self, tmp_path: Path) -> None:
        """list gives relative names, sorted, of the directory only: v/a is no part of v/ab."""
        objects = self.make(tmp_path)
        for name in ("v/ab/2", "v/ab/1", "v/a/x/y", "l/z"):
            self.set(objects, name, b"")

        assert objects.list("v/ab") == ["v/ab/1", "v/ab/2"]
        assert objects.list("v/a") == ["v/a/x/y"]
        assert objects.list() == ["l/z", "v/a/x/y", "v/ab/1", "v/ab/2"]
        assert objects.list("nothing") == []

    def test_a_new_object_is_listed_at_once(self, tmp_path: Path) -> None:
        """No cached listing hides an object that another value of the same store wrote."""
        objects = self.make(tmp_path)
        assert objects.list("v") == []
        assert not objects.exists("v/new")

        Objects(objects.url).put("v/new", b"")
        assert objects.list("v") == ["v/new"]
        assert objects.exists("v/new")

    def test_delete_is_idempotent(self, tmp_path: Path) -> None:
        """An object, then its whole directory, go; deleting what is not there is no error, neighbours stay."""
        objects = self.make(tmp_path)
        for name in ("v/ab/1", "v/ab/2/3", "v/abc"):
            self.set(objects, name, b"x")
        for name in ("v/ab/1", "v/ab/1", "v/ab", "v/ab", "v/ab/2/3"):
            objects.delete(name)

        assert [self.raw(objects, n) for n in ("v/ab/1", "v/ab/2/3", "v/abc")] == [None, None, b"x"]

    def test_no_name_leads_out(self, tmp_path: Path) -> None:
        """Names that are absolute, climb, or are not plain are refused by every method, also from a worker's report."""
        objects = self.make(tmp_path)
        stored = objects.put("v/x", b"x")
        for name in CLIMBING + NOT_PLAIN:
            for ask in (objects.create, objects.get, objects.exists, objects.delete):
                with raises(InvalidName):
                    ask(name)
            for read in (objects.open, objects.read, objects.verify):
                with raises(InvalidName):
                    read(replace(stored, name=name))
            if name:
                with raises(InvalidName):
                    objects.list(name)
        assert self.raw(objects, "v/x") == b"x"

    def test_parquet_and_ipc_can_write_through_it(self, tmp_path: Path) -> None:
        """pyarrow's writers take the writer as a file, wrapped or not, and never close it themselves."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        objects = self.make(tmp_path)
        table = pa.table({"a": list(range(1000))})
        with objects.create("v/t.parquet") as out, pq.ParquetWriter(out, table.schema) as writer:
            writer.write_table(table)
        with objects.create("v/t.arrow") as other, pa.ipc.new_file(pa.PythonFile(other, mode="w"), table.schema) as ipc:
            ipc.write_table(table)

        with objects.open(out.stored) as file:
            assert pq.read_table(file).equals(table)
        with objects.open(other.stored) as file:
            assert pa.ipc.open_file(file).read_all().equals(table)
