"""When does the next thing fall due?"""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from riparian.scheduler.alarm import Alarm

MILLISECOND = 1_000
"""In microseconds."""


class Bell:
    """Counts rings, with the instant (microseconds) of each."""

    def __init__(self) -> None:
        self.rings: list[int] = []
        self._changed = threading.Condition()

    def ring(self) -> None:
        with self._changed:
            self.rings.append(now_us())
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.rings) >= count, 20), self.rings


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def alarm(bell: Bell) -> Iterator[Alarm]:
    alarm = Alarm(bell.ring)
    yield alarm
    alarm.stop()


def test_rings_when_due_and_not_before(alarm: Alarm, bell: Bell) -> None:
    """The ring comes at the instant or later, once."""
    alarm.start()
    due = now_us() + 40 * MILLISECOND
    alarm.set(due)
    bell.wait(1)

    assert bell.rings[0] >= due
    assert len(bell.rings) == 1


def test_what_was_set_before_the_start_counts(alarm: Alarm, bell: Bell) -> None:
    """An instant set first and passed meanwhile rings at the start."""
    alarm.set(now_us() - 3_600_000 * MILLISECOND)
    alarm.start()

    bell.wait(1)


def test_the_instant_set_last_counts(alarm: Alarm, bell: Bell) -> None:
    """An earlier instant replaces a later one, and a later one an earlier one: there is one ring for all of them."""
    alarm.start()
    for minutes in (50, 60, 40):
        alarm.set(now_us() + minutes * 60_000 * MILLISECOND)
    due = now_us() + 30 * MILLISECOND
    alarm.set(due)
    bell.wait(1)
    alarm.set(now_us())
    bell.wait(2)

    assert len(bell.rings) == 2
    assert bell.rings[0] >= due


def test_none_rings_no_more(alarm: Alarm, bell: Bell) -> None:
    """An instant taken back does not ring, and another can be set afterwards."""
    alarm.start()
    alarm.set(now_us() + 60_000 * MILLISECOND)
    alarm.set(None)
    alarm.set(None)
    due = now_us() + 20 * MILLISECOND
    alarm.set(due)
    bell.wait(1)

    assert len(bell.rings) == 1


def test_the_same_instant_rings_once(alarm: Alarm, bell: Bell) -> None:
    """Setting an instant again that has rung rings no second time."""
    alarm.start()
    due = now_us() - 1
    alarm.set(due)
    bell.wait(1)
    alarm.set(due)
    alarm.set(due + 1)
    bell.wait(2)

    assert len(bell.rings) == 2


def test_nothing_rings_after_the_stop(alarm: Alarm, bell: Bell) -> None:
    """Stopping twice is fine, and what is set afterwards is silent; no thread is left."""
    before = set(threading.enumerate())
    alarm.start()
    alarm.stop()
    alarm.stop()
    alarm.set(now_us())

    assert set() == set(threading.enumerate()) - before
    assert [] == bell.rings


def test_it_is_quiet(alarm: Alarm, bell: Bell, caplog: pytest.LogCaptureFixture) -> None:
    """A clock that works writes nothing into the log."""
    with caplog.at_level(logging.INFO):
        alarm.start()
        alarm.set(now_us())
        bell.wait(1)
        alarm.stop()

    assert [] == caplog.records


def test_an_instant_set_while_it_rings_is_not_lost() -> None:
    """What falls due while the last ring is still ending rings too."""
    rings = 0
    rung = threading.Event()

    def ring() -> None:
        nonlocal rings
        rings += 1
        if rings == 1:
            alarm.set(now_us())
            time.sleep(0.05)  # long enough for the clock to come to the new instant meanwhile
        else:
            rung.set()

    alarm = Alarm(ring)
    alarm.start()
    alarm.set(now_us())

    assert rung.wait(20)
    alarm.stop()


def test_a_ring_that_raises_does_not_break_the_clock(bell: Bell) -> None:
    """The next instant rings though the last ring failed."""

    def ring() -> None:
        bell.ring()
        if len(bell.rings) == 1:
            raise RuntimeError("nobody is listening")

    alarm = Alarm(ring)
    alarm.start()
    alarm.set(now_us())
    bell.wait(1)
    alarm.set(now_us())
    bell.wait(2)
    alarm.stop()
