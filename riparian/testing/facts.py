"""How does a test read what is so? Past the policies: who writes the test also wrote the data."""

from __future__ import annotations

import json
from typing import Any

from riparian.assets.errors import NotFound
from riparian.assets.manifest import AssetSpec
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.protocol import Input, Piece, StoredObject, decode
from riparian.scheduler.plane import Plane
from riparian.storage.access.view import View
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Tx
from riparian.storage.objects import read_input
from riparian.storage.objects.formats.base import TABLE
from riparian.testing.told import Planned, Run, target_of

MOST = 10_000


def value(plane: Plane, spec: AssetSpec, type: str | None, partition: str | None) -> Any:
    """Returns the value of a head as a task would receive it; a source's as a table, JSON as it is, else bytes."""
    row = plane.db.read(lambda tx: _head(tx, spec.key, partition))
    if row is None:
        raise NotFound(f"{target_of(spec.key, partition or '')} has no version yet")
    as_type = type or (TABLE if row.format in ("csv", "parquet") else "bytes")
    piece = Piece(
        partition=row.partition,
        version=row.id,
        format=row.format,
        digest=row.digest,
        objects=decode(row.objects, tuple[StoredObject, ...]),
        content=row.content,
        file=row.file,
    )
    found = read_input(
        plane.objects, Input(parameter="value", asset=spec.key, type=as_type, many=False, pieces=(piece,))
    )
    return json.loads(found) if type is None and row.format == "json" else found


def _head(tx: Tx, key: str, partition: str | None) -> AnyRow | None:
    if partition is None:
        return catalogue.newest_heads(tx, [key]).get(key)
    return catalogue.current(tx, key, partition)


def keys(view: View, dimension: str) -> list[str]:
    """Returns the keys of the dimension, in order."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = view.keys(dimension, None, cursor, 500)
        found += [item["key"] for item in page.items]
        cursor = page.next
        if cursor is None:
            return found


def runs_of(plane: Plane, workflow: str, partition: str | None) -> list[Run]:
    """Returns the workflow's runs, newest first."""

    def read(tx: Tx) -> list[Run]:
        rows = catalogue.runs(tx, None, MOST, workflow=workflow, state=None, partition=partition)
        return [_run(tx, row) for row in rows]

    return plane.db.read(read)


def _run(tx: Tx, row: AnyRow) -> Run:
    steps = {
        step.task if step.map_index is None else f"{step.task}[{step.map_index}]": step.state
        for step in catalogue.steps(tx, row.id, MOST)
    }
    return Run(
        id=row.id,
        workflow=row.workflow,
        partition=row.partition,
        state=row.state,
        cause=Cause.from_json(row.cause).words,
        error=row.error,
        params=json.loads(row.params),
        steps=dict(sorted(steps.items())),
    )


def failure(plane: Plane, run: str) -> str | None:
    """Returns why the run failed; None when it did not."""
    row = plane.db.read(lambda tx: catalogue.run_of_id(tx, run))
    if row is None or row.state != "failed":
        return None
    return f"the run of {target_of(row.workflow, row.partition)} failed: {row.error}"


def planned(view: View) -> list[Planned]:
    """Returns all that is queued, held or waiting."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = view.plan(cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return [
        Planned(target=target_of(p["workflow"], p["partition"]), state=p["state"], words=p["cause"] or p["words"])
        for p in found
    ]
