"""How often, and after which pauses, is a failed task tried again?"""

from __future__ import annotations

from dataclasses import dataclass

from riparian.assets.errors import DeclarationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """``attempts`` tries in all. The n-th new try waits ``delay_seconds * factor**(n-1)``, up to ``max_delay_seconds``.

    Tries lost with their worker are not counted here: they are repeated at once, at most LOST_ATTEMPTS times.
    """

    attempts: int = 1
    delay_seconds: float = 1.0
    factor: float = 2.0
    max_delay_seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.delay_seconds < 0 or self.factor < 1 or self.max_delay_seconds < 0:
            raise DeclarationError(f"{self}: attempts >= 1, delays >= 0 and factor >= 1 are needed")
