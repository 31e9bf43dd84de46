"""How does a task's value become a stored output, and a stored version a task's argument?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from riparian.scheduler.core.protocol import Input, Piece, Written
from riparian.storage.objects.errors import UnreadableInput
from riparian.storage.objects.formats.base import READER, TABLE, Source, Target
from riparian.storage.objects.formats.registry import format_named, format_writing, type_key
from riparian.storage.objects.store import Objects


def write_value(objects: Objects, directory: str, asset: str, type_name: str, value: Any) -> Written:
    """Stores ``value``, declared as ``type_name``, in the attempt's ``directory``; returns what was written.

    Raises WrongValue when the value is not of that type or can not be kept, UnknownFormat when no format keeps it.
    JSON of at most CONTENT_LIMIT bytes becomes ``content`` and touches no store.
    """
    keeper = format_writing(type_name)
    target = Target(
        type=type_name.removeprefix("builtins."),
        where=asset,
        create=lambda: objects.create(f"{directory}/{keeper.object_name}"),
    )
    draft = keeper.write(value, target)
    size = sum(obj.size for obj in draft.objects) if draft.content is None else len(draft.content.encode())
    return Written(
        asset=asset,
        format=keeper.name,
        digest=draft.digest,
        rows=draft.rows,
        bytes=size,
        objects=draft.objects,
        content=draft.content,
        schema=draft.schema,
    )


def read_input(objects: Objects, input: Input) -> Any:
    """Returns what the parameter receives.

    Not ``many``: the value of its one piece. ``many``, in the order of the partition keys: one Table, one
    RecordBatchReader that opens a partition when the one before is through, or ``dict[partition, value]``.
    Raises UnreadableInput (and what ``Objects.open`` raises) naming asset and partition.
    """
    pieces = sorted(input.pieces, key=lambda piece: piece.partition)
    if not input.many:
        if len(pieces) != 1:
            raise UnreadableInput(f"{input.asset}: expected one version for {input.parameter!r}, got {len(pieces)}")
        return _read(objects, input, pieces[0])
    if type_key(input.type) in (TABLE, READER):
        from riparian.storage.objects.formats import tables

        if not pieces:
            raise tables.nothing_exists(input.asset)
        if type_key(input.type) == TABLE:
            return tables.concatenated([(p.partition, _read(objects, input, p)) for p in pieces], input.asset)
        return tables.chained([(p.partition, _opener(objects, input, p)) for p in pieces], input.asset)
    return {piece.partition: _read(objects, input, piece) for piece in pieces}


def _opener(objects: Objects, input: Input, piece: Piece) -> Callable[[], Any]:
    return lambda: _read(objects, input, piece)


def _read(objects: Objects, input: Input, piece: Piece) -> Any:
    where = f"{input.asset} (partition {piece.partition})" if piece.partition else input.asset
    if piece.file:
        where = f"{where} from {piece.file}"
    reader = format_named(piece.format)
    if type_key(input.type) not in reader.reads:
        raise UnreadableInput(
            f"{where} is kept as {reader.name}, which can not be read as {input.type}; "
            f"annotate the parameter as one of {', '.join(sorted(reader.reads))}"
        )
    source = Source(objects=objects, where=where, pieces=piece.objects, content=piece.content)
    return reader.read(source, input.type.removeprefix("builtins."))
