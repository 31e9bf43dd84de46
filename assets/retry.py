"""How often, and after which pauses, is a failed task tried again?"""

from __future__ import annotations

from dataclasses import dataclass

from riparian.assets.errors import DeclarationError

MOST_ATTEMPTS = 100
MOST_FACTOR = 100
LONGEST_DELAY_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """``attempts`` tries in all. The n-th new try waits ``delay_seconds * factor**(n-1)``, up to ``max_delay_seconds``.

    At most 100 attempts, 30 days and a factor of 100.

    Tries lost with their worker are not counted here: they are repeated at once, at most LOST_ATTEMPTS times.
    """

    attempts: int = 1
    delay_seconds: float = 1.0
    factor: float = 2.0
    max_delay_seconds: float = 300.0

    def __post_init__(self) -> None:
        bounds = (
            ("attempts", (int,), 1, MOST_ATTEMPTS, "a whole number"),
            ("delay_seconds", (int, float), 0, LONGEST_DELAY_SECONDS, "seconds"),
            ("factor", (int, float), 1, MOST_FACTOR, "a number"),
            ("max_delay_seconds", (int, float), 0, LONGEST_DELAY_SECONDS, "seconds"),
        )
        for name, kinds, least, most, what in bounds:
            value = getattr(self, name)
            # Exactly of the kind: True is no number of attempts. And nan is not between anything.
            if type(value) not in kinds or not least <= value <= most:
                raise DeclarationError(
                    f"Retry({name}={value!r}) can not be meant; write {what} from {least} to {most:,}"
                )
