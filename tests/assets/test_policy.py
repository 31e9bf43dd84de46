"""The laws of policies: joining only ever restricts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.policy import ALL, NOBODY, OPEN, Policy, Principal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.sets(st.sampled_from(["ops", "finance", "user:ana", "pii", "legal"]))

plain = st.builds(
    Policy,
    readers=st.one_of(st.just(ALL), NAMES),
    tags=NAMES,
    expires=st.one_of(st.none(), st.integers(-3, 3).map(lambda d: NOW + timedelta(days=d))),
    isolation=st.integers(0, 2),
)
policies = st.one_of(plain, st.builds(Policy.join, plain, plain))
principals = st.builds(
    Principal,
    name=st.sampled_from(["ana", "ben"]),
    groups=NAMES.map(frozenset),
    clearances=NAMES.map(frozenset),
)


@given(policies, policies)
def test_join_is_commutative(a: Policy, b: Policy) -> None:
    """The order in which policies meet does not matter."""
    assert a.join(b) == b.join(a)


@given(policies, policies, policies)
def test_join_is_associative(a: Policy, b: Policy, c: Policy) -> None:
    """Nor does how they are grouped on their way downstream."""
    assert a.join(b).join(c) == a.join(b.join(c))


@given(policies)
def test_join_is_idempotent_and_open_is_neutral(a: Policy) -> None:
    """Meeting itself or the open policy changes nothing."""
    assert a == a.join(a) == a.join(OPEN) == OPEN.join(a)


@given(policies, policies, principals)
def test_joined_permits_whom_both_permit(a: Policy, b: Policy, who: Principal) -> None:
    """What was made from two assets may be read by exactly those who may read both."""
    assert (a.permits(who, NOW) and b.permits(who, NOW)) == a.join(b).permits(who, NOW)


@given(policies, policies)
def test_joined_covers_both(a: Policy, b: Policy) -> None:
    """A joined policy is at least as strict as each of its parts."""
    joined = a.join(b)

    assert joined.covers(a)
    assert joined.covers(b)


@given(policies)
def test_json_round_trip(a: Policy) -> None:
    """A policy read back from its JSON is the same policy."""
    assert a == Policy.from_json(a.to_json())


@given(principals)
def test_nobody_may_read_an_empty_set_of_readers(who: Principal) -> None:
    """An empty set of readers means nobody, not everybody."""
    assert not NOBODY.permits(who, NOW)


def test_readers_of_joined_policies_must_be_in_both_groups() -> None:
    """readers={'ops'} joined with readers={'finance'} admits who is in both, and says which group is missing."""
    joined = Policy(readers={"ops"}).join(Policy(readers={"finance"}))
    ops = Principal(name="ana", groups=frozenset({"ops"}))
    both = Principal(name="ben", groups=frozenset({"ops", "finance"}))

    assert ("only finance may read",) == joined.denials(ops, NOW)
    assert joined.permits(both, NOW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"readers": "ops"}, "write readers={'ops'}"),
        ({"tags": "pii"}, "write tags={'pii'}"),
        ({"isolation": 3}, "write 0, 1 or 2"),
        ({"expires": datetime(2026, 1, 1)}, "timezone"),  # noqa: DTZ001  # the mistake under test
        ({"readers": {""}}, "not a name"),
    ],
)
def test_mistakes_are_refused_with_a_remedy(arguments: dict[str, Any], message: str) -> None:
    """A text where a set is meant would silently be a set of letters, so it is refused."""
    with pytest.raises(DeclarationError) as error:
        Policy(**arguments)

    assert message in str(error.value)


@pytest.mark.parametrize(
    "body", [{"reader": []}, {"readers": ["ops"]}, {"tags": "pii"}, {"isolation": 7}, {"expires": "soon"}]
)
def test_json_that_is_no_policy_is_refused(body: dict[str, Any]) -> None:
    """A misspelt dimension or a flat list of readers must not become an open policy."""
    with pytest.raises(DeclarationError):
        Policy.from_json(body)
