"""The windows that share a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.partitions.base import EVERYTHING, Interval, Keys
from riparian.assets.partitions.cron import Cron
from riparian.assets.partitions.mappings.base import Mapping, check_at_least, required_of
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.windows import Windows

MOST_TOGETHER = 11_000
"""Windows of an input that may overlap one of its consumer: the hours of a year, the minutes of a week. All of them are
looked at while nobody else writes, and a run is granted all of them."""


@dataclass(frozen=True, slots=True)
class Overlapping(Mapping):
    """The consumer's window needs those windows of the input that overlap it: the hours of a day, or the day of an
    hour. It waits for all of them that there are by definition, also where the window has not ended yet; with
    ``at_least``, for that many, and runs again as more arrive."""

    at_least: int | None = None

    kind = "overlapping"
    many = True
    cuts = True

    def __post_init__(self) -> None:
        if self.at_least is not None:
            check_at_least(self.at_least, "Overlapping")

    @property
    def label(self) -> str:
        return "overlapping"

    def required(self, keys: Keys, other: Cut) -> int:
        return required_of(self.at_least, keys, other)

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _overlapping(interval, own, other)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _overlapping(interval, other, own)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(own, Windows) or not isinstance(other, Windows):
            return "Overlapping() asks for windows of time on both sides", "Leave the mapping out, or write another"
        if not own.overlaps(other):
            return f"{own} and {other} have no moment in common", "Let them overlap"
        if (most := together(own, other)) > MOST_TOGETHER:
            what = f"one window of {own} may have {most:,} of {other}, more than {MOST_TOGETHER:,}"
            return what, "Put one of a size between them"
        return None

    def to_json(self) -> Any:
        return self.kind if self.at_least is None else {"kind": self.kind, "at_least": self.at_least}


def _overlapping(interval: Interval, of: Cut, among: Cut) -> Keys:
    if not isinstance(of, Windows) or not isinstance(among, Windows):
        return ()  # another project may have cut the input anew: it is told as an input that is not there
    clipped = of.clip(interval)
    if clipped is None:
        return ()
    lo, hi = among.key_at(of.window(clipped.lo)[0]), among.key_at(of.window(clipped.hi)[1] - 1)
    there = among.clip(Interval(lo, hi))
    return () if there is None else (there,)


def together(own: Windows, other: Windows) -> int:
    """Returns how many windows of ``other`` there may be in one of ``own``."""
    return max(1, _longest(own) // _shortest(other))


def _longest(cut: Windows) -> int:
    longest = max(b - a for a, b in map(cut.window, cut.within(EVERYTHING, 3)))
    return max(longest, cut.longest_pause()) if isinstance(cut, Cron) else longest


def _shortest(cut: Windows) -> int:
    return max(1, min(b - a for a, b in map(cut.window, cut.within(EVERYTHING, 3))))
