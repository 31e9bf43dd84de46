"""What may an owner change about who reads an asset?"""

from __future__ import annotations

from collections.abc import Callable

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.assets.policy import Policy, Principal
from riparian.scheduler.core.effective import owns
from riparian.scheduler.core.graph import Graph
from riparian.storage.access.rights import Epoch, Judge
from riparian.storage.metadata import audit, policies
from riparian.storage.metadata.database import Database, Tx
from riparian.storage.metadata.policies import Standing, to_text


def set_overlay(db: Database, graph: Graph, key: str, policy: Policy | None, by: Principal) -> None:
    """Joins ``policy`` to what code declares for the asset, in place of the overlay there was; None takes it away.

    Binds everything that was ever made from the asset, from the next question on. Only its owner may: others who see
    the asset are Refused, to the rest it is NotFound.
    """

    if policy is not None and policy.isolation > 1:
        raise Invalid("no worker pool offers isolation 2 yet, so that nobody could make anything from it; write 0 or 1")

    def write(tx: Tx) -> None:
        before = _owned(tx, graph, key, by)
        policies.set_overlay(tx, key, policy)
        said = f"{to_text(before.restriction.overlay) or 'none'} -> {to_text(policy) or 'none'}"
        audit.append(tx, by=by.name, act="policy.overlay", on=key, detail=said)

    _write(db, graph, write, "policy.overlay", key, by)


def approve(db: Database, graph: Graph, key: str, by: Principal) -> None:
    """Puts the looser policy that code declares in force. Only the owner may; Conflict when none waits."""

    def write(tx: Tx) -> None:
        before = _owned(tx, graph, key, by)
        if not before.waits:
            raise Conflict(f"no policy of {key} waits for approval: what its code declares is in force")
        policies.approve(tx, key, before.pending)
        said = f"{to_text(before.restriction.declared) or 'none'} -> {to_text(before.pending) or 'none'}"
        audit.append(tx, by=by.name, act="policy.approve", on=key, detail=said)

    _write(db, graph, write, "policy.approve", key, by)


def _owned(tx: Tx, graph: Graph, key: str, by: Principal) -> Standing:
    found = policies.standings(tx, [key]).get(key)
    if found is not None and owns(by, found.restriction.owner):
        return found
    judge = Judge(tx, graph, Epoch(), by)
    if found is not None and judge.visible(key):
        raise Refused(f"{key} is {found.restriction.owner}'s: only they may change who reads it; ask them")
    raise judge.missing("asset", key)


def _write(db: Database, graph: Graph, write: Callable[[Tx], None], act: str, key: str, by: Principal) -> None:
    try:
        # Before the one place at the writer is taken, too: what is close to a name that is hidden takes long to find.
        db.read(lambda tx: _owned(tx, graph, key, by))
        db.write(write)
    except (NotFound, Refused) as exc:
        detail = str(exc)
        # In a transaction of its own: the refused one left nothing behind.
        db.write(lambda tx: audit.append(tx, by=by.name, act=act, on=key, allowed=False, detail=detail))
        raise
