"""How are tables kept as Parquet?

Written and digested in one pass, row group by row group, so that what streams may be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from riparian.storage.objects.digest import TableDigest
from riparian.storage.objects.errors import ObjectCorrupt, WrongValue
from riparian.storage.objects.formats import datasets, frames
from riparian.storage.objects.formats.base import (
    DATASET,
    LAZY,
    READER,
    TABLES,
    Draft,
    Preview,
    Source,
    Target,
    schema_text,
)
from riparian.storage.objects.formats.tables import BATCH_ROWS, preview_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP_ROWS = 1 << 20
ROW_GROUP_BYTES = 128 << 20


class Parquet:
    """Tables as zstd-compressed Parquet, whole or streamed."""

    name = "parquet"
    object_name = "part-0.parquet"
    writes = TABLES
    reads = TABLES | {"bytes"}

    def write(self, value: Any, target: Target) -> Draft:
        import pyarrow as pa
        import pyarrow.parquet as pq

        value = frames.to_arrow(value, target)
        rows = 0
        with target.create() as out:
            try:
                digest = TableDigest(value.schema)
                writer = pq.ParquetWriter(out, value.schema, compression="zstd", write_page_checksum=True)
            except (pa.ArrowNotImplementedError, TypeError) as exc:
                raise WrongValue(f"{target.where}: can not be kept as Parquet: {exc}; cast that column") from exc
            # Hashing releases the GIL: beside the compression it is nearly free where there is a second core.
            with writer, ThreadPoolExecutor(max_workers=1) as beside:
                for group in _row_groups(value):
                    digested = beside.submit(digest.update, group)
                    writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
                    digested.result()
                    rows += group.num_rows
        return Draft(digest=digest.hexdigest(), rows=rows, objects=(out.stored,), schema=schema_text(value.schema))

    def read(self, source: Source, type_name: str) -> Any:
        if type_name == "bytes":
            return source.read()
        if type_name == READER:
            return self._stream(source)
        if type_name in (DATASET, LAZY):
            return frames.of_dataset(datasets.over([("", source)], source.where), type_name, source.where)
        with _opened(source) as file:
            table = file.read()
        return frames.of_table(table, type_name, source.where)

    def preview(self, source: Source, rows: int) -> Preview:
        import pyarrow as pa

        with _opened(source) as file:
            first = next(file.iter_batches(batch_size=max(rows, 1)), None)
            table = pa.Table.from_batches([] if first is None else [first], schema=file.schema_arrow)
            return preview_of(table.slice(0, rows))

    def _stream(self, source: Source) -> pa.RecordBatchReader:
        import pyarrow as pa

        closing = ExitStack()
        file = closing.enter_context(_opened(source))

        def batches() -> Iterator[pa.RecordBatch]:
            with closing:
                yield from file.iter_batches(batch_size=BATCH_ROWS)

        return pa.RecordBatchReader.from_batches(file.schema_arrow, batches())


@contextmanager
def _opened(source: Source) -> Iterator[pq.ParquetFile]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with source.open() as file:
        try:
            parquet = pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)
        except pa.ArrowInvalid as exc:
            raise datasets.not_parquet(source, exc) from exc
        try:
            yield parquet
        except (pa.ArrowInvalid, OSError) as exc:
            # Arrow's own errors have no errno; those of the storage have one, and trying again may help them.
            if getattr(exc, "errno", None) is not None:
                raise
            raise ObjectCorrupt(
                f"{source.where}: {source.stored.name} is damaged: {exc}; restore it, or materialize it again"
            ) from exc


def _row_groups(value: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    import pyarrow as pa

    if isinstance(value, pa.Table):
        bytes_per_row = value.nbytes / max(value.num_rows, 1)
        rows = max(1, min(ROW_GROUP_ROWS, int(ROW_GROUP_BYTES / max(bytes_per_row, 1))))
        yield from (value.slice(start, rows) for start in range(0, value.num_rows, rows))
        return
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in value:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held, schema=value.schema)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(held, schema=value.schema)


FORMAT = Parquet()
