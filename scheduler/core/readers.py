"""Whom does an edit of the declarations let read, and whom no longer?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import Manifest
from riparian.assets.policy import Policy, Principal
from riparian.scheduler.core.edits import said_policy
from riparian.scheduler.core.graph import Graph

MOST_ASSETS = 300
"""Assets that are looked at, those next to the edit first: each may come from all of a large graph."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who may read an asset: its heads, by the set of their origins, and what would be made next (None: nothing)."""

    heads: Mapping[str, Policy]
    coming: Policy | None


@dataclass(frozen=True, slots=True)
class Shift:
    """One move of the policies: who ``gain`` and who ``lose``, by their names, in order."""

    before: Policy
    after: Policy
    gain: tuple[str, ...]
    lose: tuple[str, ...]


def heads_shift(before: Reading, after: Reading, people: Sequence[Principal], now: datetime) -> Shift | None:
    """Returns how the right to read the heads moves; None when it stays. Of several sets of origins, as for partitions
    that were made from different assets, the policies shown are those of the first that moves; who gains or loses any
    head is named."""
    both = ((policy, after.heads[s]) for s, policy in sorted(before.heads.items()) if s in after.heads)
    shifts = [shift for was, now_is in both if (shift := _shift(was, now_is, people, now)) is not None]
    if not shifts:
        return None
    gain = sorted({name for s in shifts for name in s.gain})
    lose = sorted({name for s in shifts for name in s.lose})
    return Shift(shifts[0].before, shifts[0].after, tuple(gain), tuple(lose))


def coming_shift(before: Reading, after: Reading, people: Sequence[Principal], now: datetime) -> Shift | None:
    """Returns how the right to read what is made from now on moves; None when it stays, or nothing was made or will
    be."""
    if before.coming is None or after.coming is None:
        return None
    return _shift(before.coming, after.coming, people, now)


def _shift(before: Policy, after: Policy, people: Sequence[Principal], now: datetime) -> Shift | None:
    if said_policy(before) == said_policy(after):
        return None
    could = {p.name for p in people if before.permits(p, now)}
    can = {p.name for p in people if after.permits(p, now)}
    return Shift(before, after, tuple(sorted(can - could)), tuple(sorted(could - can)))


def moved(
    before: Manifest, after: Manifest, old: Graph, new: Graph, back: Collection[str] = ()
) -> tuple[list[str], bool]:
    """Returns the assets whose readers the edit can move, and whether there are more: those with another policy, and
    whatever is declared to come from them or from other inputs, in ``old`` or in ``new``, the nearest first. New ones
    had no readers, but for those that come ``back``."""
    found = dict.fromkeys(k for k in _edited(before, after) if k in old.assets or k in back)
    waiting = list(found)
    for asset in waiting:
        if len(found) > MOST_ASSETS:
            break
        below = (a for g in (old, new) for e in g.edges(AssetKey(asset)) for a in e.workflow.produces)
        for key in below:
            if key not in found and (key in old.assets or key in back):
                found[key] = None
                waiting.append(key)
    return list(found)[:MOST_ASSETS], len(found) > MOST_ASSETS


def _edited(before: Manifest, after: Manifest) -> Iterator[str]:
    was, now = ({a.key: (a.policy, a.kind) for a in m.assets} for m in (before, after))
    yield from sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    old, new = (
        {w.key: ({i.asset for i in w.inputs} | set(w.trigger.assets), w.produces) for w in m.workflows}
        for m in (before, after)
    )
    for key in sorted(old.keys() & new.keys()):
        if old[key][0] != new[key][0]:
            yield from new[key][1]
