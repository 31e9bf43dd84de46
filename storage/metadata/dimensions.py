"""Which keys does a dimension have whose keys are added in use?

One that is taken out leaves a tombstone: what was made of it stays, and it can be added again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, select, text

from riparian.assets.partitions import Interval
from riparian.assets.partitions.base import one
from riparian.scheduler.core.dimensions import Dimension
from riparian.scheduler.core.facts import Target
from riparian.scheduler.core.graph import Graph
from riparian.storage.metadata import staleness
from riparian.storage.metadata.among import among, in_keys
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import dynamic_count, dynamic_key

MOST_KEYS = 1_000_000
"""Keys that one dimension may have at once."""

_OF = (dynamic_key.c.project == bindparam("of_project"), dynamic_key.c.dimension == bindparam("of_dimension"))
_ONE = select(dynamic_key).where(*_OF, dynamic_key.c.key == bindparam("of_key"))
_AMONG = select(dynamic_key).where(*_OF, among(dynamic_key.c.key, "keys"))
_WITHIN = (
    select(dynamic_key.c.key)
    .where(*_OF, dynamic_key.c.key.between(bindparam("lo"), bindparam("hi")), dynamic_key.c.removed_at.is_(None))
    .order_by(dynamic_key.c.key)
    .limit(bindparam("most"))
)
_PAGE = (
    select(dynamic_key)
    .where(*_OF, dynamic_key.c.key > bindparam("after"))
    .order_by(dynamic_key.c.key)
    .limit(bindparam("most"))
)
_COUNTS = select(dynamic_count).where(
    dynamic_count.c.project == bindparam("of_project"), dynamic_count.c.dimension == bindparam("of_dimension")
)
_COUNT = text(
    "INSERT INTO dynamic_count (project, dimension, origins, live) VALUES (:project, :dimension, :origins, :more) "
    "ON CONFLICT (project, dimension, origins) DO UPDATE SET live = dynamic_count.live + excluded.live"
)
_ADD = text(
    "INSERT INTO dynamic_key (project, dimension, key, origins, added_at, added_by, removed_at, removed_by) "
    "VALUES (:project, :dimension, :key, :origins, :now, :by, NULL, NULL) "
    "ON CONFLICT (project, dimension, key) DO UPDATE SET added_at = excluded.added_at, added_by = excluded.added_by, "
    "removed_at = NULL, removed_by = NULL"
)
_REMOVE = text(
    "UPDATE dynamic_key SET removed_at = :now, removed_by = :by "
    "WHERE project = :project AND dimension = :dimension AND key = :key"
)


def get(tx: Tx, dimension: Dimension, key: str) -> Row[Any] | None:
    """Returns the row of the key, also of one that was taken out; None for one that never was."""
    return tx.conn.execute(_ONE, {**named(dimension), "of_key": key}).first()


def is_live(tx: Tx, dimension: Dimension, key: str) -> bool:
    """Whether the dimension has the key now."""
    row = get(tx, dimension, key)
    return row is not None and row.removed_at is None


def live(tx: Tx, dimension: Dimension, keys: Iterable[str]) -> set[str]:
    """Returns those of ``keys`` that the dimension has now."""
    return {row.key for row in _rows(tx, dimension, keys) if row.removed_at is None}


def known(tx: Tx, dimension: Dimension, keys: Iterable[str]) -> set[str]:
    """Returns those of ``keys`` that the dimension has or had."""
    return {row.key for row in _rows(tx, dimension, keys)}


def gone(tx: Tx, graph: Graph, targets: Iterable[Target]) -> set[Target]:
    """Returns those workflow partitions whose keys their dimensions do not have now."""
    by_dimension: dict[tuple[str, str], tuple[Dimension, list[Target]]] = {}
    for target in targets:
        if (dimension := graph.dimensions.of(target[0])) is not None:
            by_dimension.setdefault((dimension.project, dimension.name), (dimension, []))[1].append(target)
    found: set[Target] = set()
    for dimension, of in by_dimension.values():
        there = live(tx, dimension, (key for _, key in of))
        found.update(target for target in of if target[1] not in there)
    return found


def within(tx: Tx, dimension: Dimension, interval: Interval, most: int) -> list[str]:
    """Returns, in order, the first keys that there are in ``interval``."""
    bounds = {"lo": interval.lo, "hi": interval.hi, "most": most}
    return list(tx.conn.execute(_WITHIN, {**named(dimension), **bounds}).scalars())


def page(tx: Tx, dimension: Dimension, after: str, most: int) -> Sequence[Row[Any]]:
    """Returns keys after that one, in order, also those that were taken out."""
    return tx.conn.execute(_PAGE, {**named(dimension), "after": after, "most": most}).all()


def counts(tx: Tx, dimension: Dimension) -> dict[str, int]:
    """Returns how many keys there are of each origin set, 0 where all of them were taken out."""
    return {row.origins: row.live for row in tx.conn.execute(_COUNTS, named(dimension))}


def is_full(tx: Tx, dimension: Dimension, more: int = 1) -> bool:
    """Whether there is no room for so many keys more."""
    return sum(counts(tx, dimension).values()) + more > MOST_KEYS


def alive(statement: Select[Any], column: ColumnElement[str]) -> Select[Any]:
    """Returns the statement of those rows alone whose ``column`` is a key that there is; see ``named``."""
    there = select(dynamic_key.c.key).where(*_OF, dynamic_key.c.key == column, dynamic_key.c.removed_at.is_(None))
    return statement.where(exists(there))


def named(dimension: Dimension) -> dict[str, str]:
    """Returns the parameters of a statement that ``alive`` made."""
    return {"of_project": dimension.project, "of_dimension": dimension.name}


def add(
    tx: Tx, dimension: Dimension, keys: Collection[str], origins: str, by: str, *, anew: bool = False
) -> tuple[list[str], list[str]]:
    """Adds keys that were learned from ``origins``, and has what is partitioned by them looked at. Returns those that
    are new, and those that somebody had taken out: they stay so unless they are to be added ``anew``."""
    known = {row.key: row for row in _rows(tx, dimension, keys)}
    out = sorted(key for key, row in known.items() if row.removed_at is not None)
    added = sorted([*(key for key in keys if key not in known), *(out if anew else [])])
    more: dict[str, int] = {}
    for key in added:
        # What it was learned from first is what it tells of.
        of = str(known[key].origins) if key in known else origins
        more[of] = more.get(of, 0) + 1
    _count(tx, dimension, more)
    row = {"project": dimension.project, "dimension": dimension.name, "origins": origins, "now": tx.now, "by": by}
    tx.many(_ADD, [{**row, "key": key} for key in added])
    look(tx, dimension, added)
    return added, out


def remove(tx: Tx, dimension: Dimension, keys: Collection[str], by: str) -> list[str]:
    """Takes keys out and returns those that were there."""
    gone = [row for row in _rows(tx, dimension, keys) if row.removed_at is None]
    less: dict[str, int] = {}
    for row in gone:
        less[row.origins] = less.get(row.origins, 0) - 1
    _count(tx, dimension, less)
    at = {"project": dimension.project, "dimension": dimension.name, "now": tx.now, "by": by}
    tx.many(_REMOVE, [{**at, "key": row.key} for row in gone])
    return [row.key for row in gone]


def look(tx: Tx, dimension: Dimension, keys: Iterable[str]) -> None:
    """Has all that is partitioned by the dimension looked at, for these keys: also the files that waited for them."""
    looked = (*dimension.workflows, *dimension.sources)
    staleness.mark(tx, [(each, one(key), "") for key in keys for each in looked])


def _count(tx: Tx, dimension: Dimension, more: dict[str, int]) -> None:
    at = {"project": dimension.project, "dimension": dimension.name}
    tx.many(_COUNT, [{**at, "origins": origins, "more": n} for origins, n in sorted(more.items())])


def _rows(tx: Tx, dimension: Dimension, keys: Iterable[str]) -> list[Row[Any]]:
    return list(in_keys(tx, _AMONG, keys, named(dimension)))
