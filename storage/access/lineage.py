"""Where does an asset or a version come from, and what was made from it, as far as this reader may know?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from riparian.assets.errors import Invalid
from riparian.assets.keys import AssetKey
from riparian.scheduler.core.lineage import BOTH, DOWN, UP, Edges, Shape, walk
from riparian.storage.access import assets
from riparian.storage.access.pages import check_limit, iso
from riparian.storage.access.partitions import check_partition
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue, lineage
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.lineage import AsOf

EDGES_FOR_EACH_NODE = 20
"""A level may have so many times as many edges as nodes are asked for; the answer says when it had more."""

LEVELS = ("asset", "version")

MOST_DIGITS = 18
"""No counter has more, and no database takes them."""


def query(
    judge: Judge,
    key: str,
    partition: str | None,
    version: str | None,
    *,
    direction: str,
    up: int | None,
    down: int | None,
    level: str | None,
    limit: int,
    as_of: str | None = None,
) -> dict[str, Any]:
    """The neighbourhood of an asset, or of one of its versions. Hidden nodes keep their place and lose their name.

    ``as_of`` asks for the versions that stood at a moment of the past (one that lies ahead is now), without a root
    where none did. Who may see them is judged by today's policies. Level None is that of the question: versions where
    it begins at one, or in the past.
    """
    _check(direction, up, down, level, limit)
    if as_of is not None and level == "asset":
        raise Invalid("as_of asks for versions, and level='asset' for declarations; leave one of them out")
    # Before anything is said of the moment: what moved, and when, is told to who may know of the asset alone.
    assets.require(judge, key)
    check_partition(judge, key, partition)
    moment = None if as_of is None else _moment(judge, as_of)
    level = "version" if version is not None or moment is not None else level or "asset"
    roots = [key] if level == "asset" else _root_versions(judge, key, partition, version, moment)
    most = EDGES_FOR_EACH_NODE * limit
    above: Callable[[Collection[str]], Edges]
    below: Callable[[Collection[str]], Edges]
    if level == "asset":
        above, below = (lambda keys: _declared_up(judge, keys)), (lambda keys: _declared_down(judge, keys))
    else:
        above = lambda ids: lineage.made_from(judge.tx, ids, most)  # noqa: E731
        below = lambda ids: lineage.made_into(judge.tx, ids, most, moment)  # noqa: E731
    shape = walk(
        roots,
        up=above,
        down=below,
        up_depth=0 if direction == DOWN else up,
        down_depth=0 if direction == UP else down,
        limit=limit,
    )
    nodes = _assets(judge, shape) if level == "asset" else _versions(judge, shape)
    return {
        "level": level,
        "roots": roots,
        "nodes": list(nodes.values()),
        "edges": [{"from": nodes[a]["id"], "to": nodes[b]["id"]} for a, b in shape.edges],
        "truncated": shape.truncated,
        "left_out": shape.left_out,
    }


def _check(direction: str, up: int | None, down: int | None, level: str | None, limit: int) -> None:
    check_limit(limit)
    if direction not in (BOTH, UP, DOWN):
        raise Invalid(f"direction={direction!r} is no direction; write 'both', 'up' or 'down'")
    if level not in (None, *LEVELS):
        raise Invalid(f"level={level!r} is no level; write 'asset' or 'version'")
    for name, depth in (("up", up), ("down", down)):
        if depth is not None and depth < 0:
            raise Invalid(f"{name}={depth} is no depth; write 0 or more, or leave it out for all")


def _moment(judge: Judge, as_of: str) -> AsOf:
    """Reads a time with its offset from UTC, or a change_seq; raises Invalid for what is neither. What lies ahead is
    now: to refuse it would tell how far the counter of all changes has come."""
    expected = "write a time with its offset, such as 2026-11-22T06:30:00Z, or a change_seq"
    if as_of.isascii() and as_of.isdigit():
        if len(as_of) > MOST_DIGITS:
            raise Invalid(f"as_of has {len(as_of)} digits, and no change_seq has more than {MOST_DIGITS}; {expected}")
        return AsOf(seq=int(as_of))
    try:
        instant = datetime.fromisoformat(as_of)
        offset = instant.utcoffset()
        if offset is None:
            raise Invalid(f"as_of={as_of!r} does not say of which time zone it is; {expected}")
        micros = (instant.replace(tzinfo=None) - offset - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    except (ValueError, OverflowError) as exc:
        raise Invalid(f"as_of={as_of!r} is no moment; {expected}") from exc
    return AsOf(instant=min(micros, judge.tx.now))


def _root_versions(
    judge: Judge, key: str, partition: str | None, version: str | None, moment: AsOf | None
) -> list[str]:
    """One version: the one asked for, else the partition's head, else the head that moved last; of a moment, none when
    it was not there yet."""
    if version is not None:
        row = assets.find_version(judge, version)
        if row.asset != key or partition not in (None, row.partition):
            raise judge.missing("version", version)
        return [row.id] if moment is None or lineage.was_there(judge.tx, row, moment) else []
    if moment is not None:
        head = lineage.head_at(judge.tx, key, partition, moment)
    elif partition is None:
        head = catalogue.newest_heads(judge.tx, [key]).get(key)
    else:
        head = catalogue.current(judge.tx, key, partition)
    return [head.id] if head is not None and _sees(judge, head) else []


def _declared_up(judge: Judge, keys: Collection[str]) -> Edges:
    makers = ((key, judge.graph.producer(AssetKey(key))) for key in keys)
    return Edges([(e.asset, key) for key, w in makers if w is not None for e in judge.graph.inputs(w.key)])


def _declared_down(judge: Judge, keys: Collection[str]) -> Edges:
    return Edges(
        [(key, made) for key in keys for e in judge.graph.edges(AssetKey(key)) for made in e.workflow.produces]
    )


def _assets(judge: Judge, shape: Shape) -> dict[str, dict[str, Any]]:
    judge.prepare(list(shape.nodes))
    return {key: _asset(judge, key) if judge.visible(key) else _hidden(judge, key) for key in shape.nodes}


def _versions(judge: Judge, shape: Shape) -> dict[str, dict[str, Any]]:
    rows = catalogue.versions(judge.tx, shape.nodes)
    judge.prepare({row.asset for row in rows.values()})
    return {
        node: _version(judge, rows[node]) if node in rows and _sees(judge, rows[node]) else _hidden(judge, node)
        for node in shape.nodes
    }


def _sees(judge: Judge, row: AnyRow) -> bool:
    return judge.permits(row.origins, row.asset) or judge.owns(row.asset)


def _asset(judge: Judge, key: str) -> dict[str, Any]:
    return {"id": key, "key": key, "kind": judge.restriction(key).kind, "restricted": False}


def _version(judge: Judge, row: AnyRow) -> dict[str, Any]:
    readable = judge.permits(row.origins, row.asset)
    return {
        "id": row.id,
        "key": row.asset,
        "partition": row.partition,
        "version": row.id,
        "run": row.run,
        "committed_at": iso(row.committed_at),
        "digest": row.digest if readable else None,
        "file": row.file if readable else None,
        "restricted": False,
    }


def _hidden(judge: Judge, node: str) -> dict[str, Any]:
    return {"id": judge.opaque(node), "restricted": True}
