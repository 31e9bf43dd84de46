"""What is there to know of assets and their versions?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from riparian.assets.errors import Invalid
from riparian.assets.keys import AssetKey
from riparian.scheduler.core.graph import Edge
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import RESTRICTED, Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow

KINDS = ("source", "asset")


def listing(judge: Judge, cursor: str | None, limit: int, kind: str | None) -> Page:
    """The visible assets that are declared, by key."""
    if kind is not None and kind not in KINDS:
        raise Invalid(f"kind={kind!r} is no kind of asset; write 'source' or 'asset'")

    def keep(keys: Sequence[str]) -> list[str]:
        judge.prepare(keys)
        return [k for k in keys if (kind is None or judge.restriction(k).kind == kind) and judge.visible(k)]

    keys, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: catalogue.asset_keys(judge.tx, after[0] if after else "", most),
        keep=keep,
        place=lambda key: [key],
    )
    return Page(summaries(judge, keys), following)


def one(judge: Judge, key: str) -> dict[str, Any]:
    """One asset, with its neighbours, trigger and newest schema."""
    require(judge, key)
    newest = catalogue.newest_heads(judge.tx, [key]).get(key)
    schema = newest.schema if newest is not None and judge.permits(newest.origins, key) else None
    maker = judge.graph.producer(AssetKey(key))
    return {
        **summaries(judge, [key])[0],
        "consumes": [_neighbour(judge, e.asset, e) for e in judge.graph.inputs(maker.key)] if maker else [],
        "consumed_by": [
            _neighbour(judge, made, e) for e in judge.graph.edges(AssetKey(key)) for made in e.workflow.produces
        ],
        "trigger": _trigger(judge, maker.trigger.to_json()) if maker else None,
        "parameters": [{"name": p.name, "type": p.type, "default": p.default} for p in maker.parameters]
        if maker
        else [],
        "schema": json.loads(schema) if schema else None,
    }


def summaries(judge: Judge, keys: Sequence[str]) -> list[dict[str, Any]]:
    """One line for each of these visible assets."""
    judge.prepare(keys)
    makers = {key: judge.graph.maker(AssetKey(key)) for key in keys}
    going = catalogue.unfinished(judge.tx, makers.values())
    failed = catalogue.failed(judge.tx, makers.values())
    newest = catalogue.newest_heads(judge.tx, keys)
    return [_summary(judge, key, makers[key], going, failed, newest.get(key)) for key in keys]


def versions(judge: Judge, key: str, partition: str | None, cursor: str | None, limit: int) -> Page:
    """The asset's versions that the reader may read, newest first; to its owner all, without what is in them."""
    require(judge, key)
    own = judge.owns(key)

    def keep(rows: Sequence[AnyRow]) -> list[AnyRow]:
        return [row for row in rows if own or judge.permits(row.origins, key)]

    rows, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: catalogue.history(judge.tx, key, partition, after[0] if after else None, most),
        keep=keep,
        place=lambda row: [row.id],
    )
    return Page(version_summaries(judge, rows), following)


def version(judge: Judge, version_id: str) -> dict[str, Any]:
    """One version, with its schema where the reader may read it."""
    row = find_version(judge, version_id)
    found = version_summaries(judge, [row])[0]
    return {**found, "schema": json.loads(row.schema) if found["readable"] and row.schema else None}


def version_summaries(judge: Judge, rows: Sequence[AnyRow]) -> list[dict[str, Any]]:
    """One line for each of these visible versions."""
    heads = catalogue.heads_among(judge.tx, [row.id for row in rows])
    return [_version(row, judge.permits(row.origins, row.asset), row.id in heads) for row in rows]


def find_version(judge: Judge, version_id: str) -> AnyRow:
    """Returns the version's row; raises NotFound unless the reader may read it or owns its asset."""
    row = catalogue.version_of_id(judge.tx, version_id)
    if row is None or not (judge.permits(row.origins, row.asset) or judge.owns(row.asset)):
        raise judge.missing("version", version_id)
    return row


def require(judge: Judge, key: str) -> None:
    """Raises NotFound unless the principal may know of the asset."""
    if not judge.visible(key):
        raise judge.missing("asset", key)


def _summary(
    judge: Judge, key: str, maker: str, going: dict[str, str], failed: set[str], newest: AnyRow | None
) -> dict[str, Any]:
    spec = judge.graph.assets.get(AssetKey(key))
    standing = judge.standing(key)
    sets = judge.head_origins(key)
    readable = [s for s in sets if judge.permits(s, key)]
    if spec is None:
        status = "removed"
    else:
        status = going.get(maker) or ("failed" if maker in failed else "present" if sets else "missing")
    return {
        "key": key,
        "kind": standing.restriction.kind if standing else "",
        "project": standing.project if standing else "",
        "owner": standing.restriction.owner if standing else "",
        "description": spec.description if spec else "",
        "format": spec.format if spec else None,
        "partitions": spec.partitions.to_json() if spec and spec.partitions else None,
        "producer": spec.producer if spec else None,
        "location": str(spec.location) if spec and spec.location else None,
        "status": status,
        "readable": judge.readable(key),
        "heads": sum(sets[s] for s in readable),
        "newest": _version(newest, True, True) if newest is not None and newest.origins in readable else None,
        "removed_at": iso(standing.removed_at) if standing else None,
    }


def _version(row: AnyRow, readable: bool, is_head: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "asset": row.asset,
        "partition": row.partition,
        "run": row.run,
        "committed_at": iso(row.committed_at),
        "state": row.state,
        "head": is_head,
        "readable": readable,
        # Size, digest and number of rows tell of the content.
        "format": row.format if readable else None,
        "digest": row.digest if readable else None,
        "rows": row.rows if readable else None,
        "bytes": row.bytes if readable else None,
        "bundle": row.bundle if readable else None,
        "file": row.file if readable else None,
    }


def _neighbour(judge: Judge, asset: str, edge: Edge) -> dict[str, Any]:
    if not judge.visible(asset):
        return {"asset": None, "id": judge.opaque(asset), "restricted": True, "mapping": None}
    return {
        "asset": asset,
        "id": asset,
        "restricted": False,
        "mapping": edge.input.mapping.kind if edge.input else None,
    }


def _trigger(judge: Judge, body: dict[str, Any]) -> dict[str, Any]:
    """The trigger without the names that the reader may not know, at any depth of what it combines."""
    shown = dict(body)
    if "assets" in body:
        shown["assets"] = [a if judge.visible(a) else RESTRICTED for a in body["assets"]]
    if "label" in body:
        shown["label"] = judge.redact(body["label"])
    if "triggers" in body:
        shown["triggers"] = [_trigger(judge, t) for t in body["triggers"]]
    if "trigger" in body:
        shown["trigger"] = _trigger(judge, body["trigger"])
    return shown
