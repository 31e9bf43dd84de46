"""A control plane without processes: a real database and store, and a worker that this thread plays."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from riparian.assets.arrival import FileDrop
from riparian.assets.bundles import bundle_digest
from riparian.assets.checks import CheckSpec
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.parameters import ParameterSpec
from riparian.assets.partitions import Daily, Mapping, Partitions, completed, default_mapping, dimensions_of
from riparian.assets.policy import Policy, Principal
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import OnUpdate, Trigger
from riparian.scheduler import dispatch, ingest, register, sessions
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.core.protocol import Answer, Exchange, Lease, OpenSession, Report, Session, Written
from riparian.scheduler.core.readiness import FileSeen
from riparian.scheduler.plane import ControlSettings
from riparian.scheduler.rebuild import Rebuild
from riparian.storage.metadata.database import sqlite_url

ME = Principal(name="me", groups=frozenset({"owners"}))
DAILY = Daily("day", start="2020-01-01")


TIMES = int(os.environ.get("RIPARIAN_TEST_TIMES", "1"))
"""How much longer than in `make test` properties are looked at."""


def histories(examples: int) -> settings:
    """How many histories a property is tried on."""
    return settings(max_examples=examples * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])


def bundle_of(text: str) -> tuple[str, bytes]:
    """A bundle of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("code.py", (2020, 1, 1, 0, 0, 0)), text)
    return bundle_digest({"code.py": text.encode()}), out.getvalue()


def task_of(key: str, inputs: tuple[InputSpec, ...], retry: Retry = Retry()) -> TaskSpec:  # noqa: B008 - a frozen value
    """The one task that makes an asset of its inputs."""
    arguments = tuple(
        Argument(parameter=i.parameter, type="dict", ref=Ref(kind="input", name=i.parameter)) for i in inputs
    )
    return TaskSpec(name=key, module="code", qualname=key, returns="dict", arguments=arguments, output=key, retry=retry)


def is_check(lease: Lease) -> bool:
    """Whether the lease is of a check."""
    return lease.entry is not None and lease.entry.returns == "bool"


class Plant:
    """A project whose assets are JSON texts that name what they were made from."""

    def __init__(self, folder: Path, *, now: int = 1_700_000_000_000_000) -> None:
        self.folder = folder
        self.now = now
        self._requests = itertools.count(1)
        self._files = itertools.count(1)
        self.limits: dict[str, dict[str, int]] = {}
        self.open()

    def limit(self, *, pools: dict[str, int] | None = None, keys: dict[str, int] | None = None) -> None:
        """The operator sets limits, and the control plane starts again."""
        self.limits = {"pool_limits": pools or {}, "key_limits": keys or {}}
        sessions.close(self.plane, self.session.session)
        self.close()
        self.open()

    def open(self) -> None:
        """Starts the control plane, as after a restart."""
        self.plane = ControlPlane(
            ControlSettings(
                root=self.folder,
                state=self.folder,
                database_url=sqlite_url(self.folder / "metadata.db"),
                storage_url=f"memory://{self.folder.name}",
                sensors=False,
                lease_seconds=10,
                **self.limits,
            )
        )
        self.plane.db.clock = lambda: self.now
        self.session = self.join()

    def close(self) -> None:
        self.plane.db.close()

    def join(self) -> Session:
        message = OpenSession(protocol=1, incarnation="x", pool="default", slots=4, host="h")
        return sessions.open(self.plane, message)

    def apply(
        self,
        edges: dict[str, list[str]],
        *,
        code: str = "one",
        rebuild: Rebuild = "none",
        by: Principal = ME,
        **declared: Any,
    ) -> register.Applied:
        """Applies a manifest (see there)."""
        _, body = self.bundle(code)
        return register.apply(self.plane, self.manifest(edges, code, **declared), body, by, rebuild)

    def bundle(self, code: str) -> tuple[str, bytes]:
        return bundle_of(code)

    def manifest(
        self,
        edges: dict[str, list[str]],
        code: str,
        *,
        daily: tuple[str, ...] = (),
        triggers: dict[str, Trigger] | None = None,
        policies: dict[str, Policy] | None = None,
        retry: Retry = Retry(),  # noqa: B008 - a frozen value
        inputs: dict[str, tuple[InputSpec, ...]] | None = None,
        tasks: dict[str, tuple[TaskSpec, ...]] | None = None,
        said: dict[str, dict[str, Any]] | None = None,
        checks: dict[str, tuple[CheckSpec, ...]] | None = None,
        parameters: dict[str, dict[str, int]] | None = None,
    ) -> Manifest:
        """Declares assets by what each consumes; what is only consumed is a source. Fingerprints hold ``code``;
        ``said`` are other fields of workflows, by key."""
        keys = list(dict.fromkeys([*(i for ins in edges.values() for i in ins), *edges]))
        parts: dict[str, Partitions | None] = {k: DAILY if k in daily else None for k in keys}
        specs, workflows = [], []
        for key in keys:
            made = key in edges
            policy = (policies or {}).get(key, None if made else Policy())
            drop = None if made else FileDrop(f"{key}_{{day:%Y-%m-%d}}.json" if parts[key] else f"{key}.json")
            specs.append(
                AssetSpec(
                    key=AssetKey(key),
                    kind="asset" if made else "source",
                    format="json",
                    partitions=parts[key],
                    policy=policy,
                    arrives=drop,
                    producer=key if made else None,
                )
            )
            if made:
                specified = (inputs or {}).get(key) or tuple(
                    InputSpec(parameter=i, asset=AssetKey(i), mapping=default_mapping(parts[key], parts[i]))
                    for i in edges[key]
                )
                workflows.append(
                    WorkflowSpec(
                        key=key,
                        inputs=specified,
                        produces=(AssetKey(key),),
                        tasks=(tasks or {}).get(key) or (task_of(key, specified, retry),),
                        trigger=(triggers or {}).get(key, OnUpdate()),
                        partitions=parts[key],
                        checks=(checks or {}).get(key, ()),
                        parameters=tuple(
                            ParameterSpec(name=name, type="int", default=default)
                            for name, default in (parameters or {}).get(key, {}).items()
                        ),
                        fingerprint=f"{code}:{key}",
                        **(said or {}).get(key, {}),
                    )
                )
        return Manifest(project="p", bundle=bundle_of(code)[0], assets=tuple(specs), workflows=tuple(workflows))

    def drop(self, source: str, content: str, partition: str = "") -> None:
        """A complete file of a new name is seen; its content stands for its fingerprint."""
        self.see(source, content, partition, path=str(next(self._files)))

    def see(self, source: str, content: str, partition: str = "", *, path: str) -> None:
        """A complete file of this name and content is seen."""
        seen = FileSeen(
            source=source,
            path=path,
            partition=partition,
            fingerprint=content,
            size=1,
            mtime_ns=1,
            inode=1,
            state="ready",
        )
        ingest.observe(self.plane, [seen])

    def ask(
        self,
        *reports: Report,
        want: int = 0,
        session: Session | None = None,
        request: int | None = None,
    ) -> Answer:
        """One exchange."""
        message = Exchange(
            session=(session or self.session).session,
            request=request or next(self._requests),
            reports=reports,
            want=want,
        )
        accepted = dispatch.verify(self.plane, reports)
        return self.plane.db.write(lambda tx: dispatch.exchange(tx, self.plane, message, accepted))

    def take(self, want: int = 1) -> list[Lease]:
        return list(self.ask(want=want).leases)

    def done(self, lease: Lease, content: Any = None) -> Report:
        """The report of a success, with the content that follows from the lease's inputs."""
        text = json.dumps(content if content is not None else self.content(lease))
        outputs = tuple(
            Written(
                asset=o.asset,
                format="json",
                digest=hashlib.sha256(text.encode()).hexdigest(),
                rows=None,
                bytes=len(text),
                content=text,
            )
            for o in lease.outputs
        )
        bundle = lease.entry.bundle if lease.entry else None
        return Report(
            step=lease.step, epoch=lease.epoch, secret=lease.secret, outcome="succeeded", bundle=bundle, outputs=outputs
        )

    def failed(
        self, lease: Lease, outcome: str = "failed", *, retryable: bool = True, raised: tuple[str, ...] = ()
    ) -> Report:
        return Report(
            step=lease.step,
            epoch=lease.epoch,
            secret=lease.secret,
            outcome=outcome,
            error="it broke",
            retryable=retryable,
            raised=raised,
        )

    def content(self, lease: Lease) -> Any:
        if lease.ingest is not None:
            return lease.ingest.fingerprint
        if is_check(lease):
            return True
        made = ",".join(f"{p.partition}={json.loads(p.content or '')}" for i in lease.inputs for p in i.pieces)
        return f"{lease.workflow}({made})" if lease.task == lease.workflow else f"{lease.task}({made})"

    def settle(self) -> list[str]:
        """Works until nothing is ready; returns what ran, in order, as ``workflow[partition]``."""
        ran = []
        while leases := self.take(8):
            for lease in leases:
                what = lease.task if is_check(lease) else lease.workflow
                ran.append(f"{what}[{lease.partition}]" if lease.partition else what)
                assert [200] == [r.status for r in self.ask(self.done(lease)).results]
        return ran

    def go_on(self, until: int) -> list[str]:
        """Time goes on, timers ring as they are due, and workers work; returns what ran, in order."""
        ran: list[str] = []
        while (due := self.plane.look()) is not None and due <= until:
            assert len(ran) < 99, "it goes on for ever"
            self.now = max(self.now, due)
            self.plane.look()
            ran += self.settle()
        self.now = until
        self.session = self.join()
        self.plane.look()
        return ran + self.settle()

    def head(self, asset: str, partition: str = "") -> str | None:
        """The content of the asset's head."""
        page = self.plane.access.as_principal(ME).versions(asset, partition, None, 100)
        heads = [v for v in page.items if v["head"]]
        if not heads:
            return None
        row = self.plane.db.read(lambda tx: _content(tx, heads[0]["id"]))
        return json.loads(row)

    def why(self, asset: str, partition: str = "") -> str:
        return self.plane.access.as_principal(ME).why(asset, partition)["code"]

    def runs(self, workflow: str) -> list[dict]:
        return list(self.plane.access.as_principal(ME).runs(None, 100, workflow=workflow).items)


def declared(
    plant: Plant,
    edges: dict[str, list[str]],
    cuts: dict[str, Partitions],
    mappings: dict[tuple[str, str], Mapping] | None = None,
    triggers: dict[str, Trigger] | None = None,
    code: str = "one",
    *,
    flows: dict[str, tuple[str, ...]] | None = None,
    said: dict[str, dict[str, Any]] | None = None,
) -> Manifest:
    """Declares assets by what each consumes (see ``Plant.manifest``), cut as ``cuts`` say; ``mappings`` by consumer and
    parameter, which ends with ``'`` for a second look at the same asset. ``flows`` are workflows that make several of
    them, by their own keys."""
    manifest = plant.manifest({k: [i for i in v if i in edges or i != k] for k, v in edges.items()}, code, said=said)
    assets = [
        replace(
            a,
            partitions=cuts.get(a.key),
            arrives=a.arrives and FileDrop(f"{a.key}{_placeholders(cuts.get(a.key))}.json"),
        )
        for a in manifest.assets
    ]
    made = []
    for w in manifest.workflows:
        inputs = []
        for i in w.inputs:
            meant = (mappings or {}).get((w.key, i.parameter))
            own, other = cuts.get(w.key), cuts.get(i.asset)
            mapping = completed(meant, own, other) if meant else default_mapping(own, other)
            assert mapping is not None, f"say the mapping of {w.key} and {i.asset}"
            inputs.append(replace(i, mapping=mapping))
            if second := (mappings or {}).get((w.key, f"{i.parameter}'")):
                inputs.append(replace(i, parameter=f"{i.parameter}_too", mapping=second))
        trigger = (triggers or {}).get(w.key, w.trigger)
        tasks = (task_of(w.key, tuple(inputs)),)
        made.append(replace(w, partitions=cuts.get(w.key), inputs=tuple(inputs), trigger=trigger, tasks=tasks))
    for key, outputs in (flows or {}).items():
        parts = [w for w in made if w.key in outputs]
        read = {i.parameter: i for w in parts for i in w.inputs}
        tasks = tuple(t for w in parts for t in w.tasks)
        trigger = (triggers or {}).get(key, parts[0].trigger)
        whole = replace(
            parts[0],
            key=key,
            produces=tuple(AssetKey(o) for o in outputs),
            inputs=tuple(read.values()),
            tasks=tasks,
            trigger=trigger,
        )
        made = [*(w for w in made if w.key not in outputs), whole]
        assets = [replace(a, producer=key) if a.key in outputs else a for a in assets]
    return replace(manifest, assets=tuple(assets), workflows=tuple(made))


def _placeholders(cut: Partitions | None) -> str:
    return "".join(f"/{{{d.name}}}" for d in dimensions_of(cut))


def _content(tx, version: str) -> str:
    from riparian.storage.metadata import versions

    return versions.by_id(tx, [version])[version].content


MOST_PLANTS = 8
"""Plants of one test that are open: a property makes one for each history."""


@pytest.fixture
def make_plant(tmp_path: Path, empty_database: Path) -> Iterator[Callable[[], Plant]]:
    """Makes plants, each with metadata of its own."""
    made: list[Plant] = []

    def make() -> Plant:
        folder = tmp_path / f"plant{len(made)}"
        folder.mkdir()
        shutil.copy(empty_database, folder / "metadata.db")
        made.append(Plant(folder))
        for plant in made[:-MOST_PLANTS]:
            plant.close()
        return made[-1]

    yield make
    for plant in made:
        plant.close()


@pytest.fixture
def plant(make_plant: Callable[[], Plant]) -> Plant:
    return make_plant()
