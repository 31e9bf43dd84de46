"""Bytes through fsspec: where they lie, how values become bytes, and how they are known to be the same.

Importing this loads neither pyarrow nor fsspec: they are loaded when first used.
"""

from riparian.storage.objects.errors import (
    InvalidName,
    ObjectChanged,
    ObjectCorrupt,
    ObjectExists,
    ObjectMissing,
    SourceChanged,
    SourceRefused,
    UnknownFormat,
    UnreadableInput,
    WrongValue,
)
from riparian.storage.objects.ingest import copy_in, fingerprint_of
from riparian.storage.objects.layout import MANIFEST, attempt_directory, bundle_name, check_name, log_name
from riparian.storage.objects.manifest import read_manifest, write_manifest
from riparian.storage.objects.reading import iter_bytes, read_preview
from riparian.storage.objects.store import Objects, ObjectWriter
from riparian.storage.objects.values import read_input, write_value

__all__ = [
    "MANIFEST",
    "InvalidName",
    "ObjectChanged",
    "ObjectCorrupt",
    "ObjectExists",
    "ObjectMissing",
    "ObjectWriter",
    "Objects",
    "SourceChanged",
    "SourceRefused",
    "UnknownFormat",
    "UnreadableInput",
    "WrongValue",
    "attempt_directory",
    "bundle_name",
    "check_name",
    "copy_in",
    "fingerprint_of",
    "iter_bytes",
    "log_name",
    "read_input",
    "read_manifest",
    "read_preview",
    "write_manifest",
    "write_value",
]
