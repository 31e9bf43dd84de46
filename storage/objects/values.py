"""How does a task's value become a stored output, and a stored version a task's argument?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from riparian.assets.partitions.key import PartitionKey
from riparian.scheduler.core.protocol import Input, Piece, Written
from riparian.storage.objects.errors import UnreadableInput
from riparian.storage.objects.files import local_copy
from riparian.storage.objects.formats import parquet
from riparian.storage.objects.formats.base import DATASET, LAZY, PATH, READER, TABLE, TABLES, Source, Target
from riparian.storage.objects.formats.registry import format_named, format_writing, type_key
from riparian.storage.objects.store import Objects


def write_value(objects: Objects, directory: str, asset: str, type_name: str, value: Any) -> Written:
    """Stores ``value``, declared as ``type_name``, in the attempt's ``directory``; returns what was written.

    Raises WrongValue when the value is not of that type or can not be kept, UnknownFormat when no format keeps it,
    MissingLibrary when that type's library is not installed.
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

    Not ``many``: the value of its one piece. ``many``, in the order of the partition keys: one table of all partitions
    (a RecordBatchReader, a Dataset or a LazyFrame opens each when its turn comes), or ``dict[partition, value]``, whose
    keys say their dimensions (PartitionKey).
    ``listed``: the list of the pieces' values. With ``item`` it is that item of the one piece, which is a JSON list.
    ``none``: None, at an end of the series.
    Raises UnreadableInput (and what ``Objects.open`` raises) naming asset and partition, MissingLibrary.
    """
    if input.none:
        return None
    pieces = sorted(input.pieces, key=lambda piece: piece.partition)
    if input.listed:
        return [_read(objects, input, piece) for piece in input.pieces]
    if not input.many:
        if len(pieces) != 1:
            raise UnreadableInput(f"{input.asset}: expected one version for {input.parameter!r}, got {len(pieces)}")
        return _read(objects, input, pieces[0]) if input.item is None else _item(objects, input, pieces[0], input.item)
    if type_key(input.type) in TABLES:
        return _together(objects, input, pieces)
    return {PartitionKey(piece.partition, input.dimensions): _read(objects, input, piece) for piece in pieces}


def _together(objects: Objects, input: Input, pieces: list[Piece]) -> Any:
    from riparian.storage.objects.formats import datasets, frames, tables

    if not pieces:
        raise tables.nothing_exists(input.asset)
    kind = type_key(input.type)
    if kind == READER:
        return tables.chained([(p.partition, _opener(objects, input, p)) for p in pieces], input.asset)
    if kind in (DATASET, LAZY) and all(p.format == parquet.FORMAT.name for p in pieces):
        sources = [(p.partition, _source(objects, input, p)) for p in pieces]
        return frames.of_dataset(datasets.over(sources, input.asset), kind, input.asset)
    whole = replace(input, type=TABLE)
    table = tables.concatenated([(p.partition, _read(objects, whole, p)) for p in pieces], input.asset)
    return frames.of_table(table, kind, input.asset)


def _opener(objects: Objects, input: Input, piece: Piece) -> Callable[[], Any]:
    return lambda: _read(objects, input, piece)


def _read(objects: Objects, input: Input, piece: Piece) -> Any:
    source = _source(objects, input, piece)
    reader = format_named(piece.format)
    if type_key(input.type) == PATH:
        return local_copy(source, reader.object_name)
    if type_key(input.type) not in reader.reads:
        raise UnreadableInput(
            f"{source.where} is kept as {reader.name}, which can not be read as {input.type}; "
            f"annotate the parameter as one of {', '.join(sorted({*reader.reads, PATH}))}"
        )
    return reader.read(source, input.type.removeprefix("builtins."))


def _item(objects: Objects, input: Input, piece: Piece, item: int) -> Any:
    items = _read(objects, replace(input, type="list"), piece)
    if item >= len(items):
        raise UnreadableInput(f"{input.asset}: it has {len(items)} items, there is no number {item}")
    return _read(objects, input, replace(piece, objects=(), content=json.dumps(items[item])))


def _source(objects: Objects, input: Input, piece: Piece) -> Source:
    where = f"{input.asset} (partition {piece.partition})" if piece.partition else input.asset
    if piece.file:
        where = f"{where} from {piece.file}"
    return Source(objects=objects, where=where, pieces=piece.objects, content=piece.content)
