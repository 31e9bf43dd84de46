"""Is a log whole, in order and bounded, whatever the control plane already has?"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from riparian.scheduler.worker.logs import CUT, LogShip, log_size, sweep


@pytest.fixture
def ship(plane: Any) -> LogShip:
    plane.sessions["s"] = "bearer"
    return LogShip(plane.url, threading.Event())


def test_gap_goes_back_to_what_is_there(plane: Any, ship: LogShip, tmp_path: Path) -> None:
    """A control plane that lost the tail says so, and gets it again."""
    path = tmp_path / "a.log"
    path.write_bytes(b"0123456789")
    lease = plane.lease("b", "f")
    plane.logs[lease.step, lease.epoch] = b"0123"
    ship.send(path, lease, "bearer", 8, 10)

    assert b"0123456789" == plane.logs[lease.step, lease.epoch]


def test_refused_log_does_not_hold_up(plane: Any, ship: LogShip, tmp_path: Path) -> None:
    """A log that is not taken is given up: its attempt's report must go out."""
    path = tmp_path / "a.log"
    path.write_bytes(b"0123456789")

    assert 10 == ship.send(path, plane.lease("b", "f"), "unknown bearer", 0, 10)


def test_over_the_limit_is_cut_and_says_so(tmp_path: Path) -> None:
    """The file is cut at the limit with a last line that says so, again and again while the writer goes on."""
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 90)
    with path.open("ab") as writer:
        before = log_size(path, final=False, limit=100)
        for _ in range(3):
            writer.write(b"y" * 30)
            writer.flush()
            size = log_size(path, final=True, limit=100)

    assert 100 - len(CUT) == before
    assert 100 == size == path.stat().st_size
    assert b"x" * (100 - len(CUT)) + CUT == path.read_bytes()


def test_absent_log_is_empty(tmp_path: Path) -> None:
    """A child that died before it wrote has no log."""
    assert 0 == log_size(tmp_path / "absent.log", final=True)


def test_sweep_takes_only_old_logs(tmp_path: Path) -> None:
    """Logs of a killed worker go after a while; those in progress stay."""
    path = tmp_path / "a.log"
    path.write_bytes(b"x")
    written = path.stat().st_mtime
    sweep(tmp_path, 60, written + 59)
    kept = path.exists()
    sweep(tmp_path, 60, written + 61)

    assert (True, False) == (kept, path.exists())
