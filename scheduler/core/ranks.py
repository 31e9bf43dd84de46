"""Which of two ready steps goes first?

A rank is fixed when a step becomes ready and the lowest goes first, so that an index serves it and nothing has to be
sorted again while time passes. What waits ages all the same: whoever becomes ready later has a later time in its rank.
"""

from __future__ import annotations

from enum import IntEnum

AGEING_SECONDS = 600
"""How long a step waits to be worth one more priority: so much earlier one of the next priority could have come."""

_MICROS = 1_000_000
_CLASS = 1000 * 366 * 86_400 * _MICROS  # no age and no priority makes up for it


class RunClass(IntEnum):
    """Runs of a class go before those of the next, however long those wait."""

    CURRENT = 0
    BACKFILL = 1


def lift(priority: int, run_class: RunClass) -> int:
    """Returns by how many microseconds a step's rank lies before the moment at which it is ready."""
    return priority * AGEING_SECONDS * _MICROS - run_class * _CLASS
