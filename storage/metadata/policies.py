"""What does each asset restrict? The rows that hold declared, pending and overlaid policies, and who owns them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.policy import Policy
from riparian.scheduler.core.digests import EMPTY
from riparian.scheduler.core.effective import Redeclared, Restriction, redeclare
from riparian.storage.metadata import counters
from riparian.storage.metadata.among import among
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import asset

CHUNK = 1000
"""Keys in one statement: SQLite counts bound values."""

_COLUMNS = (
    asset.c.key,
    asset.c.project,
    asset.c.kind,
    asset.c.owner,
    asset.c.declared,
    asset.c.pending,
    asset.c.overlay,
    asset.c.removed_at,
)
_GET_MANY = select(*_COLUMNS).where(among(asset.c.key, "keys"))
_LIVE = select(asset.c.key).where(asset.c.project == bindparam("of_project"), asset.c.removed_at.is_(None))
_ADD = insert(asset)
_CHANGE = (
    update(asset)
    .where(asset.c.key == bindparam("of_key"))
    .values(
        project=bindparam("project"),
        kind=bindparam("kind"),
        declared=bindparam("declared"),
        pending=bindparam("pending"),
        removed_at=None,
    )
)
_REMOVE = update(asset).where(asset.c.key == bindparam("of_key")).values(removed_at=bindparam("at"))
_SET_OVERLAY = update(asset).where(asset.c.key == bindparam("of_key")).values(overlay=bindparam("overlay"))
_APPROVE = update(asset).where(asset.c.key == bindparam("of_key")).values(declared=bindparam("declared"), pending=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One asset's row. ``waits`` is true while ``pending`` (None: no policy at all) needs the owner's approval."""

    restriction: Restriction
    project: str
    pending: Policy | None
    waits: bool
    removed_at: int | None


def standings(tx: Tx, keys: Iterable[str]) -> dict[str, Standing]:
    """Returns the rows of these assets, by key; an asset that was never declared is not among them."""
    found: dict[str, Standing] = {}
    for chunk in _chunks(sorted(set(keys))):
        for row in tx.conn.execute(_GET_MANY, {"keys": chunk}):
            found[row.key] = _standing(row)
    return found


def declare(tx: Tx, project: str, specs: Iterable[AssetSpec], owner: str) -> list[AssetKey]:
    """Makes ``specs`` all that ``project`` declares, and returns the assets whose looser policy waits for their owner.

    A new asset is owned by ``owner``. What is stricter acts at once; an asset no longer declared restricts on.
    Repeated with the same specs it writes nothing.
    """
    specs = tuple(specs)
    known = standings(tx, (s.key for s in specs))
    added, changed, pending = [], [], []
    for spec in specs:
        before = known.get(spec.key)
        if before is None:
            added.append(_new_row(spec, project, owner))
            continue
        after = redeclare(before.restriction, spec.kind, spec.policy)
        if after.waits:
            pending.append(spec.key)
        if _differs(before, after, spec.kind, project):
            changed.append(
                {
                    "of_key": spec.key,
                    "project": project,
                    "kind": spec.kind,
                    "declared": to_text(after.declared),
                    "pending": _pending_text(after),
                }
            )
    declared = {s.key for s in specs}
    gone = [key for key in tx.conn.scalars(_LIVE, {"of_project": project}) if key not in declared]
    tx.many(_ADD, added)
    if changed:
        tx.conn.execute(_CHANGE, changed)
    if gone:
        tx.conn.execute(_REMOVE, [{"of_key": key, "at": tx.now} for key in gone])
    if added or changed or gone:
        counters.advance(tx, "policy_epoch")
    return pending


def set_overlay(tx: Tx, key: str, policy: Policy | None) -> None:
    """Replaces the overlay; None takes it away. All that was made from the asset follows at once."""
    tx.conn.execute(_SET_OVERLAY, {"of_key": key, "overlay": to_text(policy)})
    counters.advance(tx, "policy_epoch")


def approve(tx: Tx, key: str, pending: Policy | None) -> None:
    """Puts the pending declaration in force."""
    tx.conn.execute(_APPROVE, {"of_key": key, "declared": to_text(pending)})
    counters.advance(tx, "policy_epoch")


def to_text(policy: Policy | None) -> str | None:
    """Returns the canonical text of a policy; None for no policy."""
    return None if policy is None else json.dumps(policy.to_json(), sort_keys=True, separators=(",", ":"))


def _from_text(text: str | None) -> Policy | None:
    body = json.loads(text) if text is not None else None
    return None if body is None else Policy.from_json(body)


def _standing(row: Row[*tuple[Any, ...]]) -> Standing:
    return Standing(
        restriction=Restriction(
            asset=row.key,
            kind=row.kind,
            owner=row.owner,
            declared=_from_text(row.declared),
            overlay=_from_text(row.overlay),
            removed=row.removed_at is not None,
        ),
        project=row.project,
        pending=_from_text(row.pending),
        waits=row.pending is not None,
        removed_at=row.removed_at,
    )


def _new_row(spec: AssetSpec, project: str, owner: str) -> dict[str, Any]:
    return {
        "key": spec.key,
        "project": project,
        "kind": spec.kind,
        "owner": owner,
        "declared": to_text(spec.policy),
        "digest": EMPTY,
    }


def _pending_text(after: Redeclared) -> str | None:
    # No policy at all can be what waits: JSON's null, where SQL's NULL says that nothing waits.
    return (to_text(after.pending) or "null") if after.waits else None


def _differs(before: Standing, after: Redeclared, kind: str, project: str) -> bool:
    return (before.restriction.declared, before.pending, before.waits, before.restriction.kind, before.project) != (
        after.declared,
        after.pending,
        after.waits,
        kind,
        project,
    ) or before.removed_at is not None


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[i : i + CHUNK] for i in range(0, len(keys), CHUNK))
