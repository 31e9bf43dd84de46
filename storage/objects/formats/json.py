"""How are plain values and dataclasses kept as JSON?

Canonical, so that equal values are equal bytes: sorted keys, no spaces, no NaN. What JSON can not give back as it was
(a key that is no text, a date outside a dataclass) is refused with its place in the value.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from collections.abc import Iterable
from typing import Any

import msgspec

from riparian.scheduler.core.protocol import CONTENT_LIMIT
from riparian.storage.objects.digest import digest_bytes
from riparian.storage.objects.errors import UnreadableInput, WrongValue
from riparian.storage.objects.formats.base import Draft, Preview, Source, Target
from riparian.storage.objects.formats.tables import wrong_type

_MAX_DEPTH = 200
_MAX_DIGITS = 4_300
"""Of a whole number: Python itself reads no longer one from a text."""
_TOO_LONG = 10**_MAX_DIGITS
_WHOLE_PREVIEW = 4 << 20

_PLAIN: dict[str, type] = {
    "dict": dict,
    "list": list,
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "NoneType": type(None),
}


class Json:
    """Values of JSON, and dataclasses rebuilt from their type."""

    name = "json"
    object_name = "value.json"
    writes = frozenset({*_PLAIN, "dataclass"})
    reads = frozenset({*_PLAIN, "dataclass", "bytes"})

    def write(self, value: Any, target: Target) -> Draft:
        typed = target.type.startswith("dataclass:")
        if not _is_of(value, target):
            raise wrong_type(value, target)
        if target.type == "float":
            value = float(value)
        text = canonical(value, target.where, typed=typed)
        encoded = text.encode()
        # How many tasks a list can be mapped over is known without reading it.
        rows = len(value) if isinstance(value, list) else None
        if len(encoded) <= CONTENT_LIMIT:
            return Draft(digest=digest_bytes(encoded), rows=rows, content=text)
        with target.create() as out:
            out.write(encoded)
        return Draft(digest=digest_bytes(encoded), rows=rows, objects=(out.stored,))

    def read(self, source: Source, type_name: str) -> Any:
        data = source.read()
        if type_name == "bytes":
            return data
        value = _parsed(data, source.where)
        kind = _PLAIN.get(type_name.partition("[")[0])
        if kind is not None:
            if type(value) is int and kind is float:
                return float(value)
            if type(value) is not kind:
                raise UnreadableInput(
                    f"{source.where}: declared {type_name}, but it holds a {type(value).__name__}; "
                    "correct the parameter's annotation"
                )
            return value
        try:
            return msgspec.convert(value, type=load_class(type_name, source.where))
        except msgspec.ValidationError as exc:
            raise UnreadableInput(
                f"{source.where}: its content does not fit {type_name.removeprefix('dataclass:')}: {exc}; "
                "materialize it again with the present class"
            ) from exc

    def preview(self, source: Source, rows: int) -> Preview:
        """Returns a list's items or a dict's entries as rows, anything else as one; of a large one its first text."""
        if source.content is None and source.stored.size > _WHOLE_PREVIEW:
            with source.open() as file:
                start = file.read(CONTENT_LIMIT).decode(errors="ignore")
            return Preview(columns=["text"], types=["str"], rows=[[start]][:rows])
        value = _parsed(source.read(), source.where)
        _check_shown(value, source.where)
        if isinstance(value, dict):
            entries = [[k, v] for k, v in list(value.items())[:rows]]
            return Preview(columns=["key", "value"], types=["str", "json"], rows=entries)
        items = value if isinstance(value, list) else [value]
        return Preview(columns=["value"], types=["json"], rows=[[v] for v in items[:rows]])


def canonical(value: Any, where: str, *, typed: bool = False) -> str:
    """Returns ``value`` as canonical JSON text; raises WrongValue that names the place of what can not be stored.

    ``typed``: it is a dataclass, whose annotations will rebuild times, enums, sets and nested dataclasses.
    """
    return json.dumps(_builtin(value, where, (), typed), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def checked(text: str) -> Any:
    """Returns the value of a JSON text that a stranger wrote; raises WrongValue unless it could be ``canonical``'s.

    Depth and integers are bounded, its texts are text, its numbers are finite: whoever reads or writes it later can.
    """
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
        if not text.isascii() or "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise WrongValue(f"this is not JSON: {exc}") from exc
    if text.count("[") + text.count("{") > _MAX_DEPTH:
        canonical(value, "the content")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:80]} is beyond all numbers that can be kept")
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits, {_MAX_DIGITS} are allowed")
    return int(text)


def load_class(type_name: str, where: str) -> type:
    """Imports the class that ``dataclass:module:qualname`` names; raises UnreadableInput when there is none."""
    _, _, path = type_name.partition(":")
    module, _, qualname = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise UnreadableInput(
            f"{where}: the dataclass {path} can not be imported: {exc}; is it at module level?"
        ) from exc
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise UnreadableInput(f"{where}: {path} is not a dataclass; correct the annotation")
    return found


def _is_of(value: object, target: Target) -> bool:
    if target.type.startswith("dataclass:"):
        kind = type(value)
        named = f"{kind.__module__}:{kind.__qualname__}"
        return dataclasses.is_dataclass(value) and named == target.type.removeprefix("dataclass:")
    kind = _PLAIN[target.type.partition("[")[0]]
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _builtin(value: Any, where: str, path: tuple[str, ...], typed: bool) -> Any:
    if len(path) > _MAX_DEPTH:
        raise WrongValue(f"{where}: the value is nested deeper than {_MAX_DEPTH}; does it contain itself?")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -_TOO_LONG < value < _TOO_LONG:
            raise _refusal(
                where, path, f"an integer of more than {_MAX_DIGITS} digits can not be kept; keep it as a text"
            )
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _refusal(where, path, f"{value} is no number in JSON; use None for a missing one")
        return value
    if isinstance(value, str):
        if not value.isascii():
            _check_text(value, where, path)
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise _refusal(where, path, f"the key {key!r} is no text and would come back as one; use str keys")
            _check_text(key, where, path)
        return {k: _builtin(v, where, (*path, f"[{k!r}]"), typed) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_builtin(v, where, (*path, f"[{i}]"), typed) for i, v in enumerate(value)]
    return _of_class(value, where, path, typed)


def _of_class(value: Any, where: str, path: tuple[str, ...], typed: bool) -> Any:
    if typed and dataclasses.is_dataclass(value):
        fields = [f.name for f in dataclasses.fields(value)]
        return {name: _builtin(getattr(value, name), where, (*path, f".{name}"), typed) for name in fields}
    if typed and isinstance(value, set | frozenset):
        members = [_builtin(v, where, (*path, "{}"), typed) for v in value]
        # A set has no order of its own, and equal values must be equal bytes.
        return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
    if typed:
        try:
            return msgspec.to_builtins(value)
        except (TypeError, ValueError) as exc:
            raise _refusal(where, path, f"a {type(value).__name__} can not be kept as JSON: {exc}") from exc
    raise _refusal(
        where,
        path,
        f"a {type(value).__module__}.{type(value).__qualname__} can not be kept as JSON; convert it to "
        "str, int, float, list or dict, or return a dataclass",
    )


def _check_text(text: str, where: str, path: tuple[str, ...]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise _refusal(where, path, f"{text!r} is not valid text: {exc.reason}") from exc


def _refusal(where: str, path: tuple[str, ...], why: str) -> WrongValue:
    return WrongValue(f"{where}: at value{''.join(path)}: {why}")


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise UnreadableInput(f"{where}: this is not JSON: {exc}; correct the file and drop it again") from exc


def _check_shown(value: Any, where: str) -> None:
    """Raises UnreadableInput for what JSON can write and an answer can not hold: half characters, and no bottom."""
    level, depth = [value], 0
    while level:
        if depth > _MAX_DEPTH:
            raise UnreadableInput(f"{where}: it is nested deeper than {_MAX_DEPTH}; flatten it")
        try:
            "".join(text for text in level if isinstance(text, str) and not text.isascii()).encode()
        except UnicodeEncodeError as exc:
            raise UnreadableInput(f"{where}: it holds half a character (a lone surrogate); write whole ones") from exc
        level = [inner for held in level if isinstance(held, dict | list) for inner in _held(held)]
        depth += 1


def _held(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return (*value, *value.values()) if isinstance(value, dict) else value


FORMAT = Json()
