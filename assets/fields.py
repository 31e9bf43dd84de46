"""Is what a manifest says in a field of the kind that it has to be?

A manifest comes over the network. What passes here is kept and read again by every later plan, so nothing is believed:
a wrong type, an unknown field, a number without bound or a value without bottom ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from riparian.assets.errors import DeclarationError

DEEPEST_VALUE = 50
"""Lists and objects in one another that a constant may hold."""

Kinds = tuple[type, ...]
"""What a field may be, exactly: True is no number here."""

TEXT: Kinds = (str,)
NUMBER: Kinds = (int, float)
LIST: Kinds = (list,)
OBJECT: Kinds = (dict,)

_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    type(None): "null",
}
WHOLE = range(-(2**63), 2**64)
"""The whole numbers that can be kept."""


def judge(body: Mapping[str, Any], fields: Mapping[str, Kinds], what: str) -> None:
    """Raises DeclarationError for a field of ``body`` that is of another kind than ``fields`` says, or not there."""
    if type(body) is not dict:
        raise _wrong(what, body, OBJECT)
    for name, value in body.items():
        kinds = fields.get(name)
        if kinds is None:
            raise DeclarationError(
                f"{what} has the field {shown(name)}, which this version does not know; "
                "use the same version of riparian on both sides"
            )
        if type(value) not in kinds:
            raise _wrong(f"{what}: {name}", value, kinds)


def texts(values: Iterable[Any], what: str) -> None:
    """Raises DeclarationError when one of ``values`` is no text."""
    for value in values:
        if type(value) is not str:
            raise _wrong(what, value, TEXT)


def within(value: float, least: float, most: float, what: str) -> None:
    """Raises DeclarationError for a number that is none, or lies outside."""
    if type(value) not in NUMBER or not least <= value <= most:
        raise DeclarationError(f"{what} is {shown(value)}; write a number from {least:,} to {most:,}")


def constant(value: Any, what: str) -> None:
    """Raises DeclarationError for a JSON value that can not be kept: too deep, or with a number that JSON lacks."""
    level = [value]
    for _ in range(DEEPEST_VALUE + 1):  # level by level: a recursion would end where Python's stack does
        inner: list[Any] = []
        for item in level:
            if type(item) is dict:
                inner += item.values()
            elif type(item) is list:
                inner += item
            elif type(item) is float and item - item != 0:
                raise DeclarationError(f"{what} holds {item}, which JSON does not know; write null or a text")
            elif type(item) is int and item not in WHOLE:
                raise DeclarationError(f"{what} holds a whole number beyond 64 bits; write it as a text")
        if not inner:
            return
        level = inner
    raise DeclarationError(f"{what} is nested deeper than {DEEPEST_VALUE} levels; read it from a file in the task")


def _wrong(what: str, value: object, kinds: Kinds) -> DeclarationError:
    wanted = " or ".join(_WORDS[kind] for kind in kinds)
    return DeclarationError(f"{what} is {shown(value)}; write {wanted}")


def shown(value: object) -> str:
    """Returns a text for what was sent, however long or deep it is."""
    import reprlib  # only here: most manifests are right

    return reprlib.repr(value)
