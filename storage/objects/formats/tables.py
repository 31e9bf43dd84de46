"""What do all formats of tables share: checking, joining partitions, and showing rows?"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from riparian.storage.objects.errors import UnreadableInput, WrongValue
from riparian.storage.objects.formats.base import Preview, Target

if TYPE_CHECKING:
    import pyarrow as pa


BATCH_ROWS = 65_536


def wrong_type(value: object, target: Target) -> WrongValue:
    """Returns the error for a value that is not what its function declares."""
    kind = type(value)
    found = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    hint = "did you forget return?" if value is None else "return that type, or correct the return annotation"
    return WrongValue(f"{target.where}: declared {target.type}, returned {found}; {hint}")


def unified(schemas: Sequence[tuple[str, pa.Schema]], where: str) -> pa.Schema:
    """Returns the schema that all partitions (partition, schema) promote to; raises UnreadableInput naming the two
    partitions that do not agree."""
    import pyarrow as pa

    merged = schemas[0][1]
    for i, (partition, schema) in enumerate(schemas):
        try:
            merged = pa.unify_schemas([merged, schema], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as exc:
            column, other = _disagreement(schemas[:i], schema)
            raise UnreadableInput(
                f"{where}: partitions {other!r} and {partition!r} can not be put together: {column}: {exc}; "
                "materialize one of them again with the other's types, or take them as dict[partition, table]"
            ) from exc
    # Metadata such as pandas' and polars' describe one partition, not their union.
    return pa.schema([field.remove_metadata() for field in merged])


def _disagreement(before: Sequence[tuple[str, pa.Schema]], schema: pa.Schema) -> tuple[str, str]:
    import pyarrow as pa

    for partition, other in reversed(before):
        for field in schema:
            if field.name in other.names:
                pair = [pa.schema([other.field(field.name)]), pa.schema([field])]
                try:
                    pa.unify_schemas(pair, promote_options="permissive")
                except (pa.ArrowTypeError, pa.ArrowInvalid):
                    return f"column {field.name!r} is {other.field(field.name).type} and {field.type}", partition
    return "their columns", before[-1][0]


def concatenated(tables: Sequence[tuple[str, pa.Table]], where: str) -> pa.Table:
    """Returns the (partition, table) one after the other, with promoted types and null where a column is missing."""
    import pyarrow as pa

    schema = unified([(partition, table.schema) for partition, table in tables], where)
    plain = [table.replace_schema_metadata() for _, table in tables]
    try:
        return pa.concat_tables(plain, promote_options="permissive").select(schema.names).cast(schema)
    except pa.ArrowInvalid as exc:
        raise _does_not_fit(where, exc) from exc


def chained(openers: Sequence[tuple[str, Callable[[], pa.RecordBatchReader]]], where: str) -> pa.RecordBatchReader:
    """Returns one reader over the (partition, opener); at most one partition is open at a time.

    Each is opened once for its schema first, because a reader has one schema from its beginning.
    """
    import pyarrow as pa

    schemas = []
    for partition, opener in openers:
        with opener() as reader:
            schemas.append((partition, reader.schema))
    schema = unified(schemas, where)

    def batches() -> Iterator[pa.RecordBatch]:
        for _, opener in openers:
            with opener() as reader:
                for batch in reader:
                    yield _conformed(batch, schema, where)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _conformed(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    import pyarrow as pa

    names = batch.schema.names
    try:
        columns = [batch[f.name].cast(f.type) if f.name in names else pa.nulls(batch.num_rows, f.type) for f in schema]
    except pa.ArrowInvalid as exc:
        raise _does_not_fit(where, exc) from exc
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _does_not_fit(where: str, exc: Exception) -> UnreadableInput:
    return UnreadableInput(
        f"{where}: a value does not fit the type that all partitions have in common: {exc}; "
        "give the column one type in every partition"
    )


def preview_of(table: pa.Table) -> Preview:
    """Returns a (short) table as JSON values."""
    columns = [_python(column) for column in table.columns]
    rows = [[jsonable(column[i]) for column in columns] for i in range(table.num_rows)]
    return Preview(columns=table.column_names, types=[str(t) for t in table.schema.types], rows=rows)


def _python(column: pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.to_pylist())
    except ValueError:
        # Python's times end at microseconds; the text keeps the nanoseconds.
        import pyarrow as pa

        texts = column.cast(pa.string()).to_pylist()
        return [text.replace(" ", "T", 1) if text else text for text in texts]


def jsonable(value: Any) -> Any:
    """Returns ``value`` as JSON values: times in ISO 8601, bytes in base64, decimals and special floats as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return str(value)


def nothing_exists(where: str) -> UnreadableInput:
    """Returns the error for a table of no partitions: there is no schema to make an empty one of."""
    return UnreadableInput(
        f"{where}: no partition exists yet, so that there is no table and no schema to read; materialize one first"
    )
