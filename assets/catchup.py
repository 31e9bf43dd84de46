"""What does a workflow make up for when nobody was there as its schedule ticked?"""

from __future__ import annotations

from typing import Literal

from riparian.assets.errors import DeclarationError

CatchUp = int | Literal["latest", "all"]
"""Of the windows whose ticks were missed: the latest alone, so many of the latest, or all."""

MOST_CAUGHT_UP = 10_000
"""Windows that are made up for at once, the latest of them: more than a year of hours."""


def catch_up_of(said: object) -> CatchUp:
    """Returns what ``catch_up=`` says; raises DeclarationError for what can not be meant."""
    if type(said) is int and 1 <= said <= MOST_CAUGHT_UP:
        return "latest" if said == 1 else said
    # Spelled out, so that what comes from elsewhere is one of the two texts and not only equal to it.
    if type(said) is str and said in ("latest", "all"):
        return "all" if said == "all" else "latest"
    raise DeclarationError(
        f"catch_up={str(said)[:80]!r} can not be meant; write 'latest', 'all' or how many of the latest windows, "
        f"at most {MOST_CAUGHT_UP:,}"
    )


def windows_of(said: CatchUp) -> int:
    """Returns how many windows are made at most for the ticks since the last one that was heard."""
    match said:
        case "latest":
            return 1
        case "all":
            return MOST_CAUGHT_UP
        case number:
            return number
