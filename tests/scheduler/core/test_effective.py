"""The rule that all doors ask: properties that must hold for every set of origins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.policy import ALL, NOBODY, OPEN, Policy, Principal
from riparian.scheduler.core.effective import (
    Redeclared,
    Restriction,
    denials,
    effective,
    owns,
    policy_of,
    redeclare,
    unknown,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["ops", "finance", "user:olga", "user:ana"])

policies = st.builds(
    Policy,
    readers=st.just(ALL) | st.frozensets(NAMES, max_size=3),
    tags=st.frozensets(st.sampled_from(["pii", "secret"])),
    expires=st.none() | st.sampled_from([NOW - timedelta(1), NOW, NOW + timedelta(1)]),
    isolation=st.sampled_from([0, 1, 2]),
)
maybe = st.none() | policies
restrictions = st.builds(
    Restriction,
    asset=st.sampled_from(["air.a", "air.b", "air.c"]),
    kind=st.sampled_from(["source", "asset", "unknown"]),
    owner=st.sampled_from(["user:olga", "ops"]),
    declared=maybe,
    overlay=maybe,
    removed=st.booleans(),
)
origin_sets = st.lists(restrictions, max_size=5)
principals = st.builds(
    Principal,
    name=st.sampled_from(["olga", "ana", "bob"]),
    groups=st.frozensets(st.sampled_from(["ops", "finance"])),
    clearances=st.frozensets(st.sampled_from(["pii", "secret"])),
)


def may(origins: list[Restriction], who: Principal) -> bool:
    return not denials(origins, who, NOW)


@given(origin_sets, principals)
def test_reading_is_the_conjunction_of_all_origins(origins: list[Restriction], who: Principal) -> None:
    """May read ⇔ the current policy of every origin permits, and the effective policy says the same."""
    each = all(policy_of(r).permits(who, NOW) for r in origins)

    assert each == may(origins, who)
    assert each == effective(origins).permits(who, NOW)


@given(origin_sets, restrictions, principals)
def test_another_origin_never_widens(origins: list[Restriction], more: Restriction, who: Principal) -> None:
    """Whoever may read with one more origin could read without it."""
    assert not may([*origins, more], who) or may(origins, who)


@given(origin_sets, restrictions, policies, principals)
def test_tightening_an_origin_never_widens(
    origins: list[Restriction], one: Restriction, more: Policy, who: Principal
) -> None:
    """Whoever may read after an overlay was tightened, or the asset removed, could read before."""
    stricter = replace(one, overlay=policy_of(one).join(more))

    for after in (stricter, replace(one, removed=True)):
        assert not may([*origins, after], who) or may([*origins, one], who)


@given(st.permutations([0, 1, 2, 3]), st.lists(restrictions, min_size=4, max_size=4))
def test_order_does_not_matter(order: list[int], origins: list[Restriction]) -> None:
    """The same origins in any order have the same policy."""
    assert effective(origins) == effective([origins[i] for i in order])


@given(restrictions, st.sampled_from(["source", "asset"]), maybe)
def test_a_new_declaration_never_widens_by_itself(known: Restriction, kind: str, new: Policy | None) -> None:
    """What is in force after an apply is at least as strict as what was and as what code says now."""
    before = replace(known, kind="source" if known.kind == "unknown" else known.kind, overlay=None, removed=False)
    result = redeclare(before, kind, new)
    after = replace(before, kind=kind, declared=result.declared)

    assert policy_of(after).covers(policy_of(before))
    assert policy_of(after).covers(policy_of(replace(after, declared=new)))
    assert Redeclared(result.declared, result.pending, result.waits) == redeclare(after, kind, new)


def test_the_same_and_the_stricter_declaration_do_not_wait() -> None:
    """Only what admits one more person waits, and it waits whole."""
    ops, both = Policy(readers={"ops"}), Policy(readers={"ops"}, tags={"pii"})
    known = Restriction(asset="air.a", kind="asset", owner="user:olga", declared=ops)

    assert Redeclared(ops, None, False) == redeclare(known, "asset", ops)
    assert Redeclared(both, None, False) == redeclare(known, "asset", both)
    assert Redeclared(ops, None, True) == redeclare(known, "asset", None)
    assert Redeclared(ops, OPEN, True) == redeclare(known, "asset", OPEN)


def test_a_source_that_becomes_an_asset_stays_its_owners() -> None:
    """Turning a private source into an asset without a policy would open its old versions; it waits."""
    known = Restriction(asset="air.a", kind="source", owner="user:olga")

    assert Redeclared(Policy(readers={"user:olga"}), None, True) == redeclare(known, "asset", None)


def test_what_an_asset_says_when_nothing_is_declared() -> None:
    """A source is its owner's, an asset adds nothing, an unknown origin admits nobody."""
    mine = Restriction(asset="air.a", kind="source", owner="user:olga")

    assert Policy(readers={"user:olga"}) == policy_of(mine)
    assert OPEN == policy_of(replace(mine, kind="asset"))
    assert NOBODY == policy_of(unknown("air.a"))
    assert Policy(readers={"ops"}) == policy_of(replace(mine, overlay=Policy(readers={"ops"})))


def test_a_denial_names_the_origin_and_the_reason() -> None:
    """In words, by the origin's name."""
    closed = Restriction(asset="air.drop", kind="source", owner="ops", declared=Policy(readers={"ops"}, tags={"pii"}))

    assert ["air.drop: only ops may read", "air.drop: needs clearance for pii"] == [
        f"{d.asset}: {d.why}" for d in denials([closed], Principal(name="bob"), NOW)
    ]


def test_ownership_is_the_owners_and_the_fallback_groups() -> None:
    """By name, by group, or by membership in the group that owns everything."""
    assert owns(Principal(name="olga"), "user:olga")
    assert owns(Principal(name="ana", groups=frozenset({"ops"})), "ops")
    assert owns(Principal(name="me", groups=frozenset({"owners"})), "ops")
    assert not owns(Principal(name="ops"), "ops")
