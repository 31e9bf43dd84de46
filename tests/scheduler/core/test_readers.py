"""Whom an edit lets read, and whom no longer."""

from datetime import UTC, datetime

from riparian.assets.policy import NOBODY, OPEN, Policy, Principal
from riparian.scheduler.core.readers import Reading, Shift, coming_shift, heads_shift

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ANA = Principal(name="ana", groups=frozenset({"ops"}))
BOB = Principal(name="bob", groups=frozenset({"sales"}))
OPS, SALES = Policy(readers={"ops"}), Policy(readers={"sales"})


def test_who_gains_and_who_loses():
    """By name, of the versions that there are and of those to come, each by its own origins."""
    before, after = Reading({"s": OPS}, OPS), Reading({"s": OPS}, SALES)

    assert None is heads_shift(before, after, [ANA, BOB], NOW)
    assert Shift(OPS, SALES, ("bob",), ("ana",)) == coming_shift(before, after, [ANA, BOB], NOW)


def test_a_head_of_several():
    """Who gains or loses any head is named."""
    before, after = Reading({"s": OPS, "t": OPEN}, None), Reading({"s": NOBODY, "t": SALES}, None)

    assert Shift(OPS, NOBODY, (), ("ana",)) == heads_shift(before, after, [ANA, BOB], NOW)
    assert ("ana",) == heads_shift(Reading({"t": OPEN}, None), after, [ANA, BOB], NOW).lose


def test_what_says_the_same_is_no_move():
    """A clause that another implies moves nobody; and what is not declared on one side has nothing to come."""
    both = Policy(readers={"ops", "sales"}).join(OPS)

    assert None is coming_shift(Reading({}, OPS), Reading({}, both), [ANA], NOW)
    assert None is coming_shift(Reading({}, OPS), Reading({}, None), [ANA], NOW)
