"""Something was marked dirty: plan it now, and wake who waits for the result."""

from __future__ import annotations

from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.plane import Plane
from riparian.scheduler.tick import Ticked, tick_safely
from riparian.storage.metadata.database import Tx


def plan_and_wake(tx: Tx, plane: Plane, graph: Graph | None = None) -> Ticked:
    """Plans what is dirty in the caller's transaction; after the commit the workers are rung, and the daemon when
    something is left, or when the next timer is another now."""
    done = tick_safely(tx, graph or plane.graphs.at(tx))
    if done.planned:
        tx.after_commit.append(lambda: plane.bells.ring(DEFAULT_POOL))
    if done.more or done.failed or done.sooner:
        tx.after_commit.append(plane.bells.ring_daemon)
    return done
