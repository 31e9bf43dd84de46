"""From which versions was a version made, and which were made from it? One statement a level, however many versions.

A lineage row names an input as a set of partitions as of a seq; which versions those are is found when asked.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import TextClause, bindparam, text

from riparian.scheduler.core.lineage import Edges
from riparian.storage.metadata.database import Tx

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
# What is staged is nobody's to see: its run may still fail.
_COMMITTED = "down.id = l.version AND down.state != 'staged'"

_FROM = f"""
    SELECT l.input_version AS up, l.version AS down FROM lineage AS l
    WHERE l.version IN :ids AND l.input_version IS NOT NULL
    UNION SELECT up.id, l.version FROM lineage AS l CROSS JOIN version AS up WHERE l.version IN :ids AND {_IN_SET}
"""  # noqa: S608 - made of the constants above
_INTO = f"""
    SELECT l.input_version AS up, l.version AS down FROM lineage AS l CROSS JOIN version AS down
    WHERE l.input_version IN :ids AND {_COMMITTED}
    UNION SELECT up.id, l.version FROM version AS up CROSS JOIN lineage AS l CROSS JOIN version AS down
    WHERE up.id IN :ids AND {_IN_SET} AND {_COMMITTED}
"""  # noqa: S608 - made of the constants above


def _with_ids(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("ids", expanding=True))


_MADE_FROM = _with_ids(f"{_FROM} ORDER BY up DESC, down DESC LIMIT :most")
_MADE_INTO = _with_ids(f"{_INTO} ORDER BY down DESC, up DESC LIMIT :most")
_COUNT_FROM = _with_ids(f"SELECT COUNT(DISTINCT up) FROM ({_FROM}) AS edges")  # noqa: S608 - made of constants
_COUNT_INTO = _with_ids(f"SELECT COUNT(DISTINCT down) FROM ({_INTO}) AS edges")  # noqa: S608 - made of constants


def made_from(tx: Tx, versions: Collection[str], most: int) -> Edges:
    """Returns at most ``most`` edges (for each CHUNK of versions) into ``versions``, newest first."""
    return _level(tx, _MADE_FROM, _COUNT_FROM, versions, most, 0)


def made_into(tx: Tx, versions: Collection[str], most: int) -> Edges:
    """Returns at most ``most`` edges (for each CHUNK of versions) out of ``versions``, newest first."""
    return _level(tx, _MADE_INTO, _COUNT_INTO, versions, most, 1)


def _level(tx: Tx, edges: TextClause, count: TextClause, versions: Collection[str], most: int, end: int) -> Edges:
    ids = list(versions)
    parts = [_part(tx, edges, count, ids[i : i + CHUNK], most, end) for i in range(0, len(ids), CHUNK)]
    return Edges(
        [edge for part in parts for edge in part.found],
        any(part.cut for part in parts),
        sum(part.left_out for part in parts),
    )


def _part(tx: Tx, edges: TextClause, count: TextClause, ids: list[str], most: int, end: int) -> Edges:
    rows = tx.conn.execute(edges, {"ids": ids, "most": most + 1}).all()
    found = [(row.up, row.down) for row in rows[:most]]
    if len(rows) <= most:
        return Edges(found)
    in_all = tx.conn.execute(count, {"ids": ids}).scalar() or 0
    return Edges(found, True, int(in_all) - len({edge[end] for edge in found}))
