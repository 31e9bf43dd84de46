"""Which partition does the name of an arriving file stand for?

A pattern is a path with placeholders, ``drop/flights_{day:%Y-%m-%d}.csv``. Where its name is the partitions' dimension,
``{day}`` alone stands for the key of a window, such as ``YYYY-MM-DD``, and ``{region}`` for a key of partitions that
are keys; so does each of several dimensions. Elsewhere a placeholder stands for any text without a slash. Hours and
minutes are those of UTC, as in keys. ``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

import posixpath
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from riparian.assets.errors import DeclarationError
from riparian.assets.files import UNFINISHED_SUFFIXES
from riparian.assets.partitions import WHOLE, Dynamic, Partitions, Static, Windows, dimensions_of
from riparian.assets.partitions.boxes import SEPARATOR, joined

ISO_DAY = "%Y-%m-%d"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English in every locale: the same name must mean the same day on every machine."""

DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",  # 1969 to 2068, as POSIX has it
    "%m": "[0-9]{2}",
    "%b": "[A-Za-z]{3}",
    "%d": "[0-9]{2}",
    "%j": "[0-9]{3}",
    "%H": "[0-9]{2}",
    "%M": "[0-9]{2}",
}
"""The strftime directives that name a moment, with what they match."""

SAYS = {
    "year": ({"%Y"}, {"%y"}),
    "month": ({"%m"}, {"%b"}, {"%j"}),
    "day": ({"%d"}, {"%j"}),
    "hour": ({"%H"},),
    "minute": ({"%M"},),
}
"""Each part of a moment, with the directives that say it: one set of them is enough."""

_CUT = re.compile(r"(%.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BadMatch:
    """The name has the pattern's shape but stands for no partition; ``reason`` is for a person to read."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """One ``{name}`` or ``{name:strftime}``; ``strftime`` is None when none was written."""

    name: str
    strftime: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A parsed pattern. ``folder`` is the part before the first placeholder's segment (``.``: the project's folder,
    absolute when the pattern is), and every match is made on the path relative to it."""

    text: str
    folder: str
    shape: re.Pattern[str]
    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        return tuple(p for p in self.parts if isinstance(p, Placeholder))

    def check(self, partitions: Partitions | None) -> None:
        """Raises DeclarationError when a name that fits does not say which of ``partitions`` it is."""
        named = {p.name for p in self.placeholders}
        dimensions = {d.name: d for d in dimensions_of(partitions)}
        for dimension in dimensions.values():
            if dimension.name in named:
                continue
            written = dimension.name + (f":{dimension.strftime}" if isinstance(dimension, Windows) else "")
            raise DeclarationError(
                f"the pattern {self.text!r} does not say which {dimension.name!r} a file is for; "
                f"write {{{written}}} where the name has it"
            )
        for p in self.placeholders:
            if p.strftime is None:
                continue
            meant = dimensions.get(p.name)
            if meant is None:
                raise DeclarationError(
                    f"the pattern {self.text!r} reads {p.name!r} as a day, but no partition is called so; "
                    f"declare partitions=Daily({p.name!r}, start=…) or write {{{p.name}}}"
                )
            if not isinstance(meant, Windows):
                raise DeclarationError(
                    f"the pattern {self.text!r} reads {p.name!r} as a day, but its partitions are keys; "
                    f"write {{{p.name}}}"
                )
            used = set(_CUT.findall(p.strftime))
            for part in sorted(meant.parts, key=[*SAYS].index):
                if not any(one <= used for one in SAYS[part]):
                    raise DeclarationError(
                        f"the pattern {self.text!r} does not say the {part} of {p.name!r} in {p.strftime!r}; "
                        f"write it whole, such as {{{p.name}:{meant.strftime}}}"
                    )

    def match(self, relative_path: str, partitions: Partitions | None) -> str | BadMatch | None:
        """Returns the partition key (``""`` without partitions), why there is none, or None for another shape."""
        found = self.shape.fullmatch(relative_path)
        if found is None:
            return None
        if partitions is None:
            return WHOLE
        dimensions = dimensions_of(partitions)
        # A name can fit in two ways when {day} is any text: the way that reads a day, or one of the keys, wins.
        if len(dimensions) > 1 or isinstance(dimensions[0], Windows):
            found = _shape(self.parts, dimensions).fullmatch(relative_path) or found
        keys: list[str] = []
        for dimension in dimensions:
            key = self._key(found, dimension)
            if isinstance(key, BadMatch):
                return key
            keys.append(key)
        return joined(keys)

    def _key(self, found: re.Match[str], dimension: Windows | Static | Dynamic) -> str | BadMatch:
        """Returns what the name says of one dimension."""
        written = {p.name: p for p in self.placeholders}.get(dimension.name)
        if written is None:
            return BadMatch(f"the pattern {self.text!r} names no {dimension.name!r}")
        text = found[dimension.name]
        if not isinstance(dimension, Windows):
            return _parse(text, dimension)
        strftime = written.strftime or dimension.strftime
        key = _parse_key(text, strftime, dimension)
        if key is None:
            return BadMatch(f"{text!r} is not a {dimension.name} written {strftime}")
        return _parse(key, dimension)

    def format(
        self, partition: str, others: Mapping[str, str] | None = None, partitions: Partitions | None = None
    ) -> str:
        """Returns the path, relative to ``folder``, that a file of this partition has.

        ``others`` gives the text of placeholders that are no dimension of the partition; where it has several, those
        of ``partitions`` tell them apart.
        """
        dimensions = dimensions_of(partitions)
        parts = zip([d.name for d in dimensions], partition.split(SEPARATOR), strict=False)
        keys = dict(parts) if len(dimensions) > 1 else {}
        others = others or {}
        return "".join(
            p
            if isinstance(p, str)
            else others[p.name]
            if p.name in others
            else _written(keys.get(p.name, partition), p.strftime)
            for p in self.parts
        )


def parse_pattern(text: str) -> Pattern:
    """Reads a pattern; raises DeclarationError that says what is wrong with it and what to write."""
    parts = _parts(text)
    _check_parts(text, parts)
    whole = "".join(p if isinstance(p, str) else "\0" for p in parts)
    folder = whole.split("\0", 1)[0].rpartition("/")
    prefix = len(folder[0]) + len(folder[1])
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    relative = tuple(p for p in (first[prefix:], *parts[bool(first) :]) if p != "")
    _check_path(text, relative)
    return Pattern(
        text=text,
        folder=posixpath.normpath(folder[0] or folder[1] or "."),
        shape=_shape(relative, ()),
        parts=relative,
    )


def placeholders(pattern: str) -> tuple[str, ...]:
    """Returns the names between the braces, in order; raises DeclarationError like ``parse_pattern``."""
    return tuple(p.name for p in parse_pattern(pattern).placeholders)


def _parse(text: str, partitions: Partitions) -> str | BadMatch:
    try:
        return partitions.parse(text)
    except DeclarationError as exc:
        return BadMatch(str(exc))


def _written(partition: str, strftime: str | None) -> str:
    return partition if strftime is None else _format(partition, strftime)


def _parts(text: str) -> tuple[str | Placeholder, ...]:
    """Cuts the pattern into literal texts and placeholders, no two literals side by side."""
    parts: list[str | Placeholder] = []
    try:
        for literal, name, strftime, conversion in string.Formatter().parse(text):
            if literal and parts and isinstance(parts[-1], str):
                parts[-1] += literal  # an escaped brace ends a piece
            elif literal:
                parts.append(literal)
            if name is None:
                continue
            if conversion is not None or not name.isidentifier():
                raise ValueError(f"{{{name}}} is not a placeholder")
            parts.append(Placeholder(name=name, strftime=strftime or None))
    except (TypeError, ValueError) as exc:
        raise DeclarationError(
            f"the pattern {text!r} can not be read: {exc}; write placeholders as {{day}} or {{day:{ISO_DAY}}}, "
            "and a brace that belongs to the name twice"
        ) from exc
    return tuple(parts)


def _check_parts(text: str, parts: tuple[str | Placeholder, ...]) -> None:
    seen: set[str] = set()
    for before, part in zip(("", *parts), parts, strict=False):
        if isinstance(part, str):
            if "\0" in part or "*" in part or "?" in part:
                raise DeclarationError(
                    f"the pattern {text!r} holds a wildcard; write a placeholder for it, such as {{day:{ISO_DAY}}}"
                )
            continue
        if part.name in seen:
            raise DeclarationError(
                f"the pattern {text!r} names {part.name!r} twice; name it once, such as {{day:%Y/%m/%d}} for folders"
            )
        seen.add(part.name)
        if isinstance(before, Placeholder) and None in (before.strftime, part.strftime):
            raise DeclarationError(
                f"the pattern {text!r} does not say where {before.name!r} ends and {part.name!r} begins; "
                "write some text between them"
            )
        if part.strftime is not None:
            _check_strftime(text, part.strftime)


def _check_strftime(text: str, strftime: str) -> None:
    used = [d for d in _CUT.findall(strftime) if d != "%%"]
    for directive in used:
        if directive not in DIRECTIVES:
            raise DeclarationError(
                f"the pattern {text!r} uses {directive!r}, which names no part of a moment; use {' '.join(DIRECTIVES)}"
            )
    if len(used) != len(set(used)):
        raise DeclarationError(f"the pattern {text!r} says a part of it twice in {strftime!r}; say it once")
    have = set(used)
    if not (have & {"%Y", "%y"} and have & {"%j", "%m", "%b"}) or ("%M" in have and "%H" not in have):
        raise DeclarationError(
            f"the pattern {text!r} does not name a whole moment in {strftime!r}; "
            f"write all from the year down to the partition's size, such as {ISO_DAY}"
        )


def _check_path(text: str, relative: tuple[str | Placeholder, ...]) -> None:
    if text.startswith("~"):
        raise DeclarationError(f"the pattern {text!r} begins with ~, which is not expanded; write the whole path")
    segments = "".join(p if isinstance(p, str) else p.strftime or "x" for p in relative).split("/")
    if not segments[-1]:
        raise DeclarationError(f"the pattern {text!r} names no file; write a file's name after the last slash")
    if "" in segments or "." in segments or ".." in segments:
        raise DeclarationError(f"the pattern {text!r} has an empty, . or .. folder after a placeholder; leave it out")
    if any(s.startswith(".") for s in segments) or segments[-1].endswith(UNFINISHED_SUFFIXES):
        raise DeclarationError(
            f"the pattern {text!r} names files that count as hidden or unfinished and never arrive; "
            f"name them without a leading dot and without {' '.join(UNFINISHED_SUFFIXES)} at the end"
        )


@lru_cache(maxsize=1024)
def _shape(parts: tuple[str | Placeholder, ...], dimensions: tuple[Windows | Static, ...]) -> re.Pattern[str]:
    """The regex of a relative path, in which these ``dimensions`` are written as one of their keys or as a moment."""
    named = {d.name: d for d in dimensions}

    def one(part: str | Placeholder) -> str:
        if isinstance(part, str):
            return re.escape(part)
        dimension = named.get(part.name)
        if isinstance(dimension, Windows) or part.strftime:
            text = _strftime_regex(part.strftime or (dimension.strftime if isinstance(dimension, Windows) else ISO_DAY))
        else:
            text = "[^/]+" if dimension is None else "|".join(map(re.escape, dimension.keys))
        return f"(?P<{part.name}>{text})"

    return re.compile("".join(one(p) for p in parts))


def _strftime_regex(strftime: str, *, groups: bool = False) -> str:
    def one(piece: str) -> str:
        if piece == "%%":
            return "%"
        if piece in DIRECTIVES:
            return f"(?P<{piece[1]}>{DIRECTIVES[piece]})" if groups else DIRECTIVES[piece]
        return re.escape(piece)

    return "".join(one(piece) for piece in _CUT.split(strftime))


def _parse_key(text: str, strftime: str, partitions: Windows) -> str | None:
    found = re.fullmatch(_strftime_regex(strftime, groups=True), text)
    if found is None:
        return None
    have = found.groupdict()
    try:
        year = int(have["Y"]) if "Y" in have else (int(have["y"]) + 31) % 100 + 1969
        if "m" in have or "b" in have:
            month = int(have["m"]) if "m" in have else MONTHS.index(have["b"]) + 1
            then = date(year, month, int(have.get("d", 1)))
        else:
            then = date(year, 1, 1) + timedelta(days=int(have["j"]) - 1)
    except (ValueError, OverflowError):
        return None
    hour, minute = int(have.get("H", 0)), int(have.get("M", 0))
    key = partitions.key_of({"year": then.year, "month": then.month, "day": then.day, "hour": hour, "minute": minute})
    # One window has one spelling: 2013-366, or a weekday of two years that contradict each other, is none.
    return key if key is not None and _format(key, strftime) == text else None


def _format(partition: str, strftime: str) -> str:
    """Returns a window's key, which says no less than its month, in another notation."""
    day = date.fromisoformat(partition[:10] if len(partition) >= 10 else f"{partition}-01")
    values = {
        "%Y": f"{day.year:04}",
        "%y": f"{day.year % 100:02}",
        "%m": f"{day.month:02}",
        "%b": MONTHS[day.month - 1],
        "%d": f"{day.day:02}",
        "%j": f"{(day - date(day.year, 1, 1)).days + 1:03}",
        "%H": partition[11:13].rstrip("Z") or "00",
        "%M": partition[13:15].rstrip("Z") or "00",
        "%%": "%",
    }
    return "".join(values.get(piece, piece) for piece in _CUT.split(strftime))
