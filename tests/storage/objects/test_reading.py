"""Previews are JSON and short; downloads are verified."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from riparian.storage.objects import (
    ObjectChanged,
    ObjectCorrupt,
    ObjectMissing,
    Objects,
    iter_bytes,
    read_preview,
    write_value,
)

TABLE = "pyarrow.lib.Table"


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


def test_every_type_becomes_json(store: Objects) -> None:
    """Days and times in ISO 8601, bytes in base64, decimals and special floats as text, nested values in place."""
    table = pa.table(
        {
            "day": [date(2013, 1, 31)],
            "at": [datetime(2013, 1, 31, 12, tzinfo=UTC)],
            "nano": pa.array([1], pa.timestamp("ns")),
            "clock": [time(1, 2)],
            "raw": [b"\xff"],
            "money": [Decimal("1.50")],
            "nan": [float("nan")],
            "deep": [{"days": [date(2013, 1, 31), None]}],
            "map": pa.array([[("k", b"v")]], pa.map_(pa.string(), pa.binary())),
            "null": [None],
            "code": pa.array(["x"]).dictionary_encode(),
        }
    )
    written = write_value(store, "v/aa/x", "a", TABLE, table)
    preview = read_preview(store, written.objects, "parquet", None, 10)

    expected = ["2013-01-31", "2013-01-31T12:00:00+00:00", "1970-01-01T00:00:00.000000001", "01:02:00", "/w==", "1.50"]
    expected_nested = ["nan", {"days": ["2013-01-31", None]}, [["k", "dg=="]], None, "x"]
    assert preview["columns"] == table.column_names
    assert preview["types"][:3] == ["date32[day]", "timestamp[us, tz=UTC]", "timestamp[ns]"]
    assert preview["rows"] == [[*expected, *expected_nested]]
    assert json.loads(json.dumps(preview, allow_nan=False)) == preview


@pytest.mark.parametrize("rows", [0, 1, 3, 100])
def test_no_more_rows_than_asked(store: Objects, rows: int) -> None:
    """A preview has the first rows, and its columns also without rows."""
    written = write_value(store, "v/aa/x", "a", TABLE, pa.table({"a": list(range(5))}))
    csv = store.put("v/aa/c", b"a\n0\n1\n2\n3\n4\n")

    expected = {"columns": ["a"], "types": ["int64"], "rows": [[i] for i in range(min(rows, 5))]}
    assert read_preview(store, written.objects, "parquet", None, rows) == expected
    assert read_preview(store, (csv,), "csv", None, rows) == expected


def test_an_empty_table(store: Objects) -> None:
    """A table of no rows has columns."""
    written = write_value(store, "v/aa/x", "a", TABLE, pa.table({"a": pa.array([], pa.int8())}))

    assert read_preview(store, written.objects, "parquet", None, 5) == {"columns": ["a"], "types": ["int8"], "rows": []}


@pytest.mark.parametrize(
    ("content", "rows", "columns"),
    [
        ("[1,[2],{}]", [[1], [[2]]], ["value"]),
        ('{"a":1,"b":[2],"c":3}', [["a", 1], ["b", [2]]], ["key", "value"]),
        ('"text"', [["text"]], ["value"]),
        ("null", [[None]], ["value"]),
    ],
)
def test_json_content(store: Objects, content: str, rows: list[object], columns: list[str]) -> None:
    """Lists by item, dicts by entry, anything else as one row; content needs no object."""
    preview = read_preview(store, (), "json", content, 2)

    assert (preview["columns"], preview["rows"]) == (columns, rows)


def test_large_json_shows_its_beginning(store: Objects) -> None:
    """Large JSON is not parsed for a preview."""
    written = write_value(store, "v/aa/x", "a", "str", "x" * (5 << 20))
    preview = read_preview(store, written.objects, "json", None, 1)

    assert preview["columns"] == ["text"]
    assert 1000 < len(preview["rows"][0][0]) < 100_000


def test_bytes_show_their_beginning(store: Objects) -> None:
    """The first bytes in base64."""
    written = write_value(store, "v/aa/x", "a", "bytes", b"\xff" * 10_000)

    assert len(read_preview(store, written.objects, "bytes", None, 1)["rows"][0][0]) < 2000


def test_a_preview_of_changed_bytes(store: Objects) -> None:
    """What was rewritten is not shown."""
    written = write_value(store, "v/aa/x", "a", TABLE, pa.table({"a": [1]}))
    path = Path(store.url, written.objects[0].name)
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(ObjectChanged):
        read_preview(store, written.objects, "parquet", None, 1)


def test_a_download_comes_in_chunks(store: Objects) -> None:
    """All bytes, in order, none larger than the chunk."""
    stored = store.put("x", b"0123456789")

    assert list(iter_bytes(store, stored, 4)) == [b"0123", b"4567", b"89"]


def test_a_download_is_refused_before_its_first_byte(store: Objects) -> None:
    """A missing or rewritten object is known before anything is sent."""
    stored = store.put("x", b"0123456789")

    with pytest.raises(ObjectChanged):
        iter_bytes(store, replace(stored, size=9))
    store.delete("x")
    with pytest.raises(ObjectMissing):
        iter_bytes(store, stored)


def test_a_corrupt_download_ends_in_an_error(store: Objects) -> None:
    """Bytes with another sha256 end in an error that breaks the transfer."""
    chunks = iter_bytes(store, replace(store.put("x", b"0123"), sha256="0" * 64), 4)

    assert next(chunks) == b"0123"
    with pytest.raises(ObjectCorrupt):
        next(chunks)
