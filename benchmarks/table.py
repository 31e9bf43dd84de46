"""How are the figures shown? One row for each, with the goal and what others reached in our measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLUMNS = ("what", "Riparian", "goal", "Airflow 3.3", "Dagster 1.13", "Prefect 3.9", "raw queues")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``shown`` is a format of the figure's numbers, and so is ``dagster``, where it ran in the
    same minutes; the other peers are default / tuned."""

    figure: str
    what: str
    shown: str
    goal: str
    airflow: str = "–"
    dagster: str = "–"
    prefect: str = "–"
    queues: str = "–"


ROWS = (
    Row(
        "trigger_latency",
        "update → downstream user code starts, p50 (p95)",
        "{p50_ms:.1f} ms ({p95_ms:.1f})",
        "10 ms (30)",
        "1,260 / 364 ms",
        "32,700 / 3,570 ms",
        "10,000 / 4,120 ms",
        "Celery+Redis 3.2 ms, procrastinate 13 ms (p95 296)",
    ),
    Row(
        "chain",
        "chain of 10 no-op assets",
        "{median_s:.2f} s",
        "0.1 s",
        "12.4 / 2.56 s",
        "35.5 / 6.2 s",
        "92 / 25 s",
        "Celery 0.034 s, procrastinate 0.155 s",
    ),
    Row(
        "fan_out",
        "fan-out of 500, durable no-op materialisations per second",
        "{median_per_s:.0f}",
        "250 with a process per attempt, 1,000 warm",
        "3.2 / 1.5",
        "0.36 / 9.3",
        "0.5 (167 inside one flow)",
        "Celery 542 (not durable), procrastinate 124, Luigi in one process 630",
    ),
    Row(
        "task_map",
        "one run that maps a task over 1,000 items, durable steps per second",
        "{median_per_s:.0f}",
        "250 with a process per attempt, 1,000 warm",
    ),
    Row(
        "definitions_1000",
        "1,000 assets loaded and planned (loaded; planned)",
        "{load_and_plan_s:.2f} s ({load_s:.2f}; {plan_s:.2f})",
        "0.5 s",
    ),
    Row(
        "definitions_1000",
        "1,000 assets from the command line: check; apply; apply again; control plane after it",
        "{check_s:.1f} s; {apply_s:.1f} s; {again_s:.1f} s; {memory_mb:.0f} MB",
        "–",
    ),
    Row(
        "definitions_1000",
        "idle tick at 1,000 assets; idle processor time of the control plane",
        "{idle_tick_ms:.2f} ms; {idle_cpu_percent:.1f} % of a core",
        "1 ms; 0.5 %",
        "–",
        "8–10 s CPU a tick",
        "–",
    ),
    Row(
        "definitions_10000",
        "10,000 assets loaded and planned (loaded; planned)",
        "{load_and_plan_s:.2f} s ({load_s:.2f}; {plan_s:.2f})",
        "2 s, 300 MB",
        "124 s parse",
        "9.8 s + 113 s, 6.1 GB",
        "–",
        "Luigi 5.3 s, 89 MB",
    ),
    Row(
        "definitions_10000",
        "10,000 assets from the command line: check; apply; apply again; control plane after it",
        "{check_s:.1f} s; {apply_s:.1f} s; {again_s:.1f} s; {memory_mb:.0f} MB",
        "–",
    ),
    Row(
        "definitions_10000",
        "idle tick at 10,000 assets; idle processor time of the control plane",
        "{idle_tick_ms:.2f} ms; {idle_cpu_percent:.1f} % of a core",
        "1 ms; 0.5 %",
        "32 ms due-query a tick",
        "103–108 s CPU a tick, 6.1 GB",
        "–",
    ),
    Row(
        "definitions_100000",
        "100,000 assets loaded and planned (loaded; planned); peak memory of importing; of planning; idle tick",
        "{load_and_plan_s:.0f} s ({load_s:.0f}; {plan_s:.0f}); {import_mb:.0f} MB; {plan_mb:.0f} MB; "
        "{idle_tick_ms:.1f} ms",
        "1 ms idle",
    ),
    Row(
        "invalidation",
        "update that makes 10,000 assets stale → all of their runs planned; REST meanwhile, p95 (slowest)",
        "{planned_s:.1f} s; {answer_p95_ms:.0f} ms ({answer_max_ms:.0f})",
        "REST goes on answering",
    ),
    Row(
        "partitions_1000000",
        "1,000,000 hours: update of one → its day planned (among 1,000); idle tick",
        "{update_ms:.1f} ms ({of_1000_ms:.1f}); {idle_tick_ms:.2f} ms",
        "as among 1,000; 1 ms",
        "–",
        "100,000 at most",
    ),
    Row(
        "partitions_of_10000",
        "10,000 assets of 100 days: update of one day of a source → its consumer planned; idle tick",
        "{update_ms:.1f} ms; {idle_tick_ms:.2f} ms",
        "1 ms idle",
    ),
    Row(
        "beside_dagster",
        "1,000 assets in memory: idle tick; update of one source → its nine descendants made (Dagster: requested)",
        "{idle_ms:.2f} ms; {update_ms:.0f} ms",
        "–",
        "–",
        "{dagster_idle_s:.1f} s; {dagster_update_s:.1f} s (this run)",
    ),
    Row(
        "first_result",
        "start → first triggered consumer done",
        "{seconds:.1f} s",
        "2 s",
        "39 / 17 s",
        "51 / 14 s",
        "34 / 18 s",
        "0.5–1 s",
    ),
    Row(
        "idle",
        "idle memory (PSS): control plane + supervisor; all processes",
        "{control_plane_mb:.0f} + {supervisor_mb:.0f} MB; {all_processes_mb:.0f} MB",
        "130 MB",
        "1,165 MB",
        "523 MB",
        "307 MB",
        "30–80 MB",
    ),
    Row(
        "idle",
        "idle processor time, all processes",
        "{cpu_percent:.1f} % of a core",
        "0.5 %",
        "6.7 %",
        "4.3 %",
        "1.8 %",
    ),
    Row(
        "environment",
        "distributions installed, MB of the environment",
        "{distributions:.0f}, {mb:.0f} MB",
        "45, 250 MB",
        "132, 315 MB",
        "70, 245 MB",
        "105, 258 MB",
    ),
    Row("importing", "`import riparian`", "{median_ms:.0f} ms", "50 ms", "1,160 ms", "570 ms", "920 ms"),
)


def cells(figures: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """Returns the rows whose figure was measured, in the order of COLUMNS."""
    return [
        (
            row.what,
            row.shown.format(**figures[row.figure]),
            row.goal,
            row.airflow,
            row.dagster.format(**figures[row.figure]),
            row.prefect,
            row.queues,
        )
        for row in ROWS
        if row.figure in figures
    ]


def markdown(figures: dict[str, dict[str, Any]]) -> str:
    """Returns the table as Markdown; Riparian's own figures are bold."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join((what, f"**{ours}**", *rest)) + " |" for what, ours, *rest in cells(figures)]
    return "\n".join(lines)
