"""From which versions was a version made, and which were made from it? One statement a level, however many versions.

A lineage row names an input as a set of partitions as of a seq; which versions those are is found when asked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, select, text

from riparian.scheduler.core.lineage import Edges
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import run, version

CHUNK = 1000
"""Versions in one statement: SQLite counts bound values."""

# CROSS JOIN keeps SQLite to the written order, and COALESCE keeps it from the index of input_version: left to itself it
# reads all of lineage once a level has some versions.
# A head of seq s was the input of a row as of n when s <= n and no other head of its partition came between.
_IN_SET = """
    COALESCE(l.input_version, '') = '' AND up.asset = l.asset AND up.partition >= l.lo AND up.partition <= l.hi
    AND l.as_of >= up.head_seq
    AND l.as_of < COALESCE((SELECT MIN(later.head_seq) FROM version AS later WHERE later.asset = up.asset
                            AND later.partition = up.partition AND later.head_seq > up.head_seq), 9223372036854775807)
"""
# What is staged is nobody's to see: its run may still fail. What steps make for each other is no asset's.
_COMMITTED = "down.id = l.version AND down.state NOT IN ('staged', 'intermediate')"

_FROM = f"""
    SELECT l.input_version AS up, l.version AS down FROM lineage AS l
    WHERE l.version IN :ids AND l.input_version IS NOT NULL
    UNION SELECT up.id, l.version FROM lineage AS l CROSS JOIN version AS up WHERE l.version IN :ids AND {_IN_SET}
"""  # noqa: S608 - made of the constants above


def _into(told: str) -> str:
    return f"""
    SELECT l.input_version AS up, l.version AS down FROM lineage AS l CROSS JOIN version AS down
    WHERE l.input_version IN :ids AND {_COMMITTED}{told}
    UNION SELECT up.id, l.version FROM version AS up CROSS JOIN lineage AS l CROSS JOIN version AS down
    WHERE up.id IN :ids AND {_IN_SET} AND {_COMMITTED}{told}
"""  # noqa: S608 - made of the constants above and below


# A version is there from the end of its run on; one that never became a head has no place among the seqs.
_AT_TIME = " AND EXISTS (SELECT 1 FROM run WHERE run.id = down.run AND run.ended_at <= :instant)"
_AT_SEQ = " AND down.head_seq <= :seq"


def _with_ids(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("ids", expanding=True))


def _pair(sql: str, end: str) -> tuple[TextClause, TextClause]:
    """The edges, newest first, and how many nodes they lead to in all."""
    other = "down" if end == "up" else "up"
    count = f"SELECT COUNT(DISTINCT {end}) FROM ({sql}) AS edges"  # noqa: S608 - made of constants
    return _with_ids(f"{sql} ORDER BY {end} DESC, {other} DESC LIMIT :most"), _with_ids(count)


_MADE_FROM = _pair(_FROM, "up")
_MADE_INTO = _pair(_into(""), "down")
_MADE_INTO_AT_TIME = _pair(_into(_AT_TIME), "down")
_MADE_INTO_AT_SEQ = _pair(_into(_AT_SEQ), "down")

_HEAD = select(version).where(version.c.asset == bindparam("of_asset")).order_by(version.c.head_seq.desc()).limit(1)
_HEAD_AT_SEQ = _HEAD.where(version.c.head_seq <= bindparam("seq"))
_HEAD_AT_TIME = _HEAD.join(run, run.c.id == version.c.run).where(
    version.c.head_seq.is_not(None), run.c.ended_at <= bindparam("instant")
)
_ENDED = select(run.c.ended_at).where(run.c.id == bindparam("of_run"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """A moment of the past: a change_seq, or an instant in UTC microseconds."""

    seq: int | None = None
    instant: int | None = None

    def bounds(self) -> dict[str, int]:
        return {n: v for n, v in (("seq", self.seq), ("instant", self.instant)) if v is not None}


def head_at(tx: Tx, asset: str, partition: str | None, moment: AsOf) -> Row[Any] | None:
    """Returns the version that was the partition's head then; without a partition, the head that had moved last."""
    statement = _HEAD_AT_TIME if moment.seq is None else _HEAD_AT_SEQ
    if partition is not None:
        statement = statement.where(version.c.partition == bindparam("of_partition"))
    return tx.conn.execute(statement, {"of_asset": asset, "of_partition": partition, **moment.bounds()}).first()


def was_there(tx: Tx, row: Row[Any], moment: AsOf) -> bool:
    """Whether the version was committed by then."""
    if moment.seq is not None:
        return row.head_seq is not None and row.head_seq <= moment.seq
    ended = tx.conn.execute(_ENDED, {"of_run": row.run}).scalar()
    return ended is not None and moment.instant is not None and ended <= moment.instant


def made_from(tx: Tx, versions: Collection[str], most: int) -> Edges:
    """Returns at most ``most`` edges (for each CHUNK of versions) into ``versions``, newest first."""
    return _level(tx, _MADE_FROM, versions, {"most": most}, 0)


def made_into(tx: Tx, versions: Collection[str], most: int, moment: AsOf | None = None) -> Edges:
    """Returns at most ``most`` edges (for each CHUNK of versions) out of ``versions``, newest first; of a ``moment``
    those that were there then."""
    if moment is None:
        return _level(tx, _MADE_INTO, versions, {"most": most}, 1)
    pair = _MADE_INTO_AT_TIME if moment.seq is None else _MADE_INTO_AT_SEQ
    return _level(tx, pair, versions, {"most": most, **moment.bounds()}, 1)


def _level(
    tx: Tx, pair: tuple[TextClause, TextClause], versions: Collection[str], bounds: dict[str, int], end: int
) -> Edges:
    ids = list(versions)
    parts = [_part(tx, pair, ids[i : i + CHUNK], bounds, end) for i in range(0, len(ids), CHUNK)]
    return Edges(
        [edge for part in parts for edge in part.found],
        any(part.cut for part in parts),
        sum(part.left_out for part in parts),
    )


def _part(tx: Tx, pair: tuple[TextClause, TextClause], ids: list[str], bounds: dict[str, int], end: int) -> Edges:
    edges, count = pair
    most = bounds["most"]
    rows = tx.conn.execute(edges, {"ids": ids, **bounds, "most": most + 1}).all()
    found = [(row.up, row.down) for row in rows[:most]]
    if len(rows) <= most:
        return Edges(found)
    in_all = tx.conn.execute(count, {"ids": ids, **bounds}).scalar() or 0
    return Edges(found, True, int(in_all) - len({edge[end] for edge in found}))
