"""Who asks, and through whose eyes? From a token to a principal, from a principal to a view."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import NotFound, Refused, Unauthenticated
from riparian.assets.policy import Principal
from riparian.scheduler.core.effective import OWNERS
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.limits import NOTHING_SET, Limits
from riparian.storage.access.rights import Epoch, Judge
from riparian.storage.access.view import View
from riparian.storage.metadata import audit, counters, principals
from riparian.storage.metadata.database import Database, Tx
from riparian.storage.metadata.definitions import GraphCache
from riparian.storage.objects import Objects


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for. ``kind`` is ``user`` or ``worker``; a worker's token is for leases alone."""

    principal: Principal
    kind: str
    token_id: str


class Access:
    """The gate to everything readable. ``key`` makes the ids of hidden nodes; with the same key they stay the same.
    ``limits`` are those that the operator set."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        graphs: GraphCache,
        *,
        key: bytes | None = None,
        limits: Limits = NOTHING_SET,
    ) -> None:
        self._db = db
        self._objects = objects
        self._graphs = graphs
        self._key = key or secrets.token_bytes(32)
        self._limits = limits
        self._lock = threading.Lock()
        self._epoch = Epoch()

    def authenticate(self, token: str) -> Caller:
        """Returns who the token speaks for; raises Unauthenticated when it is unknown, revoked or expired."""
        hashed = hashlib.sha256(token.encode()).hexdigest()

        def find(tx: Tx) -> principals.Bearer | None:
            epoch = self._at(tx)
            bearer = epoch.bearers.get(hashed)
            if bearer is None:
                bearer = principals.find(tx, hashed)
                # Only what was found is kept, or guessing tokens would fill the memory.
                if bearer is not None:
                    epoch.bearers[hashed] = bearer
            alive = bearer is not None and (bearer.expires_at is None or tx.now < bearer.expires_at)
            return bearer if alive else None

        bearer = self._db.read(find)
        if bearer is None:
            raise Unauthenticated("this token is unknown, revoked or expired; ask for one: riparian token create NAME")
        return Caller(bearer.principal, bearer.kind, bearer.token_id)

    def as_principal(self, principal: Principal, on_behalf: str | None = None) -> View:
        """Returns what ``principal`` may see.

        With ``on_behalf`` (the name of a person): what that person may see, for members of ``owners`` only; what is
        opened through such a view is audited with both names.
        """
        seen_as = principal if on_behalf is None else self._person(principal, on_behalf)
        return View(seen_as, principal, self._look_as(seen_as), self._db, self._objects)

    def judge(self, tx: Tx, principal: Principal, graph: Graph | None = None) -> Judge:
        """Returns the judgement of what ``principal`` may know, inside a use case's own transaction; by ``graph`` where
        its declarations are to be undone.

        It remembers nothing and is not remembered: what it sees may yet be undone, and its epoch given again.
        """
        return self._judge(tx, Epoch(), principal, graph)

    def _judge(self, tx: Tx, epoch: Epoch, principal: Principal, graph: Graph | None = None) -> Judge:
        return Judge(tx, graph or self._graphs.at(tx), epoch, principal, self._key, self._limits)

    def _person(self, by: Principal, name: str) -> Principal:
        if OWNERS not in by.groups:
            raise Refused(f"only a member of the group {OWNERS!r} may ask as somebody else; use a token of theirs")
        known = self._db.read(lambda tx: principals.get(tx, name))
        if known is None or known.kind != "user":
            raise NotFound(f"there is no person {name!r}; `riparian token create {name}` makes one")
        self._db.submit(lambda tx: audit.append(tx, by=by.name, act="as", on=name, on_behalf=name))
        return known.principal

    def _look_as(self, principal: Principal) -> Callable[[Callable[[Judge], Any]], Any]:
        def look(question: Callable[[Judge], Any]) -> Any:
            return self._db.read(lambda tx: question(self._judge(tx, self._at(tx), principal)))

        return look

    def _at(self, tx: Tx) -> Epoch:
        """Returns what is known of the rights as ``tx`` sees them."""
        number = counters.value(tx, "policy_epoch")
        known = self._epoch
        if known.number == number:
            return known
        fresh = Epoch(number)
        with self._lock:
            if number > self._epoch.number:
                self._epoch = fresh
        return fresh
