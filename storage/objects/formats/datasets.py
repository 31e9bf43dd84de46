"""How are stored Parquet objects opened as one ``pyarrow.dataset.Dataset``, larger than memory?

A file is opened when a scan comes to it and closed when it is through, so that thousands of partitions need no
thousands of open files. At each opening the object's identity is checked, as for every reading; pages are checked by
their checksums. The sha256 of a file is not: that would read what filters and columns are there to spare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from riparian.storage.objects.errors import UnreadableInput
from riparian.storage.objects.formats.base import Source
from riparian.storage.objects.formats.tables import unified

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def over(sources: Sequence[tuple[str, Source]], where: str) -> ds.Dataset:
    """Returns a dataset over the Parquet objects of the (partition, source), in that order.

    Reads each one's schema at once, and of several makes one as ``tables.unified`` does.
    Raises UnreadableInput for what is no Parquet file, and what ``Objects.open`` raises; a scan raises the latter too.
    """
    import pyarrow as pa
    from pyarrow import dataset as ds

    checked = ds.ParquetFragmentScanOptions(pre_buffer=True, page_checksum_verification=True)
    parquet = ds.ParquetFileFormat(default_fragment_scan_options=checked)
    schemas, fragments = [], []
    for partition, source in sources:
        stored = source.stored
        fragment = parquet.make_fragment(stored.name, filesystem=_filesystem(source), file_size=stored.size)
        try:
            schemas.append((partition, fragment.physical_schema))
        except pa.ArrowInvalid as exc:
            raise not_parquet(source, exc) from exc
        fragments.append(fragment)
    schema = schemas[0][1] if len(schemas) == 1 else unified(schemas, where)
    return ds.FileSystemDataset(fragments, schema, parquet)


def not_parquet(source: Source, exc: Exception) -> UnreadableInput:
    """Returns the error for an object that is no Parquet file."""
    return UnreadableInput(f"{source.where}: this is not a Parquet file: {exc}; correct the file and drop it again")


def _filesystem(source: Source) -> Any:
    """Returns a file system of one file, which can be read and nothing else."""
    import pyarrow as pa
    from pyarrow import fs

    def opened(self: Any, path: str) -> Any:
        return pa.PythonFile(source.open(), mode="r")

    def described(self: Any, paths: list[str]) -> list[Any]:
        return [fs.FileInfo(path, fs.FileType.File, size=source.stored.size) for path in paths]

    reading = {
        "open_input_file": opened,
        "open_input_stream": opened,
        "get_file_info": described,
        "get_type_name": lambda self: "riparian",
        "normalize_path": lambda self, path: path,
    }
    refused = dict.fromkeys(fs.FileSystemHandler.__abstractmethods__, _refuse)
    return fs.PyFileSystem(type("OneObject", (fs.FileSystemHandler,), {**refused, **reading})())


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("what was committed is read-only; return a new value instead")
