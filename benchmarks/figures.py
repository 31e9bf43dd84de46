"""What is measured, and how? Each function starts what it needs, measures one thing and returns its numbers."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks import beside, projects, usage, windows
from benchmarks.plant import command, running, wait_for_stamps
from riparian.api.server import calm_collector
from riparian.assets.policy import Principal
from riparian.scheduler import register
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.plane import ControlSettings
from riparian.scheduler.tick import tick
from riparian.scheduler.worker.describe import describe
from riparian.storage.metadata import staleness
from riparian.storage.metadata.database import Database
from riparian.storage.metadata.definitions import GraphCache

Numbers = dict[str, float]

LATENCY_ROUNDS = 100
QUIET_SECONDS = 0.1
CHAIN_LENGTH = 10
CHAIN_ROUNDS = 10
FAN_WIDTH = 500
FAN_ROUNDS = 3
INVALIDATED = 10_000
QUESTION_SECONDS = 0.02
MAP_WIDTH = 1_000
MAP_ROUNDS = 3
IDLE_SECONDS = 20.0
IDLE_TICKS = 500
LOADS = 5
OWNER = Principal(name="me", groups=frozenset({"owners"}))
SETTLE_SECONDS = 3.0


def trigger_latency(folder: Path) -> Numbers:
    """From the return of one asset's function to the first line of its consumer's: writing, reporting, committing,
    planning, granting, starting and reading lie between."""
    projects.chain(folder, 2)
    with running(folder) as plant:
        command("apply", folder=folder)
        waits = []
        for number in range(1, LATENCY_ROUNDS + 1):
            time.sleep(QUIET_SECONDS)  # the round before has been committed: an update that comes alone is measured
            plant.materialize("bench.c0")
            waits.append(
                (plant.stamps("c1", number)[-1].started - plant.stamps("c0", number)[-1].ended) / 1e6,
            )
    warm = sorted(waits[LATENCY_ROUNDS // 10 :])
    return {"p50_ms": statistics.median(warm), "p95_ms": warm[int(len(warm) * 0.95)], "first_ms": waits[0]}


def chain(folder: Path) -> Numbers:
    """From asking for the first of ten assets to the end of the last one's function."""
    projects.chain(folder, CHAIN_LENGTH)
    with running(folder) as plant:
        command("apply", folder=folder)
        took = []
        for number in range(1, CHAIN_ROUNDS + 1):
            time.sleep(QUIET_SECONDS)
            asked = time.time_ns()
            plant.materialize("bench.c0")
            took.append((plant.stamps(f"c{CHAIN_LENGTH - 1}", number)[-1].ended - asked) / 1e9)
    return {"median_s": statistics.median(took[1:]), "first_s": took[0]}


def fan_out(folder: Path) -> Numbers:
    """Materialisations per second from the end of the root's function to the commit of its last consumer."""
    projects.fan(folder, FAN_WIDTH)
    with running(folder) as plant:
        command("apply", folder=folder)
        rates = []
        for number in range(1, FAN_ROUNDS + 1):
            time.sleep(QUIET_SECONDS)
            plant.materialize("bench.root")
            plant.stamps("f*", number * FAN_WIDTH, timeout_seconds=300)
            committed = _last_commit(folder, number * FAN_WIDTH)
            rates.append(FAN_WIDTH * 1e9 / (committed - plant.stamps("root", number)[-1].ended))
    return {"median_per_s": statistics.median(rates), "first_per_s": rates[0]}


def task_map(folder: Path) -> Numbers:
    """Steps per second of one run that maps a task over MAP_WIDTH numbers: from the end of the function that makes the
    numbers to the start of the one that receives the list of results. Every result is stored before it counts."""
    projects.mapped(folder, MAP_WIDTH)
    with running(folder) as plant:
        command("apply", folder=folder)
        rates = []
        for number in range(1, MAP_ROUNDS + 1):
            time.sleep(QUIET_SECONDS)
            plant.materialize("bench.total")
            begun = plant.stamps("total", number, timeout_seconds=300)[-1].started
            assert len(plant.stamps("square", number * MAP_WIDTH)) == number * MAP_WIDTH
            rates.append(MAP_WIDTH * 1e9 / (begun - plant.stamps("numbers", number)[-1].ended))
    return {"median_per_s": statistics.median(rates), "first_per_s": rates[0]}


def definitions(folder: Path, size: int) -> Numbers:
    """Loading and checking a project of ``size`` assets, and applying it: loading, sending, planning all of it."""
    projects.grid(folder, size)
    with running(folder) as plant:
        numbers = {}
        for name in ("check", "apply"):
            started = time.perf_counter()
            command(name, folder=folder)
            numbers[f"{name}_s"] = time.perf_counter() - started
        # A second apply of the same declarations: what saving a file costs.
        numbers["again_s"] = _seconds(lambda: command("apply", folder=folder))
        numbers["memory_mb"] = usage.memory_mb(plant.control_plane)
        time.sleep(SETTLE_SECONDS)
        numbers["idle_cpu_percent"] = usage.cpu_percent([plant.control_plane], IDLE_SECONDS)
    numbers["idle_tick_ms"] = _idle_tick_ms(folder / ".riparian" / "metadata.db")
    numbers |= _load_and_plan(folder, LOADS)
    return numbers


def definitions_100000(folder: Path) -> Numbers:
    """Loading and planning once, the peak of memory of the process that imports and of the one that plans, and a tick
    that finds nothing to do."""
    projects.grid(folder, 100_000, width=1_000)
    numbers = _load_and_plan(folder, 1)
    numbers["idle_tick_ms"] = _idle_tick_ms(folder / "state0" / "metadata.db")
    numbers["import_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    numbers["plan_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return numbers


def _load_and_plan(folder: Path, loads: int) -> Numbers:
    """From the files to planned runs, without the command line: a fresh process imports and describes the project, and
    a running control plane, which has taken a small project before, decides on all of it. The median of so many."""
    small = folder / "small"
    small.mkdir()
    projects.chain(small, 2)
    loading, planning = [], []
    calm_collector()  # as a server does
    for number in range(loads):
        state = folder / f"state{number}"
        state.mkdir()
        settings = ControlSettings(
            root=folder,
            state=state,
            database_url=f"sqlite:///{state}/metadata.db",
            storage_url=str(state / "objects"),
            sensors=False,
        )
        plane = ControlPlane(settings)
        plane.start()
        try:
            first = describe(small, "small")
            assert first.manifest is not None, first.problems
            register.apply(plane, first.manifest, first.bundle, OWNER)
            started = time.perf_counter()
            described = describe(folder, "bench")
            loaded = time.perf_counter()
            assert described.manifest is not None, described.problems
            register.apply(plane, described.manifest, described.bundle, OWNER)
            # An apply decides on so many at once, and leaves the rest to the planner's loop.
            while plane.db.read(staleness.is_dirty):
                time.sleep(0.001)
            planning.append(time.perf_counter() - loaded)
            loading.append(loaded - started)
        finally:
            plane.stop()
    both = statistics.median(a + b for a, b in zip(loading, planning, strict=True))
    return {"load_s": statistics.median(loading), "plan_s": statistics.median(planning), "load_and_plan_s": both}


def invalidation(folder: Path) -> Numbers:
    """From the end of the function that makes what INVALIDATED others consume until the last of their runs is planned,
    with a worker that takes up what is planned already; and how long a question over REST waits meanwhile."""
    projects.fan(folder, INVALIDATED)
    with running(folder) as plant:
        command("apply", folder=folder)
        plant.materialize("bench.root")
        made = plant.stamps("root", 1)[0].ended
        waits = []
        while _runs_of_fan(folder) < INVALIDATED:
            asked = time.perf_counter()
            plant.ask("assets/bench.f0")
            waits.append(1000 * (time.perf_counter() - asked))
            time.sleep(QUESTION_SECONDS)
        planned = time.time_ns()
    return {
        "planned_s": (planned - made) / 1e9,
        "answer_p95_ms": sorted(waits)[int(len(waits) * 0.95)],
        "answer_max_ms": max(waits),
    }


def partitions_1000000(folder: Path) -> Numbers:
    """An update of an hour among a million, and among a thousand; a tick that finds nothing to do."""
    many, few = windows.updates(folder / "many", 1_000_000), windows.updates(folder / "few", 1_000)
    return {**many, "of_1000_ms": few["update_ms"]}


def partitions_of_10000(folder: Path) -> Numbers:
    """An update of a day of one of 10,000 assets with 100 days each."""
    return windows.of_assets(folder, 10_000, 100)


def idle(folder: Path) -> Numbers:
    """Memory and processor time of a control plane and a supervisor that have worked and now wait."""
    projects.drop(folder)
    with running(folder) as plant:
        command("apply", folder=folder)
        plant.stamps("consumer", 1)
        time.sleep(SETTLE_SECONDS)
        control, worker = usage.family(plant.control_plane), usage.family(plant.supervisor)
        return {
            "control_plane_mb": usage.memory_mb(plant.control_plane),
            "supervisor_mb": usage.memory_mb(plant.supervisor),
            "all_processes_mb": sum(map(usage.memory_mb, control + worker)),
            "cpu_percent": usage.cpu_percent(control + worker, IDLE_SECONDS),
        }


def first_result(folder: Path) -> Numbers:
    """From typing ``riparian dev`` in a new project to the end of the function that consumes the file lying there."""
    projects.drop(folder)
    asked = time.time_ns()
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "riparian", "dev", "--project", str(folder)],
            stdout=log,
            stderr=log,
            start_new_session=True,  # so that its worker can be ended with it
        )
        (folder / "worker.log").touch()
        try:
            done = wait_for_stamps(folder, "consumer", 1, timeout_seconds=60)[0]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
    return {"seconds": (done.ended - asked) / 1e9}


def importing(folder: Path) -> Numbers:
    """What ``import riparian`` adds to the start of an interpreter."""
    return {"median_ms": 1000 * (_interpreter("import riparian", folder) - _interpreter("pass", folder))}


def environment(folder: Path) -> Numbers:
    """Distributions and MB of an installation without the tools of development, from the network or its cache."""
    environment_folder = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment_folder)], check=True)
    python = environment_folder / "bin" / "python"
    root = Path(__file__).parents[1]
    before = _size_mb(environment_folder)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(root)], check=True, capture_output=True)
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    names = {line.partition("==")[0] for line in listed.stdout.splitlines()} - {"pip", "setuptools"}
    return {"distributions": len(names), "mb": _size_mb(environment_folder) - before}


FIGURES: dict[str, Callable[[Path], Numbers]] = {
    "trigger_latency": trigger_latency,
    "chain": chain,
    "fan_out": fan_out,
    "task_map": task_map,
    "definitions_1000": lambda folder: definitions(folder, 1_000),
    "definitions_10000": lambda folder: definitions(folder, 10_000),
    "definitions_100000": definitions_100000,
    "invalidation": invalidation,
    "partitions_1000000": partitions_1000000,
    "partitions_of_10000": partitions_of_10000,
    "beside_dagster": beside.dagster,
    "idle": idle,
    "first_result": first_result,
    "importing": importing,
    "environment": environment,
}
"""By name, in the order of the table."""


def measure(name: str) -> Numbers:
    """Measures one figure in a folder of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="riparian-bench-") as folder:
        return FIGURES[name](Path(folder))


def _idle_tick_ms(database: Path) -> float:
    """The median time of a tick that finds nothing to do, in a transaction of its own, on the project's metadata."""
    db = Database(f"sqlite:///{database}")
    try:
        graphs = GraphCache()
        while db.write(lambda tx: tick(tx, graphs.at(tx))).more:
            pass
        times = []
        for _ in range(IDLE_TICKS):
            started = time.perf_counter()
            assert db.write(lambda tx: tick(tx, graphs.at(tx))).planned == []
            times.append(1000 * (time.perf_counter() - started))
    finally:
        db.close()
    return statistics.median(times)


def _runs_of_fan(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder}/.riparian/metadata.db?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM run WHERE workflow LIKE 'bench.f%'").fetchone()[0])


def _last_commit(folder: Path, count: int, timeout_seconds: float = 60) -> int:
    """Waits for ``count`` committed versions of the fan and returns the last one's time in nanoseconds.

    Read from the metadata itself: asking five hundred times over REST would be part of what is measured.
    """
    question = "SELECT count(*), max(committed_at) FROM version WHERE asset LIKE 'bench.f%' AND state = 'committed'"
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(f"file:{folder}/.riparian/metadata.db?mode=ro", uri=True)) as db:
            found, last = db.execute(question).fetchone()
        if found >= count:
            return int(last) * 1000
        time.sleep(0.05)
    raise RuntimeError(f"{found} of {count} versions were committed within {timeout_seconds} s")


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _interpreter(statement: str, folder: Path, rounds: int = 11) -> float:
    start = [sys.executable, "-c", statement]
    return statistics.median(_seconds(lambda: subprocess.run(start, check=True, cwd=folder)) for _ in range(rounds))


def _size_mb(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1024**2
