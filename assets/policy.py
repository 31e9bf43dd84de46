"""Who may read what carries a policy, and what happens when policies meet?

A policy is a point in a product of dimensions, each a row of ``DIMENSIONS``: how two values join, and whether a
value permits a principal. Joining only ever restricts, so what is derived from two assets is at least as closed as
each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from riparian.assets.errors import DeclarationError


class Everyone(Enum):
    """The type of ``ALL``: every authenticated principal, never an anonymous one."""

    ALL = "all"


ALL = Everyone.ALL

_NAME = re.compile(r"[\w.@:/-]{1,200}", re.ASCII)

Clauses = frozenset[frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks. ``groups`` and ``clearances`` are names; a reader is a group's name or ``user:<name>``."""

    name: str
    groups: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()

    @property
    def identities(self) -> frozenset[str]:
        return self.groups | {f"user:{self.name}"}


@dataclass(frozen=True, slots=True, init=False)
class Policy:
    """Who may read.

    ``readers`` is ALL, or the names of groups (or ``user:<name>``) of which one must be the reader's; an empty set
    means nobody. It is held as clauses, each of which must admit the reader, so that policies can be joined.
    ``tags`` must be among the reader's clearances. After ``expires`` (aware) nobody reads. ``isolation`` is the least
    isolation (0, 1 or 2) of a worker that may touch the data.
    """

    readers: Clauses
    tags: frozenset[str]
    expires: datetime | None
    isolation: int

    def __init__(
        self,
        *,
        readers: Everyone | Iterable[str] = ALL,
        tags: Iterable[str] = (),
        expires: datetime | None = None,
        isolation: int = 0,
    ) -> None:
        for name, value in (("readers", readers), ("tags", tags)):
            if isinstance(value, str):
                raise DeclarationError(f"{name}={value!r} is one text; write {name}={{{value!r}}}")
        if expires is not None and expires.tzinfo is None:
            raise DeclarationError("expires= has no timezone; write datetime(..., tzinfo=timezone.utc)")
        if isolation not in (0, 1, 2):
            raise DeclarationError(f"isolation={isolation!r} is not a level; write 0, 1 or 2")
        clauses = frozenset[frozenset[str]]() if readers is ALL else frozenset({frozenset(readers)})
        self._set(clauses, frozenset(tags), expires, isolation)

    def _set(self, readers: Clauses, tags: frozenset[str], expires: datetime | None, isolation: int) -> None:
        for name in (*(reader for clause in readers for reader in clause), *tags):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise DeclarationError(
                    f"{str(name)[:80]!r} in a policy is not a name; write letters, digits and . _ - @ : / "
                    "(at most 200), such as 'ops' or 'user:ana'"
                )
        object.__setattr__(self, "readers", readers)
        object.__setattr__(self, "tags", tags)
        object.__setattr__(self, "expires", expires)
        object.__setattr__(self, "isolation", isolation)

    def join(self, other: Policy) -> Policy:
        """Returns the policy that permits exactly whom both permit."""
        joined = object.__new__(Policy)
        joined._set(*(d.join(getattr(self, d.name), getattr(other, d.name)) for d in DIMENSIONS))
        return joined

    def covers(self, other: Policy) -> bool:
        """Whether ``self`` is at least as strict as ``other`` in every dimension."""
        return self.join(other) == self

    def denials(self, principal: Principal, now: datetime) -> tuple[str, ...]:
        """Returns in words, one for each dimension, why ``principal`` may not read; empty when they may."""
        return tuple(why for d in DIMENSIONS if (why := d.denial(getattr(self, d.name), principal, now)))

    def permits(self, principal: Principal, now: datetime) -> bool:
        return not self.denials(principal, now)

    def to_json(self) -> dict[str, Any]:
        return {
            "readers": sorted(sorted(clause) for clause in self.readers),
            "tags": sorted(self.tags),
            "expires": self.expires.isoformat() if self.expires else None,
            "isolation": self.isolation,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Policy:
        """Reads what ``to_json`` wrote; raises DeclarationError on anything else."""
        if unknown := body.keys() - {d.name for d in DIMENSIONS}:
            raise DeclarationError(f"a policy has no {sorted(unknown)[0]!r}; it has readers, tags, expires, isolation")
        try:
            expires = body.get("expires")
            # The constructor judges the scalar dimensions; the clauses it can not express are set after it.
            plain = cls(
                tags=_names(body.get("tags", [])),
                expires=datetime.fromisoformat(expires) if expires else None,
                isolation=body.get("isolation", 0),
            )
            clauses = frozenset(frozenset(_names(clause)) for clause in _list(body.get("readers", [])))
        except (TypeError, ValueError, AttributeError) as exc:
            raise DeclarationError(
                f"{body!r} is not a policy; write readers as a list of clauses (lists of names), tags as a list, "
                "expires as an ISO 8601 time with a timezone, isolation as 0, 1 or 2"
            ) from exc
        policy = object.__new__(cls)
        policy._set(clauses, plain.tags, plain.expires, plain.isolation)
        return policy


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _names(value: Any) -> list[str]:
    if not all(isinstance(name, str) for name in _list(value)):
        raise TypeError(f"{value!r} is not a list of names")
    return list(value)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One row of the policy table: how two values join, and why a value denies a principal (empty: it does not)."""

    name: str
    join: Callable[[Any, Any], Any]
    denial: Callable[[Any, Principal, datetime], str]


def _deny_readers(clauses: Clauses, principal: Principal, now: datetime) -> str:
    for clause in sorted(clauses, key=sorted):
        if not clause & principal.identities:
            return f"only {' or '.join(sorted(clause))} may read" if clause else "nobody may read"
    return ""


def _deny_tags(tags: frozenset[str], principal: Principal, now: datetime) -> str:
    missing = sorted(tags - principal.clearances)
    return f"needs clearance for {' and '.join(missing)}" if missing else ""


def _deny_expired(expires: datetime | None, principal: Principal, now: datetime) -> str:
    return f"expired at {expires.isoformat()}" if expires is not None and now >= expires else ""


def _earlier(a: datetime | None, b: datetime | None) -> datetime | None:
    return min((e for e in (a, b) if e is not None), default=None)


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("readers", frozenset.union, _deny_readers),
    Dimension("tags", frozenset.union, _deny_tags),
    Dimension("expires", _earlier, _deny_expired),
    Dimension("isolation", max, lambda level, principal, now: ""),
)
"""In the order of Policy's fields. ``isolation`` binds workers, not readers."""

OPEN = Policy()
"""The policy that restricts nothing: the neutral element of ``join``."""

NOBODY = Policy(readers=())
