"""Small rules: lifecycles, retries, heads, seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.retry import Retry
from riparian.scheduler.core import heads, lifecycle
from riparian.scheduler.core.retries import TIMED_OUT, admits, delay_after, may_repeat_lost
from riparian.scheduler.core.seeds import seed
from riparian.scheduler.worker.failures import raised


@pytest.mark.parametrize("table", [lifecycle.STEP, lifecycle.RUN, lifecycle.FILE])
def test_tables_are_closed_and_every_path_can_end(table):
    """Every state that may follow is in the table, and from each an end can be reached."""
    ends = {s for s, after in table.items() if not after} | ({"vanished"} & set(table))
    assert set().union(*table.values()) <= set(table)
    for start in table:
        seen, frontier = {start}, {start}
        while frontier:
            frontier = {n for s in frontier for n in table[s]} - seen
            seen |= frontier
        assert seen & ends, start


def test_retries_back_off_and_end():
    """Each new try waits longer, up to the limit, and after the last there is none."""
    retry = Retry(attempts=4, delay_seconds=1, factor=10, max_delay_seconds=50)

    assert [1.0, 10.0, 50.0, None] == [delay_after(retry, n, retryable=True) for n in (1, 2, 3, 4)]
    assert delay_after(retry, 1, retryable=False) is None


class Flaky(ConnectionError):
    """Of a module of its own."""


@pytest.mark.parametrize(
    ("retry", "again"),
    [
        (Retry(), True),
        (Retry(on=(Flaky,)), True),
        (Retry(on=("Flaky",)), True),
        (Retry(on=(f"{__name__}.Flaky",)), True),
        (Retry(on=("elsewhere.Flaky",)), False),
        (Retry(on=ConnectionError), True),
        (Retry(on=(KeyError, "OSError")), True),
        (Retry(on=(KeyError,)), False),
        (Retry(never=(OSError,)), False),
        (Retry(never=(KeyError,)), True),
        (Retry(on=(Flaky,), never=(ConnectionError,)), False),
    ],
)
def test_what_was_raised_decides(retry: Retry, again: bool):
    """By the class or one above it, named with or without its module; what never is wins."""
    assert again == admits(retry, raised(Flaky()))


def test_what_no_exception_was_is_not_judged_by_its_class():
    """A try that took too long counts as TimeoutError; what the task did not raise is for nobody to name."""
    assert admits(Retry(on=(TimeoutError,)), TIMED_OUT)
    assert not admits(Retry(never=(TimeoutError,)), TIMED_OUT)
    assert not admits(Retry(on=(KeyError,)), TIMED_OUT)
    assert admits(Retry(on=(KeyError,)), ())


@pytest.mark.parametrize("said", [5, (5,), "no name", ("",), (int,), ("a..b",), ["E"] * 51])
def test_what_names_no_exception_is_refused(said):
    """With the field, what was said, and what to write."""
    with pytest.raises(DeclarationError, match=r"Retry\(never="):
        Retry(never=said)


@pytest.mark.parametrize("whole", [True, False])
def test_no_pause_is_endless(whole: bool):
    """The longest that can be declared is a number of seconds that a time can take, however often it failed."""
    kind = int if whole else float
    retry = Retry(attempts=100, delay_seconds=kind(30 * 86_400), factor=kind(100), max_delay_seconds=kind(30 * 86_400))

    assert {30 * 86_400} == {delay_after(retry, n, retryable=True) for n in range(1, 100)}


def test_lost_attempts_end():
    """A step that kills its worker is not tried for ever."""
    assert may_repeat_lost(lifecycle.LOST_ATTEMPTS)
    assert not may_repeat_lost(lifecycle.LOST_ATTEMPTS + 1)


SEQS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))


@given(SEQS, SEQS)
def test_heads_only_move_forward(new, current):
    """Of two traces of the same inputs that differ, at most one may replace the other."""
    if new.keys() == current.keys() and new != current:
        assert not (heads.moves(new, current) and heads.moves(current, new))


@given(SEQS)
def test_first_and_equal_traces_move(trace):
    """The first version becomes the head, and so does one made again from the same inputs."""
    assert heads.moves(trace, None)
    assert heads.moves(trace, trace)


def test_seed_follows_from_what_is_computed():
    """Equal work has an equal seed; other code, content, parameters, partition or step another."""
    base = ("f", {"a": "1"}, {"n": 2}, "2020-01-01", "s")
    others = [
        ("g", {"a": "1"}, {"n": 2}, "2020-01-01", "s"),
        ("f", {"a": "2"}, {"n": 2}, "2020-01-01", "s"),
        ("f", {"a": "1"}, {"n": 3}, "2020-01-01", "s"),
        ("f", {"a": "1"}, {"n": 2}, "2020-01-02", "s"),
        ("f", {"a": "1"}, {"n": 2}, "2020-01-01", "t"),
    ]

    assert seed(*base) == seed(*base)
    assert 6 == len({seed(*base), *(seed(*o) for o in others)})
