"""A sensor on a real folder, with what it reported."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from riparian.assets.partitions import Daily
from riparian.assets.patterns import parse_pattern
from riparian.scheduler.core.readiness import FileSeen
from riparian.scheduler.sensors.claims import Watch, ensure_folders
from riparian.scheduler.sensors.filedrop import FileDropSensor

DAYS = Daily("day", start="2013-01-01", end="2019-12-31")
MARK = "drop/f_2019-12-31.csv"
NEVER = 3600.0
"""Seconds: a poll that no test waits for, so that only events can have told."""


class Ledger:
    """Keeps what was reported, and waits for more. While ``broken``, it can not take anything."""

    def __init__(self) -> None:
        self.seen: list[FileSeen] = []
        self.told_at: dict[tuple[str, str], float] = {}
        self.broken = False
        self.refused = 0
        self._changed = threading.Condition()

    def report(self, files: list[FileSeen]) -> None:
        with self._changed:
            self._changed.notify_all()
            if self.broken:
                self.refused += 1
                raise OSError("the database is away")
            self.seen.extend(files)
            for file in files:
                self.told_at.setdefault((file.path, file.state), time.time())

    def wait(self, is_enough: Callable[["Ledger"], bool], seconds: float = 20.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: is_enough(self), seconds), self.seen[-20:]

    def wait_for(self, path: str, state: str, times: int = 1) -> FileSeen:
        """Returns the last such report when there are that many."""
        self.wait(lambda _: len(self.of(path, state)) >= times)
        return self.of(path, state)[-1]

    def of(self, path: str, state: str) -> list[FileSeen]:
        return [f for f in self.seen if f.path == path and f.state == state]

    def states(self, path: str) -> list[str]:
        return [f.state for f in self.seen if f.path == path]

    def known(self) -> list[tuple[str, str, str]]:
        return [(f.source, f.path, f.fingerprint) for f in self.seen if f.state == "ready"]


class Bench:
    """Starts sensors in one project's folder; ``drop`` is the watched folder, ``outside`` is beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drop = root / "drop"
        self.outside = root / "outside"
        self.outside.mkdir()
        self.ledger = Ledger()
        self.sensors: list[FileDropSensor] = []

    def watch(self, pattern: str = "drop/f_{day}.csv", source: str = "air.flights", settle: float = 0.15) -> Watch:
        return Watch(
            source=source, pattern=parse_pattern(pattern), root=self.root, partitions=DAYS, settle_seconds=settle
        )

    def start(self, *watches: Watch, poll: float = NEVER, make_folders: bool = True, **more: Any) -> FileDropSensor:
        watches = watches or (self.watch(),)
        if make_folders:
            ensure_folders(watches)
        sensor = FileDropSensor(watches, self.ledger.report, poll_seconds=poll, **more)
        self.sensors.append(sensor)
        sensor.start()
        return sensor

    def settled(self) -> None:
        """Waits until all that was hinted before has been looked at: a file that comes later has been told."""
        count = len(self.ledger.of(MARK, "ready"))
        (self.outside / "mark").write_text("x")
        (self.outside / "mark").rename(self.root / MARK)
        self.ledger.wait_for(MARK, "ready", count + 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for sensor in bench.sensors:
        sensor.stop()
