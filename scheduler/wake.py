"""Something was marked dirty: plan it now, and wake who waits for the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riparian.scheduler.core.graph import Graph
from riparian.scheduler.tick import Ticked, tick_safely
from riparian.storage.metadata.database import Tx

if TYPE_CHECKING:
    from riparian.scheduler.control import ControlPlane

POOL = "default"


def plan_and_wake(tx: Tx, plane: ControlPlane, graph: Graph | None = None) -> Ticked:
    """Plans what is dirty in the caller's transaction; after the commit the workers are rung, and the daemon when
    something is left."""
    done = tick_safely(tx, graph or plane.graphs.at(tx))
    if done.planned:
        tx.after_commit.append(lambda: plane.bells.ring(POOL))
    if done.more:
        tx.after_commit.append(plane.bells.ring_daemon)
    return done
