"""What is declared now? The manifests, and the graph made of them."""

from __future__ import annotations

from sqlalchemy import bindparam, func, insert, select

from riparian.assets.manifest import Manifest
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import counters
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import bundle, definition

_NEWEST = select(func.max(definition.c.seq).label("seq")).group_by(definition.c.project).subquery()
_CURRENT = select(definition).join(_NEWEST, definition.c.seq == _NEWEST.c.seq).order_by(definition.c.project)
_LAST = select(definition.c.seq, definition.c.applied_at).order_by(definition.c.seq.desc()).limit(1)
_ADD = insert(definition)
_ADD_BUNDLE = insert(bundle)
_HAS_BUNDLE = select(bundle.c.digest).where(bundle.c.digest == bindparam("bundle_digest"))


def current(tx: Tx) -> dict[str, Manifest]:
    """Returns the current manifest of each project, by its name."""
    return {row.project: Manifest.from_json(row.body) for row in tx.conn.execute(_CURRENT)}


def add(tx: Tx, manifest: Manifest, by: str) -> int:
    """Makes ``manifest`` its project's current one and returns its number."""
    seq = counters.advance(tx, "definitions")
    tx.conn.execute(
        _ADD,
        {
            "seq": seq,
            "project": manifest.project,
            "body": manifest.text or manifest.to_json(),
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
