"""What does a check of `riparian doctor` look at, and what does it find?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riparian.api.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """How a thing is (``level``: ok, warn or fail; ``words``), and what to do about it."""

    level: str
    words: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined: a project, and the server that was named, if one was. ``settings`` is None when they are wrong,
    and ``mistake`` says how."""

    root: Path
    settings: Settings | None
    mistake: str = ""
    url: str | None = None


def ok(words: str) -> Finding:
    return Finding("ok", words)


def warn(words: str, remedy: str) -> Finding:
    return Finding("warn", words, remedy)


def fail(words: str, remedy: str) -> Finding:
    return Finding("fail", words, remedy)
