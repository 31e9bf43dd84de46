"""Which rows have a partition that is meant? Found by leaps over those between them that are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select

from riparian.assets.partitions.base import Interval
from riparian.assets.partitions.boxes import Box, after
from riparian.storage.metadata.among import BATCH
from riparian.storage.metadata.database import Tx


def rows_in(
    tx: Tx, statement: Select[Any], values: Mapping[str, str], interval: Interval, limit: int | None = None
) -> list[Row[Any]]:
    """Returns, in order, the rows of ``statement`` whose ``partition`` lies in ``interval``, at most ``limit``.

    The statement has the parameters ``lo`` and ``hi`` and is in the order of its partitions. It is asked once; for a
    box as often as other partitions lie between those that are meant, so that it costs what is found.
    """
    if not isinstance(interval, Box):
        bounds = {**values, "lo": interval.lo, "hi": interval.hi}
        return list(tx.conn.execute(statement if limit is None else statement.limit(limit), bounds))
    found: list[Row[Any]] = []
    at, most = interval.seek(interval.lo), 1
    while at is not None and (limit is None or len(found) < limit):
        rows = tx.conn.execute(statement.limit(most), {**values, "lo": at, "hi": interval.hi}).all()
        meant = 0
        while meant < len(rows) and rows[meant].partition in interval:
            meant += 1
        found += rows[:meant]
        if meant < len(rows):
            at, most = interval.seek(rows[meant].partition), 1
        elif len(rows) < most:
            break
        else:
            # Where one follows the other, more are looked at together.
            at, most = interval.seek(after(rows[-1].partition)), min(2 * most, BATCH)
    return found if limit is None else found[:limit]
