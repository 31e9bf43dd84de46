"""A control plane with its doors, on a real database and store, and a worker that the test itself plays."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import shutil
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from riparian.api import server, settings, state
from riparian.assets.bundles import bundle_digest
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.parameters import ParameterSpec
from riparian.assets.partitions import One
from riparian.assets.policy import Policy
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import Manual, OnUpdate, Trigger
from riparian.scheduler.core.protocol import (
    Answer,
    Exchange,
    Lease,
    OpenSession,
    Report,
    Session,
    Written,
    decode,
    encode,
)

CODE = b"def numbers(): return {'one': 1}\n"
BUNDLE = bundle_digest({"code.py": CODE})
PROJECT = "demo"


def bundle() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("code.py", (2020, 1, 1, 0, 0, 0)), CODE)
    return out.getvalue()


def made(key: str, consumes: str | None = None, policy: Policy | None = None) -> tuple[AssetSpec, WorkflowSpec]:
    """One asset of JSON text, made by a workflow of its own."""
    inputs = ()
    trigger: Trigger = Manual()
    if consumes is not None:
        inputs = (InputSpec(parameter="given", asset=AssetKey(consumes), mapping=One()),)
        trigger = OnUpdate()
    taken = tuple(Argument(parameter="given", type="dict", ref=Ref(kind="input", name="given")) for _ in inputs)
    task = TaskSpec(name=key, module="code", qualname="numbers", returns="dict", arguments=taken, output=key)
    asset = AssetSpec(key=AssetKey(key), kind="asset", format="json", producer=key, policy=policy)
    workflow = WorkflowSpec(
        key=key,
        inputs=inputs,
        produces=(AssetKey(key),),
        tasks=(task,),
        trigger=trigger,
        parameters=(ParameterSpec(name="n", type="int", default=0),),
        fingerprint="one",
    )
    return asset, workflow


def manifest(*pairs: tuple[AssetSpec, WorkflowSpec]) -> Manifest:
    return Manifest(
        project=PROJECT, bundle=BUNDLE, assets=tuple(a for a, _ in pairs), workflows=tuple(w for _, w in pairs)
    )


DEMO = manifest(made("demo.numbers", policy=Policy(readers={"ops", "owners"})), made("demo.total", "demo.numbers"))
"""``demo.total`` is made from ``demo.numbers``, which only ops and the owners may read."""


class Doors:
    """One running app. ``ask`` speaks REST as its first owner, or with another token."""

    made = staticmethod(made)
    manifest = staticmethod(manifest)

    def __init__(self, url: str, app: Any, state: Path) -> None:
        self.url = url
        self.app = app
        self.state = state
        self.token = (state / "token").read_text().strip()
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._requests = itertools.count(1)
        self._session: Session | None = None

    def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}", **more.pop("headers", {})}
        return self.http.request(method, f"/api/v1/{path}", headers=headers, **more)

    def apply(self, declared: Manifest = DEMO) -> httpx.Response:
        body = {"manifest": declared.to_json(), "bundle": base64.b64encode(bundle()).decode()}
        return self.ask("POST", "definitions", json=body)

    def token_of(self, name: str, *groups: str, kind: str = "user") -> str:
        answer = self.ask("POST", "tokens", json={"name": name, "groups": list(groups), "kind": kind})
        assert 201 == answer.status_code, answer.text
        return str(answer.json()["token"])

    def work(self, value: Any, *, log: bytes = b"") -> Lease:
        """Does one step that is ready, as a worker would: says ``log`` and returns ``value``."""
        lease = self._exchange(want=1).leases[0]
        session = self._worker()
        said = {"Authorization": f"Bearer {session.secret}", "X-Lease-Secret": lease.secret}
        if log:
            path = f"/worker/v1/logs/{lease.step}/{lease.epoch}"
            assert 204 == self.http.put(path, params={"offset": 0}, content=log, headers=said).status_code
        content = json.dumps(value)
        digest = hashlib.sha256(content.encode()).hexdigest()
        written = tuple(
            Written(asset=o.asset, format="json", digest=digest, rows=None, bytes=len(content), content=content)
            for o in lease.outputs
        )
        report = Report(
            step=lease.step,
            epoch=lease.epoch,
            secret=lease.secret,
            outcome="succeeded",
            bundle=lease.entry.bundle if lease.entry else None,
            outputs=written,
        )
        results = self._exchange(report).results
        assert [200] == [r.status for r in results], results
        return lease

    def _exchange(self, *reports: Report, want: int = 0) -> Answer:
        session = self._worker()
        message = Exchange(session=session.session, request=next(self._requests), reports=reports, want=want)
        headers = {"Authorization": f"Bearer {session.secret}"}
        answer = self.http.post("/worker/v1/exchange", content=encode(message), headers=headers)
        return decode(answer.content, Answer)

    def _worker(self) -> Session:
        if self._session is None:
            token = (self.state / "worker-token").read_text().strip()
            message = OpenSession(protocol=1, incarnation="test", pool="default", slots=1, host=socket.gethostname())
            headers = {"Authorization": f"Bearer {token}"}
            answer = self.http.post("/worker/v1/sessions", content=encode(message), headers=headers)
            self._session = decode(answer.content, Session)
        return self._session


@pytest.fixture
def doors(tmp_path: Path, empty_database: Path, request: pytest.FixtureRequest) -> Iterator[Doors]:
    """The app of an empty project; in dev mode when parametrized with ``"dev"``."""
    yield from opened(tmp_path, empty_database, dev=getattr(request, "param", "") == "dev")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Doors]:
    """The app of a project with one run of each asset; tests only read it."""
    for running in opened(tmp_path_factory.mktemp("demo"), empty_database, dev=False):
        applied = running.apply()
        assert 200 == applied.status_code, applied.text
        assert 202 == running.ask("POST", "assets/demo.numbers/materialize", json={}).status_code
        running.work({"one": 1}, log=b"counting\n")
        running.work({"total": 1})
        yield running


def opened(folder: Path, database: Path, *, dev: bool) -> Iterator[Doors]:
    configured = replace(settings.load(folder, {}), lease_seconds=60.0)
    state.prepare(configured.state)
    shutil.copy(database, configured.state)
    app, _ = server.open_app(configured, sensors=False, dev=dev)
    with server.background(app) as url:
        doors = Doors(url, app, configured.state)
        yield doors
        doors.http.close()
