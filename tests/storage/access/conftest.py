"""A small world for the tests of rights: declarations, heads and runs, written as a commit would write them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, TaskSpec, WorkflowSpec
from riparian.assets.partitions import Daily, Mapping, default_mapping
from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import OnUpdate
from riparian.scheduler.core.facts import Cause
from riparian.storage.access import Access, View
from riparian.storage.metadata import counters, definitions, origins, policies, schema
from riparian.storage.metadata.database import Database, Tx, sqlite_url
from riparian.storage.metadata.definitions import GraphCache
from riparian.storage.objects import Objects

START = 1_700_000_000_000_000
DAYS = Daily("day", "2024-01-01")


def _source(key: str, policy: Policy | None = None, partitions: Daily | None = None) -> AssetSpec:
    return AssetSpec(key=AssetKey(key), kind="source", format="json", policy=policy, partitions=partitions)


def _made(key: str, policy: Policy | None = None, partitions: Daily | None = None) -> AssetSpec:
    return AssetSpec(key=AssetKey(key), kind="asset", format="json", policy=policy, partitions=partitions, producer=key)


@dataclass
class World:
    """One control plane's state; ``clock`` is set by hand."""

    root: Path
    template: Path
    now: int = START
    specs: dict[str, AssetSpec] = field(default_factory=dict)
    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    triggers: dict[str, OnUpdate] = field(default_factory=dict)
    heads: dict[tuple[str, str], str] = field(default_factory=dict)

    source = staticmethod(_source)
    made = staticmethod(_made)

    def __post_init__(self) -> None:
        shutil.copyfile(self.template, self.root / "metadata.db")
        self.db = Database(sqlite_url(self.root / "metadata.db"), clock=self._tick)
        self.objects = Objects(str(self.root / "objects"))
        self.access = Access(self.db, self.objects, GraphCache(), key=b"k" * 32)
        self.commits = 0

    def _tick(self) -> int:
        return self.now

    def view(self, principal: Principal) -> View:
        return self.access.as_principal(principal)

    def declare(self, *specs: AssetSpec, owner: str = "user:olga", **links: Iterable[str]) -> list[AssetKey]:
        """Declares assets beside those there are; ``air__x=["air.y"]`` says that air.x is made from air.y."""
        self.specs.update({s.key: s for s in specs})
        self.links.update({k.replace("__", "."): tuple(v) for k, v in links.items()})
        return self.apply(owner)

    def withdraw(self, key: str) -> None:
        del self.specs[key]
        self.links = {k: tuple(i for i in v if i != key) for k, v in self.links.items() if k != key}
        self.apply("user:olga")

    def apply(self, owner: str) -> list[AssetKey]:
        workflows = tuple(self._workflow(s) for s in self.specs.values() if s.kind == "asset")
        manifest = Manifest(project="air", bundle="b", assets=tuple(self.specs.values()), workflows=workflows)

        def write(tx: Tx) -> list[AssetKey]:
            definitions.add(tx, manifest, "olga")
            return policies.declare(tx, "air", manifest.assets, owner)

        return self.db.write(write)

    def _workflow(self, spec: AssetSpec) -> WorkflowSpec:
        inputs = tuple(
            InputSpec(
                parameter=key.rpartition(".")[2],
                asset=AssetKey(key),
                mapping=self._mapping(spec, key),
            )
            for key in self.links.get(spec.key, ())
        )
        return WorkflowSpec(
            key=spec.key,
            inputs=inputs,
            produces=(spec.key,),
            tasks=(TaskSpec(name="t", module="m", qualname="f"),),
            trigger=self.triggers.get(spec.key, OnUpdate()),
            partitions=spec.partitions,
        )

    def _mapping(self, spec: AssetSpec, key: str) -> Mapping:
        mapping = default_mapping(spec.partitions, self.specs[key].partitions)
        assert mapping is not None
        return mapping

    def overlay(self, key: str, policy: Policy | None) -> None:
        self.db.write(lambda tx: policies.set_overlay(tx, key, policy))

    def commit(
        self,
        key: str,
        partition: str = "",
        *,
        inputs: Iterable[tuple[str, str, str]] = (),
        carries: Iterable[str] = (),
        content: str = '{"n": 1}',
        file: str | None = None,
        state: str = "committed",
        error: str | None = None,
        log: bytes = b"",
    ) -> str:
        """Commits a version of ``key`` made from ``inputs`` (asset, lo, hi) as of now, with the origins ``carries``."""
        self.commits += 1
        name = f"{self.commits:04}"
        stored = self.objects.put(f"l/{self.commits:02x}/{self.commits:032x}/0", log) if log else None
        self.db.write(
            lambda tx: self._commit(
                tx, name, key, partition, tuple(inputs), tuple(carries), content, file, state, error, stored
            )
        )
        return f"v{name}"

    def _commit(
        self,
        tx: Tx,
        name: str,
        key: str,
        partition: str,
        inputs: tuple[tuple[str, str, str], ...],
        carries: tuple[str, ...],
        content: str,
        file: str | None,
        state: str,
        error: str | None,
        stored: Any,
    ) -> None:
        as_of = counters.value(tx, "change_seq")
        seq = counters.advance(tx, "change_seq") if state == "committed" else None
        origin_set = origins.intern(tx, {*carries, *(asset for asset, _, _ in inputs)})
        pins = [
            {
                "parameter": a.rpartition(".")[2],
                "asset": a,
                "lo": lo,
                "hi": hi,
                "as_of": as_of,
                "version": self.heads.get((a, lo)),
            }
            for a, lo, hi in inputs
        ]
        version = {"id": f"v{name}", "asset": key, "partition": partition, "digest": name * 16, "origins": origin_set}
        add = tx.conn.execute
        add(
            insert(schema.run),
            {
                "id": f"r{name}",
                "workflow": key,
                "partition": partition,
                "kind": "workflow" if key in self.links else "ingest",
                "state": "failed" if error else "succeeded",
                "fingerprint": "",
                "definition": counters.value(tx, "definitions"),
                "trigger_key": name,
                "cause": Cause(kind="update", body={"seqs": {a: as_of for a, _, _ in inputs} or {key: 1}}).to_json(),
                "pins": msgspec.json.encode(pins).decode(),
                "as_of": as_of,
                "origins": origin_set,
                "params": '{"secret": 7}',
                "seed": "",
                "created_at": tx.now,
                "started_at": tx.now,
                "ended_at": tx.now + 1_500_000,
                "error": error,
            },
        )
        step = {"id": f"s{name}", "run": f"r{name}", "task": "t", "spec": "{}", "state": "succeeded", "epoch": 1}
        add(insert(schema.step), {**step, "pool": "default", "ready_at": tx.now})
        add(
            insert(schema.attempt),
            {
                "step": f"s{name}",
                "epoch": 1,
                "number": 1,
                "session": "w",
                "nonce": name,
                "leased_at": tx.now,
                "error": error,
                "outcome": "failed" if error else "succeeded",
            },
        )
        if stored is not None:
            chunk = {"step": f"s{name}", "epoch": 1, "offset": 0, "length": stored.size}
            add(insert(schema.log_chunk), {**chunk, "object": msgspec.json.encode(stored).decode()})
        if error:
            return
        add(
            insert(schema.version),
            {
                **version,
                "run": f"r{name}",
                "step": f"s{name}",
                "epoch": 1,
                "format": "json",
                "rows": None,
                "bytes": len(content),
                "objects": "[]",
                "content": content,
                "schema": '[{"name": "n"}]',
                "committed_at": tx.now,
                "head_seq": seq,
                "state": state,
                "file": file,
            },
        )
        for a, lo, hi in inputs:
            row = {"version": f"v{name}", "parameter": a, "asset": a, "lo": lo, "hi": hi, "as_of": as_of}
            add(insert(schema.lineage), row)
        if seq is not None:
            head = {"asset": key, "partition": partition, "version": f"v{name}", "seq": seq, "digest": name * 16}
            add(delete(schema.head).where(schema.head.c.asset == key, schema.head.c.partition == partition))
            add(insert(schema.head), {**head, "origins": origin_set, "trace": "{}"})
            self.heads[key, partition] = f"v{name}"
            self._count_origins(tx, key)

    def _count_origins(self, tx: Tx, key: str) -> None:
        counts: dict[str, int] = {}
        for row in tx.conn.execute(schema.head.select().where(schema.head.c.asset == key)):
            counts[row.origins] = counts.get(row.origins, 0) + 1
        tx.conn.execute(delete(schema.asset_origins).where(schema.asset_origins.c.asset == key))
        rows = [{"asset": key, "origins": o, "heads": n} for o, n in counts.items()]
        tx.conn.execute(insert(schema.asset_origins), rows)

    def add_file(self, source: str, path: str, seq: int, state: str = "quarantined") -> None:
        self.db.write(
            lambda tx: tx.conn.execute(
                insert(schema.file),
                {
                    "source": source,
                    "path": path,
                    "fingerprint": path,
                    "state": state,
                    "reason": "line 3 says 'Ana'",
                    "size": 10,
                    "seen_at": tx.now,
                    "changed_at": tx.now,
                    "seq": seq,
                },
            )
        )

    def audited(self) -> list[tuple[str, str, str, bool]]:
        """What was written down: (principal, act, object, allowed)."""
        self.db.write(lambda tx: None)  # what was submitted before is on disk after this
        return self.db.read(
            lambda tx: [
                (r.principal, r.act, r.object, r.allowed)
                for r in tx.conn.execute(schema.audit.select().order_by(schema.audit.c.at, schema.audit.c.id))
            ]
        )


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> Iterator[World]:
    made = World(tmp_path, empty_database)
    yield made
    made.db.close()


@pytest.fixture
def river(world: World) -> World:
    """air.drop (ops only, pii) → air.flights → air.report, all with a version; olga owns all."""
    world.declare(
        _source("air.drop", Policy(readers={"ops"}, tags={"pii"})),
        _made("air.flights"),
        _made("air.report"),
        air__flights=["air.drop"],
        air__report=["air.flights"],
    )
    world.commit("air.drop", file="drop/a.json")
    world.commit("air.flights", inputs=[("air.drop", "", "")], log=b"flights log")
    world.commit("air.report", inputs=[("air.flights", "", "")], carries=["air.drop"], log=b"report log")
    return world
