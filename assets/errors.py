"""Which mistakes can a person or a caller make, and how are they told?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class RiparianError(Exception):
    """The root of every error that names somebody's mistake and its remedy. Any other exception is a bug."""

    code = "error"


class DeclarationError(RiparianError):
    """A declaration can not be meant as written. The message says what, why and what to do."""

    code = "invalid_declaration"


class NotFound(RiparianError):
    """The thing does not exist, or the caller may not know of it: the same answer for both."""

    code = "not_found"


class Refused(RiparianError):
    """The caller is known and may see the thing, but not do this with it."""

    code = "refused"


class Unauthenticated(RiparianError):
    """No token, or a token that is unknown, revoked or expired."""

    code = "unauthenticated"


class Conflict(RiparianError):
    """The state of the thing does not allow this now."""

    code = "conflict"


class Invalid(RiparianError):
    """A value given by a caller can not be used. The message says which, why and what is expected."""

    code = "invalid"


class Fenced(RiparianError):
    """A worker spoke for an attempt that is no longer its own."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class Location:
    """A line in a user's file; ``file`` is relative to the project's folder."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a declaration: where, what and why, and the remedy."""

    code: str
    message: str
    remedy: str
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.location or '?'}: {self.message}. {self.remedy}"

    def to_json(self) -> dict[str, Any]:
        """Returns the problem as JSON shows it: ``{"code", "message", "remedy", "file", "line"}``."""
        file, line = (self.location.file, self.location.line) if self.location else (None, None)
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "file": file, "line": line}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Problem:
        """Returns the problem that ``to_json`` wrote."""
        location = Location(body["file"], body["line"]) if body.get("file") else None
        return cls(code=body["code"], message=body["message"], remedy=body["remedy"], location=location)
