"""Values that are often made are made as any frozen dataclass is."""

from __future__ import annotations

import copy
import inspect
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from riparian.assets.often import often_made


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list, kw_only=True)


@often_made
@dataclass(frozen=True, slots=True)
class Often:
    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list, kw_only=True)


def test_it_is_made_as_before() -> None:
    """By place or by name, with the same values where nothing is said, and the same signature."""
    made = [Often(1), Often(1, "x"), Often(a=1, c=[2])]
    assert [(o.a, o.b, o.c) for o in made] == [(1, "b", []), (1, "x", []), (1, "b", [2])]
    assert [type(o) for o in made] == [Often] * 3
    assert inspect.signature(Often) == inspect.signature(Plain)
    assert made[0].c is not made[1].c


@pytest.mark.parametrize("words", [{}, {"a": 1, "d": 2}])
def test_what_is_missing_or_unknown_is_refused(words: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Often(**words)  # type: ignore[arg-type]


def test_it_never_changes() -> None:
    made = Often(1)
    with pytest.raises(FrozenInstanceError):
        made.a = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.a  # type: ignore[misc]
    assert made == Often(1)


def test_copies_are_of_the_same_class() -> None:
    made = Often(1, c=[2])
    copies = [copy.copy(made), copy.deepcopy(made), replace(made)]
    assert copies == [made] * 3
    assert {type(c) for c in copies} == {Often}
