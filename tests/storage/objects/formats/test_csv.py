"""CSV is read as it came, and a broken line is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from riparian.scheduler.core.protocol import Input, Piece
from riparian.storage.objects import Objects, UnreadableInput, WrongValue, read_input
from riparian.storage.objects.formats import csv

TABLE = "pyarrow.lib.Table"
READER = "pyarrow.lib.RecordBatchReader"


def read(tmp_path: Path, data: bytes, type_name: str) -> Any:
    stored = Objects(str(tmp_path)).put("v/aa/x/part-0.csv", data)
    piece = Piece(partition="2013-01-01", version="1", format="csv", digest="", objects=(stored,))
    given = Input(parameter="p", asset="air.flights_csv", type=type_name, many=False, pieces=(piece,))
    value = read_input(Objects(str(tmp_path)), given)
    return value.read_all() if type_name == READER else value


@pytest.mark.parametrize("type_name", [TABLE, READER])
def test_types_are_inferred(tmp_path: Path, type_name: str) -> None:
    """Numbers, days, texts and empty fields, whole or streamed."""
    table = read(tmp_path, b'i,f,d,s\n1,1.5,2013-01-01,"a\nb"\n,,,\n', type_name)

    expected = pa.schema([("i", pa.int64()), ("f", pa.float64()), ("d", pa.date32()), ("s", pa.string())])
    assert table.schema == expected
    assert [table["i"].to_pylist(), table["s"].to_pylist()] == [[1, None], ["a\nb", ""]]


@pytest.mark.parametrize("type_name", [TABLE, READER])
def test_many_blocks_are_one_table(tmp_path: Path, type_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break inside quotes at the border of two blocks splits no row."""
    monkeypatch.setattr(csv, "_BLOCK", 64)
    table = read(tmp_path, b"a,b\n" + b'"x\ny",1\n' * 100, type_name)

    assert set(table["a"].to_pylist()) == {"x\ny"}
    assert table.num_rows == 100


@pytest.mark.parametrize("type_name", [TABLE, READER])
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a,b\n1,2\n3\n4,5\n", 3),
        (b"a,b\r\n1,2\r\n\r\n\r\n3\r\n", 5),
        (b'a,b\n"x\ny\nz",1\n\n1\n', 6),
        (b"a,b\n" + b"1,2\n" * 5000 + b"3,4,5\n", 5002),
    ],
)
def test_a_line_with_another_number_of_fields(tmp_path: Path, type_name: str, data: bytes, line: int) -> None:
    """The error names asset, partition, line as an editor counts, and the remedy; not where it lies in the store."""
    with pytest.raises(UnreadableInput) as caught:
        read(tmp_path, data, type_name)

    message = str(caught.value)
    assert message.startswith(
        f"air.flights_csv (partition 2013-01-01): line {line}: CSV parse error: Expected 2 columns"
    )
    assert "v/aa/x" not in message
    assert "correct the file and drop it again" in message


def test_a_value_that_breaks_the_streams_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's types come from its first block; what does not fit later is named with line and column."""
    monkeypatch.setattr(csv, "_BLOCK", 64)
    data = b"a,b\n" + b"1,2\n" * 100 + b"\nx,3\n"

    with pytest.raises(UnreadableInput, match=r"line 103: In CSV column #0: .* invalid value 'x'"):
        read(tmp_path, data, READER)
    assert read(tmp_path / "table", data, TABLE)["a"].type == pa.string()


@pytest.mark.parametrize("type_name", [TABLE, READER, "str"])
def test_text_that_is_not_utf8(tmp_path: Path, type_name: str) -> None:
    """Another encoding is an error at its line, never a column of bytes."""
    with pytest.raises(UnreadableInput, match=r"flights_csv .*line 3: .*UTF-8"):
        read(tmp_path, b"a,b\n1,x\n2,\xe4\n", type_name)


@pytest.mark.parametrize("type_name", [TABLE, READER])
def test_an_empty_file(tmp_path: Path, type_name: str) -> None:
    """A file without a header line is no table."""
    with pytest.raises(UnreadableInput, match="Empty CSV file"):
        read(tmp_path, b"", type_name)


def test_raw_text_and_bytes(tmp_path: Path) -> None:
    """Whoever parses himself gets the text, without byte order mark, or the very bytes."""
    data = "\ufeffa;b\r\n1;ä\r\n".encode()

    assert read(tmp_path / "1", data, "str") == "a;b\r\n1;ä\r\n"
    assert read(tmp_path / "2", data, "bytes") == data


def test_csv_is_never_written() -> None:
    """No type is kept as CSV; the format says so when asked all the same."""
    assert csv.FORMAT.writes == frozenset()
    with pytest.raises(WrongValue, match="never written"):
        csv.FORMAT.write(b"", csv.Target(type="str", where="a", create=lambda: pytest.fail("created")))
