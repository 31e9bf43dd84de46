"""How are many values compared with a column at once? As one bound parameter, of any length.

SQLAlchemy writes a list of values as so many parameters, which takes longer than what the database does with them.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


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
