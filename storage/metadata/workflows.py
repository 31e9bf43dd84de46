"""Which workflows were adopted, and since when is news theirs?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select, text, update

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import workflow

_OF_PROJECT = select(workflow).where(workflow.c.project == bindparam("p"))
_PUT = text(
    "INSERT INTO workflow (key, project, adopted_seq, news_seq, first_partition) "
    "VALUES (:key, :project, :adopted_seq, :news_seq, :first_partition) "
    "ON CONFLICT (key) DO UPDATE SET project = excluded.project, adopted_seq = excluded.adopted_seq, "
    "news_seq = excluded.news_seq, first_partition = excluded.first_partition, "
    "removed_at = NULL"
)
_REMOVE = update(workflow).where(workflow.c.key == bindparam("k")).values(removed_at=bindparam("now"))


def of_project(tx: Tx, project: str) -> dict[str, Row[Any]]:
    """Returns the project's workflows by key, removed ones too."""
    return {r.key: r for r in tx.conn.execute(_OF_PROJECT, {"p": project})}


def adopt(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Adds workflows that are new, were removed and come back, or are cut otherwise."""
    tx.many(_PUT, rows)


def remove(tx: Tx, keys: Iterable[str]) -> None:
    values = [{"k": k, "now": tx.now} for k in keys]
    if values:
        tx.conn.execute(_REMOVE, values)
