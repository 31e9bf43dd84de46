"""What does a backfill ask for next? A chunk at a time, so that the queue stays short.

Nothing of it is remembered but by the tables: whoever ticks next, after whatever end, goes on from what they say.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import OperationalError

from riparian.assets.partitions import Interval
from riparian.scheduler.core.backfills import CHUNK, is_wanted
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import backfills, staleness
from riparian.storage.metadata.database import Tx

log = logging.getLogger(__name__)

LOOK = 400
"""Partitions that one transaction looks at for each backfill."""

AT_ONCE = 4
"""Backfills that one transaction looks at: while they are, nobody else writes."""


def refill(tx: Tx, graph: Graph) -> None:
    """Marks what the backfills that were called ask for next, and ends those that are through."""
    rows = backfills.called(tx)
    for row in rows[AT_ONCE:]:
        backfills.call(tx, row.id)
    for row in rows[:AT_ONCE]:
        try:
            with tx.conn.begin_nested():
                _refill(tx, graph, row)
        except OperationalError:
            raise  # the database itself
        except Exception:
            # One backfill must not keep everybody else from being planned; who resumes it has it tried again.
            log.exception("the backfill %s of %s can not go on; it is paused", row.id, row.workflow)
            backfills.move(tx, row.id, "paused", "the planner failed at it, which the server's log tells")


def _refill(tx: Tx, graph: Graph, row: Row[Any]) -> None:
    if row.workflow not in graph.workflows:
        return  # its project can not be read now; what is declared no more has ended with the apply
    # What is made from its own partition before is made one after the other.
    chunk = 1 if any(edge.is_own for edge in graph.inputs(row.workflow)) else CHUNK
    going = backfills.how_many_open(tx, row.id)
    if going > chunk // 2:
        return
    # What was taken back, or is tried again, comes first.
    left = [item.partition for item in backfills.items(tx, row.id, "left", chunk - going)]
    _ask(tx, row, left)
    going += len(left)
    if row.next_partition is not None and going < chunk:
        _look(tx, graph, row, chunk - going)
    elif not going:
        backfills.move(tx, row.id, "done")


def _look(tx: Tx, graph: Graph, row: Row[Any], room: int) -> None:
    """Asks for the next partitions that are wanted, as many as there is room for."""
    keys = backfills.candidates(tx, graph, row.workflow, backfills.rest(graph, row), LOOK + 1)
    following = keys[LOOK] if len(keys) > LOOK else None
    wanted: list[str] = []
    skipped = 0
    for partition, state in backfills.states(tx, graph, row.workflow, keys[:LOOK], room):
        if len(wanted) == room:
            following = partition  # how it stands may follow from what is made first
            break
        if is_wanted(state, row.only):
            wanted.append(partition)
        else:
            skipped += 1
    backfills.go_on(tx, row.id, following, skipped)
    _ask(tx, row, wanted)
    if len(wanted) < room and (following is not None or not wanted):
        backfills.call(tx, row.id)  # to look further, or to end it


def _ask(tx: Tx, row: Row[Any], partitions: list[str]) -> None:
    marks = [(row.workflow, Interval(p, p), backfills.ask(tx, row, p).to_json()) for p in partitions]
    staleness.mark(tx, marks)
