"""What must a format be able to do?

A format is one file with one ``Format``. Its module is imported by the registry, so it imports pyarrow and the like
only inside its functions. Types are named by their qualified name (``pyarrow.lib.Table``, ``dict``), so that nothing
has to be imported to choose a format; every dataclass is called ``dataclass``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.objects.errors import UnreadableInput
from riparian.storage.objects.store import Objects, ObjectWriter

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "pyarrow.lib.Table"
READER = "pyarrow.lib.RecordBatchReader"
DATASET = "pyarrow.dataset.Dataset"
PANDAS = "pandas.DataFrame"
POLARS = "polars.DataFrame"
LAZY = "polars.LazyFrame"
TABLES = frozenset({TABLE, READER, DATASET, PANDAS, POLARS, LAZY})
PATH = "pathlib.Path"
"""A local file with the stored bytes: every version can be read as one (files.py), whatever its format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a format made of a value: objects, or ``content``. ``schema`` is JSON text, for tables."""

    digest: str
    rows: int | None = None
    objects: tuple[StoredObject, ...] = ()
    content: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a value goes: its declared type, words for messages, and how to begin the one object that holds it."""

    type: str
    where: str
    create: Callable[[], ObjectWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One stored version, as it is read. ``where`` names asset and partition in messages."""

    objects: Objects
    where: str
    pieces: tuple[StoredObject, ...] = ()
    content: str | None = None

    @property
    def stored(self) -> StoredObject:
        """The one object that holds the version."""
        if len(self.pieces) != 1:
            raise UnreadableInput(f"{self.where}: expected one object, its version lists {len(self.pieces)}")
        return self.pieces[0]

    def open(self) -> BinaryIO:
        """Opens the object after checking that it is the committed one."""
        return self.objects.open(self.stored)

    def read(self) -> bytes:
        """Returns all bytes, checked by their sha256; those of ``content`` where there is no object."""
        return self.objects.read(self.stored) if self.content is None else self.content.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The first rows as JSON values, column by column; ``types`` are words for people."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]] = field(default_factory=list)


class Format(Protocol):
    """One way to keep values as bytes."""

    @property
    def name(self) -> str:
        """The version's format, such as ``parquet``."""

    @property
    def object_name(self) -> str:
        """The name of its object in an attempt's directory."""

    @property
    def writes(self) -> frozenset[str]:
        """The types whose values it stores; no other format may name them."""

    @property
    def reads(self) -> frozenset[str]:
        """The types it can hand back."""

    def write(self, value: Any, target: Target) -> Draft:
        """Stores a value of ``target.type``; raises WrongValue when it is none, before anything becomes visible."""

    def read(self, source: Source, type_name: str) -> Any:
        """Returns one version as ``type_name`` (one of ``reads``); raises UnreadableInput naming ``source.where``."""

    def preview(self, source: Source, rows: int) -> Preview:
        """Returns at most ``rows`` rows, reading only what that needs."""


def schema_text(schema: pa.Schema) -> str:
    """Returns a table's columns as JSON text: ``[{"name": …, "type": …, "nullable": …}, …]``."""
    import json

    columns = [{"name": f.name, "type": str(f.type), "nullable": f.nullable} for f in schema]
    return json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
