"""How much does an update of one partition cost among a million? A control plane in this process, without workers."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import projects
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
WIDTH = 100
FIRST_DAY = "2013-01-01"

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

_HEAD = """
INSERT INTO head (asset, partition, version, seq, digest, origins, trace, news, current)
SELECT ?, ?, ?, seq, digest, origins, trace, news, current FROM head WHERE version = ?
"""
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
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "w.py").write_text(_PROJECT, encoding="utf-8")
    plane = _plane(folder, project)
    try:
        events.record(plane, "w.hour", 1, OWNER, partition=HOURS.start)
        keys = HOURS.within(EVERYTHING, hours)
        _fill(folder, {"w.hour": keys, "w.day": DAYS.within(EVERYTHING, hours // 24)})
        changed = keys[1 : len(keys) - 24 : max(1, hours // ROUNDS)]
        took = [_ms(_reported(plane, "w.hour", key, number + 2)) for number, key in enumerate(changed)]
        idle = _idle_ms(plane)
    finally:
        plane.db.close()
    planned = _planned(folder, ["w.day"])
    assert planned >= len({k[:10] for k in changed}) > ROUNDS / 2, f"{planned} days were planned"
    return {"update_ms": statistics.median(took[ROUNDS // 10 :]), "idle_tick_ms": idle}


def of_assets(folder: Path, assets: int, days: int) -> dict[str, float]:
    """The same for ``assets`` in layers of WIDTH, each with ``days`` daily partitions that all have a version: from
    reporting a day of a source until that day of its consumer is planned; and a tick that finds nothing to do."""
    project = folder / "project"
    project.mkdir(parents=True)
    projects.layers(project, assets, width=WIDTH, daily=FIRST_DAY)
    plane = _plane(folder, project)
    try:
        keys = Daily("day", FIRST_DAY).within(EVERYTHING, days)
        events.record(plane, "bench.g0", {"at": 0}, OWNER, partition=keys[0])
        _fill(folder, {f"bench.g{number}": keys for number in range(assets)})
        took = [
            _ms(_reported(plane, f"bench.g{number}", keys[number], {"at": number + 1})) for number in range(1, ROUNDS)
        ]
        idle = _idle_ms(plane)
    finally:
        plane.db.close()
    planned = _planned(folder, [f"bench.g{number + WIDTH}" for number in range(1, ROUNDS)])
    assert planned == ROUNDS - 1, f"{planned} days were planned"
    return {"update_ms": statistics.median(took[ROUNDS // 10 :]), "idle_tick_ms": idle}


def _idle_ms(plane: ControlPlane) -> float:
    while plane.db.write(lambda tx: tick(tx, plane.graphs.at(tx))).more:
        pass
    return statistics.median(
        _ms(lambda: plane.db.write(lambda tx: tick(tx, plane.graphs.at(tx)))) for _ in range(ROUNDS)
    )


def _planned(folder: Path, workflows: list[str]) -> int:
    with closing(sqlite3.connect(folder / "metadata.db")) as db:
        planned = Counter(workflow for (workflow,) in db.execute("SELECT workflow FROM run"))
    return sum(planned[workflow] for workflow in workflows)


def _plane(folder: Path, project: Path) -> ControlPlane:
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


def _fill(folder: Path, partitions: dict[str, list[str]]) -> None:
    """Writes down that each of these partitions has a version, as the one that was reported has: to report a million
    would take an hour."""
    with closing(sqlite3.connect(folder / "metadata.db")) as db:
        ((reported, key, first, digest),) = db.execute("SELECT asset, partition, version, digest FROM head").fetchall()
        for asset, keys in partitions.items():
            rest = [k for k in keys if (asset, k) != (reported, key)]
            db.executemany(_HEAD, ((asset, k, f"old {asset} {k}", first) for k in rest))
            db.execute(_TOTAL, (len(keys), digests.of_members((k, digest) for k in keys), asset))
        db.execute(_VERSIONS)
        db.commit()


def _reported(plane: ControlPlane, source: str, key: str, value: Any) -> Callable[[], object]:
    return lambda: events.record(plane, source, value, OWNER, partition=key)


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)
