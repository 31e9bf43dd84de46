"""Tables stream through Parquet without being held, and come back as they were."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riparian.storage.objects import ObjectCorrupt, Objects, UnreadableInput, WrongValue, write_value
from riparian.storage.objects.digest import digest_table
from riparian.storage.objects.formats import parquet
from riparian.storage.objects.formats.base import Source

TABLE = "pyarrow.lib.Table"
READER = "pyarrow.lib.RecordBatchReader"
SCHEMA = pa.schema([("a", pa.int64())])


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


def batches(count: int, rows: int) -> Iterator[pa.RecordBatch]:
    for i in range(count):
        yield pa.record_batch([pa.array(range(i * rows, (i + 1) * rows), pa.int64())], schema=SCHEMA)


def reader(count: int, rows: int) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, batches(count, rows))


def file_of(store: Objects) -> pq.ParquetFile:
    return pq.ParquetFile(Path(store.url, "v/aa/x/part-0.parquet"))


def test_small_batches_become_large_row_groups(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of small batches is not a file of small row groups, nor one of a single group."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 1000)
    written = write_value(store, "v/aa/x", "a", READER, reader(count=35, rows=100))

    groups = file_of(store).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [1000, 1000, 1000, 500]
    assert written.rows == 3500
    assert written.digest == digest_table(file_of(store).read())


@pytest.mark.parametrize("limit", ["ROW_GROUP_ROWS", "ROW_GROUP_BYTES"])
def test_a_table_is_cut_into_row_groups(store: Objects, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A table's row groups are bounded in rows and in bytes, so that streaming it back is bounded too."""
    monkeypatch.setattr(parquet, limit, {"ROW_GROUP_ROWS": 1000, "ROW_GROUP_BYTES": 8000}[limit])
    table = pa.table({"a": list(range(2500))})
    write_value(store, "v/aa/x", "a", TABLE, table)

    assert file_of(store).num_row_groups == 3
    assert file_of(store).read() == table


def test_a_stream_is_never_held_whole(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a stream of 16 MB is written and read back, at most a few row groups of 1 MB are in memory."""
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1 << 20)
    before, peak = pa.total_allocated_bytes(), 0

    def watched(inner: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal peak
        for batch in inner:
            peak = max(peak, pa.total_allocated_bytes() - before)
            yield batch

    value = pa.RecordBatchReader.from_batches(SCHEMA, watched(batches(count=100, rows=20_000)))
    written = write_value(store, "v/aa/x", "a", READER, value)
    back = parquet.FORMAT.read(Source(objects=store, where="a", pieces=written.objects), READER)
    rows = sum(batch.num_rows for batch in watched(iter(back)))

    assert rows == written.rows == 2_000_000
    assert 0 < peak < 8 << 20


def test_an_exception_of_the_stream_leaves_nothing(store: Objects) -> None:
    """A generator that raises in the middle is the caller's error as it is, and no object stays."""

    def failing() -> Iterator[pa.RecordBatch]:
        yield from batches(1, 10)
        raise KeyError("user's own")

    with pytest.raises(KeyError, match="user's own"):
        write_value(store, "v/aa/x", "a", READER, pa.RecordBatchReader.from_batches(SCHEMA, failing()))
    assert store.list() == []


def test_dictionaries_survive(store: Objects) -> None:
    """A dictionary-encoded column comes back dictionary-encoded, whole and streamed."""
    table = pa.table({"a": pa.array(["x", None, "x"]).dictionary_encode()})
    written = write_value(store, "v/aa/x", "a", TABLE, table)
    source = Source(objects=store, where="a", pieces=written.objects)

    assert parquet.FORMAT.read(source, TABLE) == table
    assert parquet.FORMAT.read(source, READER).read_all() == table


def test_a_type_that_parquet_does_not_know(store: Objects) -> None:
    """A column that can not be kept is named, and nothing stays."""
    for column in (
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    ):
        with pytest.raises(WrongValue, match=r"a\.b: can not be kept as Parquet: .*cast that column"):
            write_value(store, "v/aa/x", "a.b", TABLE, pa.table({"odd": column}))
    assert store.list() == []


def test_a_file_that_is_not_parquet(store: Objects) -> None:
    """A source's file of another format is named with its asset."""
    stored = store.put("v/aa/x/part-0.parquet", b"a,b\n1,2\n")

    for type_name in (TABLE, READER):
        with pytest.raises(UnreadableInput, match=r"a\.b: this is not a Parquet file"):
            parquet.FORMAT.read(Source(objects=store, where="a.b", pieces=(stored,)), type_name)


def test_rotten_pages_are_not_read(tmp_path: Path) -> None:
    """A flipped bit in a page is an error, though the table is streamed and its sha256 not asked."""
    store = Objects(str(tmp_path))
    written = write_value(store, "v/aa/x", "a", TABLE, pa.table({"a": [2**40 + i * 7919 for i in range(1000)]}))
    rotten = bytearray(store.read(written.objects[0]))
    rotten[len(rotten) // 3] ^= 1
    stored = store.put("v/aa/rotten", bytes(rotten))

    source = Source(objects=store, where="a.b", pieces=(stored,))
    with pytest.raises(ObjectCorrupt, match=r"a\.b: v/aa/rotten"):
        parquet.FORMAT.read(source, TABLE)
    with pytest.raises(ObjectCorrupt, match=r"a\.b: v/aa/rotten"):
        parquet.FORMAT.read(source, READER).read_all()


def test_a_failing_disk_is_not_a_rotten_file(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the storage while reading stays what it is, so that trying again can help."""
    written = write_value(store, "v/aa/x", "a", TABLE, pa.table({"a": [1]}))

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() < 8:
                raise OSError(5, "Input/output error")
            return super().read(size)

    data = store.read(written.objects[0])
    monkeypatch.setattr(Objects, "open", lambda *_: Failing(data))
    with pytest.raises(OSError, match="Input/output error"):
        parquet.FORMAT.read(Source(objects=store, where="a", pieces=written.objects), TABLE)
