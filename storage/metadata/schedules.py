"""How do the schedules of the triggers stand? One row for each, as long as the trigger names it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, text, update

from riparian.scheduler.core.facts import Schedule
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata.among import among, in_keys
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import schedule, workflow

_OF = select(schedule).where(among(schedule.c.workflow, "keys"))
_OF_PROJECT = (
    select(schedule)
    .join(workflow, workflow.c.key == schedule.c.workflow)
    .where(workflow.c.project == bindparam("of_project"))
)
_BEGIN = text(
    "INSERT INTO schedule (workflow, cron, since, tick, seq, next_at) "
    "VALUES (:workflow, :cron, :since, :since, :seq, :next_at) ON CONFLICT (workflow, cron) DO UPDATE SET "
    "since = excluded.since, tick = excluded.tick, seq = excluded.seq, next_at = excluded.next_at"
)
_END = delete(schedule).where(schedule.c.workflow == bindparam("w"), schedule.c.cron == bindparam("c"))
# Only forwards: of two that ring, the later one is right, whichever comes first.
_RING = (
    update(schedule)
    .where(schedule.c.workflow == bindparam("w"), schedule.c.cron == bindparam("c"), schedule.c.tick < bindparam("t"))
    .values(tick=bindparam("t"), seq=bindparam("s"))
)
_AIM = (
    update(schedule)
    .where(schedule.c.workflow == bindparam("w"), schedule.c.cron == bindparam("c"))
    .values(next_at=bindparam("n"))
)


def of_workflows(tx: Tx, keys: Iterable[str]) -> list[Row[Any]]:
    """Returns the schedules of these workflows."""
    return list(in_keys(tx, _OF, keys))


def standing(tx: Tx, graph: Graph, keys: Iterable[str]) -> dict[str, tuple[Schedule, ...]]:
    """Returns how the schedules of those workflows stand whose triggers have any."""
    crons = {(k, c.name): c for k in keys if k in graph.scheduled for c in graph.workflows[k].trigger.schedules}
    found = defaultdict[str, list[Schedule]](list)
    for r in of_workflows(tx, {k for k, _ in crons}):
        if (cron := crons.get((r.workflow, r.cron))) is not None:
            found[r.workflow].append(Schedule(cron=cron, since=r.since, tick=r.tick, seq=r.seq, next_at=r.next_at))
    return {key: tuple(rows) for key, rows in found.items()}


def of_project(tx: Tx, project: str) -> list[Row[Any]]:
    """Returns the schedules of the project's workflows, removed ones too."""
    return list(tx.conn.execute(_OF_PROJECT, {"of_project": project}))


def begin(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Adds schedules (workflow, cron, since, seq, next_at); ticks up to ``since`` are history."""
    if rows:
        tx.conn.execute(_BEGIN, list(rows))


def end(tx: Tx, pairs: Iterable[tuple[str, str]]) -> None:
    """Forgets schedules: (workflow, cron)."""
    if values := [{"w": w, "c": c} for w, c in pairs]:
        tx.conn.execute(_END, values)


def ring(tx: Tx, rows: Sequence[tuple[str, str, int]], seq: int) -> None:
    """Notes that schedules ticked, with the change_seq of that moment: (workflow, cron, tick)."""
    if rows:
        tx.conn.execute(_RING, [{"w": w, "c": c, "t": tick, "s": seq} for w, c, tick in rows])


def aim(tx: Tx, rows: Sequence[tuple[str, str, int | None]]) -> None:
    """Sets when schedules are due next: (workflow, cron, instant)."""
    if rows:
        tx.conn.execute(_AIM, [{"w": w, "c": c, "n": following} for w, c, following in rows])
