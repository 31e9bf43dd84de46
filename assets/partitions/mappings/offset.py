"""Windows that lie so many before or after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import EVERYTHING, Interval, Keys
from riparian.assets.partitions.mappings.base import Mapping, required_of
from riparian.assets.partitions.product import Cut
from riparian.assets.partitions.windows import Windows

FARTHEST = 1_000
"""How many windows away an ``Offset`` may look: those of a schedule are found one by one."""


@dataclass(frozen=True, slots=True)
class Offset(Mapping):
    """The consumer's window needs the input's ``first`` windows later (earlier, if negative): ``Offset(-1)`` is the one
    before. With ``last``, all from the one to the other: ``Offset(-6, 0)`` are the seven up to this one.

    At an end of the series, where there is none, it waits for none and the parameter is None. So an asset can be made
    from its own partition before.
    """

    first: int
    last: int | None = None

    kind = "offset"
    cuts = True

    def __post_init__(self) -> None:
        for value in (self.first, self.until):
            if type(value) is not int or not -FARTHEST <= value <= FARTHEST:
                raise DeclarationError(f"{self}: {value!r} is no number of windows; write one such as -1")
        if self.until < self.first:
            raise DeclarationError(f"{self} ends before it begins; write Offset({self.until}, {self.first})")

    @property
    def until(self) -> int:
        return self.first if self.last is None else self.last

    @property
    def many(self) -> bool:
        return self.last is not None

    @property
    def label(self) -> str:
        return f"offset {self.first}" + ("" if self.last is None else f" to {self.last}")

    @property
    def can_be_none(self) -> bool:
        return not self.first <= 0 <= self.until

    @property
    def looks_back(self) -> bool:
        return self.until < 0

    def required(self, keys: Keys, other: Cut) -> int:
        return required_of(None, keys, other)

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _shifted(interval, own, other, self.first, self.until)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        return _shifted(interval, other, own, -self.until, -self.first)

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if not isinstance(own, Windows) or not isinstance(other, Windows):
            return f"{self} asks for windows of time on both sides", "Write another mapping"
        if (type(own), own.timezone, getattr(own, "expression", "")) != (
            type(other),
            other.timezone,
            getattr(other, "expression", ""),
        ):
            return f"{self} counts windows, but {own} and {other} are not the same ones", "Cut both in the same way"
        return None

    def to_json(self) -> Any:
        body = {"kind": self.kind, "first": self.first}
        return body if self.last is None else {**body, "last": self.last}


def _shifted(interval: Interval, of: Cut, cut: Cut, first: int, last: int) -> Keys:
    if not isinstance(of, Windows) or not isinstance(cut, Windows):
        return ()
    clipped = of.clip(interval)
    if clipped is None:
        return ()
    lo, hi = cut.after(clipped.lo, first), cut.after(clipped.hi, last)
    if (lo is None and first > 0) or (hi is None and last < 0):
        return ()  # beyond the end of time
    there = cut.clip(Interval(lo or EVERYTHING.lo, hi or EVERYTHING.hi))
    return () if there is None else (there,)
