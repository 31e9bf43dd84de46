"""How are runs, steps and attempts kept? Each function is one fact about the queue; callers own the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, insert, or_, select, text, update

from riparian.assets.limits import MOST_AT_ONCE
from riparian.assets.tasks import label_of
from riparian.scheduler.core.facts import Target
from riparian.scheduler.core.flow import Ended, State
from riparian.scheduler.core.lifecycle import RUN, STEP, before
from riparian.scheduler.core.limits import BACK_OFF, POOL, Limits
from riparian.storage.metadata import slots, timers
from riparian.storage.metadata.among import among, in_pairs
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import attempt, lineage, run, session, step, version

# Written out and not bound, as text and not as a Boolean (which would add "= 1"): only then does a database see that a
# partial index serves.
IS_UNFINISHED = text("run.state IN ('queued', 'running')")
_IS_OPEN = text("step.state IN ('blocked', 'ready', 'leased', 'paused')")
_IS_READY = text("step.state = 'ready'")
_IS_LEASED = text("step.state = 'leased'")

_ADD_RUN = insert(run)
_ADD_STEP = insert(step)
_ADD_ATTEMPT = insert(attempt)
_SUPERSEDE = (
    update(run)
    .where(run.c.id == bindparam("old"))
    .values(state="superseded", superseded_by=bindparam("new"), ended_at=bindparam("now"))
)
_CANCEL_STEPS = (
    update(step)
    # Not an IN: its list can not be expanded in a statement that is executed for many.
    .where(step.c.run == bindparam("old"), or_(step.c.state == "blocked", step.c.state == "ready"))
    .values(state="cancelled")
)
_READY = (
    select(step.c.id)
    .where(_IS_READY, step.c.waits_for == "", step.c.pool == bindparam("pool"))
    .limit(bindparam("want"))
)
_IS_LATER = text("step.state = 'ready' AND step.waits_for = '@clock'")
_BACK = select(step.c.id).where(_IS_LATER, step.c.pool == bindparam("pool"), step.c.ready_at <= bindparam("now"))
_COME_BACK = (
    update(step)
    .where(_IS_LATER, step.c.pool == bindparam("of_pool"), step.c.ready_at <= bindparam("now"))
    .values(waits_for="")
)
_LEASED_IN = (
    select(func.count())
    .select_from(session.join(step, step.c.session == session.c.id))
    .where(session.c.closed_at.is_(None), session.c.pool == bindparam("pool"), _IS_LEASED)
)
_COUNT_READY = select(func.count()).select_from(_READY.subquery())
_LEASE = (
    update(step)
    .where(step.c.id.in_(bindparam("ids", expanding=True)), step.c.state == "ready")
    .values(state="leased", epoch=step.c.epoch + 1, attempts=step.c.attempts + 1, session=bindparam("holder"))
    .returning(step.c.id, step.c.run, step.c.task, step.c.map_index, step.c.spec, step.c.epoch, step.c.attempts)
)
_START_RUNS = (
    update(run)
    .where(run.c.id.in_(bindparam("ids", expanding=True)), run.c.state == "queued")
    .values(state="running", started_at=bindparam("now"))
)
_RUNS = select(run).where(run.c.id.in_(bindparam("ids", expanding=True)))
_STEP = select(step).where(step.c.id == bindparam("step_id"))
_HELD = select(step).where(step.c.session == bindparam("holder"), _IS_LEASED)
_ATTEMPT = select(attempt).where(attempt.c.step == bindparam("step_id"), attempt.c.epoch == bindparam("at_epoch"))
_END_ATTEMPT = (
    update(attempt)
    .where(attempt.c.step == bindparam("step_id"), attempt.c.epoch == bindparam("at_epoch"))
    .values(ended_at=bindparam("now"), outcome=bindparam("how"), error=bindparam("why"))
)
_END_RUN = {
    how: update(run)
    .where(run.c.id == bindparam("run_id"), run.c.state.in_(before(RUN, how)))
    .values(state=how, ended_at=bindparam("now"), error=bindparam("why"))
    for how in ("succeeded", "failed", "cancelled")
}
_MOVED = ("epoch", "attempts", "failures", "losses", "ready_at", "waits_for")
# One statement a state; what a move does not name (NULL) keeps its value.
_MOVE_STEP = {
    to: update(step)
    .where(step.c.id == bindparam("step_id"), step.c.state.in_(before(STEP, to)))
    .values(
        state=to,
        session=None,
        rank=step.c.rank + func.coalesce(bindparam("new_ready_at"), step.c.ready_at) - step.c.ready_at,
        **{c: func.coalesce(bindparam(f"new_{c}"), step.c[c]) for c in _MOVED},
    )
    for to in ("ready", "succeeded", "failed")
}
_UNFINISHED = select(run.c.id).where(run.c.workflow == bindparam("w"), run.c.partition == bindparam("p"), IS_UNFINISHED)
_KNOWN_CAUSES = select(run.c.trigger_key).where(among(run.c.trigger_key, "keys"))
_BY_TRIGGER = select(run.c.id).where(run.c.trigger_key == bindparam("k"))
_any_open = select(step.c.id).where(step.c.run == bindparam("run_id"), _IS_OPEN)
_WAITS = select(exists(_any_open), exists(_any_open.where(step.c.task == bindparam("of_task"))))
_BLOCKED = (
    select(step.c.id, step.c.task, step.c.spec)
    .where(step.c.run == bindparam("run_id"), _IS_OPEN, step.c.state == "blocked")
    .order_by(step.c.id)
)
_STANDING = (
    select(
        step.c.task,
        step.c.state,
        func.count(step.c.map_index).label("mapped"),
        func.count(version.c.id).label("results"),
        func.sum(step.c.attempts).label("tried"),
        func.max(version.c.rows).label("rows"),
    )
    .select_from(step.outerjoin(version, version.c.step == step.c.id))
    .where(step.c.run == bindparam("run_id"), among(step.c.task, "tasks"))
    .group_by(step.c.task, step.c.state)
)
_RESULTS = (
    select(version, step.c.task, step.c.map_index)
    .join(step, step.c.id == version.c.step)
    .where(step.c.run == bindparam("run_id"), step.c.task.in_(bindparam("tasks", expanding=True)))
    .order_by(step.c.task, step.c.map_index)
)
_RESULTS_OF = (
    select(version, step.c.task, step.c.map_index)
    .join(step, step.c.id == version.c.step)
    .where(
        step.c.run == bindparam("run_id"),
        step.c.task == bindparam("of_task"),
        step.c.map_index.between(bindparam("lo"), bindparam("hi")),
    )
)
_MADE_ITEMS = (
    select(step.c.map_index)
    .join(version, version.c.step == step.c.id)
    .where(step.c.run == bindparam("run_id"), step.c.task == bindparam("of_task"))
    .order_by(step.c.map_index)
)
_UNBLOCK = (
    update(step)
    .where(step.c.id == bindparam("step_id"), step.c.state == "blocked")
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        map_index=bindparam("item"),
        spec=func.coalesce(bindparam("new_spec"), step.c.spec),
        ready_at=bindparam("now"),
        rank=step.c.rank + bindparam("now") - step.c.ready_at,
    )
)
_CANCEL_ATTEMPTS = (
    update(attempt)
    .where(
        attempt.c.step.in_(select(step.c.id).where(step.c.run == bindparam("run_id"), _IS_OPEN, _IS_LEASED)),
        attempt.c.ended_at.is_(None),
    )
    .values(ended_at=bindparam("now"), outcome="cancelled", error=bindparam("why"))
)
_CANCEL_REST = (
    update(step)
    .where(step.c.run == bindparam("run_id"), _IS_OPEN)
    .values(state="cancelled", epoch=step.c.epoch + 1, session=None)
)
# Written out and not bound: only then does a database see that the partial index of unfinished runs serves.
_QUEUED = select(run).where(
    among(run.c.workflow, "firsts"),
    among(run.c.partition, "seconds"),
    text("run.state IN ('queued', 'running')"),
    run.c.state == "queued",
)
_FORGET_CAUSES = text(
    "UPDATE run SET trigger_key = id WHERE workflow = :w AND partition = :p "
    "AND state IN ('failed', 'cancelled', 'superseded')"
)
_NOTE_PARTITIONS = update(step).where(step.c.id == bindparam("step_id")).values(partitions=bindparam("added"))
_ADDED_PARTITIONS = select(step.c.partitions).where(
    step.c.run == bindparam("run_id"), step.c.state == "succeeded", step.c.partitions.is_not(None)
)
_LAST = (
    select(run.c.id)
    .where(run.c.workflow == bindparam("w"), run.c.partition == bindparam("p"))
    .order_by(run.c.created_at.desc(), run.c.id.desc())
    .limit(1)
)
_STEPS_OF = select(step).where(step.c.run == bindparam("of_run")).order_by(step.c.id)
_MADE_BY_RUN = select(version).where(version.c.run == bindparam("of_run")).order_by(version.c.id)
_LINEAGE_OF_RUN = (
    select(lineage).join(version, version.c.id == lineage.c.version).where(version.c.run == bindparam("of_run"))
)
_ADD_VERSION = insert(version)
_ADD_LINEAGE = insert(lineage)
_LIVE_SESSIONS = (
    select(func.count()).select_from(session).where(session.c.pool == bindparam("pool"), session.c.closed_at.is_(None))
)


def add(tx: Tx, runs: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]]) -> None:
    """Writes new runs and their steps."""
    if runs:
        tx.conn.execute(_ADD_RUN, list(runs))
    tx.many(_ADD_STEP, steps)


def is_unfinished(tx: Tx, workflow: str, partition: str) -> bool:
    """Whether the workflow partition has a run that is not at its end."""
    return tx.conn.execute(_UNFINISHED, {"w": workflow, "p": partition}).first() is not None


def known_causes(tx: Tx, keys: Sequence[str]) -> set[str]:
    """Returns which of these trigger keys belong to a run already."""
    return {key for start in range(0, len(keys), 400) for key in _known(tx, keys[start : start + 400])}


def _known(tx: Tx, keys: Sequence[str]) -> Iterable[str]:
    return tx.conn.execute(_KNOWN_CAUSES, {"keys": list(keys)}).scalars()


def by_trigger_key(tx: Tx, key: str) -> str | None:
    """Returns the run of this workflow partition and cause, or None."""
    return tx.conn.execute(_BY_TRIGGER, {"k": key}).scalar()


def supersede(tx: Tx, pairs: Sequence[tuple[str, str | None]]) -> None:
    """Ends runs that no worker has touched in favour of newer ones: (old, new); None: for now of none."""
    if pairs:
        tx.conn.execute(_SUPERSEDE, [{"old": old, "new": new, "now": tx.now} for old, new in pairs])
        calls = [slots.clear(tx, old) for old, _ in pairs]
        tx.conn.execute(_CANCEL_STEPS, [{"old": old} for old, _ in pairs])
        for each in calls:
            slots.call(tx, each)


def lease(tx: Tx, session_id: str, pool: str, most: int, limits: Limits) -> tuple[Sequence[Row[Any]], bool]:
    """Gives up to ``most`` ready steps to the session and returns them with their new epoch; a fair share when other
    sessions are there too, and none beyond a limit. Also returns whether there may be more to look at."""
    if not is_ready(tx, pool):
        return (), False
    most = min(most, room(tx, pool, limits))
    if most <= 0:
        return (), False
    tx.conn.execute(_COME_BACK, {"of_pool": pool, "now": tx.now})
    sessions = (tx.conn.execute(_LIVE_SESSIONS, {"pool": pool}).scalar() or 1) if most > 1 else 1
    # More than all of them together could take need not be counted.
    ready = tx.conn.execute(_COUNT_READY, {"pool": pool, "want": most * sessions}).scalar_one()
    share = min(most, -(-ready // sessions))
    ids, more = slots.admit(tx, pool, share, limits)
    rows = tx.conn.execute(_LEASE, {"ids": ids, "holder": session_id}).all() if ids else ()
    return sorted(rows, key=lambda r: ids.index(r.id)), more


def room(tx: Tx, pool: str, limits: Limits) -> int:
    """Returns how many more steps of the pool may be under way."""
    if (most := limits.most(f"{POOL}{pool}")) is None:
        return MOST_AT_ONCE
    return most - int(tx.conn.execute(_LEASED_IN, {"pool": pool}).scalar_one())


def is_ready(tx: Tx, pool: str) -> bool:
    """Whether a step of the pool waits for a worker, and for nothing else that is known."""
    if tx.conn.execute(_READY, {"pool": pool, "want": 1}).first() is not None:
        return True
    return tx.conn.execute(_BACK, {"pool": pool, "now": tx.now}).first() is not None


def start(tx: Tx, granted: Iterable[Row[Any]]) -> None:
    """Notes that steps of these runs were granted; from the first one on the time of the run counts."""
    began = [run for run in granted if run.state == "queued"]
    if began:
        tx.conn.execute(_START_RUNS, {"ids": sorted({run.id for run in began}), "now": tx.now})
        dues = [(r.id, tx.now + int(r.timeout_seconds * 1_000_000)) for r in began if r.timeout_seconds is not None]
        timers.put_many(tx, "run", dues)


def add_attempts(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    tx.many(_ADD_ATTEMPT, rows)


def by_id(tx: Tx, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Returns the runs by their ids."""
    return {r.id: r for r in tx.conn.execute(_RUNS, {"ids": sorted(set(ids))})}


def step_row(tx: Tx, step_id: str) -> Row[Any] | None:
    return tx.conn.execute(_STEP, {"step_id": step_id}).first()


def held_by(tx: Tx, session_id: str) -> Sequence[Row[Any]]:
    """Returns the steps that the session holds a lease on."""
    return tx.conn.execute(_HELD, {"holder": session_id}).all()


def attempt_row(tx: Tx, step_id: str, epoch: int) -> Row[Any] | None:
    return tx.conn.execute(_ATTEMPT, {"step_id": step_id, "at_epoch": epoch}).first()


def end_attempt(tx: Tx, held: Row[Any], outcome: str, error: str | None) -> None:
    """Notes how the attempt at a leased step ended; its places are free."""
    values = {"step_id": held.id, "at_epoch": held.epoch, "now": tx.now, "how": outcome, "why": error}
    tx.conn.execute(_END_ATTEMPT, values)
    slots.leave(tx, held)


def move_step(tx: Tx, step_id: str, to: str, **columns: int) -> None:
    """Takes a step out of its lease to the state ``to`` and sets other columns (of _MOVED).

    Raises RuntimeError when its state may not be followed by it.
    """
    new: dict[str, Any] = {f"new_{c}": columns.get(c) for c in _MOVED}
    if columns.get("ready_at", 0) > tx.now:
        new["new_waits_for"] = BACK_OFF
    if tx.conn.execute(_MOVE_STEP[to], {"step_id": step_id, **new}).rowcount != 1:
        raise RuntimeError(f"step {step_id} can not become {to} from what it is now")


def queued(tx: Tx, targets: Iterable[Target]) -> list[Row[Any]]:
    """Returns the runs of these workflow partitions that no worker has touched."""
    return list(in_pairs(tx, _QUEUED, targets))


def forget_causes(tx: Tx, targets: Iterable[Target]) -> None:
    """Has what these workflow partitions ran for in vain be a cause like any: it may have another run."""
    tx.many(_FORGET_CAUSES, [{"w": w, "p": p} for w, p in targets])


def note_partitions(tx: Tx, step_id: str, added: str) -> None:
    """Keeps what the step adds to dimensions, JSON {dimension: [keys]}, until its run ends."""
    tx.conn.execute(_NOTE_PARTITIONS, {"step_id": step_id, "added": added})


def added_partitions(tx: Tx, run_id: str) -> list[str]:
    """Returns what the steps of the run add."""
    return list(tx.conn.execute(_ADDED_PARTITIONS, {"run_id": run_id}).scalars())


def end(tx: Tx, ending: Row[*tuple[Any, ...]], state: str, error: str | None = None) -> None:
    """Ends the run and cancels what is left of its steps and their attempts; their leases are revoked, and all its
    places are free.

    Raises RuntimeError when the run's state may not be followed by ``state``.
    """
    if tx.conn.execute(_END_RUN[state], {"run_id": ending.id, "now": tx.now, "why": error}).rowcount != 1:
        raise RuntimeError(f"run {ending.id} can not become {state} from what it is now")
    # A success has given up all but the run's own place already.
    calls = slots.clear(tx, ending.id) if ending.keeps_place or state != "succeeded" else {}
    if state != "succeeded":
        tx.conn.execute(_CANCEL_ATTEMPTS, {"run_id": ending.id, "now": tx.now, "why": error})
        tx.conn.execute(_CANCEL_REST, {"run_id": ending.id})
    slots.call(tx, calls)
    if ending.timeout_seconds is not None:
        timers.drop(tx, "run", [ending.id])


def waits(tx: Tx, run_id: str, task: str) -> tuple[bool, bool]:
    """Returns whether any step of the run may yet run, and whether one of ``task`` may."""
    row = tx.conn.execute(_WAITS, {"run_id": run_id, "of_task": task}).one()
    return bool(row[0]), bool(row[1])


def blocked(tx: Tx, run_id: str) -> Sequence[Any]:
    """Returns the steps that wait for others, in the order of the workflow."""
    return tx.conn.execute(_BLOCKED, {"run_id": run_id}).all()


def results(tx: Tx, run_id: str, tasks: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """Returns the versions that each of the tasks made, in the order of its items."""
    found: dict[str, list[Row[Any]]] = {task: [] for task in tasks}
    for row in tx.conn.execute(_RESULTS, {"run_id": run_id, "tasks": sorted(found)}) if found else ():
        found[row.task].append(row)
    return found


def results_between(tx: Tx, run_id: str, task: str, lo: int, hi: int) -> dict[int, Row[Any]]:
    """Returns the versions that a mapped task made of its items ``lo..hi``, by their numbers."""
    values = {"run_id": run_id, "of_task": task, "lo": lo, "hi": hi}
    return {row.map_index: row for row in tx.conn.execute(_RESULTS_OF, values)}


def made_items(tx: Tx, run_id: str, task: str) -> Sequence[int]:
    """Returns the numbers of those items of a mapped task of which a result was made, in order."""
    return tx.conn.execute(_MADE_ITEMS, {"run_id": run_id, "of_task": task}).scalars().all()


def ended(tx: Tx, run_id: str, tasks: Iterable[str], decisions: Iterable[str]) -> dict[str, Ended]:
    """Returns how these tasks of the run stand; for ``decisions`` also what they decided."""
    labels = {t: decided(rows[0]) for t, rows in results(tx, run_id, decisions).items() if rows}
    by_task: dict[str, list[Row[Any]]] = {}
    for row in tx.conn.execute(_STANDING, {"run_id": run_id, "tasks": sorted(tasks)}):
        by_task.setdefault(row.task, []).append(row)
    return {task: _ended(rows, labels.get(task)) for task, rows in by_task.items()}


def _ended(rows: Sequence[Row[Any]], label: str | None) -> Ended:
    if any(row.state not in ("succeeded", "skipped") for row in rows):
        return Ended(state=State.OPEN)
    made = sum(row.results for row in rows)
    is_mapped = any(row.mapped for row in rows)
    items = made if is_mapped else next((row.rows for row in rows if row.results), None)
    # What succeeded without a try had nothing to go through: that is a list too, of no results.
    nothing = not made and not any(row.state == "succeeded" and not row.tried for row in rows)
    return Ended(state=State.EMPTY if nothing else State.DONE, label=label, items=items if made else 0)


def decided(result: Row[Any]) -> str | None:
    """Returns the road that a decision's result names; None when it is too long to be one."""
    return None if result.content is None else label_of(json.loads(result.content))


def unblock(
    tx: Tx, step_id: str, to: str, reason: str | None, item: int | None = None, spec: str | None = None
) -> None:
    """Lets a blocked step go on; where it is mapped ``item`` is its number and ``spec`` what it runs for that."""
    values = {"step_id": step_id, "to": to, "why": reason, "item": item, "new_spec": spec, "now": tx.now}
    tx.conn.execute(_UNBLOCK, values)


def last(tx: Tx, workflow: str, partition: str) -> str | None:
    """Returns the workflow partition's last run, however it ended."""
    return tx.conn.execute(_LAST, {"w": workflow, "p": partition}).scalar()


def take_over(tx: Tx, old: str, new: str) -> None:
    """Gives the run ``new`` the steps of ``old``: as they ended where they succeeded or were skipped, with what they
    made; else anew, blocked, or ready where a map became steps before."""
    steps: list[dict[str, Any]] = []
    kept: dict[str, str] = {}
    for row in tx.conn.execute(_STEPS_OF, {"of_run": old}).all():
        values = {**row._mapping, "id": tx.new_id(), "run": new, "session": None, "waits_for": ""}
        if row.state in ("succeeded", "skipped"):
            kept[row.id] = values["id"]
        else:
            lift = row.ready_at - row.rank
            state = "blocked" if row.map_index is None else "ready"
            anew = {"epoch": 0, "attempts": 0, "failures": 0, "losses": 0, "reason": None}
            values |= {**anew, "state": state, "ready_at": tx.now, "rank": tx.now - lift}
        steps.append(values)
    tx.many(_ADD_STEP, steps)
    made = [v for v in tx.conn.execute(_MADE_BY_RUN, {"of_run": old}).all() if v.step in kept]
    ids = {v.id: tx.new_id() for v in made}
    tx.many(_ADD_VERSION, [{**v._mapping, "id": ids[v.id], "run": new, "step": kept[v.step]} for v in made])
    inputs = tx.conn.execute(_LINEAGE_OF_RUN, {"of_run": old}).all() if made else ()
    tx.many(_ADD_LINEAGE, [{**i._mapping, "version": ids[i.version]} for i in inputs if i.version in ids])


def add_steps(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    tx.many(_ADD_STEP, rows)
