"""Which sets of assets does a version come from? Sets are interned: equal sets have one id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import bindparam, select, text

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import origins

_GET = select(origins.c.members).where(origins.c.id == bindparam("origin_set"))
_GET_MANY = select(origins.c.id, origins.c.members).where(origins.c.id.in_(bindparam("ids", expanding=True)))
_ADD = text("INSERT INTO origins (id, members) VALUES (:id, :members) ON CONFLICT DO NOTHING")


def intern(tx: Tx, members: Iterable[str]) -> str:
    """Returns the id of the set, which is a digest of its members; stores it when it is new."""
    body = json.dumps(sorted(set(members)), separators=(",", ":"))
    key = hashlib.sha256(body.encode()).hexdigest()
    tx.conn.execute(_ADD, {"id": key, "members": body})
    return key


def members(tx: Tx, key: str) -> frozenset[str]:
    """Returns the assets of the set; raises KeyError for an id that was never interned."""
    body = tx.conn.execute(_GET, {"origin_set": key}).scalar()
    if body is None:
        raise KeyError(f"no origin set {key}")
    return frozenset(json.loads(body))


def union(tx: Tx, ids: Iterable[str], also: Iterable[str] = ()) -> str:
    """Returns the id of the union of the sets and the assets ``also``."""
    rows = tx.conn.execute(_GET_MANY, {"ids": sorted(set(ids))})
    found = {row.id: json.loads(row.members) for row in rows}
    return intern(tx, {a for s in found.values() for a in s} | set(also))
