"""What does a tick cost beside Dagster's, over the same graph on the same machine in the same minutes?"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import projects
from riparian.testing import Instance

DAGSTER = "dagster==1.13.29"
SIZE, WIDTH = 1_000, 100
ROUNDS = 30


def dagster(folder: Path) -> dict[str, float]:
    """Seconds and milliseconds of one idle tick, and of one update of one of WIDTH sources: until Dagster has said
    which assets it would run, and until ours have run, one after the other, and all is decided again."""
    return {**_ours(folder), **_theirs(folder)}


def _ours(folder: Path) -> dict[str, float]:
    project = folder / "project"
    project.mkdir()
    projects.layers(project, SIZE, width=WIDTH)
    with Instance.of_project(project) as instance:
        for number in range(WIDTH):
            instance.report(f"bench.g{number}", {"at": 0})
        made = instance.run()
        assert len(made) == SIZE - WIDTH, f"{len(made)} assets were made"
        idle, update = [], []
        for number in range(ROUNDS):
            idle.append(_seconds(instance.run))
            update.append(_seconds(partial(_update, instance, number)))
    return {"idle_ms": 1000 * statistics.median(idle), "update_ms": 1000 * statistics.median(update)}


def _update(instance: Instance, number: int) -> None:
    instance.report(f"bench.g{number}", {"at": 1})
    ran = instance.run()
    assert len(ran) == SIZE // WIDTH - 1, ran


def _theirs(folder: Path) -> dict[str, float]:
    environment = folder / "dagster"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", DAGSTER], check=True, capture_output=True)
    script = Path(__file__).with_name("dagster_ticks.py")
    told = subprocess.run(
        [python, str(script), str(SIZE), str(WIDTH)], check=True, capture_output=True, text=True, cwd=folder
    )
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["requested"] == SIZE // WIDTH - 1, figures
    return {"dagster_idle_s": figures["idle_s"], "dagster_update_s": figures["update_s"]}


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
