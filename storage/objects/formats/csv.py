"""How are CSV files of a source read?

Kept as they came; parsed each time. A broken line is named with its number.
"""

from __future__ import annotations

import csv as csv_of_python
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from riparian.storage.objects.errors import UnreadableInput, WrongValue
from riparian.storage.objects.formats import frames
from riparian.storage.objects.formats.base import READER, TABLES, Draft, Preview, Source, Target
from riparian.storage.objects.formats.tables import preview_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv

_BLOCK = 8 << 20
_ROW = re.compile(r"Row #(\d+): ")


class Csv:
    """Comma-separated text with a header line."""

    name = "csv"
    object_name = "part-0.csv"
    writes: frozenset[str] = frozenset()
    reads = TABLES | {"str", "bytes"}

    def write(self, value: Any, target: Target) -> Draft:
        raise WrongValue(f"{target.where}: CSV is read from sources, never written; return a table")

    def read(self, source: Source, type_name: str) -> Any:
        if type_name == READER:
            return _stream(source)
        if type_name in TABLES:
            return frames.of_table(_read_table(source), type_name, source.where)
        data = source.read()
        if type_name == "bytes":
            return data
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise _unreadable(source, data.count(b"\n", 0, exc.start) + 1, "this is not UTF-8 text") from exc

    def preview(self, source: Source, rows: int) -> Preview:
        import pyarrow as pa

        with _stream(source) as reader:
            first = next(iter(reader), None)
            return preview_of(pa.Table.from_batches([] if first is None else [first], reader.schema).slice(0, rows))


def _read_table(source: Source) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    try:
        with source.open() as file:
            table = csv.read_csv(file, csv.ReadOptions(block_size=_BLOCK), _parsing())
    except pa.ArrowInvalid as exc:
        raise _broken(source, exc) from exc
    _expect_text(source, table.schema)
    return table


def _stream(source: Source) -> pa.RecordBatchReader:
    """Streams blocks of the file; types are inferred from the first block."""
    import pyarrow as pa
    from pyarrow import csv

    closing = ExitStack()
    file = closing.enter_context(source.open())
    try:
        # One thread: only then do errors of the parser know their row.
        reader = csv.open_csv(file, csv.ReadOptions(block_size=_BLOCK, use_threads=False), _parsing())
        _expect_text(source, reader.schema)
    except pa.ArrowInvalid as exc:
        closing.close()
        raise _broken(source, exc) from exc

    def batches() -> Iterator[pa.RecordBatch]:
        with closing:
            try:
                yield from reader
            except pa.ArrowInvalid as exc:
                raise _broken(source, exc) from exc

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _parsing() -> pyarrow.csv.ParseOptions:
    from pyarrow import csv

    # Line breaks inside quotes are legal, and without this one at a block's border would split its row.
    return csv.ParseOptions(newlines_in_values=True)


def _expect_text(source: Source, schema: pa.Schema) -> None:
    """Raises UnreadableInput for a column of bytes: pyarrow's silent answer to text that is not UTF-8."""
    import pyarrow as pa

    for column in schema:
        if column.type == pa.binary():
            with source.open() as file:
                lines = (number for number, line in enumerate(file, 1) if not _is_utf8(line))
                line = next(lines, 0)
            raise _unreadable(source, line, f"column {column.name!r} is not UTF-8 text")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _broken(source: Source, exc: Exception) -> UnreadableInput:
    """Returns the error with the line in it; the parser knows the row only when it ran on one thread."""
    import pyarrow as pa
    from pyarrow import csv

    reason = str(exc)
    if not _ROW.search(reason):
        try:
            with source.open() as file:
                csv.read_csv(file, csv.ReadOptions(block_size=_BLOCK, use_threads=False), _parsing())
        except pa.ArrowInvalid as again:
            reason = str(again)
    row = _ROW.search(reason)
    return _unreadable(source, _line_of(source, int(row.group(1))) if row else 0, _ROW.sub("", reason))


def _line_of(source: Source, row: int) -> int:
    """Returns the line at which the parser's row begins: it counts neither empty lines nor those inside quotes."""
    with source.open() as file, io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="") as text:
        lines = csv_of_python.reader(text)
        before = 0
        for record in lines:
            row -= bool(record)
            if row == 0:
                return before + 1
            before = lines.line_num
    return 0


def _unreadable(source: Source, line: int, reason: str) -> UnreadableInput:
    at = f"line {line}: " if line else ""
    return UnreadableInput(
        f"{source.where}: {at}{reason}; correct the file and drop it again, "
        "or take the input as bytes and parse it yourself"
    )


FORMAT = Csv()
