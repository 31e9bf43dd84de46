"""What is a sensor?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from riparian.scheduler.core.readiness import FileSeen

Report = Callable[[list[FileSeen]], None]
"""Tells the ledger. May be called again with what it was told before; raises when it could not keep it."""

Known = Callable[[], Iterable[tuple[str, str, str]]]
"""Returns (source, path, fingerprint) of all files that the ledger holds as ready or further."""


class Sensor(Protocol):
    """Sees the world and reports what changed, from a thread of its own.

    It decides nothing and changes nothing in the world. What could not be reported is kept and reported later;
    what is reported may be reported again, so that whoever listens makes it idempotent.
    """

    def start(self) -> None:
        """Begins to look; what happens in the world after this returned is reported. Once only."""

    def stop(self) -> None:
        """Ends the thread and waits for it; nothing is reported afterwards. A second call does nothing."""

    def problems(self) -> tuple[str, ...]:
        """Returns what it can not see now, in words for a person; empty when all is well."""
