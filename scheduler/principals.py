"""Who may come in? Creates principals, issues their tokens and takes them back."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.assets.policy import Principal
from riparian.scheduler.core.effective import OWNERS
from riparian.storage.metadata import audit, principals
from riparian.storage.metadata.database import Database, Tx

ADMINISTRATOR = "me"
"""Who runs the control plane on their own machine; made at its first start, and in the group OWNERS."""

TOKEN_PREFIX = "rip_"  # noqa: S105 - what every token begins with, so that scanners find leaked ones

MOST_SECONDS = 100 * 365 * 86_400
"""How long a token may be valid: a hundred years."""

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_KINDS = ("user", "worker")


def create_token(
    db: Database,
    name: str,
    *,
    groups: Iterable[str],
    clearances: Iterable[str],
    kind: str = "user",
    by: Principal,
    expires_seconds: float | None = None,
) -> str:
    """Returns a new token of the principal ``name``: its text is shown this once and never stored.

    A new name becomes a principal; the groups and clearances of a known one are **replaced** by these, for all its
    tokens. A worker has none of either. Raises Refused unless ``by`` is in the group ``owners``, Invalid for a name
    that can not be used, Conflict when the name belongs to a principal of the other kind.
    """
    _require_administrator(by, "creates principals and tokens")
    groups, clearances = frozenset(groups), frozenset(clearances)
    _check(name, kind, groups, clearances, expires_seconds)
    text, hashed = _new_token()

    def write(tx: Tx) -> None:
        known = principals.get(tx, name)
        if known is not None and known.kind != kind:
            raise Conflict(f"{name!r} is a {known.kind} already; choose another name for the {kind}")
        principals.put(tx, name, kind, groups, clearances)
        expires_at = None if expires_seconds is None else tx.now + round(expires_seconds * 1_000_000)
        token_id = principals.add_token(tx, hashed, name, expires_at)
        said = f"token {token_id}, {kind}, groups {sorted(groups)}, clearances {sorted(clearances)}"
        audit.append(tx, by=by.name, act="token.create", on=name, detail=said)

    db.write(write)
    return text


def revoke_token(db: Database, token_id: str, by: Principal) -> None:
    """Ends the token at once. Members of ``owners`` may end any, others their own; NotFound for any other id."""

    def write(tx: Tx) -> None:
        holder = principals.holder(tx, token_id)
        if holder is None or (OWNERS not in by.groups and holder != by.name):
            raise NotFound(f"there is no token {token_id!r} that you may revoke; it may be revoked already")
        principals.revoke(tx, token_id)
        audit.append(tx, by=by.name, act="token.revoke", on=holder, detail=f"token {token_id}")

    db.write(write)


def bootstrap(db: Database) -> str:
    """Returns a new token of the administrator, who is created when there is none yet.

    Earlier tokens of the administrator end: this is also how to come back in after the token was lost.
    """
    text, hashed = _new_token()

    def write(tx: Tx) -> None:
        if principals.get(tx, ADMINISTRATOR) is None:
            principals.put(tx, ADMINISTRATOR, "user", {OWNERS}, ())
        principals.revoke_all(tx, ADMINISTRATOR)
        token_id = principals.add_token(tx, hashed, ADMINISTRATOR, None)
        audit.append(tx, by=ADMINISTRATOR, act="token.bootstrap", on=ADMINISTRATOR, detail=f"token {token_id}")

    db.write(write)
    return text


def _new_token() -> tuple[str, str]:
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return text, hashlib.sha256(text.encode()).hexdigest()


def _require_administrator(by: Principal, what: str) -> None:
    if OWNERS not in by.groups:
        raise Refused(f"only a member of the group {OWNERS!r} {what}; ask one of them")


def _check(
    name: str, kind: str, groups: frozenset[str], clearances: frozenset[str], expires_seconds: float | None
) -> None:
    if kind not in _KINDS:
        raise Invalid(f"{kind!r} is no kind of principal; write 'user' or 'worker'")
    for what, text in (("name", name), *(("group", g) for g in groups), *(("clearance", c) for c in clearances)):
        if not _NAME.fullmatch(text):
            raise Invalid(f"{text!r} is not a {what}; write lower-case letters, digits, '_', '.', '-', a letter first")
    if kind == "worker" and (groups or clearances):
        raise Invalid("a worker has no groups and no clearances: it reads what its leases grant; leave them out")
    if expires_seconds is not None and not 0 < expires_seconds <= MOST_SECONDS:  # which NaN is not either
        raise Invalid(
            f"a token can not expire after {expires_seconds} seconds; write a number above 0 and up to {MOST_SECONDS} "
            "(a hundred years), or leave it out"
        )
