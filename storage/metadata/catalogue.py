"""What happened here? Reads of assets, versions, runs, logs, files and definitions; none of them judges rights.

Lists are read in slices that begin after a given row, newest first where time orders them, so that a reader who may
see only some rows can go on until a page is full.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    tuple_,
)

from riparian.scheduler.core.facts import CLOCK
from riparian.scheduler.core.limits import POOL, Limits
from riparian.storage.metadata import runs as queue
from riparian.storage.metadata import slots
from riparian.storage.metadata.among import among
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import (
    asset,
    asset_origins,
    attempt,
    attempted,
    consumed,
    definition,
    file,
    head,
    hold,
    log_chunk,
    origins,
    reason,
    run,
    step,
    version,
    workflow,
)

AnyRow = Row[*tuple[Any, ...]]
Rows = Sequence[AnyRow]

CHUNK = 500
_MANY: BindParameter[Any] = bindparam("many", expanding=True)

_KEYS = (
    select(asset.c.key)
    .where(asset.c.key > bindparam("after"), asset.c.removed_at.is_(None))
    .order_by(asset.c.key)
    .limit(bindparam("most"))
)
_KNOWN_ASSETS = select(asset.c.key).where(among(asset.c.key, "names"))
_KNOWN_WORKFLOWS = select(workflow.c.key).where(among(workflow.c.key, "names"))
_ASSET_ORIGINS = select(asset_origins).where(asset_origins.c.asset.in_(_MANY), asset_origins.c.heads > 0)
_MEMBERS = select(origins.c.id, origins.c.members).where(origins.c.id.in_(_MANY))

# What is staged is nobody's to see, for its run may still fail; an intermediate is a step's and no asset's.
_SHOWN = version.c.state.not_in(("staged", "intermediate"))
_VERSIONS = select(version).where(version.c.id.in_(_MANY))
_VERSION = select(version).where(version.c.id == bindparam("of_id"), _SHOWN)
_HISTORY = (
    select(version)
    .where(version.c.asset == bindparam("of_asset"), _SHOWN, version.c.id < bindparam("before"))
    .order_by(version.c.id.desc())
    .limit(bindparam("most"))
)
_PARTITION_HISTORY = _HISTORY.where(version.c.partition == bindparam("of_partition"))
_MADE_BY = select(version).where(version.c.run.in_(_MANY), _SHOWN).order_by(version.c.id)

_HEAD = (
    select(version, head.c.seq.label("seq"))
    .join(head, head.c.version == version.c.id)
    .where(head.c.asset == bindparam("of_asset"), head.c.partition == bindparam("of_partition"))
)
_NEWEST = (
    select(head.c.asset, func.max(head.c.seq).label("seq")).where(head.c.asset.in_(_MANY)).group_by(head.c.asset)
).subquery()
_NEWEST_HEADS = (
    select(version, head.c.seq.label("seq"))
    .join(head, head.c.version == version.c.id)
    .join(_NEWEST, and_(_NEWEST.c.asset == head.c.asset, _NEWEST.c.seq == head.c.seq))
)
_IS_HEAD = select(head.c.version).where(head.c.version.in_(_MANY))

_RUN = select(run).where(run.c.id == bindparam("of_id"))
_RUNS = select(run).where(run.c.id < bindparam("before")).order_by(run.c.id.desc()).limit(bindparam("most"))
_UNFINISHED = select(run.c.workflow, run.c.state).where(
    run.c.workflow.in_(_MANY), run.c.state.in_(("queued", "running"))
)
_FAILED = (
    select(attempted.c.workflow).where(attempted.c.workflow.in_(_MANY), attempted.c.outcome != "cancelled").distinct()
)
_FIRST_OF_MANY = {"failed": 0, "leased": 1, "paused": 2, "ready": 3, "blocked": 4}
# Those of many that a person looks for come first.
_STEPS = (
    select(step)
    .where(step.c.run == bindparam("of_run"))
    .order_by(case(_FIRST_OF_MANY, value=step.c.state, else_=len(_FIRST_OF_MANY)), step.c.id)
    .limit(bindparam("most"))
)
_READY_POOLS = (
    select(step.c.run, step.c.pool)
    .where(
        step.c.run.in_(_MANY),
        literal_column("step.state IN ('blocked', 'ready', 'leased', 'paused')", Boolean),
        step.c.state == "ready",
    )
    .distinct()
)
_STEP_COUNTS = (
    select(step.c.task, step.c.state, func.count().label("steps"))
    .where(step.c.run == bindparam("of_run"))
    .group_by(step.c.task, step.c.state)
    .order_by(step.c.task, step.c.state)
)
# One step stands for all items of its task.
_STEP_SPECS = select(step.c.spec).where(step.c.run == bindparam("of_run"), func.coalesce(step.c.map_index, 0) == 0)
_STEP_OF_RUN = select(step.c.id).where(step.c.run == bindparam("of_run"), step.c.id == bindparam("of_id"))
_ATTEMPTS = select(attempt).where(attempt.c.step.in_(_MANY)).order_by(attempt.c.step, attempt.c.epoch)
_RESULTS = select(version.c.step, version.c.format, version.c.rows, version.c.bytes).where(
    version.c.step.in_(_MANY), version.c.state == "intermediate"
)
_CHUNKS = (
    select(log_chunk)
    .join(step, step.c.id == log_chunk.c.step)
    .where(step.c.run == bindparam("of_run"))
    .order_by(log_chunk.c.step, log_chunk.c.epoch, log_chunk.c.offset)
)
_REASON = select(reason).where(
    reason.c.workflow == bindparam("of_workflow"),
    reason.c.partition == bindparam("of_partition"),
    reason.c.until.is_(None),
)

_PLACE = tuple_(bindparam("after_workflow"), bindparam("after_partition"))
_QUEUED = (
    select(run)
    # Written out and not bound: only then does a database see that the partial index of unfinished runs serves.
    .where(literal_column("run.state = 'queued'", Boolean), tuple_(run.c.workflow, run.c.partition) > _PLACE)
    .order_by(run.c.workflow, run.c.partition)
    .limit(bindparam("most"))
)
# Who waits for the clock is held by no run.
_BY_RUNS = hold.c.blocker != CLOCK
_HELD = (
    select(hold.c.workflow, hold.c.partition)
    .where(_BY_RUNS, tuple_(hold.c.workflow, hold.c.partition) > _PLACE)
    .distinct()
    .order_by(hold.c.workflow, hold.c.partition)
    .limit(bindparam("most"))
)
# What is decided and needs nothing; what is held is listed as such.
_SETTLED = (
    *("run", "queued", "running", "up_to_date", "unchanged", "manual", "not_asked"),
    *("waiting_for", "upstream_failed", "planner_failed", "removed"),
)
_WAITING = (
    select(reason.c.workflow, reason.c.partition)
    .where(
        reason.c.until.is_(None),
        reason.c.code.not_in(_SETTLED),
        ~exists().where(hold.c.workflow == reason.c.workflow, hold.c.partition == reason.c.partition, _BY_RUNS),
        tuple_(reason.c.workflow, reason.c.partition) > _PLACE,
    )
    .order_by(reason.c.workflow, reason.c.partition)
    .limit(bindparam("most"))
)
_ASKED_HOLDS = (
    select(hold.c.workflow, hold.c.partition, hold.c.ask)
    .where(hold.c.ask != "")
    .order_by(hold.c.workflow, hold.c.partition, hold.c.ask)
)
_FINGERPRINTS = select(consumed.c.workflow, consumed.c.fingerprint).distinct()
_OTHER_CODE = (
    select(consumed.c.partition)
    .where(consumed.c.workflow == bindparam("of_workflow"), consumed.c.fingerprint != bindparam("made_by"))
    .order_by(consumed.c.partition.desc())
)

_FILES = (
    select(file)
    .where(
        tuple_(file.c.seq, file.c.source, file.c.path)
        < tuple_(bindparam("seq"), bindparam("before_source"), bindparam("before_path"))
    )
    .order_by(file.c.seq.desc(), file.c.source.desc(), file.c.path.desc())
    .limit(bindparam("most"))
)

_NEWEST_DEFINITION = select(func.max(definition.c.seq).label("seq")).group_by(definition.c.project).subquery()
_DEFINITIONS = (
    select(
        definition.c.seq, definition.c.project, definition.c.bundle, definition.c.applied_by, definition.c.applied_at
    )
    .join(_NEWEST_DEFINITION, _NEWEST_DEFINITION.c.seq == definition.c.seq)
    .order_by(definition.c.project)
)
_CURRENT_AT = (
    select(func.max(definition.c.seq)).where(definition.c.seq <= bindparam("at_seq")).group_by(definition.c.project)
)
_BODY = select(definition.c.body).where(definition.c.seq == bindparam("of_seq"))

_LAST = "\U0010ffff"
"""Sorts after every id."""


def asset_keys(tx: Tx, after: str, most: int) -> list[str]:
    """Returns the declared assets after that key, in order."""
    return list(tx.conn.scalars(_KEYS, {"after": after, "most": most}))


def known_names(tx: Tx, names: Collection[str]) -> set[str]:
    """Returns those of ``names`` that are, or ever were, the key of an asset or a workflow."""
    if not names:
        return set()
    wanted = {"names": sorted(names)}
    return {*tx.conn.scalars(_KNOWN_ASSETS, wanted), *tx.conn.scalars(_KNOWN_WORKFLOWS, wanted)}


def head_origins(tx: Tx, assets: Collection[str]) -> dict[str, dict[str, int]]:
    """Returns for each asset that has heads how many of them carry which origin set."""
    found: dict[str, dict[str, int]] = {}
    for row in _many(tx, _ASSET_ORIGINS, assets):
        found.setdefault(row.asset, {})[row.origins] = row.heads
    return found


def origin_members(tx: Tx, ids: Collection[str]) -> dict[str, frozenset[str]]:
    """Returns the assets of each origin set."""
    return {row.id: frozenset(json.loads(row.members)) for row in _many(tx, _MEMBERS, ids)}


def versions(tx: Tx, ids: Collection[str]) -> dict[str, AnyRow]:
    """Returns the versions of these ids, by id."""
    return {row.id: row for row in _many(tx, _VERSIONS, ids)}


def version_of_id(tx: Tx, version_id: str) -> AnyRow | None:
    """Returns the version, or None when there is none or it is staged."""
    return tx.conn.execute(_VERSION, {"of_id": version_id}).first()


def history(tx: Tx, key: str, partition: str | None, before: str | None, most: int) -> Rows:
    """Returns versions of the asset (None: of all its partitions), newest first, older than the version ``before``."""
    bounds = {"of_asset": key, "before": before or _LAST, "most": most}
    if partition is None:
        return tx.conn.execute(_HISTORY, bounds).all()
    return tx.conn.execute(_PARTITION_HISTORY, {**bounds, "of_partition": partition}).all()


def made_by(tx: Tx, runs: Collection[str]) -> Rows:
    """Returns the versions that these runs made, oldest first."""
    return _many(tx, _MADE_BY, runs)


def current(tx: Tx, key: str, partition: str) -> AnyRow | None:
    """Returns the version that is the partition's head, with its ``seq``; None when there is none."""
    return tx.conn.execute(_HEAD, {"of_asset": key, "of_partition": partition}).first()


def newest_heads(tx: Tx, assets: Collection[str]) -> dict[str, AnyRow]:
    """Returns for each asset the head that moved last."""
    return {row.asset: row for row in _many(tx, _NEWEST_HEADS, assets)}


def heads_among(tx: Tx, ids: Collection[str]) -> set[str]:
    """Returns which of these versions are heads."""
    return {row.version for row in _many(tx, _IS_HEAD, ids)}


def run_of_id(tx: Tx, run_id: str) -> AnyRow | None:
    return tx.conn.execute(_RUN, {"of_id": run_id}).first()


def runs(
    tx: Tx, before: str | None, most: int, *, workflow: str | None, state: str | None, partition: str | None
) -> Rows:
    """Returns runs, newest first, older than the run ``before``; each filter that is None lets all pass."""
    statement = _RUNS
    for column, wanted in ((run.c.workflow, workflow), (run.c.state, state), (run.c.partition, partition)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return tx.conn.execute(statement, {"before": before or _LAST, "most": most}).all()


def unfinished(tx: Tx, workflows: Collection[str]) -> dict[str, str]:
    """Returns ``running`` or ``queued`` for each workflow that has such a run."""
    found: dict[str, str] = {}
    for row in _many(tx, _UNFINISHED, workflows):
        if found.get(row.workflow) != "running":
            found[row.workflow] = row.state
    return found


def failed(tx: Tx, workflows: Collection[str]) -> set[str]:
    """Returns the workflows of which some partition's last run failed."""
    return {row.workflow for row in _many(tx, _FAILED, workflows)}


def steps(tx: Tx, run_id: str, most: int) -> Rows:
    """Returns at most ``most`` of the run's steps: the failed first, then what goes on or is to come."""
    return tx.conn.execute(_STEPS, {"of_run": run_id, "most": most}).all()


def at_limit(tx: Tx, run_ids: Iterable[str], limits: Limits) -> dict[str, str]:
    """Returns, of those of the runs of which a ready step has no place, the name of the limit that is full."""
    run_ids = sorted(set(run_ids))
    if not run_ids:
        return {}
    found = slots.waiting(tx, run_ids)
    rest = [run_id for run_id in run_ids if run_id not in found] if limits.pools else []
    for row in tx.conn.execute(_READY_POOLS, {"many": rest}) if rest else ():
        if queue.room(tx, row.pool, limits) <= 0:
            found[row.run] = f"{POOL}{row.pool}"
    return found


def step_counts(tx: Tx, run_id: str) -> Rows:
    """Returns how many ``steps`` of each ``task`` are in which ``state``."""
    return tx.conn.execute(_STEP_COUNTS, {"of_run": run_id}).all()


def step_specs(tx: Tx, run_id: str) -> list[dict[str, Any]]:
    """Returns what each of the run's tasks runs, as JSON values of a StepSpec."""
    return [json.loads(spec) for spec in tx.conn.scalars(_STEP_SPECS, {"of_run": run_id})]


def has_step(tx: Tx, run_id: str, step_id: str) -> bool:
    """Whether it is a step of the run."""
    return tx.conn.execute(_STEP_OF_RUN, {"of_run": run_id, "of_id": step_id}).first() is not None


def attempts(tx: Tx, steps: Collection[str]) -> Rows:
    """Returns every attempt of these steps, by step and epoch."""
    return _many(tx, _ATTEMPTS, steps)


def results(tx: Tx, steps: Collection[str]) -> dict[str, AnyRow]:
    """Returns format, rows and bytes of what each of these steps made for others of its run."""
    return {row.step: row for row in _many(tx, _RESULTS, steps)}


def log_chunks(tx: Tx, run_id: str, step_id: str | None, epoch: int | None) -> Rows:
    """Returns where the run's logs lie, in order: all of them, of one step, or of one attempt."""
    statement = _CHUNKS
    if step_id is not None:
        statement = statement.where(log_chunk.c.step == step_id)
    if epoch is not None:
        statement = statement.where(log_chunk.c.epoch == epoch)
    return tx.conn.execute(statement, {"of_run": run_id}).all()


def standing_reason(tx: Tx, workflow: str, partition: str) -> AnyRow | None:
    """Returns the stored reason that holds now, with ``since``."""
    return tx.conn.execute(_REASON, {"of_workflow": workflow, "of_partition": partition}).first()


def queued(tx: Tx, after: tuple[str, str], most: int) -> Rows:
    """Returns the runs that wait for a worker, by workflow and partition, after that pair."""
    return _in_order(tx, _QUEUED, after, most)


def held(tx: Tx, after: tuple[str, str], most: int) -> Rows:
    """Returns the workflow partitions that wait until another's run has ended."""
    return _in_order(tx, _HELD, after, most)


def waiting(tx: Tx, after: tuple[str, str], most: int) -> Rows:
    """Returns the workflow partitions that were last decided not to run yet, for a reason that still holds."""
    return _in_order(tx, _WAITING, after, most)


def asked_holds(tx: Tx) -> list[tuple[str, str, str]]:
    """Returns (workflow, partition, ask) of everything that was asked for and waits."""
    return [(r.workflow, r.partition, r.ask) for r in tx.conn.execute(_ASKED_HOLDS)]


def made_by_other_code(tx: Tx, fingerprints: Mapping[str, str]) -> set[str]:
    """Returns the workflows of which some partition was made by code of another fingerprint than this."""
    found = tx.conn.execute(_FINGERPRINTS).all()
    return {r.workflow for r in found if fingerprints.get(r.workflow, r.fingerprint) != r.fingerprint}


def other_code_partitions(tx: Tx, workflow: str, fingerprint: str) -> list[str]:
    """Returns the workflow's partitions that were made by code of another fingerprint, newest first."""
    return list(tx.conn.scalars(_OTHER_CODE, {"of_workflow": workflow, "made_by": fingerprint}))


def files(tx: Tx, before: tuple[int, str, str] | None, most: int, *, source: str | None, state: str | None) -> Rows:
    """Returns ledger rows, newest first, seen before the row (seq, source, path)."""
    statement = _FILES
    for column, wanted in ((file.c.source, source), (file.c.state, state)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    seq, before_source, before_path = before or (2**62, "", "")
    bounds = {"seq": seq, "before_source": before_source, "before_path": before_path, "most": most}
    return tx.conn.execute(statement, bounds).all()


def definitions(tx: Tx) -> Rows:
    """Returns the current definition of each project, without its body."""
    return tx.conn.execute(_DEFINITIONS).all()


def definitions_at(tx: Tx, seq: int) -> list[int]:
    """Returns the numbers of the definitions that were current, one of each project, when ``seq`` was the newest."""
    return list(tx.conn.scalars(_CURRENT_AT, {"at_seq": seq}))


def declared_outputs(tx: Tx, seq: int) -> dict[str, tuple[str, ...]]:
    """Returns what each workflow produced in the definition of that number."""
    body = tx.conn.execute(_BODY, {"of_seq": seq}).scalar_one()
    return {w["key"]: tuple(w["produces"]) for w in json.loads(body)["workflows"]}


def _in_order(tx: Tx, statement: Select[Any], after: tuple[str, str], most: int) -> Rows:
    return tx.conn.execute(statement, {"after_workflow": after[0], "after_partition": after[1], "most": most}).all()


def _many(tx: Tx, statement: Select[Any], values: Iterable[str]) -> list[AnyRow]:
    wanted = sorted(set(values))
    return [
        row for i in range(0, len(wanted), CHUNK) for row in tx.conn.execute(statement, {"many": wanted[i : i + CHUNK]})
    ]
