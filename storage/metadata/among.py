"""How are many values compared with a column at once? As one bound parameter, of any length.

SQLAlchemy writes a list of values as so many parameters, which takes longer than what the database does with them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from riparian.storage.metadata.database import Tx

BATCH = 400
"""Values that are looked for at once: a plan's size must stay bounded."""


class _Texts(TypeDecorator[list[str]]):
    """A list of texts, sent as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> str:
        return json.dumps(value)


class _Each(FunctionElement[str]):
    name = "each"
    inherit_cache = True


@compiles(_Each, "sqlite")
def _sqlite(element: _Each, compiler: SQLCompiler, **options: Any) -> str:
    # What is put in is the parameter's own place.
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608


@compiles(_Each, "postgresql")
def _postgresql(element: _Each, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


def among(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Returns the condition that a column of texts is one of those in the list that the parameter ``name`` is."""
    return column.op("IN", return_type=Boolean())(_Each(bindparam(name, type_=_Texts())))


def in_keys(
    tx: Tx, statement: Select[Any], keys: Iterable[str], also: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Any]:
    """Yields the statement's rows for all ``keys``, few statements for many of them; ``also`` are its other
    parameters."""
    for chunk in batched(sorted(set(keys))):
        yield from tx.conn.execute(statement, {"keys": chunk, **also})


def in_pairs(tx: Tx, statement: Select[Any], pairs: Iterable[tuple[str, str]]) -> Iterator[Any]:
    """Yields the statement's rows for exactly these pairs of its ``firsts`` and ``seconds``.

    Not as ``(a, b) IN ((…), (…))``: with more than one pair SQLite answers that by reading the whole table. So the
    pairs are grouped by the side that has fewer values, and each group is two plain lists, which the index serves.
    """
    wanted = set(pairs)
    by_first, by_second = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for first, second in sorted(wanted):
        by_first[first].append(second)
        by_second[second].append(first)
    if len(by_first) <= len(by_second):
        groups = [([first], chunk) for first, seconds in by_first.items() for chunk in batched(seconds)]
    else:
        groups = [(chunk, [second]) for second, firsts in by_second.items() for chunk in batched(firsts)]
    for firsts, seconds in groups:
        yield from tx.conn.execute(statement, {"firsts": firsts, "seconds": seconds})


def batched(values: Sequence[str]) -> Iterator[list[str]]:
    """Yields the values in lists of at most ``BATCH``."""
    for start in range(0, len(values), BATCH):
        yield list(values[start : start + BATCH])
