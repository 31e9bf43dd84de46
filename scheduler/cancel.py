"""Somebody wants a run to end before its time: what becomes of it, and of what waited for it?"""

from __future__ import annotations

from riparian.assets.errors import Conflict, Refused
from riparian.assets.policy import Principal
from riparian.scheduler import ending
from riparian.scheduler.core.lifecycle import UNFINISHED
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.access import runs as seen
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx


def cancel(plane: Plane, run_id: str, by: Principal) -> None:
    """Ends the run at once. Its leases are revoked: what its workers still report is refused, and they are told.

    Nothing waits for a cancelled run, and what it was for is not planned again; what was asked for or arrived since it
    was planned runs now. Cancelling a cancelled run does nothing. Raises NotFound (also for a run that ``by`` may not
    know of), Refused for who does not own all that it makes, Conflict when it has ended otherwise or takes in a file.
    """

    def write(tx: Tx) -> None:
        row = operated(plane.access.judge(tx, by), run_id, "cancel")
        if row.state == "cancelled":
            return
        if row.state not in UNFINISHED:
            raise Conflict(f"the run {run_id} has ended already: it {ended_as(row.state)}")
        if row.kind != "workflow":
            raise Conflict(
                f"the run {run_id} takes in a file, which must end; what it makes can be replaced by another"
            )
        ending.fail(tx, row, f"cancelled by {by.name}", "cancelled")
        audit.append(tx, by=by.name, act="cancel", on=run_id, detail=row.workflow)
        plan_and_wake(tx, plane)
        tx.after_commit.append(lambda: plane.bells.ring(DEFAULT_POOL))

    # What the run makes stands in declarations that take long to read: whoever may not, is told without the writer.
    plane.db.read(lambda tx: operated(plane.access.judge(tx, by), run_id, "cancel"))
    plane.db.write(write)


def operated(judge: Judge, run_id: str, act: str) -> AnyRow:
    """Returns the run; raises NotFound when it is not there or hidden, Refused unless all that it makes is theirs."""
    found = seen.find(judge, run_id)
    foreign = [a for a in found.makes if not judge.owns(a)]
    if foreign:
        raise Refused(f"the run {run_id} is not yours to {act}: it makes {judge.name(foreign[0])}; ask its owner")
    return found.row


def ended_as(state: str) -> str:
    """Returns how a run of that state ended, behind "it"."""
    return "was superseded by a newer one" if state == "superseded" else state
