"""What is declared now? The manifests, and the graph made of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, select

from riparian.assets.errors import DeclarationError
from riparian.assets.manifest import Manifest
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import counters
from riparian.storage.metadata.among import among
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import asset, bundle, definition, workflow

log = logging.getLogger(__name__)

_NEWEST = select(func.max(definition.c.seq).label("seq")).group_by(definition.c.project).subquery()
_CURRENT = select(definition).join(_NEWEST, definition.c.seq == _NEWEST.c.seq).order_by(definition.c.project)
_LAST = select(definition.c.seq, definition.c.applied_at).order_by(definition.c.seq.desc()).limit(1)
_LIVE_ASSETS = select(asset.c.key).where(asset.c.project == bindparam("of_project"), asset.c.removed_at.is_(None))
_FOREIGN_ASSETS = select(asset.c.key, asset.c.project, asset.c.owner, asset.c.removed_at).where(
    asset.c.project != bindparam("but"), among(asset.c.key, "keys")
)
_FOREIGN_WORKFLOWS = select(workflow.c.key, workflow.c.project, workflow.c.removed_at).where(
    workflow.c.project != bindparam("but"), among(workflow.c.key, "keys")
)
_ADD = insert(definition)
_ADD_BUNDLE = insert(bundle)
_HAS_BUNDLE = select(bundle.c.digest).where(bundle.c.digest == bindparam("bundle_digest"))


def current(tx: Tx) -> dict[str, Manifest]:
    """Returns the current manifest of each project, by its name.

    One that can not be read, as after a change of this program, is left out and told in the log: the others go on, and
    its own next apply puts a good one in its place.
    """
    read = ((row.project, _read(row)) for row in tx.conn.execute(_CURRENT))
    return {project: manifest for project, manifest in read if manifest is not None}


def _read(row: Row[Any]) -> Manifest | None:
    try:
        return Manifest.from_body(json.loads(row.body))
    except (DeclarationError, ValueError, RecursionError) as exc:
        log.error("definition %s of the project %s can not be read and is left out: %s", row.seq, row.project, exc)
        return None


def live_assets(tx: Tx, project: str) -> list[str]:
    """Returns the keys of the assets that the project declares now."""
    return list(tx.conn.scalars(_LIVE_ASSETS, {"of_project": project}))


def foreign_assets(tx: Tx, project: str, keys: Collection[str]) -> list[Row[Any]]:
    """Returns who has, or once had, assets of these keys but for ``project``: (key, project, owner, removed_at)."""
    return _of_keys(tx, _FOREIGN_ASSETS, project, keys)


def foreign_workflows(tx: Tx, project: str, keys: Collection[str]) -> list[Row[Any]]:
    """Returns who has, or once had, workflows of these keys but for ``project``: (key, project, removed_at)."""
    return _of_keys(tx, _FOREIGN_WORKFLOWS, project, keys)


def _of_keys(tx: Tx, statement: Select[Any], project: str, keys: Collection[str]) -> list[Row[Any]]:
    return list(tx.conn.execute(statement, {"but": project, "keys": sorted(keys)}))


def add(tx: Tx, manifest: Manifest, by: str) -> int:
    """Makes ``manifest`` its project's current one and returns its number."""
    seq = counters.advance(tx, "definitions")
    tx.conn.execute(
        _ADD,
        {
            "seq": seq,
            "project": manifest.project,
            "body": manifest.to_json(),
            "bundle": manifest.bundle,
            "applied_by": by,
            "applied_at": tx.now,
        },
    )
    return seq


def add_bundle(tx: Tx, digest: str, size: int) -> None:
    """Notes that the bundle's object is stored; a second call does nothing."""
    if not has_bundle(tx, digest):
        tx.conn.execute(_ADD_BUNDLE, {"digest": digest, "size": size, "created_at": tx.now})


def has_bundle(tx: Tx, digest: str) -> bool:
    return tx.conn.execute(_HAS_BUNDLE, {"bundle_digest": digest}).first() is not None


class GraphCache:
    """The graph of the current declarations, made again only when an apply changed them."""

    def __init__(self) -> None:
        self._cached: tuple[tuple[int, int], Graph] = ((0, 0), Graph(()))

    def put(self, seq: int, applied_at: int, graph: Graph) -> None:
        """Keeps the graph that an apply has made: to be called after its commit."""
        self._cached = ((seq, applied_at), graph)

    def at(self, tx: Tx) -> Graph:
        """Returns the graph as ``tx`` sees it."""
        last = tx.conn.execute(_LAST).first()
        # The time is part of the key: a number can be given again after a commit that failed on a full disk.
        key = (last.seq, last.applied_at) if last else (0, 0)
        known, graph = self._cached
        if known != key:
            graph = Graph(current(tx).values())
            # One assignment: a reader on an older snapshot may put the older graph back, which costs time only.
            self._cached = (key, graph)
        return graph
