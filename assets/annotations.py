"""Which types of Python can travel between functions, and in which format is each stored?

A type goes by a name, so that nobody has to import it to speak of it: ``pyarrow.lib.Table``, ``pandas.DataFrame``,
``dict``, ``bytes``, or ``dataclass:module:qualname``.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping as Dict
from typing import Any

from riparian.assets.errors import DeclarationError

TABLES = (
    "pyarrow.lib.Table",
    "pyarrow.lib.RecordBatchReader",
    "pyarrow.dataset.Dataset",
    "pandas.DataFrame",
    "polars.DataFrame",
    "polars.LazyFrame",
)
FILES = ("bytes", "pathlib.Path")
TYPES = {
    **dict.fromkeys(TABLES, "parquet"),
    **dict.fromkeys(("dict", "list", "str", "int", "float", "bool", "NoneType"), "json"),
    **dict.fromkeys(FILES, "bytes"),
}
"""Every type that has a name of its own, and its format."""

DATACLASS = "dataclass:"
OTHER_NAMES = {
    "pyarrow.Table": "pyarrow.lib.Table",
    "pyarrow.RecordBatchReader": "pyarrow.lib.RecordBatchReader",
    "pyarrow._dataset.Dataset": "pyarrow.dataset.Dataset",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    "pathlib._local.Path": "pathlib.Path",
}
"""What people import a type as, or what it calls itself in some versions, where that is not its name here."""

SUPPORTED = (
    "pa.Table, pa.RecordBatchReader, pyarrow.dataset.Dataset, pandas.DataFrame, polars.DataFrame, polars.LazyFrame, "
    "dict, list, str, int, float, bool, None, a dataclass (as JSON), bytes, pathlib.Path"
)

READS = {
    "csv": (*TABLES, *FILES),
    "parquet": (*TABLES, *FILES),
    "json": (*(name for name, kept in TYPES.items() if kept == "json"), "dataclass", *FILES),
    "bytes": FILES,
}
"""As which types a stored format can be read. A format that is missing here is not judged."""


def type_name(annotation: object) -> str:
    """Returns the name of an annotation; raises DeclarationError that lists what is supported."""
    if type(annotation) is type and (simple := _class_name(annotation)) is not None:
        return simple  # the usual one: a large project asks ten thousand times
    if annotation is None:
        return "NoneType"
    if isinstance(annotation, Unresolved):
        if (known := _known(annotation.name)) is not None:
            return known
        raise DeclarationError(f"{annotation.name!r} can not be resolved; import the type at module level")
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        # A stored value is checked against one type, so that a function gets what it declares.
        raise DeclarationError(
            f"{_show(annotation)} is a choice of types; annotate one, or a dataclass with such a field"
        )
    plain = annotation if origin is None else origin
    name = _class_name(plain) if isinstance(plain, type) else None
    if name is None:
        what = f"{_show(annotation)} can not travel between functions"
        raise DeclarationError(f"{what}; annotate one of {SUPPORTED} (never pickle)")
    return name


def format_of(name: str) -> str:
    """Returns the format in which values of a type are stored, by the type's name."""
    return "json" if name.startswith(DATACLASS) else TYPES[name]


def is_readable(name: str, format: str) -> bool:  # the word people expect here
    """Whether what is stored in a format can be read as a type, as far as is known here."""
    return format not in READS or name.partition(":")[0] in READS[format]


def element(annotation: object) -> object | None:
    """Returns T of an annotation ``dict[str, T]``, or None when it is something else."""
    arguments = typing.get_args(annotation)
    return arguments[1] if typing.get_origin(annotation) is dict and arguments[0] is str else None


def without_none(annotation: object) -> object | None:
    """Returns T of an annotation ``T | None``, or None when it is something else."""
    if isinstance(annotation, Unresolved) and annotation.name.endswith(_OR_NONE):
        return Unresolved(annotation.name.removesuffix(_OR_NONE))
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 and len(typing.get_args(annotation)) == 2 else None


_OR_NONE = " | None"


@dataclasses.dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation whose text could not be evaluated, by the dotted name that the module's imports give it."""

    name: str


def evaluate(annotation: object, names: dict[str, Any], imports: Dict[str, str]) -> object:
    """Returns what an annotation written as text stands for; any other annotation is returned as it is.

    ``names`` are the globals of its module. ``imports`` gives the dotted name of what the module imports for type
    checkers only, so that nothing has to be imported to know that ``pa.Table`` is ``pyarrow.Table``.
    """
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307  # the project's own code, which was just imported
    except (NameError, AttributeError, SyntaxError, TypeError):
        first, dot, rest = annotation.partition(".")
        return Unresolved(imports.get(first, first) + dot + rest)


def _class_name(kind: type) -> str | None:
    if kind.__module__ == "builtins":
        return kind.__name__ if kind.__name__ in TYPES else None
    if dataclasses.is_dataclass(kind):
        return None if "<locals>" in kind.__qualname__ else f"{DATACLASS}{kind.__module__}:{kind.__qualname__}"
    if typing.is_typeddict(kind):
        return "dict"
    return _known(_qualified(kind))


def _known(qualified: str) -> str | None:
    name = OTHER_NAMES.get(qualified, qualified)
    return name if name in TYPES else None


def _show(annotation: object) -> str:
    if not isinstance(annotation, type) or isinstance(annotation, types.GenericAlias):
        return str(annotation)
    return annotation.__qualname__ if annotation.__module__ == "builtins" else _qualified(annotation)


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
