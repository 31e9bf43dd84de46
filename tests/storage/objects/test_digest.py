"""A content digest depends on values alone."""

from __future__ import annotations

import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riparian.storage.objects.digest import TableDigest, digest_bytes, digest_table

INTS = st.integers(-100, 100)
TEXT = st.text(max_size=4)
POINT = pa.struct([("x", pa.int32()), ("tags", pa.list_(pa.string()))])

VALUES: dict[pa.DataType, st.SearchStrategy[object]] = {
    pa.null(): st.none(),
    pa.bool_(): st.booleans(),
    pa.int8(): INTS,
    pa.int64(): INTS,
    pa.float64(): st.floats(allow_nan=False),
    pa.date32(): st.dates(),
    pa.timestamp("us", "UTC"): INTS,
    pa.duration("s"): INTS,
    pa.decimal128(6, 2): INTS.map(lambda i: Decimal(i) / 4),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.string_view(): TEXT,
    pa.binary(): st.binary(max_size=3),
    pa.binary(2): st.binary(min_size=2, max_size=2),
    pa.list_(pa.int16()): st.lists(st.none() | INTS, max_size=3),
    pa.list_(pa.bool_(), 2): st.lists(st.none() | st.booleans(), min_size=2, max_size=2),
    pa.large_list(pa.string()): st.lists(st.none() | TEXT, max_size=3),
    pa.list_view(pa.int8()): st.lists(st.none() | INTS, max_size=3),
    POINT: st.fixed_dictionaries({"x": st.none() | INTS, "tags": st.none() | st.lists(st.none() | TEXT, max_size=2)}),
    pa.map_(pa.string(), pa.int8()): st.lists(st.tuples(TEXT, st.none() | INTS), max_size=2),
    pa.list_(pa.string_view()): st.lists(st.none() | TEXT, max_size=2),
    pa.list_(POINT): st.lists(st.none() | st.fixed_dictionaries({"x": INTS, "tags": st.none()}), max_size=2),
}

columns = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.none() | VALUES[kind], max_size=12))
)


def table_of(kind: pa.DataType, values: list[object]) -> pa.Table:
    return pa.table({"c": pa.array(values, kind)})


def recut(draw: st.DrawFn, kind: pa.DataType, values: list[object]) -> pa.Table:
    """The same values in chunks of any size, each a slice out of a longer array."""
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=4)))
    chunks = []
    for start, end in zip([0, *cuts], [*cuts, len(values)], strict=True):
        before = draw(st.lists(st.none() | VALUES[kind], max_size=9))
        after = draw(st.lists(st.none() | VALUES[kind], max_size=2))
        longer = pa.array([*before, *values[start:end], *after], kind)
        chunks.append(longer.slice(len(before), end - start))
    return pa.table({"c": pa.chunked_array(chunks, kind)})


@settings(max_examples=150)
@given(st.data(), columns)
def test_cutting_leaves_no_trace(data: st.DataObject, column: tuple[pa.DataType, list[object]]) -> None:
    """Any chunking, slicing and offsets of the same values have the same digest, for every type."""
    kind, values = column
    other = recut(data.draw, kind, values)

    assert digest_table(table_of(kind, values)) == digest_table(other)


@settings(max_examples=150)
@given(
    st.sampled_from(list(VALUES)).flatmap(
        lambda k: st.tuples(st.just(k), *[st.lists(st.none() | VALUES[k], max_size=4)] * 2)
    )
)
def test_other_values_have_another_digest(drawn: tuple[pa.DataType, list[object], list[object]]) -> None:
    """Equal digests mean equal tables: values, nulls, lengths and order all count."""
    kind, one, other = (drawn[0], *(table_of(drawn[0], values) for values in drawn[1:]))
    same = [str(v) for v in one["c"]] == [str(v) for v in other["c"]] and one.num_rows == other.num_rows

    assert (digest_table(one) == digest_table(other)) == same, kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2], [3]], [[1], [2, 3]]),
        ([[1], []], [[], [1]]),
        ([[], None], [None, []]),
        (["ab", "c"], ["a", "bc"]),
        (["", None], [None, ""]),
        ([{"x": None}], [None]),
        ([[None]], [[]]),
        ([True, False], [False, True]),
        ([0.0], [-0.0]),
    ],
)
def test_neighbours_do_not_run_together(one: list[object], other: list[object]) -> None:
    """Values that share their flattened bytes differ."""
    kind = pa.array([v for v in [*one, *other] if v is not None]).type

    assert digest_table(table_of(kind, one)) != digest_table(table_of(kind, other))


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"b": pa.array([1, 2])}),
        pa.table({"a": pa.array([1, 2], pa.int32())}),
        pa.table({"a": pa.array([1, 2], pa.timestamp("us"))}),
        pa.table({"a": pa.array([2, 1])}),
        pa.table({"a": pa.array([1, 2]), "b": pa.array([1, 2])}),
        pa.table({"a": pa.array([1, 2, None])}),
        pa.Table.from_arrays([pa.array([1, 2])], schema=pa.schema([pa.field("a", pa.int64(), nullable=False)])),
    ],
    ids=["name", "width", "type", "order", "column", "row", "nullability"],
)
def test_schema_and_order_count(other: pa.Table) -> None:
    """Another column name, type, order of rows, column, row or nullability is another digest."""
    assert digest_table(pa.table({"a": pa.array([1, 2])})) != digest_table(other)


def test_empty_tables_differ_by_their_schema() -> None:
    """No rows of integers are not no rows of texts."""
    assert digest_table(table_of(pa.int64(), [])) != digest_table(table_of(pa.string(), []))


def test_names_that_a_file_gives_are_no_content() -> None:
    """Lists and maps whose values pyarrow calls item and entries, and Parquet otherwise, digest the same."""
    table = pa.table(
        {
            "list": pa.array([[1]]),
            "large": pa.array([["x"]], pa.large_list(pa.string())),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "deep": [{"a": [{"b": 1}]}],
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    back = pq.read_table(file)

    assert str(back.schema) != str(table.schema)
    assert digest_table(table) == digest_table(back)


def test_children_names_are_not_run_together() -> None:
    """Struct types whose text is the same, by names with commas in them, differ."""
    odd = pa.struct([("a: int64, b", pa.int64())])
    plain = pa.struct([("a", pa.int64()), ("b", pa.int64())])

    assert str(odd) == str(plain)
    assert digest_table(table_of(odd, [])) != digest_table(table_of(plain, []))


def test_metadata_do_not_count() -> None:
    """pandas' notes in the schema are no content."""
    table = pa.table({"a": [1]})

    assert digest_table(table) == digest_table(table.replace_schema_metadata({"pandas": "{}"}))


def test_what_lies_under_a_null_does_not_count() -> None:
    """A producer may leave anything in the slots of nulls."""
    validity = pa.array([1, None, 3]).buffers()[0]
    dirty = pa.Array.from_buffers(pa.int64(), 3, [validity, pa.array([1, 99, 3]).buffers()[1]])
    texts = pa.array(["a", "dirty", "c"])
    dirty_texts = pa.Array.from_buffers(pa.string(), 3, [validity, *texts.buffers()[1:]])

    assert digest_table(pa.table({"a": dirty})) == digest_table(pa.table({"a": [1, None, 3]}))
    assert digest_table(pa.table({"a": dirty_texts})) == digest_table(pa.table({"a": ["a", None, "c"]}))


def test_bits_after_the_end_do_not_count() -> None:
    """The last byte of a column of booleans may hold anything behind the last row."""
    dirty = pa.Array.from_buffers(pa.bool_(), 3, [None, pa.py_buffer(b"\xfd")])

    assert dirty.to_pylist() == [True, False, True]
    assert digest_table(pa.table({"a": dirty})) == digest_table(pa.table({"a": [True, False, True]}))


def test_dictionaries_count_by_their_values() -> None:
    """Another order of the dictionary, unused entries, or another dictionary in each chunk are no difference."""
    kind = pa.dictionary(pa.int32(), pa.string())
    one = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int32()), ["a", "b"])
    other = pa.DictionaryArray.from_arrays(pa.array([2, 0, None], pa.int32()), ["b", "unused", "a"])
    cut = pa.chunked_array([one.slice(0, 1), other.slice(1, 2)], kind)
    null_entry = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array(["a", "b", None]))

    digests = {digest_table(pa.table({"a": values})) for values in (one, other, cut, null_entry)}
    assert len(digests) == 1
    assert digest_table(pa.table({"a": ["a", "b", None]})) not in digests


def test_run_ends_count_by_their_values() -> None:
    """Where runs are cut is no content, nested dictionaries neither."""
    one = pc.run_end_encode(pa.array([1, 1, None]))
    other = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), pa.array([1, 1, None]))
    nested = pa.list_(pa.dictionary(pa.int8(), pa.string()))

    assert digest_table(pa.table({"a": one})) == digest_table(pa.table({"a": other}))
    both = [table_of(nested, [["a", "b"], None]), pa.table({"a": [0]})]
    assert len({digest_table(t) for t in both}) == 2


def test_extension_types_count_by_their_storage() -> None:
    """An extension's values are its storage's, its type is its own."""
    ids = [bytes(16), None]
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16)))
    longer = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16, *ids], pa.binary(16)))

    assert digest_table(pa.table({"a": uuid})) == digest_table(pa.table({"a": longer.slice(1)}))
    assert digest_table(pa.table({"a": uuid})) != digest_table(pa.table({"a": pa.array(ids, pa.binary(16))}))


def test_a_union_is_refused() -> None:
    """A type without canonical form is refused with its column."""
    kind = pa.dense_union([pa.field("a", pa.int8())])

    with pytest.raises(TypeError, match=r"'s\.u'"):
        TableDigest(pa.schema([("s", pa.struct([("u", kind)]))]))


def test_known_digests() -> None:
    """Digests are kept for years: a change here makes everything stale, and must be meant."""
    table = pa.table({"a": [1, None], "b": ["x", "yz"], "c": [[True], []]})

    assert digest_table(table) == KNOWN
    assert digest_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


KNOWN = "0450862215ca71ed07570667924121019939f7f0a2a8db5170d630eb8bd29e8e"
