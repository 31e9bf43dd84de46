"""How do versions and heads change? Versions are only ever added; a head moves from one to the next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, delete, func, insert, select, text, update

from riparian.scheduler.core import digests, heads
from riparian.storage.metadata import counters
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.schema import asset, asset_origins, head, lineage, version

_ADD = insert(version)
_ADD_LINEAGE = insert(lineage)
_GET = select(version).where(version.c.id.in_(bindparam("ids", expanding=True)))
_STAGED = select(version).where(version.c.run == bindparam("r"), version.c.state == "staged")
_OF_RUN = select(version.c.id).where(version.c.run == bindparam("r")).order_by(version.c.id).limit(1)
_SETTLE = update(version).where(version.c.id == bindparam("v")).values(state=bindparam("to"), head_seq=bindparam("seq"))
_HEAD = select(head).where(head.c.asset == bindparam("a"), head.c.partition == bindparam("p"))
_PUT_HEAD = text(
    "INSERT INTO head (asset, partition, version, seq, digest, origins, trace, news, current) "
    "VALUES (:asset, :partition, :version, :seq, :digest, :origins, :trace, :news, :current) "
    "ON CONFLICT (asset, partition) DO UPDATE SET version = excluded.version, seq = excluded.seq, "
    "digest = excluded.digest, origins = excluded.origins, trace = excluded.trace, "
    "news = excluded.news, current = excluded.current"
)
_ASSET = select(asset.c.digest, asset.c.heads).where(asset.c.key == bindparam("a"))
_SET_ASSET = (
    update(asset)
    .where(asset.c.key == bindparam("a"))
    .values(
        seq=bindparam("s"),
        digest=bindparam("d"),
        heads=bindparam("n"),
        news=func.coalesce(bindparam("if_news"), asset.c.news),
        current=func.coalesce(bindparam("if_current"), asset.c.current),
    )
)
_MORE = text(
    "INSERT INTO asset_origins (asset, origins, heads) VALUES (:asset, :origins, 1) "
    "ON CONFLICT (asset, origins) DO UPDATE SET heads = asset_origins.heads + 1"
)
_LESS = (
    update(asset_origins)
    .where(asset_origins.c.asset == bindparam("a"), asset_origins.c.origins == bindparam("o"))
    .values(heads=asset_origins.c.heads - 1)
)
_NONE_LEFT = delete(asset_origins).where(asset_origins.c.asset == bindparam("a"), asset_origins.c.heads <= 0)
_newest = (
    select(version.c.partition, func.max(version.c.head_seq).label("seq"))
    .where(
        version.c.asset == bindparam("asset"),
        version.c.partition.between(bindparam("lo"), bindparam("hi")),
        version.c.head_seq <= bindparam("as_of"),
    )
    .group_by(version.c.partition)
    .subquery()
)
_AS_OF = (
    select(version)
    .join(_newest, and_(version.c.partition == _newest.c.partition, version.c.head_seq == _newest.c.seq))
    .where(version.c.asset == bindparam("asset"))
    .order_by(version.c.partition)
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A head that moved."""

    asset: str
    partition: str
    version: str
    seq: int


def add(tx: Tx, row: dict[str, Any], inputs: Sequence[dict[str, Any]]) -> None:
    """Stages a version with its lineage; nobody sees it until its run is complete."""
    tx.conn.execute(_ADD, row)
    if inputs:
        tx.conn.execute(_ADD_LINEAGE, list(inputs))


def by_id(tx: Tx, ids: Iterable[str]) -> dict[str, Row[Any]]:
    return {v.id: v for v in tx.conn.execute(_GET, {"ids": sorted(set(ids))})}


def of_run(tx: Tx, run: str) -> str | None:
    """Returns the version that the run made first, or None."""
    return tx.conn.execute(_OF_RUN, {"r": run}).scalar()


def as_of(tx: Tx, asset_key: str, lo: str, hi: str, seq: int) -> Sequence[Row[Any]]:
    """Returns the versions that were heads of ``lo..hi`` as of a change_seq, in the order of their partitions."""
    return tx.conn.execute(_AS_OF, {"asset": asset_key, "lo": lo, "hi": hi, "as_of": seq}).all()


def publish(
    tx: Tx, run: str, trace: Mapping[str, int], *, is_news: bool = True, is_current: bool = True
) -> list[Moved]:
    """Moves the heads of everything that the run staged, together; a version that is older than the head is kept as
    superseded. ``trace`` holds the seqs of the inputs it was made from. Unless ``is_news`` nobody is to run for it, and
    unless ``is_current`` whoever does goes behind today's work. Returns the heads that moved."""
    known = _Known(is_news, is_current and is_news)
    moved = []
    for row in tx.conn.execute(_STAGED, {"r": run}).all():
        old = tx.conn.execute(_HEAD, {"a": row.asset, "p": row.partition}).first()
        if not heads.moves(trace, json.loads(old.trace) if old else None):
            tx.conn.execute(_SETTLE, {"v": row.id, "to": "superseded", "seq": None})
            continue
        seq = counters.advance(tx, "change_seq")
        tx.conn.execute(_SETTLE, {"v": row.id, "to": "committed", "seq": seq})
        _move(tx, row, old, seq, trace, known)
        moved.append(Moved(row.asset, row.partition, row.id, seq))
    return moved


class _Known(NamedTuple):
    is_news: bool
    is_current: bool


def _move(tx: Tx, row: Row[Any], old: Row[Any] | None, seq: int, trace: Mapping[str, int], known: _Known) -> None:
    state = tx.conn.execute(_ASSET, {"a": row.asset}).one()
    total, count = state.digest, state.heads
    if old is None:
        count += 1
    else:
        total = digests.without_member(total, row.partition, old.digest)
    total = digests.with_member(total, row.partition, row.digest)
    tx.conn.execute(
        _PUT_HEAD,
        {
            "asset": row.asset,
            "partition": row.partition,
            "version": row.id,
            "seq": seq,
            "digest": row.digest,
            "origins": row.origins,
            "trace": json.dumps(dict(trace), sort_keys=True),
            "news": seq if known.is_news else old.news if old else 0,
            "current": seq if known.is_current else old.current if old else 0,
        },
    )
    of_set = {"if_news": seq if known.is_news else None, "if_current": seq if known.is_current else None}
    tx.conn.execute(_SET_ASSET, {"a": row.asset, "s": seq, "d": total, "n": count, **of_set})
    if old is None or old.origins != row.origins:
        tx.conn.execute(_MORE, {"asset": row.asset, "origins": row.origins})
        if old is not None:
            tx.conn.execute(_LESS, {"a": row.asset, "o": old.origins})
            tx.conn.execute(_NONE_LEFT, {"a": row.asset})
