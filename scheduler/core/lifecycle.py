"""Through which states do runs, steps and files go? Tables; whoever moves a row takes its condition from them."""

from __future__ import annotations

from collections.abc import Mapping

STEP: Mapping[str, frozenset[str]] = {
    "blocked": frozenset({"ready", "skipped", "succeeded", "cancelled"}),
    "ready": frozenset({"leased", "cancelled"}),
    "leased": frozenset({"succeeded", "failed", "ready", "paused", "cancelled"}),
    "paused": frozenset({"ready", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "skipped": frozenset(),
    "cancelled": frozenset(),
}
"""State → the states that may follow. The epoch rises on every grant and on every revoke."""

RUN: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "superseded", "cancelled"}),
    "running": frozenset({"succeeded", "failed", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "superseded": frozenset(),
    "cancelled": frozenset(),
}

FILE: Mapping[str, frozenset[str]] = {
    "settling": frozenset({"ready", "superseded", "vanished"}),
    "ready": frozenset({"ingesting", "superseded", "vanished"}),
    # Ready again where its key was taken out before a worker began.
    "ingesting": frozenset({"committed", "quarantined", "superseded", "ready"}),
    # Both only when a newer content of the path was seen since: then it is a delivery that replaces that one.
    "committed": frozenset({"settling", "ready"}),
    "quarantined": frozenset({"superseded", "vanished"}),
    "unmatched": frozenset({"vanished"}),
    "superseded": frozenset({"settling", "ready"}),
    "vanished": frozenset({"settling", "ready", "unmatched"}),
}

UNFINISHED = ("queued", "running")

LOST_ATTEMPTS = 5
"""How often a step may lose its worker before it counts as failed: a step that kills its worker must stop somewhere."""


def before(table: Mapping[str, frozenset[str]], after: str) -> tuple[str, ...]:
    """Returns the states that ``after`` may follow."""
    return tuple(state for state, following in table.items() if after in following)


def may_follow(table: Mapping[str, frozenset[str]], before: str, after: str) -> bool:
    """Whether ``after`` may follow ``before``; KeyError for a state that is not in the table."""
    return after in table[before]
