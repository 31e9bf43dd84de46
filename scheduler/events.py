"""Others say that a source changed: what follows? A version of it, known at once, and the runs that it calls for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import Conflict, Invalid
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.policy import Principal
from riparian.scheduler.core.facts import Cause, trigger_key
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.protocol import CONTENT_LIMIT
from riparian.scheduler.plan import source_run
from riparian.scheduler.plane import Plane
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.access.partitions import expect_still, partition_of
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit, counters, origins, runs, staleness, versions
from riparian.storage.metadata.database import Tx
from riparian.storage.objects import WrongValue
from riparian.storage.objects.digest import digest_bytes
from riparian.storage.objects.formats.json import canonical

MAX_TEXT = 200
"""Characters of an event's id, and of a digest that its reporter gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The version that stands for the update, and the run that made it; ``repeated``: it was known, nothing moved."""

    run: str
    version: str
    repeated: bool


def record(
    plane: Plane,
    key: str,
    value: Any,
    by: Principal,
    *,
    id: str = "",  # the word people expect here
    partition: str = "",
    digest: str = "",
) -> Recorded:
    """Makes ``value`` the newest version of the source's partition, and plans whoever looks at it, in one transaction.

    ``digest`` stands for content that lies elsewhere: to report the one that is there already is an update of equal
    content. The same ``id`` again changes nothing. Updates are kept in the order in which they are reported.
    Raises NotFound (also for a source that ``by`` may not know of), Refused when it is not theirs, Invalid for a value
    that can not be kept, Conflict for what is no source of JSON and for an id that another update has.
    """
    content = _content(key, value)
    rows = len(value) if isinstance(value, list | tuple) else None
    for name, text in (("id", id), ("digest", digest)):
        if len(text) > MAX_TEXT:
            raise Invalid(f"the {name} of an update has at most {MAX_TEXT} characters, this one has {len(text)}")
    # Of a kind of its own, so that what a reporter calls a digest never equals that of a value.
    told = digest_bytes(f"told\n{digest}".encode() if digest else content.encode())

    # Before the one place at the writer is taken: what is close to a mistyped partition takes long to find.
    def named(tx: Tx) -> str:
        judge = plane.access.judge(tx, by)
        return partition_of(judge, _source(judge, key), partition)

    at = plane.db.read(named)

    def write(tx: Tx) -> Recorded:
        graph = plane.graphs.at(tx)
        judge = plane.access.judge(tx, by)
        expect_still(judge, _source(judge, key), at)
        known = trigger_key(key, at, Cause(kind="event", body={"id": id or tx.new_id()}))
        if (before := runs.by_trigger_key(tx, known)) is not None:
            return _repeated(tx, before, key, id, told, content)
        run = _run(tx, key, at, known, Cause(kind="event", body={"id": id, "by": by.name}))
        version = _publish(tx, graph, run, key, at, told, content, rows)
        audit.append(tx, by=by.name, act="event", on=key, detail=at)
        plan_and_wake(tx, plane, graph)
        return Recorded(run=run, version=version, repeated=False)

    return plane.db.write(write)


def _content(key: str, value: Any) -> str:
    try:
        content = canonical(value, f"the update of {key}")
    except WrongValue as exc:
        raise Invalid(str(exc)) from exc
    if len(content.encode()) > CONTENT_LIMIT:
        raise Invalid(
            f"the value of an update has at most {CONTENT_LIMIT} bytes as JSON; drop a file, or report the digest of "
            "what lies elsewhere"
        )
    return content


def _source(judge: Judge, key: str) -> AssetSpec:
    """Returns the source of that key, which is theirs."""
    judge.require_own(key, "report updates of")
    spec = judge.graph.assets.get(AssetKey(key))
    if spec is None:
        raise Conflict(f"{key} is declared no more; declare it again before its updates are reported")
    if spec.kind != "source":
        raise Conflict(f"{key} is made here, by {spec.producer}: ask for a run of it; updates are reported of sources")
    if spec.format != "json":
        raise Conflict(
            f"{key} is kept as {spec.format}, a reported update as JSON; declare it with format='json', or drop a file"
        )
    return spec


def _repeated(tx: Tx, run: str, key: str, id: str, digest: str, content: str) -> Recorded:
    version = versions.of_run(tx, run)
    assert version is not None  # noqa: S101 - an event's run is written together with its version
    row = versions.by_id(tx, [version])[version]
    if (row.digest, row.content) != (digest, content):
        raise Conflict(f"another update of {key} was reported with the id {id!r}; give each its own")
    return Recorded(run=run, version=version, repeated=True)


def _run(tx: Tx, key: str, partition: str, known: str, cause: Cause) -> str:
    # It has ended already: there is nothing to do but to note it. Its key goes by the id alone, whoever reports it.
    ended = {"kind": "event", "state": "succeeded", "trigger_key": known, "started_at": tx.now, "ended_at": tx.now}
    values = source_run(tx, key, partition, cause) | ended
    runs.add(tx, [values], [])
    return str(values["id"])


def _publish(
    tx: Tx, graph: Graph, run: str, key: str, partition: str, digest: str, content: str, rows: int | None
) -> str:
    version = tx.new_id()
    values = {
        "id": version,
        "asset": key,
        "partition": partition,
        "run": run,
        "step": run,
        "epoch": 0,
        "format": "json",
        "digest": digest,
        "origins": origins.intern(tx, [key]),
        "rows": rows,
        "bytes": len(content.encode()),
        "objects": "[]",
        "content": content,
        "committed_at": tx.now,
        "state": "staged",
    }
    versions.add(tx, values, [])
    # Files and updates of one source stand in one order: a copy of a file that was seen before this ends behind it.
    moved = versions.publish(tx, run, {"": counters.advance(tx, "file_seq")})
    staleness.mark_consumers(tx, graph, [(m.asset, m.partition) for m in moved])
    return version
