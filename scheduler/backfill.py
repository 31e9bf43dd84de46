"""Somebody wants many partitions made: how does a backfill begin, pause, go on and end?

It asks for its runs a chunk at a time (``refill``), each of which is a run like any other, of the class that goes after
all of today's work.
"""

from __future__ import annotations

from collections.abc import Callable

from riparian.assets.errors import Conflict, Refused
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import EVERYTHING, Interval
from riparian.assets.policy import Principal
from riparian.scheduler import ending
from riparian.scheduler.core.backfills import Only
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.plane import Plane
from riparian.scheduler.request import asked_for
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.access import backfills as seen
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit, backfills
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx

MOST_GOING = 100
"""Backfills that may be running or paused: each that runs is looked at whenever something is planned."""


def start(
    plane: Plane,
    key: str,
    by: Principal,
    *,
    lo: str | None = None,
    hi: str | None = None,
    only: Only = "missing",
    propagate: bool = True,
) -> str:
    """Begins to make the partitions ``lo..hi`` of what makes ``key`` (None: from the first, to the last); returns the
    backfill's id. Unless it is to ``propagate``, nobody runs for what it makes until something else happens.

    Raises NotFound (also for an asset that ``by`` may not know of), Refused for who does not own all that a run makes,
    Invalid for partitions that there are not, Conflict for a source or when very many backfills are there already.
    """

    def named(tx: Tx) -> tuple[WorkflowSpec, Interval]:
        judge = plane.access.judge(tx, by)
        workflow = asked_for(judge, key)
        return workflow, seen.interval(judge, workflow, lo, hi)

    def write(tx: Tx) -> str:
        workflow, wanted = named(tx)
        _expect_room(tx)
        backfill = tx.new_id()
        backfills.add(
            tx,
            {
                "id": backfill,
                "asset": key,
                "workflow": workflow.key,
                "lo": wanted.lo,
                "hi": wanted.hi,
                "only": only,
                "propagate": propagate,
                "state": "running",
                "by": by.name,
                "created_at": tx.now,
                "next_partition": wanted.lo,
            },
        )
        backfills.call(tx, backfill)
        told = f"{backfill} {wanted.lo}..{wanted.hi} {only}{'' if propagate else ' no-propagate'}"
        audit.append(tx, by=by.name, act="backfill", on=key, detail=told.replace(EVERYTHING.hi, ""))
        plan_and_wake(tx, plane)
        return backfill

    # Before the one place at the writer is taken: what is close to a mistyped partition takes long to find.
    plane.db.read(named)
    return plane.db.write(write)


def pause(plane: Plane, backfill: str, by: Principal) -> None:
    """Asks for nothing more and takes back what no worker has begun; what runs goes on to its end. Pausing a paused
    one does nothing. Raises NotFound, Refused, and Conflict for one that has ended."""

    def change(tx: Tx, row: AnyRow) -> None:
        if row.state != "paused":
            _expect(row, "running", "paused")
            backfills.take_back(tx, row)
            backfills.move(tx, row.id, "paused")

    _change(plane, backfill, by, "pause", change)


def resume(plane: Plane, backfill: str, by: Principal, *, retry_failed: bool = False) -> None:
    """Goes on with a paused backfill. With ``retry_failed`` what failed is asked for once more, also of one that is
    done. Resuming a running one does nothing else. Raises NotFound, Refused, and Conflict for one that was cancelled,
    or is done and has nothing that failed, and when very many go on already."""

    def change(tx: Tx, row: AnyRow) -> None:
        failed = backfills.counts(tx, row.id).get("failed", 0) if retry_failed else 0
        if row.state == "cancelled" or (row.state == "done" and not failed):
            remedy = "start another" if row.state == "cancelled" or retry_failed else "--retry-failed tries what failed"
            raise Conflict(f"the backfill {row.id} is {row.state} and can not go on; {remedy}")
        if row.workflow not in plane.graphs.at(tx).workflows:
            raise Conflict(f"the backfill {row.id} can not go on: what it makes is declared no more")
        if row.state == "done":
            _expect_room(tx)
        if failed:
            backfills.turn(tx, row.id, "failed", "left")
        backfills.move(tx, row.id, "running")
        backfills.call(tx, row.id)

    _change(plane, backfill, by, "resume", change)


def cancel(plane: Plane, backfill: str, by: Principal, *, now: bool = False) -> None:
    """Ends the backfill: it asks for nothing more, and what no worker has begun is taken back. What runs goes on to its
    end unless that is to be ``now``. Cancelling a cancelled one ``now`` ends its runs; else it does nothing. Raises
    NotFound, Refused, and Conflict for one that is done."""

    def change(tx: Tx, row: AnyRow) -> None:
        if row.state != "cancelled":
            _expect(row, "running", "paused")
            backfills.take_back(tx, row)
            backfills.move(tx, row.id, "cancelled")
        for run in backfills.unfinished(tx, row) if now else ():
            ending.fail(tx, run, f"cancelled by {by.name}", "cancelled")

    _change(plane, backfill, by, "cancel", change)


def _change(plane: Plane, backfill: str, by: Principal, act: str, change: Callable[[Tx, AnyRow], None]) -> None:
    def write(tx: Tx) -> None:
        row = _operated(plane.access.judge(tx, by), backfill, act)
        change(tx, row)
        audit.append(tx, by=by.name, act=f"backfill {act}", on=str(row.asset), detail=backfill)
        plan_and_wake(tx, plane)
        tx.after_commit.append(lambda: plane.bells.ring(DEFAULT_POOL))

    # Whoever may not, is told without the writer.
    plane.db.read(lambda tx: _operated(plane.access.judge(tx, by), backfill, act))
    plane.db.write(write)


def _operated(judge: Judge, backfill: str, act: str) -> AnyRow:
    """Returns the backfill; raises NotFound when it is not there or hidden, Refused unless all that it makes is
    theirs."""
    row = seen.find(judge, backfill)
    foreign = [a for a in judge.graph.makes(row.workflow) if not judge.owns(a)]
    if foreign:
        raise Refused(
            f"the backfill {backfill} is not yours to {act}: it makes {judge.name(foreign[0])}; ask its owner"
        )
    return row


def _expect_room(tx: Tx) -> None:
    if backfills.how_many(tx) >= MOST_GOING:
        raise Conflict(f"{MOST_GOING} backfills are running or paused; cancel one, or wait for its end")


def _expect(row: AnyRow, *states: str) -> None:
    if row.state not in states:
        raise Conflict(f"the backfill {row.id} has ended already: it is {row.state}")
