"""What did checks find? One row for each version and check; who may see it, somebody else judges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select

from riparian.storage.metadata.among import among
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import check_result, step, version

CHUNK = 100

_ADD = insert(check_result)
_PASSED = select(check_result.c.version, check_result.c.name, check_result.c.passed).where(
    among(check_result.c.version, "versions")
)
_OF_RUN = (
    select(check_result, version.c.origins)
    .join(version, version.c.id == check_result.c.version)
    .where(check_result.c.run == bindparam("of_run"))
    .order_by(check_result.c.asset, check_result.c.name)
)
_KEPT_STEPS = select(step.c.spec).where(step.c.run == bindparam("of_run"), step.c.state == "succeeded")
_STAGED = select(version.c.id, version.c.asset).where(version.c.run == bindparam("of_run"), version.c.state == "staged")
_OF_CHECK = (
    select(check_result, version.c.origins)
    .join(version, version.c.id == check_result.c.version)
    .where(
        check_result.c.asset == bindparam("of_asset"),
        check_result.c.name == bindparam("of_name"),
        check_result.c.version < bindparam("before"),
    )
    .order_by(check_result.c.version.desc())
    .limit(bindparam("most"))
)
_OF_PARTITION = _OF_CHECK.where(check_result.c.partition == bindparam("of_partition"))


def add(tx: Tx, row: dict[str, Any]) -> None:
    """Notes what a check found in a version."""
    tx.conn.execute(_ADD, row)


def take_over(tx: Tx, old: str, new: str) -> None:
    """Notes what checks found in the versions of the run ``old`` that ``new`` has taken over; of those that it tries
    again nothing."""
    rows = tx.conn.execute(_OF_RUN, {"of_run": old}).all()
    if not rows:
        return
    steps = [json.loads(spec) for spec in tx.conn.execute(_KEPT_STEPS, {"of_run": new}).scalars()]
    kept = {(spec["checks"], spec["check"]) for spec in steps if spec.get("check")}
    versions = {v.asset: v.id for v in tx.conn.execute(_STAGED, {"of_run": new})}
    for row in rows:
        if (row.asset, row.name) in kept:
            values = {column.name: getattr(row, column.name) for column in check_result.columns}
            add(tx, {**values, "version": versions[row.asset], "run": new})


def found_in(tx: Tx, versions: Iterable[str]) -> dict[str, dict[str, bool]]:
    """Returns for each of these versions which checks looked at it, and whether it passed."""
    found: dict[str, dict[str, bool]] = {}
    for row in tx.conn.execute(_PASSED, {"versions": sorted(set(versions))}):
        found.setdefault(row.version, {})[row.name] = row.passed
    return found


def of_run(tx: Tx, run: str) -> Sequence[Row[Any]]:
    """Returns what checks found in what the run made."""
    return tx.conn.execute(_OF_RUN, {"of_run": run}).all()


def newest(tx: Tx, asset: str, name: str, partition: str | None) -> Iterator[Row[Any]]:
    """Yields what a check found, the newest version first; of one partition, or of any."""
    before = "~"  # ids are of digits and capitals
    while True:
        values = {"of_asset": asset, "of_name": name, "before": before, "most": CHUNK}
        if partition is None:
            rows = tx.conn.execute(_OF_CHECK, values).all()
        else:
            rows = tx.conn.execute(_OF_PARTITION, {**values, "of_partition": partition}).all()
        yield from rows
        if len(rows) < CHUNK:
            return
        before = rows[-1].version
