"""How much of a workflow may be under way at once, and what goes before what?"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass

from riparian.assets.errors import DeclarationError
from riparian.assets.keys import is_key

MOST_AT_ONCE = 10_000
MOST_LIMITS = 8
HIGHEST_PRIORITY = 100
"""Priorities lie between it and its negative; 0 is where nothing is said."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` at once: runs of the workflow, or with ``key`` the steps of all workflows that name the key.

    ``Limit(2)`` counts a run from the grant of its first step to its end. ``Limit(3, key="warehouse")`` counts steps
    while a worker has them, in whatever project; where several numbers are declared for a key, the smallest holds.
    """

    most: int
    key: str | None = None

    def __post_init__(self) -> None:
        # Exactly: True is no number.
        if type(self.most) is not int or not 1 <= self.most <= MOST_AT_ONCE:
            raise DeclarationError(
                f"Limit({reprlib.repr(self.most)}) can not be meant; write a whole number from 1 to {MOST_AT_ONCE:,}"
            )
        if self.key is not None and not is_key(self.key):
            raise DeclarationError(
                f"Limit({self.most}, key={reprlib.repr(self.key)}) can not be meant; name what is shared by dotted "
                "lower-case words, such as key='warehouse'"
            )


def limits_of(said: Limit | Iterable[Limit] | None) -> tuple[Limit, ...]:
    """Returns what ``limits=`` says, sorted by key; raises DeclarationError for what can not be meant."""
    if said is None:
        return ()
    if isinstance(said, Limit):
        return (said,)
    limits = tuple(said) if isinstance(said, list | tuple) else ()
    if not limits or not all(isinstance(limit, Limit) for limit in limits):
        raise DeclarationError(f"limits={said!r} can not be used; write limits=Limit(2), or a list of limits")
    if len(limits) > MOST_LIMITS:
        raise DeclarationError(f"limits= names {len(limits)} limits; at most {MOST_LIMITS} can hold for one workflow")
    if len({limit.key for limit in limits}) != len(limits):
        raise DeclarationError(f"limits={said!r} limits the same twice; write each key once")
    return tuple(sorted(limits, key=lambda limit: limit.key or ""))


def priority_of(said: int) -> int:
    """Returns what ``priority=`` says; raises DeclarationError for what can not be meant."""
    if type(said) is not int or not -HIGHEST_PRIORITY <= said <= HIGHEST_PRIORITY:
        raise DeclarationError(
            f"priority={said!r} can not be meant; write a whole number from {-HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}"
        )
    return said
