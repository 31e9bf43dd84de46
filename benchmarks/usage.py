"""How much memory and processor time do processes use? Read from Linux's /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """Returns ``pid`` and all its living descendants."""
    found = [pid]
    for parent in found:
        for task in (PROC / str(parent) / "task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def memory_mb(pid: int) -> float:
    """Returns the PSS of a process in MB: what it shares is counted in parts."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/smaps_rollup has no Pss line")


def cpu_percent(pids: list[int], seconds: float) -> float:
    """Returns what share of one core the processes use, together, over the next ``seconds``."""
    before, started = sum(map(_cpu_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(map(_cpu_seconds, pids)) - before) / (time.monotonic() - started)


def _cpu_seconds(pid: int) -> float:
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
