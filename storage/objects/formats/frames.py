"""How do frames of pandas and polars, and datasets, become Arrow tables and come back?

What a frame is kept as does not depend on the library that made it: texts, lists and categories have one Arrow type
each, so that equal frames have equal digests and columns of two assets can be joined. The libraries are imported when a
value of theirs travels, never before.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from riparian.storage.objects.errors import MissingLibrary, UnreadableInput, WrongValue
from riparian.storage.objects.formats.base import DATASET, LAZY, PANDAS, POLARS, READER, TABLE, Target
from riparian.storage.objects.formats.tables import BATCH_ROWS, wrong_type

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

OLDEST = {PANDAS: "2.2", POLARS: "1.34", LAZY: "2.0"}
"""The types whose libraries are not installed with Riparian, and the oldest versions that do what is asked here.

Before 2.0 a LazyFrame whose query fails while it streams ends like one that is through, with rows missing.
"""


def library(type_name: str, where: str) -> Any:
    """Imports the library of a type; raises MissingLibrary that says what to install."""
    name = type_name.partition(".")[0]
    try:
        found = importlib.import_module(name)
    except ImportError as exc:
        raise _missing(type_name, where, f"{name} can not be imported: {exc}") from exc
    if _version(found.__version__) < _version(OLDEST[type_name]):
        raise _missing(type_name, where, f"{name} {found.__version__} is too old for it")
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _missing(type_name: str, where: str, why: str) -> MissingLibrary:
    name = type_name.partition(".")[0]
    return MissingLibrary(
        f"{where}: declared {type_name}, but {why}; "
        f"install {name}>={OLDEST[type_name]} where the worker runs, or annotate pa.Table"
    )


def to_arrow(value: Any, target: Target) -> pa.Table | pa.RecordBatchReader:
    """Returns what is to be stored of a value of any table type; a reader where it streams.

    Raises WrongValue when it is not of ``target.type``, or holds what a table can not.
    """
    if not isinstance(value, _class_of(target.type, target.where)):
        raise wrong_type(value, target)
    if target.type == DATASET:
        return _from_dataset(value)
    return _STREAMS[target.type](value, target) if target.type in _STREAMS else value


def _class_of(type_name: str, where: str) -> Any:
    if type_name in (TABLE, READER, DATASET):
        module, _, name = type_name.rpartition(".")
        return getattr(importlib.import_module(module), name)
    return getattr(library(type_name, where), type_name.partition(".")[2])


def _from_pandas(frame: Any, target: Target) -> pa.RecordBatchReader:
    import pyarrow as pa

    if odd := [column for column in frame.columns if not isinstance(column, str)]:
        raise WrongValue(
            f"{target.where}: the column {odd[0]!r} has a name that is no text; rename it: "
            "frame.columns = frame.columns.map(str)"
        )
    if not _is_row_numbers(frame.index):
        raise WrongValue(
            f"{target.where}: the frame has an index of its own ({_index_in_words(frame.index)}), and a table has only "
            "columns; return frame.reset_index() to keep it as columns, or frame.reset_index(drop=True) to drop it"
        )
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as exc:
        raise _unkeepable(target, exc) from exc
    slices = (table.slice(start, BATCH_ROWS) for start in range(0, table.num_rows, BATCH_ROWS))
    return _streamed(slices, table.schema)


def _is_row_numbers(index: Any) -> bool:
    """Whether an index says nothing but where the rows once stood, as it does after a filter, a sort or a concat."""
    return index.nlevels == 1 and index.name is None and (index.dtype.kind in "iu" or len(index) == 0)


def _index_in_words(index: Any) -> str:
    names = ", ".join(repr(name) for name in index.names if name is not None)
    return names or f"{index.dtype}, without a name"


def _from_polars(frame: Any, target: Target) -> pa.RecordBatchReader:
    schema = _schema_of(frame.schema, target)
    return _streamed((part.to_arrow() for part in frame.iter_slices(BATCH_ROWS)), schema)


def _from_lazy(frame: Any, target: Target) -> pa.RecordBatchReader:
    schema = _schema_of(frame.collect_schema(), target)
    parts = frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
    return _streamed((part.to_arrow() for part in parts), schema)


def _schema_of(columns: Any, target: Target) -> pa.Schema:
    import pyarrow as pa

    polars = library(target.type, target.where)
    for name, dtype in columns.items():
        # What polars would hand over of them are addresses in memory.
        if _holds_objects(dtype, polars.Object):
            raise _unkeepable(target, TypeError(f"column {name} holds Python objects"))
    try:
        return polars.DataFrame(schema=columns).to_arrow().schema
    except (polars.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as exc:
        raise _unkeepable(target, exc) from exc


def _holds_objects(dtype: Any, objects: Any) -> bool:
    inside = [field.dtype for field in getattr(dtype, "fields", ())] + [getattr(dtype, "inner", None)]
    return dtype == objects or any(_holds_objects(one, objects) for one in inside if one is not None)


def _from_dataset(dataset: ds.Dataset) -> pa.RecordBatchReader:
    # What is read ahead is held: up to 1 GiB with threads, and with files that are fetched before they are asked for,
    # whose parts are decoded as they come, not as the writer takes them.
    little: dict[str, Any] = {"batch_readahead": 2, "fragment_readahead": 1, "use_threads": False}
    kind = getattr(dataset, "format", None)
    if kind is not None and kind.default_extname == "parquet":
        little["fragment_scan_options"] = copy.copy(kind.default_fragment_scan_options)
        little["fragment_scan_options"].pre_buffer = False
    return dataset.scanner(batch_size=BATCH_ROWS, **little).to_reader()


_STREAMS = {PANDAS: _from_pandas, POLARS: _from_polars, LAZY: _from_lazy}


def _unkeepable(target: Target, exc: Exception) -> WrongValue:
    reason = "; ".join(str(part) for part in exc.args)
    return WrongValue(f"{target.where}: can not be kept as a table: {reason}; give every column one type")


def _streamed(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.RecordBatchReader:
    import pyarrow as pa

    plain = pa.schema([field.with_type(_plain_type(field.type)) for field in schema], schema.metadata)

    def batches() -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield from _cast(part, plain).to_batches()

    return pa.RecordBatchReader.from_batches(plain, batches())


def _cast(part: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    try:
        return part.cast(schema)
    except pa.ArrowInvalid:
        # A slice of more than 2 GB of text still points into all of it; taking the rows leaves the rest behind.
        return part.take(pa.array(range(part.num_rows), pa.int64())).cast(schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type by which pyarrow itself calls such values; widths of offsets and of codes are no content."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.binary()
    if types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), _plain_type(kind.value_type), kind.ordered)
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    return kind


def of_table(table: pa.Table, type_name: str, where: str) -> Any:
    """Returns a table as a type that holds it whole; raises UnreadableInput where that type can not."""
    import pyarrow as pa

    if type_name == TABLE:
        return table
    if type_name == DATASET:
        from pyarrow import dataset

        return dataset.dataset(table)
    found = library(type_name, where)
    _expect_distinct(table.schema, type_name, where)
    own = () if type_name == PANDAS else (found.exceptions.PolarsError,)
    try:
        frame = _to_pandas(table, found) if type_name == PANDAS else found.from_arrow(table)
    except (*own, pa.ArrowException, TypeError, ValueError) as exc:
        raise _unreadable(type_name, where, str(exc)) from exc
    return frame.lazy() if type_name == LAZY else frame


def _expect_distinct(schema: pa.Schema, type_name: str, where: str) -> None:
    if twice := next((name for name in schema.names if schema.names.count(name) > 1), None):
        raise _unreadable(type_name, where, f"two columns are called {twice!r}")


def _unreadable(type_name: str, where: str, why: str) -> UnreadableInput:
    return UnreadableInput(f"{where}: can not be read as {type_name}: {why}; annotate the parameter as pa.Table")


def of_dataset(dataset: ds.Dataset, type_name: str, where: str) -> Any:
    """Returns a dataset as itself, or as a LazyFrame that reads only the columns it needs, batch by batch."""
    if type_name == DATASET:
        return dataset
    _expect_distinct(dataset.schema, type_name, where)
    # Arrow would filter while it reads, but it compares otherwise: NaN is above every number in polars, in Arrow below.
    return library(type_name, where).scan_pyarrow_dataset(dataset, allow_pyarrow_filter=False, batch_size=BATCH_ROWS)


_WHOLE = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")


def _to_pandas(table: pa.Table, pandas: Any) -> Any:
    import pyarrow as pa

    frame = table.to_pandas()
    nullable = {getattr(pa, kind.lower())(): getattr(pandas, f"{kind}Dtype")() for kind in _WHOLE}
    nullable[pa.bool_()] = pandas.BooleanDtype()
    for place, name in enumerate(frame.columns):
        column = table.column(name) if name in table.column_names else None
        # Else pandas makes floats of whole numbers as soon as one is missing, which above 2**53 are other numbers.
        if (
            column is not None
            and column.null_count
            and column.type in nullable
            and frame.dtypes.iloc[place].kind in "fO"
        ):
            frame.isetitem(place, column.to_pandas(types_mapper=nullable.get).array)
    return frame
