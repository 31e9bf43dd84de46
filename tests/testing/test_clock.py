"""The clock of a test: it shows what it was set to, and moves as it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from riparian.assets.errors import Invalid
from riparian.testing import Clock


def test_it_stands_still() -> None:
    """At the same moment in every test that says nothing else."""
    assert Clock().now == Clock().now == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "zone", "expected"),
    [
        ("2013-02-08", "UTC", datetime(2013, 2, 8, tzinfo=UTC)),
        ("2013-02-08 06:00", "America/New_York", datetime(2013, 2, 8, 11, tzinfo=UTC)),
        ("2013-02-08T06:00+01:00", "UTC", datetime(2013, 2, 8, 5, tzinfo=UTC)),
        (datetime(2013, 2, 8, 6, tzinfo=timezone(timedelta(hours=2))), "UTC", datetime(2013, 2, 8, 4, tzinfo=UTC)),
    ],
)
def test_it_is_set_as_clocks_show_it(when: str | datetime, zone: str, expected: datetime) -> None:
    """A day, a time, a time in a zone, a datetime; always told in UTC."""
    clock = Clock()
    clock.set(when, zone)

    assert expected == clock.now
    assert int(expected.timestamp() * 1_000_000) == clock.microseconds()


def test_it_is_told_when_it_moved() -> None:
    """Once anything was done, each move is told; before, there is nobody who waits."""
    moved: list[datetime] = []
    clock = Clock(lambda: moved.append(clock.now))
    clock.set("2013-02-08")
    clock.begin()
    clock.advance(hours=2, minutes=30)

    assert [datetime(2013, 2, 8, 2, 30, tzinfo=UTC)] == moved


def test_time_does_not_go_back() -> None:
    """Once anything was done; before, a test may take place whenever it likes."""
    clock = Clock()
    clock.set("1999-12-31")
    clock.begin()

    with pytest.raises(Invalid, match="time does not go back"):
        clock.set("1999-12-30")
    with pytest.raises(Invalid, match="time does not go back"):
        clock.advance(days=-1)
    assert datetime(1999, 12, 31, tzinfo=UTC) == clock.now


@pytest.mark.parametrize(("when", "zone"), [("yesterday", "UTC"), ("2013-02-08", "America/Neu_York")])
def test_what_is_no_time_is_refused(when: str, zone: str) -> None:
    """The message names it and says what to write."""
    with pytest.raises(Invalid, match="write '2013-02-08 06:00'"):
        Clock().set(when, zone)


def test_what_is_no_unit_is_refused() -> None:
    """A month is no length of time."""
    with pytest.raises(Invalid, match="months"):
        Clock().advance(months=1)
