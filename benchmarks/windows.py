"""How much does an update of one hour cost among a million? A control plane in this process, without workers."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from riparian.assets.partitions import EVERYTHING, Daily, Hourly
from riparian.assets.policy import Principal
from riparian.scheduler import events, register
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.core import digests
from riparian.scheduler.plane import ControlSettings
from riparian.scheduler.tick import tick
from riparian.scheduler.worker.describe import describe

OWNER = Principal(name="me", groups=frozenset({"owners"}))
HOURS, DAYS = Hourly("hour", "1900-01-01"), Daily("day", "1900-01-01")
ROUNDS = 60

_PROJECT = """
from riparian import Daily, Hourly, Monthly, asset, source

hour = source("w.hour", partitions=Hourly("hour", "1900-01-01"))

@asset("w.day", partitions=Daily("day", "1900-01-01"))
def day(hour: dict[str, int]) -> int:
    return sum(hour.values())

@asset("w.month", partitions=Monthly("month", "1900-01"))
def month(day: dict[str, int]) -> int:
    return sum(day.values())
"""

_HEAD = "INSERT INTO head SELECT ?, ?, ?, seq, digest, origins, trace FROM head WHERE version = ?"
_VERSIONS = """
INSERT INTO version (id, asset, partition, run, step, epoch, format, digest, origins, bytes, objects, content,
                     committed_at, head_seq, state)
SELECT version, asset, partition, 'old', version, 1, 'json', digest, origins, 1, '[]', '1', 1, seq, 'committed'
FROM head WHERE version LIKE 'old %'
"""
_TOTAL = "UPDATE asset SET heads = ?, digest = ? WHERE key = ?"


def updates(folder: Path, hours: int) -> dict[str, float]:
    """From reporting an update of an hour, whose day is complete, to the end of the transaction that wrote it down and
    planned the day; and a tick that finds nothing to do."""
    plane = _plane(folder)
    try:
        events.record(plane, "w.hour", 1, OWNER, partition=HOURS.start)
        keys = HOURS.within(EVERYTHING, hours)
        _fill(folder, keys, DAYS.within(EVERYTHING, hours // 24))
        changed = keys[1 : len(keys) - 24 : max(1, hours // ROUNDS)]
        took = [_ms(_reported(plane, key, number + 2)) for number, key in enumerate(changed)]
        idle = [_ms(lambda: plane.db.write(lambda tx: tick(tx, plane.graphs.at(tx)))) for _ in range(ROUNDS)]
    finally:
        plane.db.close()
    with closing(sqlite3.connect(folder / "metadata.db")) as db:
        (planned,) = db.execute("SELECT count(*) FROM run WHERE workflow = 'w.day'").fetchone()
    assert planned >= len({k[:10] for k in changed}) > ROUNDS / 2, f"{planned} days were planned"
    return {"update_ms": statistics.median(took[ROUNDS // 10 :]), "idle_tick_ms": statistics.median(idle)}


def _plane(folder: Path) -> ControlPlane:
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "w.py").write_text(_PROJECT, encoding="utf-8")
    described = describe(project, "bench")
    assert described.manifest is not None, described.problems
    plane = ControlPlane(
        ControlSettings(
            root=project,
            state=folder,
            database_url=f"sqlite:///{folder}/metadata.db",
            storage_url=str(folder / "objects"),
            sensors=False,
        )
    )
    register.apply(plane, described.manifest, described.bundle, OWNER)
    return plane


def _fill(folder: Path, hours: list[str], days: list[str]) -> None:
    """Writes down that each hour and each day has a version: to report a million would take an hour."""
    with closing(sqlite3.connect(folder / "metadata.db")) as db:
        (first, digest) = db.execute("SELECT version, digest FROM head").fetchone()
        for asset, keys in (("w.hour", hours[1:]), ("w.day", days)):
            db.executemany(_HEAD, ((asset, key, f"old {asset} {key}", first) for key in keys))
        for asset, keys in (("w.hour", hours), ("w.day", days)):
            db.execute(_TOTAL, (len(keys), digests.of_members((key, digest) for key in keys), asset))
        db.execute(_VERSIONS)
        db.commit()


def _reported(plane: ControlPlane, key: str, value: int) -> Callable[[], object]:
    return lambda: events.record(plane, "w.hour", value, OWNER, partition=key)


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)
