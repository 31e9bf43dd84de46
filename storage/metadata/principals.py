"""Who is known here, and which tokens speak for whom? A token's text is never stored, only its hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, insert, or_, select, update

from riparian.assets.policy import Principal
from riparian.storage.metadata import counters
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import principal, token

_GET = select(principal).where(principal.c.name == bindparam("of_name"))
_ALL = select(principal).where(principal.c.kind == bindparam("of_kind")).order_by(principal.c.name)
_ADD = insert(principal)
_CHANGE = (
    update(principal)
    .where(principal.c.name == bindparam("of_name"))
    .values(groups=bindparam("groups"), clearances=bindparam("clearances"))
)
_ADD_TOKEN = insert(token)
_FIND = (
    select(
        token.c.id, token.c.expires_at, principal.c.name, principal.c.kind, principal.c.groups, principal.c.clearances
    )
    .join(principal, principal.c.name == token.c.principal)
    .where(
        token.c.hash == bindparam("of_hash"),
        token.c.revoked_at.is_(None),
        or_(token.c.expires_at.is_(None), token.c.expires_at > bindparam("at")),
    )
)
_HOLDER = select(token.c.principal).where(token.c.id == bindparam("of_id"), token.c.revoked_at.is_(None))
_REVOKE = update(token).where(token.c.id == bindparam("of_id")).values(revoked_at=bindparam("at"))
_REVOKE_ALL = (
    update(token)
    .where(token.c.principal == bindparam("of_principal"), token.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Known:
    """A principal and its kind: ``user`` or ``worker``."""

    principal: Principal
    kind: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token speaks for, which token it is, and when (UTC microseconds) it ends; None: it does not."""

    principal: Principal
    kind: str
    token_id: str
    expires_at: int | None


def get(tx: Tx, name: str) -> Known | None:
    """Returns the principal of that name, or None."""
    row = tx.conn.execute(_GET, {"of_name": name}).first()
    return None if row is None else Known(_principal(row), row.kind)


def users(tx: Tx) -> list[Principal]:
    """Returns every person known, by name."""
    return [_principal(row) for row in tx.conn.execute(_ALL, {"of_kind": "user"})]


def put(tx: Tx, name: str, kind: str, groups: Iterable[str], clearances: Iterable[str]) -> None:
    """Creates the principal, or replaces the groups and clearances of the one there is."""
    what = {"groups": json.dumps(sorted(set(groups))), "clearances": json.dumps(sorted(set(clearances)))}
    if get(tx, name) is None:
        tx.conn.execute(_ADD, {"name": name, "kind": kind, "created_at": tx.now, **what})
    else:
        tx.conn.execute(_CHANGE, {"of_name": name, **what})
    counters.advance(tx, "policy_epoch")


def add_token(tx: Tx, hashed: str, name: str, expires_at: int | None) -> str:
    """Stores a token of the principal by its hash and returns the token's id."""
    token_id = tx.new_id()
    tx.conn.execute(
        _ADD_TOKEN,
        {"hash": hashed, "id": token_id, "principal": name, "created_at": tx.now, "expires_at": expires_at},
    )
    counters.advance(tx, "policy_epoch")
    return token_id


def find(tx: Tx, hashed: str) -> Bearer | None:
    """Returns whom the token of that hash speaks for; None when it is unknown, revoked or expired."""
    row = tx.conn.execute(_FIND, {"of_hash": hashed, "at": tx.now}).first()
    return None if row is None else Bearer(_principal(row), row.kind, row.id, row.expires_at)


def holder(tx: Tx, token_id: str) -> str | None:
    """Returns whose the token is; None when there is no such token or it is revoked."""
    return tx.conn.execute(_HOLDER, {"of_id": token_id}).scalar()


def revoke(tx: Tx, token_id: str) -> None:
    tx.conn.execute(_REVOKE, {"of_id": token_id, "at": tx.now})
    counters.advance(tx, "policy_epoch")


def revoke_all(tx: Tx, name: str) -> None:
    """Revokes every token of the principal."""
    tx.conn.execute(_REVOKE_ALL, {"of_principal": name, "at": tx.now})
    counters.advance(tx, "policy_epoch")


def _principal(row: Row[*tuple[Any, ...]]) -> Principal:
    return Principal(
        name=row.name, groups=frozenset(json.loads(row.groups)), clearances=frozenset(json.loads(row.clearances))
    )
