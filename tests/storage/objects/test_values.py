"""Values go out and come in as they were declared, and errors name what and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from riparian.scheduler.core.protocol import CONTENT_LIMIT, Input, Piece, Written
from riparian.storage.objects import (
    ObjectChanged,
    Objects,
    UnknownFormat,
    UnreadableInput,
    WrongValue,
    read_input,
    write_value,
)

TABLE = "pyarrow.lib.Table"
READER = "pyarrow.lib.RecordBatchReader"


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


def piece_of(written: Written, partition: str = "") -> Piece:
    return Piece(
        partition=partition,
        version="1",
        format=written.format,
        digest=written.digest,
        objects=written.objects,
        content=written.content,
    )


def one(type_name: str, written: Written, partition: str = "") -> Input:
    return Input(parameter="p", asset="a.b", type=type_name, many=False, pieces=(piece_of(written, partition),))


def many(type_name: str, **written: Written) -> Input:
    pieces = tuple(piece_of(w, partition) for partition, w in written.items())
    return Input(parameter="p", asset="a.b", type=type_name, many=True, pieces=pieces)


def tables(store: Objects, **values: pa.Table) -> dict[str, Written]:
    return {key: write_value(store, f"v/aa/{key}", "a.b", TABLE, table) for key, table in values.items()}


@pytest.mark.parametrize(
    ("type_name", "value", "format"),
    [
        (TABLE, pa.table({"a": [1, None], "b": ["x", "y"]}), "parquet"),
        (TABLE, pa.table({"a": pa.array([], pa.int8())}), "parquet"),
        (TABLE, pa.table({}), "parquet"),
        ("dict", {"b": [1, 2.5, None, True, "ä"], "a": {}}, "json"),
        ("dict[str, int]", {"a": 1}, "json"),
        ("list", [], "json"),
        ("str", "text", "json"),
        ("int", 10**30, "json"),
        ("float", 1.5, "json"),
        ("bool", False, "json"),
        ("NoneType", None, "json"),
        ("bytes", b"\x00\xff", "bytes"),
        ("bytes", b"", "bytes"),
    ],
)
@pytest.mark.parametrize("url", ["{}", "memory://values"])
def test_round_trip(tmp_path: Path, url: str, type_name: str, value: Any, format: str) -> None:
    """What was written is read back equal, by the format that the declared type chooses, in any store."""
    store = Objects(url.format(tmp_path))
    written = write_value(store, f"v/aa/{tmp_path.name}", "a.b", type_name, value)

    assert written.format == format
    back = read_input(store, one(type_name, written))
    assert back == value
    assert type(back) is type(value)


def test_a_small_json_value_touches_no_store(store: Objects) -> None:
    """JSON up to the limit travels as content, one byte more as an object."""
    small = write_value(store, "v/aa/1", "a.b", "str", "x" * (CONTENT_LIMIT - 2))
    large = write_value(store, "v/aa/2", "a.b", "str", "x" * (CONTENT_LIMIT - 1))

    assert small.objects == ()
    assert small.content == '"' + "x" * (CONTENT_LIMIT - 2) + '"'
    assert (small.bytes, large.bytes) == (CONTENT_LIMIT, CONTENT_LIMIT + 1)
    assert large.content is None
    assert store.list() == ["v/aa/2/value.json"]
    assert read_input(store, one("str", large)) == "x" * (CONTENT_LIMIT - 1)


def test_rows_bytes_and_schema_are_reported(store: Objects) -> None:
    """A table's report tells its rows, stored bytes and columns."""
    written = write_value(store, "v/aa/1", "a.b", TABLE, pa.table({"a": [1, 2, 3]}))

    assert (written.asset, written.rows, written.bytes) == ("a.b", 3, written.objects[0].size)
    assert [o.name for o in written.objects] == ["v/aa/1/part-0.parquet"]
    assert written.schema == '[{"name":"a","type":"int64","nullable":true}]'


@pytest.mark.parametrize(
    ("type_name", "value", "message"),
    [
        (TABLE, None, "a.b: declared pyarrow.lib.Table, returned NoneType; did you forget return?"),
        ("dict", None, "a.b: declared dict, returned NoneType; did you forget return?"),
        (TABLE, {"a": 1}, "a.b: declared pyarrow.lib.Table, returned dict; "),
        (READER, pa.table({}), "a.b: declared pyarrow.lib.RecordBatchReader, returned pyarrow.lib.Table; "),
        ("int", True, "a.b: declared int, returned bool; "),
        ("NoneType", 0, "a.b: declared NoneType, returned int; "),
        ("bytes", "text", "a.b: declared bytes, returned str; "),
        ("dataclass:m:C", {}, "a.b: declared dataclass:m:C, returned dict; "),
    ],
)
def test_a_value_of_another_type(store: Objects, type_name: str, value: Any, message: str) -> None:
    """What a function returns must be what it declares; nothing is stored otherwise."""
    with pytest.raises(WrongValue) as caught:
        write_value(store, "v/aa/1", "a.b", type_name, value)

    assert str(caught.value).startswith(message)
    assert store.list() == []


def test_an_unknown_type_lists_the_known_ones(store: Objects) -> None:
    """A type that no format keeps is told with those that are kept."""
    with pytest.raises(
        UnknownFormat, match=r"no format keeps values of type some\.Frame; annotate one of .*dict.*Table"
    ):
        write_value(store, "v/aa/1", "a.b", "some.Frame", object())


def test_equal_values_have_equal_digests(store: Objects) -> None:
    """The digest is of the value, whatever type, chunks or key order it was made with."""
    table = pa.table({"a": list(range(10))})
    cut = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    stream = pa.RecordBatchReader.from_batches(table.schema, cut.to_batches())
    values = [(TABLE, table), (TABLE, cut), (READER, stream)]

    assert len({write_value(store, f"v/{i}", "a", t, v).digest for i, (t, v) in enumerate(values)}) == 1
    dicts = [{"a": 1, "b": 2}, {"b": 2, "a": 1}]
    assert len({write_value(store, "v/d", "a", "dict", d).digest for d in dicts}) == 1


def test_partitions_are_concatenated_in_key_order(store: Objects) -> None:
    """All partitions are one table, in the order of their keys, whatever order the grant has."""
    written = tables(store, d2=pa.table({"a": [2]}), d1=pa.table({"a": [1]}), d3=pa.table({"a": [3]}))

    assert read_input(store, many(TABLE, **written)) == pa.table({"a": [1, 2, 3]})
    assert read_input(store, many(READER, **written)).read_all() == pa.table({"a": [1, 2, 3]})


def test_types_are_promoted(store: Objects) -> None:
    """Integers and floats, nulls and values, missing columns and other orders of columns are put together."""
    written = tables(
        store,
        d1=pa.table({"a": [1], "b": pa.nulls(1)}).replace_schema_metadata({"pandas": "x"}),
        d2=pa.table({"b": ["x"], "a": [1.5], "c": [True]}),
    )
    expected = pa.table({"a": [1.0, 1.5], "b": [None, "x"], "c": [None, True]})

    for together in (read_input(store, many(TABLE, **written)), read_input(store, many(READER, **written)).read_all()):
        assert together == expected
        assert together.schema.metadata is None


@pytest.mark.parametrize("type_name", [TABLE, READER])
def test_types_that_do_not_unify(store: Objects, type_name: str) -> None:
    """The error names the column, both types and the two partitions that disagree."""
    written = tables(store, d1=pa.table({"a": [1]}), d2=pa.table({"a": [1.0]}), d3=pa.table({"a": ["x"]}))

    with pytest.raises(UnreadableInput, match=r"a\.b: partitions 'd2' and 'd3' .*column 'a' is double and string"):
        read_input(store, many(type_name, **written))


def test_a_chained_reader_is_lazy(store: Objects) -> None:
    """A partition is read when its turn comes: one that breaks meanwhile fails there, not before."""
    written = tables(store, d1=pa.table({"a": [1]}), d2=pa.table({"a": [2]}))
    reader = read_input(store, many(READER, **written))
    path = Path(store.url, written["d2"].objects[0].name)
    path.write_bytes(path.read_bytes() + b"x")

    assert reader.read_next_batch().to_pydict() == {"a": [1]}
    with pytest.raises(ObjectChanged, match="v/aa/d2"):
        reader.read_next_batch()


def test_other_types_are_a_dict_by_partition(store: Objects) -> None:
    """Values that are no tables come as dict[partition, value], sorted by partition; none of them as an empty dict."""
    written = {key: write_value(store, f"v/aa/{key}", "a.b", "int", i) for i, key in enumerate(["d2", "d1"])}

    assert list(read_input(store, many("int", **written)).items()) == [("d1", 1), ("d2", 0)]
    assert read_input(store, many("int")) == {}


@pytest.mark.parametrize("type_name", [TABLE, READER])
def test_a_table_of_no_partitions(store: Objects, type_name: str) -> None:
    """There is no empty table without a schema: the error says that nothing exists."""
    with pytest.raises(UnreadableInput, match=r"a\.b: no partition exists yet"):
        read_input(store, many(type_name))


def test_one_version_is_exactly_one(store: Objects) -> None:
    """A parameter of one version never receives none or two."""
    written = write_value(store, "v/aa/1", "a.b", "int", 1)

    for pieces in ((), (piece_of(written), piece_of(written))):
        with pytest.raises(UnreadableInput, match=rf"a\.b: expected one version for 'p', got {len(pieces)}"):
            read_input(store, Input(parameter="p", asset="a.b", type="int", many=False, pieces=pieces))


@pytest.mark.parametrize("type_name", [TABLE, "dict"])
def test_none_where_there_is_none_to_be(store: Objects, type_name: str) -> None:
    """At an end of a series a parameter of one partition, or of several, is None."""
    for many in (False, True):
        given = Input(parameter="p", asset="a.b", type=type_name, many=many, pieces=(), none=True)
        assert read_input(store, given) is None


def test_a_type_that_the_format_does_not_read(store: Objects) -> None:
    """Asking a JSON value as a table names asset, partition and what it can be read as."""
    written = write_value(store, "v/aa/1", "a.b", "dict", {})

    with pytest.raises(UnreadableInput, match=r"a\.b \(partition d1\) is kept as json, .*annotate .*dict"):
        read_input(store, one(TABLE, written, "d1"))


def test_any_version_can_be_read_as_bytes(store: Objects) -> None:
    """The stored bytes of a table are its Parquet file, checked by their sha256."""
    written = write_value(store, "v/aa/1", "a.b", TABLE, pa.table({"a": [1]}))

    assert read_input(store, one("bytes", written))[:4] == b"PAR1"
    assert read_input(store, one("bytes", write_value(store, "v/aa/2", "a", "dict", {"a": 1}))) == b'{"a":1}'
