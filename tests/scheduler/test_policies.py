"""What an apply, an overlay and an approval make of an asset's policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riparian.assets.errors import Conflict, NotFound, Refused
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, Manifest
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import policies
from riparian.scheduler.core.effective import policy_of
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import counters, schema
from riparian.storage.metadata import policies as rows
from riparian.storage.metadata.database import Database, sqlite_url

OLGA = Principal(name="olga")
ANA = Principal(name="ana", groups=frozenset({"ops"}))
BOB = Principal(name="bob")
OPS = Policy(readers={"ops"})
STRICT = Policy(readers={"ops"}, tags={"pii"})


@pytest.fixture
def db(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    made = Database(sqlite_url(shutil.copy(empty_database, tmp_path)))
    yield made
    made.close()


def spec(key: str = "air.a", policy: Policy | None = None, kind: str = "asset") -> AssetSpec:
    return AssetSpec(key=AssetKey(key), kind=kind, format="json", policy=policy)


def declare(db: Database, *specs: AssetSpec, owner: str = "user:olga") -> list[str]:
    return [str(key) for key in db.write(lambda tx: rows.declare(tx, "air", specs, owner))]


def standing(db: Database, key: str = "air.a") -> rows.Standing:
    return db.read(lambda tx: rows.standings(tx, [key])[key])


def in_force(db: Database) -> Policy:
    return policy_of(standing(db).restriction)


def graph(*specs: AssetSpec) -> Graph:
    return Graph([Manifest(project="air", bundle="b", assets=specs, workflows=())])


def epoch(db: Database) -> int:
    return db.read(lambda tx: counters.value(tx, "policy_epoch"))


def audit(db: Database) -> list[tuple[Any, ...]]:
    return db.read(
        lambda tx: [(r.principal, r.act, r.object, r.allowed) for r in tx.conn.execute(schema.audit.select())]
    )


def test_who_first_applies_an_asset_owns_it(db: Database) -> None:
    """A later apply by somebody else changes the policy and not the owner."""
    declare(db, spec())
    declare(db, spec(policy=OPS), owner="user:bob")

    assert ("user:olga", OPS) == (standing(db).restriction.owner, in_force(db))


def test_a_stricter_declaration_acts_at_once(db: Database) -> None:
    """A first policy, and a stricter one after it."""
    declare(db, spec())
    assert [] == declare(db, spec(policy=OPS))
    assert [] == declare(db, spec(policy=STRICT))

    assert (STRICT, False) == (in_force(db), standing(db).waits)


@pytest.mark.parametrize("looser", [OPS, Policy(), None])
def test_a_looser_declaration_waits_for_the_owner(db: Database, looser: Policy | None) -> None:
    """Until then what was in force binds, however often the code is applied."""
    declare(db, spec(policy=STRICT))

    assert [["air.a"]] * 2 == [declare(db, spec(policy=looser)) for _ in range(2)]
    assert (STRICT, looser, True) == (in_force(db), standing(db).pending, standing(db).waits)

    policies.approve(db, graph(spec()), "air.a", OLGA)

    assert (looser or Policy(), False) == (in_force(db), standing(db).waits)


def test_a_declaration_that_is_both_stricter_and_looser_does_the_first_at_once(db: Database) -> None:
    """From ops to finance: until approved only who is in both reads."""
    declare(db, spec(policy=OPS))
    declare(db, spec(policy=Policy(readers={"finance"})))

    assert OPS.join(Policy(readers={"finance"})) == in_force(db)


def test_taking_the_looser_declaration_back_ends_the_waiting(db: Database) -> None:
    """Nothing is left to approve."""
    declare(db, spec(policy=OPS))
    declare(db, spec())
    declare(db, spec(policy=OPS))

    assert (OPS, False) == (in_force(db), standing(db).waits)
    with pytest.raises(Conflict):
        policies.approve(db, graph(spec()), "air.a", OLGA)


def test_an_asset_no_longer_declared_restricts_on_and_may_return(db: Database) -> None:
    """Removed it admits its owner among whom it admitted; declared again looser, that waits as ever."""
    declare(db, spec(policy=OPS))
    declare(db, spec("air.b"))
    assert OPS.join(Policy(readers={"user:olga"})) == in_force(db)

    assert ["air.a"] == declare(db, spec())

    assert (OPS, None) == (in_force(db), standing(db).removed_at)


def test_another_project_removes_nothing(db: Database) -> None:
    """What one project declares is not withdrawn by the apply of another."""
    declare(db, spec())
    db.write(lambda tx: rows.declare(tx, "sea", [spec("sea.a")], "user:olga"))

    assert None is standing(db).removed_at


def test_declaring_the_same_again_writes_nothing(db: Database) -> None:
    """No row and no epoch moves, with a policy waiting or not."""
    specs = [spec(policy=STRICT), spec("air.b", kind="source"), spec("air.c")]
    declare(db, *specs)
    specs[0] = spec(policy=OPS)
    declare(db, *specs)
    before = epoch(db)

    assert (["air.a"], before) == (declare(db, *specs), epoch(db))


def test_thousands_of_assets_are_declared_with_few_statements(db: Database) -> None:
    """The number of statements does not follow the number of assets one by one."""
    specs = [spec(f"air.a{n}", OPS if n % 2 else None) for n in range(5000)]

    def counted(tx: Any) -> int:
        from sqlalchemy import event

        statements: list[str] = []
        event.listen(tx.conn, "before_cursor_execute", lambda *a: statements.append(a[2]))
        rows.declare(tx, "air", specs, "user:olga")
        rows.declare(tx, "air", specs, "user:olga")
        return len(statements)

    assert db.write(counted) <= 20


def test_an_overlay_tightens_and_its_owner_takes_it_away(db: Database) -> None:
    """It joins what is declared, acts at once, and is written down."""
    declare(db, spec(policy=OPS))
    policies.set_overlay(db, graph(spec()), "air.a", Policy(tags={"pii"}), OLGA)
    assert STRICT == in_force(db)

    policies.set_overlay(db, graph(spec()), "air.a", None, OLGA)

    assert OPS == in_force(db)
    assert [("olga", "policy.overlay", "air.a", True)] * 2 == audit(db)


def test_only_the_owner_changes_who_reads(db: Database) -> None:
    """A reader is refused; to others the asset is as unknown as one that does not exist; both are written down."""
    declare(db, spec(policy=OPS))
    known = graph(spec())

    with pytest.raises(Refused):
        policies.set_overlay(db, known, "air.a", None, ANA)
    with pytest.raises(NotFound) as hidden:
        policies.approve(db, known, "air.a", BOB)
    with pytest.raises(NotFound) as missing:
        policies.approve(db, known, "air.z", BOB)

    assert str(hidden.value).replace("air.a", "X") == str(missing.value).replace("air.z", "X")
    assert [("ana", "air.a", False), ("bob", "air.a", False), ("bob", "air.z", False)] == [
        (who, what, allowed) for who, _, what, allowed in audit(db)
    ]


def test_the_fallback_group_owns_everything(db: Database) -> None:
    """No asset is ever without an owner."""
    declare(db, spec())
    policies.set_overlay(db, graph(spec()), "air.a", OPS, Principal(name="me", groups=frozenset({"owners"})))

    assert OPS == in_force(db)
