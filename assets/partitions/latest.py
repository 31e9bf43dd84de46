"""Of which moment is a partition, whatever its dimensions?

Those by time say when; keys say nothing of it. So the latest partitions of an asset are all keys of its latest window.
"""

from __future__ import annotations

from riparian.assets.partitions.base import EVERYTHING, WHOLE, Interval, Keys, one
from riparian.assets.partitions.boxes import Box, joined
from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.product import Cut, Product, boxes, dimensions_of, spread
from riparian.assets.partitions.windows import Windows


def moment(cut: Cut, key: str) -> str:
    """Returns what the partition's key says of time; such texts sort as time does, where there is one dimension of
    it."""
    if isinstance(cut, Windows):
        return key
    if not isinstance(cut, Product):
        return ""
    named = zip(cut.dimensions, cut.split(key) or (), strict=False)
    return joined([part for d, part in named if isinstance(d, Windows)])


def alike(cut: Cut, key: str) -> Keys:
    """Returns the partitions of the same moment as the one of ``key``."""
    if cut is None or isinstance(cut, Windows):
        return (one(key),)
    if not isinstance(cut, Product):
        return (EVERYTHING,)
    parts = cut.split(key)
    if parts is None:
        return ()
    named = zip(cut.dimensions, parts, strict=True)
    return spread(cut, tuple((one(part),) if isinstance(d, Windows) else (EVERYTHING,) for d, part in named))


def by_time(cut: Cut) -> Windows | None:
    """Returns the dimension by time; None where there is none, or where it can not be told which is meant."""
    windows = [d for d in dimensions_of(cut) if isinstance(d, Windows)]
    return windows[0] if len(windows) == 1 else None


def ticked(cut: Cut, at: int, timezone: str) -> Keys:
    """Returns the partitions that a tick of a schedule is about, where no input says for which to run: those of the
    window in which it lies, and all where time has no part in it."""
    windows = by_time(cut)
    if windows is not None:
        return _of_window(cut, windows, one(windows.ticked(at, timezone)))
    return () if any(isinstance(d, Windows) for d in dimensions_of(cut)) else (EVERYTHING,)


def until(cut: Cut, at: int) -> Keys:
    """Returns the partitions whose windows have begun at that instant."""
    windows = by_time(cut)
    return () if windows is None else _of_window(cut, windows, Interval(EVERYTHING.lo, windows.key_at(at)))


def of_window(cut: Cut, key: str) -> Keys:
    """Returns the partitions of one window of the dimension by time."""
    windows = by_time(cut)
    return (one(key),) if windows is None else _of_window(cut, windows, one(key))


def in_window(cut: Cut, key: str, limit: int) -> list[str]:
    """Returns the first partitions of one window of the dimension by time, at most ``limit``."""
    if not isinstance(cut, Product):
        return [key][:limit]
    return [p for interval in of_window(cut, key) for p in cut.within(interval, limit)][:limit]


def _of_window(cut: Cut, windows: Windows, interval: Interval) -> Keys:
    sides = (((interval,) if d is windows else (EVERYTHING,)) for d in dimensions_of(cut))
    return spread(cut, tuple(sides))


def near(cut: Cut, at: int) -> str | None:
    """Returns the first of the partitions of the moment, or of the nearest one; None where there are none."""
    sides = tuple((one(d.near(at)),) if isinstance(d, Windows) else (EVERYTHING,) for d in dimensions_of(cut))
    if cut is None:
        return WHOLE
    if isinstance(cut, Dynamic):
        return None  # the catalogue knows its keys
    return next((key for interval in spread(cut, sides) for key in cut.within(interval, 1)), None)


def back(cut: Cut, key: str) -> str | None:
    """Returns the partition of the window before, with the same keys beside it."""
    windows = by_time(cut)
    parts = cut.split(key) if isinstance(cut, Product) else (key,)
    if windows is None or parts is None:
        return None
    found = [windows.after(p, -1) if d is windows else p for d, p in zip(dimensions_of(cut), parts, strict=True)]
    return None if None in found else joined([part for part in found if part is not None])


def up_to(cut: Cut, interval: Interval) -> Keys:
    """Returns the partitions of ``interval`` with those before them in time that have the same keys."""
    return tuple(
        i
        for sides in boxes(cut, interval)
        for i in spread(
            cut,
            tuple(
                (Interval(EVERYTHING.lo, side[-1].hi),) if isinstance(d, Windows) else side
                for d, side in zip(dimensions_of(cut), sides, strict=True)
            ),
        )
    )


def from_to(cut: Cut, lo: str, hi: str) -> Interval:
    """Returns the partitions from the one to the other, in each dimension; EVERYTHING's ends are ends here too."""
    if not isinstance(cut, Product) or (lo, hi) == (EVERYTHING.lo, EVERYTHING.hi):
        return Interval(lo, hi)
    n = len(cut.dimensions)
    first = cut.split(lo) or (EVERYTHING.lo,) * n
    last = cut.split(hi) or (EVERYTHING.hi,) * n
    return Box(lo, hi, tuple((Interval(a, b),) for a, b in zip(first, last, strict=True)))
