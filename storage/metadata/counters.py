"""How far has the world moved? Counters that only rise."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select, update

from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import counter

_VALUE = select(counter.c.value).where(counter.c.name == bindparam("counter"))
_ADVANCE = (
    update(counter)
    .where(counter.c.name == bindparam("counter"))
    .values(value=counter.c.value + bindparam("by"))
    .returning(counter.c.value)
)
_START = insert(counter)


def value(tx: Tx, name: str) -> int:
    """Returns the counter, 0 when it never rose."""
    return tx.conn.execute(_VALUE, {"counter": name}).scalar() or 0


def advance(tx: Tx, name: str, by: int = 1) -> int:
    """Raises the counter and returns its new value."""
    new = tx.conn.execute(_ADVANCE, {"counter": name, "by": by}).scalar()
    if new is None:
        tx.conn.execute(_START, {"name": name, "value": by})
        return by
    return int(new)
