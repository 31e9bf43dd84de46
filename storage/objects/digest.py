"""When is content the same? A content digest depends on values alone, never on how they were cut, stored or padded.

A table is digested as columns: each column is a few streams (which rows are null, lengths, values without those
under nulls, and its children likewise), each stream has its own SHA-256, and those are hashed with the schema in
the end. Streams are concatenated batch by batch, so the producer's chunks, slices and offsets vanish by construction,
and nothing is copied where nothing is null. (Serialised Arrow IPC would carry padding, dictionaries and the writer's
version along.)
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def digest_bytes(data: bytes) -> str:
    """Returns the digest of bytes, or of canonical JSON text encoded as UTF-8."""
    return hashlib.sha256(data).hexdigest()


def digest_table(table: pa.Table) -> str:
    """Returns the digest of a whole table."""
    digest = TableDigest(table.schema)
    digest.update(table)
    return digest.hexdigest()


class TableDigest:
    """Digests a table while it streams by.

    Equal are tables of equal column names, types, nullability, row order and values; metadata such as pandas' do not
    count, neither do values under nulls. Dictionary and run-end encoded columns count by what they decode to (and by
    their declared type). Floats count by their bits: 0.0 and -0.0 differ. Raises TypeError, naming the column, where a
    type has no canonical form.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = json.dumps([_describe(field) for field in schema])
        self._columns = [_Column(field.type, field.name) for field in schema]
        self._rows = 0

    def update(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Takes the next rows, in order."""
        self._rows += rows.num_rows
        for column, values in zip(self._columns, rows.columns, strict=True):
            for chunk in getattr(values, "chunks", [values]):
                column.update(chunk)

    def hexdigest(self) -> str:
        """Returns the digest of everything so far: 64 hexadecimal digits."""
        whole = hashlib.sha256(f"{self._rows}\n{self._schema}\n".encode())
        for column in self._columns:
            column.finish(whole)
        return whole.hexdigest()


class _Column:
    """The streams of one column and, when it is nested, of its children."""

    def __init__(self, kind: pa.DataType, path: str) -> None:
        import pyarrow as pa

        self._plain = plain = _plain_type(kind)
        self._rows = 0
        self._nulls = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()
        if pa.types.is_union(plain):
            raise TypeError(f"column {path!r} is a {kind}; a union can not be stored as a table's column")
        self._children: list[_Column] = []
        if pa.types.is_nested(plain):
            self._children = [_Column(f.type, f"{path}.{f.name}") for f in _fields(plain)]

    def update(self, array: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        array = _plain(array, self._plain)
        start, self._rows = self._rows, self._rows + len(array)
        if pa.types.is_null(self._plain):
            return
        if array.null_count:
            rows = pc.add(pc.indices_nonzero(array.is_null()), pa.scalar(start, pa.uint64()))
            _feed(self._nulls, rows)
            # What lies under a null is not content.
            array = array.drop_null()
        if len(array):
            self._take(array)

    def _take(self, array: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self._plain
        if pa.types.is_struct(kind):
            for child, values in zip(self._children, array.flatten(), strict=True):
                child.update(values)
        elif self._children:
            if not pa.types.is_fixed_size_list(kind):
                _feed(self._lengths, pc.list_value_length(array))
            self._children[0].update(array.flatten())
        elif pa.types.is_boolean(kind):
            _feed(self._values, array.cast(pa.uint8()))
        elif _has_offsets(kind):
            _feed(self._lengths, pc.binary_length(array))
            _feed_text(self._values, array)
        else:
            _feed(self._values, array)

    def finish(self, whole: Any) -> None:
        for stream in (self._nulls, self._lengths, self._values):
            whole.update(stream.digest())
        for child in self._children:
            child.finish(whole)


def _feed(stream: Any, array: pa.Array) -> None:
    """Hashes the values of a fixed-width array without nulls, wherever in its buffer they lie."""
    width = array.type.bit_width // 8
    data = array.buffers()[-1]
    if width and len(array):
        stream.update(memoryview(data)[array.offset * width : (array.offset + len(array)) * width])


def _feed_text(stream: Any, array: pa.Array) -> None:
    import pyarrow as pa

    _, offsets, data = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    positions = memoryview(offsets).cast("q" if wide else "i")
    first, last = positions[array.offset], positions[array.offset + len(array)]
    if last > first:
        stream.update(memoryview(data)[first:last])


def _has_offsets(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type that holds the same values without extension, encoding, map or view, at every depth."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_map(kind):
        pair = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
        kind = pa.list_(pair)
    return _without_views(kind)


def _without_views(kind: pa.DataType) -> pa.DataType:
    """Returns ``kind`` with texts in one buffer, also in its children: pyarrow can not drop nulls beside views."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if not types.is_nested(kind) or types.is_union(kind) or types.is_map(kind):
        return kind
    children = [f.with_type(_without_views(f.type)) for f in _fields(kind)]
    if types.is_struct(kind):
        return pa.struct(children)
    if types.is_fixed_size_list(kind):
        return pa.list_(children[0], kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(children[0])
    if types.is_list(kind):
        return pa.list_(children[0])
    return kind


def _plain(array: pa.Array, plain: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    while array.type != plain:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        else:
            array = array.cast(plain)
    return array


def _fields(kind: pa.DataType) -> list[pa.Field]:
    return [kind.field(i) for i in range(kind.num_fields)]


def _describe(field: pa.Field) -> list[Any]:
    """Returns name, nullability, type and children of a field; metadata are left out."""
    from pyarrow import types

    nested = types.is_nested(field.type)
    kind = str(field.type)
    if nested:
        # A nested type's own text holds its children's names unquoted, which two different types can share.
        kind = kind.partition("<")[0] + (f"[{field.type.list_size}]" if types.is_fixed_size_list(field.type) else "")
    children = [_describe(f) for f in _fields(field.type)] if nested else []
    if nested and not types.is_struct(field.type) and not types.is_union(field.type):
        # What the values of a list are called is no content: pyarrow says item, the same list from Parquet element.
        children[0][0] = "entries" if types.is_map(field.type) else "item"
    return [field.name, field.nullable, kind, children]
