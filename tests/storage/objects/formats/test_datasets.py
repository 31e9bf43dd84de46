"""A dataset reads what a scan needs of what was committed, and nothing that was not."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.objects import ObjectChanged, Objects, UnreadableInput, WrongValue, write_value
from riparian.storage.objects.formats import datasets, frames, parquet
from riparian.storage.objects.formats.base import DATASET, READER, TABLE, Source

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])


class Watched(Objects):
    """A store that counts what is opened of it, what is open, and what is read."""

    opened = open_now = most_open = read_bytes = 0

    def open(self, obj: StoredObject) -> BinaryIO:
        self.opened += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        return _Watched(super().open(obj), self)  # type: ignore[return-value]


class _Watched:
    def __init__(self, file: BinaryIO, store: Watched) -> None:
        self._file, self._store = file, store

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._store.read_bytes += len(data)
        return data

    def __del__(self) -> None:
        self.close()  # as a file of Python's does

    def close(self) -> None:
        if not self._file.closed:
            self._store.open_now -= 1
        self._file.close()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def batches(count: int, rows: int) -> pa.RecordBatchReader:
    parts = (
        pa.record_batch([pa.array(range(i * rows, (i + 1) * rows)), pa.array([f"{i:050}"] * rows)], schema=SCHEMA)
        for i in range(count)
    )
    return pa.RecordBatchReader.from_batches(SCHEMA, parts)


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(str(tmp_path / "store"))


def kept(store: Objects, name: str, value: Any, type_name: str = TABLE) -> Source:
    written = write_value(store, f"v/aa/{name}", "a.b", type_name, value)
    return Source(objects=store, where="a.b", pieces=written.objects)


def test_only_what_a_scan_needs_is_read(store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """One column of the row groups that can hold what is asked for: a small part of the file."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10_000)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 10_000)
    source = kept(store, "x", batches(20, 10_000), READER)
    dataset = parquet.FORMAT.read(source, DATASET)
    store.read_bytes = 0
    dataset.to_table()
    whole, store.read_bytes = store.read_bytes, 0
    found = dataset.to_table(columns=["a"], filter=ds.field("a") == 123_456)

    assert found.to_pydict() == {"a": [123_456]}
    assert 0 < store.read_bytes < whole / 5


def test_a_dataset_is_never_held_whole(store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a dataset of 120 MB is made of another one, a small part of it is in memory, however slow the writer is."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10_000)
    monkeypatch.setattr(frames, "BATCH_ROWS", 5_000)
    first = write_value(store, "v/aa/x", "a.b", READER, batches(200, 10_000))
    source = Source(objects=store, where="a.b", pieces=first.objects)
    before, peak = pa.total_allocated_bytes(), 0
    dataset = parquet.FORMAT.read(source, DATASET).filter(ds.field("a") >= 0)

    def watched(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        def noting() -> Any:
            nonlocal peak
            for batch in reader:
                peak = max(peak, pa.total_allocated_bytes() - before)
                time.sleep(0.001)  # a slow writer: what is read beside it would pile up
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, noting())

    to_arrow = frames.to_arrow
    monkeypatch.setattr(frames, "to_arrow", lambda value, target: watched(to_arrow(value, target)))
    written = write_value(store, "v/aa/y", "a.b", DATASET, dataset)

    assert (written.rows, written.digest) == (2_000_000, first.digest)
    assert 0 < peak < 20 << 20


def test_files_are_opened_when_their_turn_comes(store: Watched) -> None:
    """Many partitions do not need as many open files, neither for their schemas nor in a scan, nor after it."""
    sources = [(f"d{i:03}", kept(store, f"{i:03}", pa.table({"a": [i]}))) for i in range(100)]
    dataset = datasets.over(sources, "a.b")

    assert list(range(100)) == dataset.to_table()["a"].to_pylist()
    assert dataset.count_rows() == 100
    assert store.most_open <= 40
    assert store.open_now == 0


def test_types_of_partitions_are_promoted(store: Watched) -> None:
    """A filter on a column that is whole in one partition, not in the next and missing in the third finds its rows."""
    tables = [pa.table({"a": [1, 2]}), pa.table({"b": ["x"], "a": [2.5]}), pa.table({"b": ["y"]})]
    dataset = datasets.over([(str(i), kept(store, str(i), table)) for i, table in enumerate(tables)], "a.b")

    assert dataset.schema == pa.schema([("a", pa.float64()), ("b", pa.string())])
    assert dataset.to_table(filter=ds.field("a") > 1.5).to_pydict() == {"a": [2.0, 2.5], "b": [None, "x"]}
    assert dataset.to_table(filter=ds.field("b").is_valid()).to_pydict() == {"a": [2.5, None], "b": ["x", "y"]}


def test_types_that_do_not_unify(store: Watched) -> None:
    """The error names the column, both types and the two partitions that disagree."""
    sources = [("d1", kept(store, "1", pa.table({"a": [1]}))), ("d2", kept(store, "2", pa.table({"a": ["x"]})))]

    with pytest.raises(UnreadableInput, match=r"a\.b: partitions 'd1' and 'd2' .*column 'a' is int64 and string"):
        datasets.over(sources, "a.b")


def test_what_was_rewritten_is_not_scanned(store: Watched) -> None:
    """An object that changes after the dataset was made is detected by the scan that opens it."""
    source = kept(store, "x", pa.table({"a": [1]}))
    dataset = parquet.FORMAT.read(source, DATASET)
    path = Path(store.url, source.stored.name)
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(ObjectChanged, match="v/aa/x"):
        dataset.to_table()
    with pytest.raises(ObjectChanged, match="v/aa/x"):
        parquet.FORMAT.read(source, DATASET)


def test_rotten_pages_are_not_scanned(store: Watched) -> None:
    """A flipped bit in a page is an error of the scan."""
    source = kept(store, "x", pa.table({"a": [2**40 + i * 7919 for i in range(1000)]}))
    rotten = bytearray(store.read(source.stored))
    rotten[len(rotten) // 3] ^= 1
    dataset = parquet.FORMAT.read(replace(source, pieces=(store.put("v/aa/rotten", bytes(rotten)),)), DATASET)

    with pytest.raises(OSError, match="CRC"):
        dataset.to_table()


def test_a_file_that_is_not_parquet(store: Watched) -> None:
    """A source's file of another format is named with its asset, when the dataset is made."""
    source = Source(objects=store, where="a.b", pieces=(store.put("v/aa/x", b"a,b\n1,2\n"),))

    with pytest.raises(UnreadableInput, match=r"a\.b: this is not a Parquet file"):
        parquet.FORMAT.read(source, DATASET)


def test_nothing_is_written_through_a_dataset(store: Watched) -> None:
    """The file system that a dataset shows is one object that can be read."""
    source = kept(store, "x", pa.table({"a": [1]}))
    fragment = next(parquet.FORMAT.read(source, DATASET).get_fragments())

    with pytest.raises(PermissionError, match="read-only"):
        fragment.filesystem.open_output_stream(fragment.path)
    with pytest.raises(PermissionError, match="read-only"):
        fragment.filesystem.delete_file(fragment.path)
    assert store.read(source.stored)[:4] == b"PAR1"


def test_any_dataset_can_be_returned(store: Watched, tmp_path: Path) -> None:
    """Files of a user's own, filtered, are kept as one Parquet object; its errors are told as those of a table."""
    ds.write_dataset(pa.table({"a": [1, 2, 3]}), tmp_path / "own", format="csv")
    own = ds.dataset(tmp_path / "own", format="csv").filter(ds.field("a") > 1)

    assert parquet.FORMAT.read(kept(store, "x", own, DATASET), TABLE) == pa.table({"a": [2, 3]})
    odd = ds.dataset(pa.table({"odd": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}))
    with pytest.raises(WrongValue, match=r"a\.b: can not be kept as Parquet"):
        kept(store, "y", odd, DATASET)
    for part in (tmp_path / "own").iterdir():
        os.truncate(part, 0)
    with pytest.raises((pa.ArrowInvalid, OSError)):
        kept(store, "z", own, DATASET)
    assert store.list() == ["v/aa/x/part-0.parquet"]
