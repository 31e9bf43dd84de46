"""Who has a place under which limit, and who waits for one?

A ready step that finds a limit full is put aside: it waits for that limit by name, and is out of the way of all others.
Whoever gives a place up calls as many of those that wait as there are places, in each pool, the lowest ranks first. So
a step that waits is looked at only when there may be a place for it, however many wait.

What is called is a hint: only ``admit``, which takes the places of those that are granted at once, counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, text, update

from riparian.scheduler.core.limits import BACK_OFF, Limits, of_run
from riparian.storage.metadata.among import among
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import slot, step

MOST_LOOKED = 2_000
"""Ready steps that one request may find without a place and put aside; each is put aside once."""

_CHUNK = 200

_IS_READY = text("step.state = 'ready'")
_IS_OPEN = text("step.state IN ('blocked', 'ready', 'leased', 'paused')")

_NEXT = (
    select(step.c.id, step.c.run, step.c.limits)
    .where(_IS_READY, step.c.waits_for == "", step.c.pool == bindparam("of_pool"))
    .order_by(step.c.rank, step.c.id)
    .limit(bindparam("most"))
)
_COUNTS = (
    select(slot.c.limit_name, func.count().label("taken"))
    .where(among(slot.c.limit_name, "names"))
    .group_by(slot.c.limit_name)
)
_OWN = select(slot.c.limit_name, slot.c.holder).where(among(slot.c.run, "runs"))
_TAKE = insert(slot)
_WAIT_FOR = update(step).where(step.c.id == bindparam("step_id")).values(waits_for=bindparam("name"))
_LEAVE = delete(slot).where(slot.c.holder == bindparam("of_holder"), among(slot.c.limit_name, "names"))
_LEAVE_RUN = delete(slot).where(slot.c.run == bindparam("of_run")).returning(slot.c.limit_name)
# What a step waits for is looked at afterwards: asked for here, a database would look for it in all runs.
_LEFT = (
    select(step.c.limits, step.c.state, step.c.waits_for, func.count().label("steps"))
    .where(step.c.run == bindparam("of_run"), _IS_OPEN, step.c.limits.is_not(None))
    .group_by(step.c.limits, step.c.state, step.c.waits_for)
)
_OF_RUN = select(step.c.id, step.c.waits_for).where(
    step.c.run == bindparam("of_run"), _IS_OPEN, step.c.limits.is_not(None)
)
_POOL = select(func.min(step.c.pool)).where(
    _IS_READY, step.c.waits_for == bindparam("name"), step.c.pool > bindparam("after")
)
_CALL = (
    update(step)
    .where(
        step.c.id.in_(
            select(step.c.id)
            .where(_IS_READY, step.c.waits_for == bindparam("name"), step.c.pool == bindparam("of_pool"))
            .order_by(step.c.rank, step.c.id)
            .limit(bindparam("most"))
        )
    )
    .values(waits_for="")
)
_WAITING = (
    select(step.c.run, func.max(step.c.waits_for).label("name"))
    .where(among(step.c.run, "runs"), _IS_OPEN)
    .group_by(step.c.run)
)
_CALL_ALL = update(step).where(_IS_READY, step.c.waits_for > BACK_OFF).values(waits_for="")


def admit(tx: Tx, pool: str, most: int, limits: Limits) -> tuple[list[str], bool]:
    """Returns up to ``most`` ready steps, the lowest ranks first, each with a place under all of its limits; and
    whether there may be more that were not looked at. They must be granted in this transaction."""
    admitted: list[str] = []
    looked = 0
    called = False
    while len(admitted) < most:
        # In the first round just what is wanted: mostly nothing is limited, or nothing is full.
        wanted = most - len(admitted)
        asked = wanted if not looked else max(wanted, _CHUNK)
        rows = tx.conn.execute(_NEXT, {"of_pool": pool, "most": len(admitted) + asked}).all()
        found = [row for row in rows if row.id not in admitted]
        if not found:
            return admitted, False
        if looked >= MOST_LOOKED:
            return admitted, True
        looked += len(found)
        each = _Round(tx, found, limits)
        admitted += each.admit(wanted)
        called = called or each.called
    return admitted, called


class _Round:
    """Some ready steps of one pool in the order of their ranks, and the limits that hold for them."""

    def __init__(self, tx: Tx, found: Sequence[Any], limits: Limits) -> None:
        self._tx = tx
        self._found = found
        self._limits = limits
        self._of: dict[str, tuple[str, ...]] = {
            row.id: tuple(json.loads(row.limits)) if row.limits else () for row in found
        }
        names = sorted({name for of in self._of.values() for name in of})
        self._taken: Counter[str] = Counter()
        self._own: set[tuple[str, str]] = set()
        if names:
            self._taken.update({r.limit_name: r.taken for r in tx.conn.execute(_COUNTS, {"names": names})})
            runs = sorted({row.run for row in found if row.limits})
            self._own.update((r.limit_name, r.holder) for r in tx.conn.execute(_OWN, {"runs": runs}))
        self._new: list[dict[str, str]] = []
        self._spared: set[str] = set()
        self.called = False
        """Whether others were called that are ready now."""

    def admit(self, most: int) -> list[str]:
        """Returns up to ``most`` of them for which there was a place; of the others those that were looked at are put
        aside."""
        admitted: list[str] = []
        aside: list[dict[str, str]] = []
        for row in self._found:
            if len(admitted) == most:
                break
            full = self._full(row)
            if full is None:
                admitted.append(row.id)
            else:
                aside.append({"step_id": row.id, "name": full})
        if aside:
            self._tx.conn.execute(_WAIT_FOR, aside)
        if self._new:
            self._tx.conn.execute(_TAKE, self._new)
        for taken in self._new:
            if of_run(taken["limit_name"]):
                # What else of the run waited for the run's place has it now.
                self.called = _call_run(self._tx, taken["run"], taken["limit_name"]) or self.called
        free = {name: self._free(name) for name in self._spared if self._free(name) > 0}
        self.called = call(self._tx, free) or self.called
        return admitted

    def _full(self, row: Any) -> str | None:
        """Takes places under the step's limits, one after the other; returns the first that is full, or None."""
        for name in self._of[row.id]:
            holder = row.run if of_run(name) else row.id
            if (name, holder) in self._own:
                if of_run(name):
                    # It may have been called for a place that it does not need, its run having one.
                    self._spared.add(name)
                continue
            if self._free(name) <= 0:
                return name
            self._taken[name] += 1
            self._own.add((name, holder))
            self._new.append({"limit_name": name, "holder": holder, "run": row.run})
        return None

    def _free(self, name: str) -> int:
        most = self._limits.most(name)
        return 1 if most is None else most - self._taken[name]


def leave(tx: Tx, held: Row[Any]) -> None:
    """Gives up the places of a step whose attempt has ended, and calls who waits for them; those of its run stay."""
    names = [] if held.limits is None else [name for name in json.loads(held.limits) if not of_run(name)]
    if names:
        tx.conn.execute(_LEAVE, {"of_holder": held.id, "names": names})
        call(tx, dict.fromkeys(names, 1))


def clear(tx: Tx, run: str) -> dict[str, int]:
    """Gives up all places of a run that ends, and of its steps. Returns whom to ``call`` once its steps are ended: also
    in the place of those of them that had been called."""
    calls = Counter(tx.conn.execute(_LEAVE_RUN, {"of_run": run}).scalars())
    for row in tx.conn.execute(_LEFT, {"of_run": run}):
        if (row.state, row.waits_for) == ("ready", ""):
            calls.update(dict.fromkeys(json.loads(row.limits), row.steps))
    return calls


def call(tx: Tx, calls: Mapping[str, int]) -> bool:
    """Has so many of those that wait for each limit looked at again, in each pool, the lowest ranks first. Returns
    whether any did."""
    called = False
    for name in sorted(calls):
        pool = tx.conn.execute(_POOL, {"name": name, "after": ""}).scalar()
        while pool is not None:
            called = True
            tx.conn.execute(_CALL, {"name": name, "of_pool": pool, "most": calls[name]})
            pool = tx.conn.execute(_POOL, {"name": name, "after": pool}).scalar()
    return called


def _call_run(tx: Tx, run: str, name: str) -> bool:
    waiting = [row.id for row in tx.conn.execute(_OF_RUN, {"of_run": run}) if row.waits_for == name]
    if waiting:
        tx.conn.execute(_WAIT_FOR, [{"step_id": step_id, "name": ""} for step_id in waiting])
    return bool(waiting)


def call_all(tx: Tx) -> None:
    """Has all that wait for a limit looked at again: the limits may be others now."""
    tx.conn.execute(_CALL_ALL)


def waiting(tx: Tx, runs: Iterable[str]) -> dict[str, str]:
    """Returns by run which limit a step of it waits for, of those runs of which one does."""
    found = tx.conn.execute(_WAITING, {"runs": sorted(set(runs))})
    return {row.run: row.name for row in found if row.name > BACK_OFF}
