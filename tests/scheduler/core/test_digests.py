"""The digest of a set of partitions is a commutative group: the order of changes leaves no trace."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from riparian.scheduler.core.digests import EMPTY, of_members, with_member, without_member

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
members = st.lists(st.tuples(st.text(max_size=12), digests), max_size=8, unique_by=lambda m: m[0])


def digest_of(chosen: list[tuple[str, str]]) -> str:
    return reduce(lambda so_far, member: with_member(so_far, *member), chosen, EMPTY)


@given(members, st.randoms())
def test_order_does_not_matter(chosen: list[tuple[str, str]], random: object) -> None:
    """The same members in any order give the same digest."""
    shuffled = sorted(chosen, key=lambda _: random.random())  # type: ignore[attr-defined] # hypothesis' own Random

    assert digest_of(chosen) == digest_of(shuffled)


@given(members)
def test_a_set_at_once_is_the_set_one_by_one(chosen: list[tuple[str, str]]) -> None:
    """A range that is read has the digest that a set kept at every move has."""
    assert digest_of(chosen) == of_members(chosen)


@given(members, st.text(max_size=12), digests)
def test_removing_undoes_adding(chosen: list[tuple[str, str]], partition: str, digest: str) -> None:
    """with_member and without_member are each other's inverse, in both orders."""
    whole = digest_of(chosen)

    assert without_member(with_member(whole, partition, digest), partition, digest) == whole
    assert with_member(without_member(whole, partition, digest), partition, digest) == whole


@given(members)
def test_removing_all_leaves_empty(chosen: list[tuple[str, str]]) -> None:
    """EMPTY is the neutral element."""
    left = reduce(lambda so_far, member: without_member(so_far, *member), chosen, digest_of(chosen))

    assert left == EMPTY


@given(members, st.text(max_size=12), digests, digests)
def test_another_content_is_another_set(chosen: list[tuple[str, str]], partition: str, one: str, other: str) -> None:
    """A partition's new content changes the digest, and one set more than another differs from it."""
    whole = digest_of(chosen)

    assert (with_member(whole, partition, one) == with_member(whole, partition, other)) == (one == other)
    assert with_member(whole, partition, one) != whole


@given(st.text(max_size=12), st.text(max_size=12), digests)
def test_another_partition_is_another_set(one: str, other: str, digest: str) -> None:
    """The same content in another partition is another set."""
    assert (with_member(EMPTY, one, digest) == with_member(EMPTY, other, digest)) == (one == other)


def test_known_value() -> None:
    """The formula is stored in metadata, so it must never drift."""
    assert with_member(EMPTY, "2013-01-01", "00" * 32) == KNOWN
    assert len(EMPTY) == len(KNOWN) == 64


KNOWN = "6d8163df955926a8f628918b65f6e30c4a45dd6a3435d583674b2b17e794e679"
