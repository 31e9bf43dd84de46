"""How is a project configured?

Values come from, in this order: the environment (``RIPARIAN_SERVER_PORT``), the project's file (``riparian.toml``, or
``[tool.riparian]`` in ``pyproject.toml``), the defaults. A key that nobody reads is a mistake of somebody: an error.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riparian.assets.errors import Invalid
from riparian.assets.limits import MOST_AT_ONCE

STATE_FOLDER = ".riparian"
PROJECT_FILE = "riparian.toml"
NOT_SETTINGS = frozenset({"RIPARIAN_URL", "RIPARIAN_TOKEN", "RIPARIAN_WORKER_TOKEN", "RIPARIAN_PROJECT"})
"""Names in the environment that are read elsewhere."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _port(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or not 0 <= number <= 65535:
        raise ValueError("a port, 0 to 65535")
    return number


def _slots(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or number < 1:
        raise ValueError("a number of 1 or more")
    return number


def _seconds(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not number > 0:
        raise ValueError("a number of seconds above 0")
    return number


def _names(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError("a list of module names")
    return tuple(n.strip() for n in names)


def _table(value: Any) -> dict[str, Any]:
    table = json.loads(value) if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise ValueError("a table (in the environment: a JSON object)")
    return table


def _numbers(value: Any) -> dict[str, int]:
    table = _table(value)
    if not all(type(number) is int and 1 <= number <= MOST_AT_ONCE for number in table.values()):
        raise ValueError("a table of whole numbers")
    return table


KEYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "project.name": (_text, "a text"),
    "project.modules": (_names, "a list of module names"),
    "database.url": (_text, "a text"),
    "storage.url": (_text, "a text"),
    "storage.options": (_table, "a table (in the environment: a JSON object)"),
    "server.host": (_text, "a text"),
    "server.port": (_port, "a port, 0 to 65535"),
    "worker.slots": (_slots, "a number of 1 or more"),
    "lease_seconds": (_seconds, "a number of seconds above 0"),
    "limits.pools": (_numbers, f"a table of whole numbers from 1 to {MOST_AT_ONCE}, by pool"),
    "limits.keys": (_numbers, f"a table of whole numbers from 1 to {MOST_AT_ONCE}, by key"),
}
"""Every key there is: how its value is read, and what is expected in words."""

SECTIONS = frozenset(key.rpartition(".")[0] for key in KEYS) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A project's configuration, complete. ``file`` is where it was read, None when there is none. Without ``modules``,
    those directly in the project's folder are meant."""

    root: Path
    file: Path | None
    name: str
    modules: tuple[str, ...]
    database_url: str
    storage_url: str
    storage_options: Mapping[str, Any]
    host: str = "127.0.0.1"
    port: int = 0
    slots: int = 2
    lease_seconds: float = 15.0
    pool_limits: Mapping[str, int] = field(default_factory=dict)
    key_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The folder of everything that the project's control plane keeps."""
        return self.root / STATE_FOLDER


def load(start: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Returns the settings of the project that ``start`` lies in; raises Invalid that names file, key and remedy."""
    root, file, body = _find(start.absolute())
    values = dict(_flatten(body, file)) if file else {}
    values |= _from_environment(os.environ if environ is None else environ)
    state = root / STATE_FOLDER
    return Settings(
        root=root,
        file=file,
        name=values.get("project.name") or _name_of(root),
        modules=values.get("project.modules", ()),
        database_url=values.get("database.url") or f"sqlite:///{state / 'metadata.db'}",
        storage_url=values.get("storage.url") or (state / "objects").as_uri(),
        storage_options=values.get("storage.options", {}),
        host=values.get("server.host", "127.0.0.1"),
        port=values.get("server.port", 0),
        slots=values.get("worker.slots", min(4, os.cpu_count() or 1)),
        lease_seconds=values.get("lease_seconds", 15.0),
        pool_limits=values.get("limits.pools", {}),
        key_limits=values.get("limits.keys", {}),
    )


def _find(start: Path) -> tuple[Path, Path | None, dict[str, Any]]:
    for folder in (start, *start.parents):
        if (file := folder / PROJECT_FILE).is_file():
            return folder, file, _read(file)
        if (file := folder / "pyproject.toml").is_file():
            body = _read(file).get("tool", {}).get("riparian")
            if body is not None:
                return folder, file, body
        if _is_marked(folder):
            return folder, None, {}
    return start, None, {}


def _is_marked(folder: Path) -> bool:
    """Whether it has a state folder of ours. A stranger's above us must not say which code is run."""
    try:
        found = (folder / STATE_FOLDER).stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Invalid(f"{file} is not TOML: {exc}") from exc


def _flatten(body: Mapping[str, Any], file: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        key = f"{prefix}{name}"
        if key in KEYS:
            yield key, _parse(key, value, f"{key} in {file}")
        elif key in SECTIONS and isinstance(value, dict):
            yield from _flatten(value, file, f"{key}.")
        elif key in SECTIONS:
            raise Invalid(f"{key} in {file} is {value!r}; write a table [{key}]")
        else:
            raise Invalid(f"{file} has a key {key!r} that nobody reads; {_suggestion(key, (*KEYS, *SECTIONS))}")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {"RIPARIAN_" + key.upper().replace(".", "_"): key for key in KEYS}
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if name in names:
            values[names[name]] = _parse(names[name], value, f"{name} in the environment")
        elif name.startswith("RIPARIAN_") and name not in NOT_SETTINGS and _closest(name, names):
            # Other programs of the project may use the prefix; only what looks like a misspelt setting is refused.
            raise Invalid(f"{name} in the environment is read by nobody; {_suggestion(name, names)}")
    return values


def _parse(key: str, value: Any, where: str) -> Any:
    read, expected = KEYS[key]
    try:
        return read(value)
    except (TypeError, ValueError) as exc:
        raise Invalid(f"{where} is {value!r}; write {expected}") from exc


def _closest(name: str, known: Iterable[str], cutoff: float = 0.8) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), 1, cutoff)), None)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = _closest(name, known, 0.5)
    return f"did you mean {close!r}?" if close else f"the keys are {', '.join(sorted(known))}"


def _name_of(root: Path) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", root.name.lower()).strip("_") or "project"
