"""Who may come in: principals, their tokens, and what a token is worth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riparian.assets.errors import Conflict, Invalid, NotFound, Refused, Unauthenticated
from riparian.assets.policy import Principal
from riparian.scheduler import principals
from riparian.storage.access import Access, Caller
from riparian.storage.metadata import schema
from riparian.storage.metadata.database import Database, sqlite_url
from riparian.storage.metadata.definitions import GraphCache
from riparian.storage.objects import Objects

ME = Principal(name="me", groups=frozenset({"owners"}))
BOB = Principal(name="bob")


class Clock:
    now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(tmp_path: Path, empty_database: Path, clock: Clock) -> Iterator[Database]:
    made = Database(sqlite_url(shutil.copy(empty_database, tmp_path)), clock=clock)
    yield made
    made.close()


@pytest.fixture
def enter(db: Database, tmp_path: Path) -> Callable[[str], Caller]:
    return Access(db, Objects(str(tmp_path / "objects")), GraphCache()).authenticate


def test_the_first_start_makes_an_administrator(db: Database, enter: Callable[[str], Caller]) -> None:
    """The token of `me` speaks for a member of the group owners."""
    caller = enter(principals.bootstrap(db))

    assert (ME, "user") == (caller.principal, caller.kind)


def test_a_lost_token_is_replaced_and_worthless(db: Database, enter: Callable[[str], Caller]) -> None:
    """Bootstrapping again ends the tokens before it."""
    lost = principals.bootstrap(db)
    enter(lost)
    found = principals.bootstrap(db)

    assert "me" == enter(found).principal.name
    with pytest.raises(Unauthenticated):
        enter(lost)


def test_a_token_carries_groups_and_clearances(db: Database, enter: Callable[[str], Caller]) -> None:
    """As they are now: a second token of the same name replaces them for the first one too."""
    first = principals.create_token(db, "ana", groups=["ops"], clearances=["pii"], by=ME)
    before = enter(first).principal
    principals.create_token(db, "ana", groups=["finance"], clearances=[], by=ME)

    assert Principal(name="ana", groups=frozenset({"ops"}), clearances=frozenset({"pii"})) == before
    assert Principal(name="ana", groups=frozenset({"finance"})) == enter(first).principal


def test_only_the_hash_of_a_token_is_stored(db: Database) -> None:
    """Who reads the database can not come in with what is there."""
    text = principals.create_token(db, "ana", groups=(), clearances=(), by=ME)

    stored = db.read(
        lambda tx: [str(tuple(r)) for t in (schema.token, schema.audit) for r in tx.conn.execute(t.select())]
    )

    assert text.startswith("rip_")
    assert len(text) > 40
    assert not any(text in row or text.removeprefix("rip_") in row for row in stored)


@pytest.mark.parametrize("text", ["", "rip_", "rip_nonsense", "me"])
def test_an_unknown_token_opens_nothing(db: Database, enter: Callable[[str], Caller], text: str) -> None:
    """Nobody is anonymous."""
    principals.bootstrap(db)
    with pytest.raises(Unauthenticated):
        enter(text)


def test_a_token_expires_by_the_clock(db: Database, enter: Callable[[str], Caller], clock: Clock) -> None:
    """Also when it was just used and is known."""
    text = principals.create_token(db, "ana", groups=(), clearances=(), by=ME, expires_seconds=10)
    clock.now += 9_999_999
    assert "ana" == enter(text).principal.name
    clock.now += 1

    with pytest.raises(Unauthenticated):
        enter(text)


def test_a_revoked_token_is_worthless_at_once(db: Database, enter: Callable[[str], Caller]) -> None:
    """The next call with it fails; revoking it again finds nothing."""
    text = principals.create_token(db, "ana", groups=(), clearances=(), by=ME)
    caller = enter(text)
    principals.revoke_token(db, caller.token_id, caller.principal)

    with pytest.raises(Unauthenticated):
        enter(text)
    with pytest.raises(NotFound):
        principals.revoke_token(db, caller.token_id, ME)


def test_who_administers(db: Database, enter: Callable[[str], Caller]) -> None:
    """Others than owners make no tokens, and another's token is as unknown to them as none."""
    token_id = enter(principals.create_token(db, "ana", groups=(), clearances=(), by=ME)).token_id

    with pytest.raises(Refused):
        principals.create_token(db, "bob", groups=["owners"], clearances=(), by=BOB)
    with pytest.raises(NotFound) as theirs:
        principals.revoke_token(db, token_id, BOB)
    with pytest.raises(NotFound) as none:
        principals.revoke_token(db, "nothing", BOB)
    assert str(theirs.value).replace(token_id, "X") == str(none.value).replace("nothing", "X")


@pytest.mark.parametrize("name", ["", "Ana", "1a", "a b", "user:ana", "ana\n"])
def test_a_name_that_could_be_mistaken_is_refused(db: Database, name: str) -> None:
    """Names and groups are plain, so that none can pass for another in a policy."""
    with pytest.raises(Invalid):
        principals.create_token(db, name, groups=(), clearances=(), by=ME)
    with pytest.raises(Invalid):
        principals.create_token(db, "ana", groups=[name], clearances=(), by=ME)


def test_a_worker_is_no_person(db: Database, enter: Callable[[str], Caller]) -> None:
    """It has no groups, its token says what it is, and its name can not become a person's."""
    assert "worker" == enter(principals.create_token(db, "w", groups=(), clearances=(), kind="worker", by=ME)).kind

    with pytest.raises(Conflict):
        principals.create_token(db, "w", groups=(), clearances=(), by=ME)
    with pytest.raises(Invalid):
        principals.create_token(db, "v", groups=["ops"], clearances=(), kind="worker", by=ME)
    with pytest.raises(Invalid):
        principals.create_token(db, "v", groups=(), clearances=(), kind="robot", by=ME)


def test_seeing_as_another_is_for_owners_and_written_down(db: Database, tmp_path: Path) -> None:
    """An owner looks through ana's eyes; ana can not look through the owner's."""
    access = Access(db, Objects(str(tmp_path / "objects")), GraphCache())
    principals.bootstrap(db)
    principals.create_token(db, "ana", groups=["ops"], clearances=(), by=ME)

    view = access.as_principal(ME, on_behalf="ana")

    assert (frozenset({"ops"}), "me") == (view.principal.groups, view.by.name)
    with pytest.raises(Refused):
        access.as_principal(view.principal, on_behalf="me")
    with pytest.raises(NotFound):
        access.as_principal(ME, on_behalf="nobody")
    db.write(lambda tx: None)
    rows = db.read(lambda tx: tx.conn.execute(schema.audit.select().where(schema.audit.c.act == "as")).all())
    assert [("me", "ana")] == [(r.principal, r.on_behalf) for r in rows]
