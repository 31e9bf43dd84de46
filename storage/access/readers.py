"""Who may read an asset, as far as the asker may know: its heads, and what would be made next?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from riparian.assets.keys import AssetKey
from riparian.assets.policy import Principal
from riparian.scheduler.core.edits import said_policy
from riparian.scheduler.core.effective import OWNERS, effective
from riparian.scheduler.core.readers import Reading, Shift, coming_shift, heads_shift
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import principals


def readings(judge: Judge, assets: Collection[str]) -> dict[str, Reading]:
    """Returns whom the policies in force in ``judge``'s snapshot let read each of these assets."""
    judge.prepare(assets)
    found = {}
    for asset in assets:
        heads = {
            s: effective(judge.restriction(a) for a in judge.origins([s]) | {asset}) for s in judge.head_origins(asset)
        }
        declared = AssetKey(asset) in judge.graph.assets
        coming = effective(judge.restriction(a) for a in judge.bound(asset)) if declared else None
        found[asset] = Reading(heads, coming)
    return found


def may_be_told(judge: Judge, assets: Collection[str]) -> dict[str, bool]:
    """Returns those of ``assets`` that the asker may know of, and whether also every asset that restricts them: only
    then may its policies be told, which name groups."""
    judge.prepare(assets)
    told = {}
    for asset in assets:
        if judge.visible(asset):
            chain = judge.bound(asset) | judge.origins([*judge.head_origins(asset)])
            judge.prepare(chain)
            told[asset] = all(judge.visible(a) for a in chain)
    return told


def people(judge: Judge) -> list[Principal]:
    """Returns whose rights may be told to the asker: everyone's to who administers them, else only the asker's own."""
    return principals.users(judge.tx) if OWNERS in judge.principal.groups else [judge.principal]


def shifts(
    judge: Judge,
    told: Mapping[str, bool],
    before: Mapping[str, Reading],
    after: Mapping[str, Reading],
    approved: Mapping[str, Reading],
) -> list[dict[str, Any]]:
    """Returns for each asset whose readers move {asset, heads, coming, approved}, each None or {before, after, gain,
    lose}: what acts on its versions at once, what on those made from now on, and what once the owners approve.
    ``told`` says whether policies may be shown, or else only who gains and loses."""
    known, now = people(judge), judge.now
    found = []
    for asset, shown in told.items():
        was, is_now, would = before[asset], after[asset], approved[asset]
        moves = {
            "heads": heads_shift(was, is_now, known, now),
            "coming": coming_shift(was, is_now, known, now),
            "approved": heads_shift(is_now, would, known, now) or coming_shift(is_now, would, known, now),
        }
        if any(moves.values()):
            found.append({"asset": asset, **{name: _said(shift, shown=shown) for name, shift in moves.items()}})
    return found


def _said(shift: Shift | None, *, shown: bool) -> dict[str, Any] | None:
    if shift is None:
        return None
    words = (said_policy(shift.before), said_policy(shift.after)) if shown else (None, None)
    return {"before": words[0], "after": words[1], "gain": list(shift.gain), "lose": list(shift.lose)}
