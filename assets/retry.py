"""How often, and after which pauses, is a failed task tried again?"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError

MOST_ATTEMPTS = 100
MOST_FACTOR = 100
LONGEST_DELAY_SECONDS = 30 * 86_400
MOST_NAMES = 50
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """``attempts`` tries in all. The n-th new try waits ``delay_seconds * factor**(n-1)``, up to ``max_delay_seconds``.

    At most 100 attempts, 30 days and a factor of 100.

    With ``on`` only those exceptions are tried again, and those of ``never`` never are; both with their subclasses,
    named by the class itself, or by text with or without the module: ``on=(ConnectionError, "requests.Timeout")``. A
    try that took too long raised TimeoutError. What the same inputs must end in again, such as a value that can not be
    written, is not tried again in any case.

    Tries lost with their worker are not counted here: they are repeated at once, at most LOST_ATTEMPTS times.
    """

    attempts: int = 1
    delay_seconds: float = 1.0
    factor: float = 2.0
    max_delay_seconds: float = 300.0
    on: tuple[Any, ...] = ()
    never: tuple[Any, ...] = ()

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
        object.__setattr__(self, "on", _names("on", self.on))
        object.__setattr__(self, "never", _names("never", self.never))


def name_of(exception: type) -> str:
    """Returns what an exception class is called: with its module, but for Python's own."""
    module = exception.__module__
    return exception.__qualname__ if module == "builtins" else f"{module}.{exception.__qualname__}"


def _names(field: str, said: Any) -> tuple[str, ...]:
    """Returns the names of exceptions that ``on`` or ``never`` says, each once."""
    each = tuple(said) if isinstance(said, tuple | list) else (said,)
    names = []
    for one in each:
        name = name_of(one) if isinstance(one, type) and issubclass(one, BaseException) else one
        if not isinstance(name, str) or len(name) > LONGEST_NAME or not all(p.isidentifier() for p in name.split(".")):
            raise DeclarationError(
                f"Retry({field}={reprlib.repr(one)}) can not be meant; name exceptions, such as "
                f"{field}=(ConnectionError, 'requests.Timeout')"
            )
        names.append(name)
    if len(names) > MOST_NAMES:
        raise DeclarationError(f"Retry({field}=…) names {len(names)} exceptions; write at most {MOST_NAMES}")
    return tuple(dict.fromkeys(names))
