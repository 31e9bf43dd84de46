"""A site: one project with its control plane and its workers as real processes, asked over loopback like anybody would.

What user code does in a test is steered through files: it notes what it did (``gates.note``) and waits where the test
wants it to (``gates.wait``), so that nothing here depends on how fast a machine is.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from riparian.api import state
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
from riparian.scheduler.worker.describe import describe

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""Far more than anything here takes; only what never happens is waited for so long."""

GATES = '''
import os
import time

FOLDER = {folder!r}


def note(name, text=""):
    """Adds a line; its number is how often this was noted."""
    path = os.path.join(FOLDER, name + ".notes")
    with open(path, "a") as file:
        file.write(f"{{text}}\\n")
    with open(path) as file:
        return len(file.readlines())


def wait(name):
    """Waits until the test opens the gate."""
    deadline = time.monotonic() + 60
    while not os.path.exists(os.path.join(FOLDER, name + ".open")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody opened {{name}}")
        time.sleep(0.005)


def step(name):
    """Notes this process, and waits."""
    number = note(name, os.getpid())
    wait(name)
    return number
'''


class Site:
    """One project. ``serve`` and ``worker`` start processes; ``close`` ends all of them."""

    def __init__(self, folder: Path, pipeline: str, lease_seconds: float) -> None:
        self.folder = folder / "air"
        self.state = self.folder / ".riparian"
        self.drops = self.folder / "drop"
        self._gates = folder / "gates"
        self._logs = folder / "logs"
        self._staging = folder / "staging"
        for made in (self.drops, self._gates, self._logs, self._staging):
            made.mkdir(parents=True)
        self.save(
            "riparian.toml", f'lease_seconds = {lease_seconds}\n[project]\nname = "air"\nmodules = ["pipeline"]\n'
        )
        self.save("gates.py", GATES.format(folder=str(self._gates)))
        self.save("pipeline.py", pipeline)
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")}
        self.server: subprocess.Popen[bytes] | None = None
        self._port = _free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._clients: dict[str, httpx.Client] = {}

    # -- processes ---------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Starts the control plane, always on the same port, and returns when it listens."""
        command = ["serve", "--port", str(self._port), "--json"]
        said = self._logs / f"serve-{len(self._processes)}.out"
        self.server = self._start(command, said)
        self.until(lambda: _json_line(said), "the control plane listens")

    def worker(self, *, slots: int = 1) -> subprocess.Popen[bytes]:
        """Starts a worker, which finds its own way to the control plane."""
        name = f"worker-{len(self._processes)}"
        token = ["--token-file", str(self.state / "worker-token"), "--drain-seconds", "1"]
        scratch = ["--scratch", str(self._staging / name)]
        command = ["worker", "--url", self.url, "--slots", str(slots), *token, *scratch]
        return self._start(command, self._logs / f"{name}.out")

    def hand(self) -> Hand:
        """A worker that the test plays."""
        return Hand(self)

    def kill_server(self) -> None:
        """As a power cut would end it."""
        assert self.server is not None
        self.end(self.server)
        self._forget_clients()

    def has_left(self, pid: int) -> bool:
        """Whether the process is gone, or only waits to be buried."""
        return not _is_alive(pid)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 of this one process, and waits for its death."""
        process.kill()
        process.wait(10)

    def close(self) -> None:
        self._forget_clients()
        below = [pid for p in self._processes if p.poll() is None for pid in _descendants(p.pid)]
        for process in self._processes:
            if process.poll() is None:
                self.end(process)
        # The processes of attempts leave by themselves when their worker is gone, unless a test stopped them.
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.until(lambda: all(self.has_left(pid) for pid in below), "no process of an attempt outlives its worker")

    def _start(self, command: list[str], said: Path) -> subprocess.Popen[bytes]:
        with said.open("wb") as out, said.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "riparian", *command],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._processes.append(process)
        return process

    # -- the project -------------------------------------------------------------------------------------------------

    def save(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))

    def apply(self, rebuild: str = "none") -> dict[str, Any]:
        """What ``riparian apply`` does."""
        described = describe(self.folder, "air", ["pipeline"])
        assert () == described.problems
        assert described.manifest is not None
        bundle = base64.b64encode(described.bundle).decode()
        body = {"manifest": described.manifest.to_json(), "bundle": bundle, "rebuild": rebuild}
        return self.post("definitions", body)

    def drop(self, name: str, content: object) -> None:
        """A file arrives as a whole; text and bytes as they are, all else as JSON."""
        data = content.encode() if isinstance(content, str) else content
        fresh = self._staging / name.replace("/", "-")
        fresh.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        fresh.rename(self.drops / name)

    def notes(self, name: str) -> list[str]:
        """What user code noted, a line each."""
        path = self._gates / f"{name}.notes"
        return path.read_text().splitlines() if path.exists() else []

    def open_gate(self, name: str) -> None:
        (self._gates / f"{name}.open").touch()

    # -- asking ------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def owner(self) -> str:
        """The token of who started the control plane first."""
        return (self.state / "token").read_text().strip()

    @property
    def worker_token(self) -> str:
        return (self.state / "worker-token").read_text().strip()

    def client(self, token: str | None = None) -> httpx.Client:
        """Speaks for the token (default: the owner's); empty: for nobody."""
        token = self.owner if token is None else token
        if token not in self._clients:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            self._clients[token] = httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)
        return self._clients[token]

    def get(self, path: str, token: str | None = None, **params: Any) -> Any:
        """The JSON of a 200."""
        answer = self.client(token).get(f"/api/v1/{path}", params=params)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self.client().post(f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def token(self, name: str, **body: Any) -> dict[str, Any]:
        """A new token, as its JSON."""
        return self.post("tokens", {"name": name, **body})

    def versions(self, key: str, **params: Any) -> list[dict[str, Any]]:
        """The versions of an asset, newest first."""
        return self.get(f"assets/{key}/versions", **params)["items"]

    def value(self, key: str, partition: str | None = None, token: str | None = None) -> Any:
        """The content of the head; None as long as there is none."""
        params = {} if partition is None else {"partition": partition}
        answer = self.client(token).get(f"/api/v1/assets/{key}/data/download", params=params)
        if answer.status_code == 404:
            return None
        assert 200 == answer.status_code, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def runs(self, workflow: str, **params: Any) -> list[dict[str, Any]]:
        """The runs of a workflow, newest first."""
        return self.get("runs", workflow=workflow, **params)["items"]

    def run_ended(self, run: str) -> dict[str, Any]:
        """Waits for the run's end, and returns all that is told of it."""
        done = {"succeeded", "failed", "superseded", "cancelled"}
        return self.until(
            lambda: (seen := self.get(f"runs/{run}"))["state"] in done and seen, f"the run {run} has ended"
        )

    def new_run(self, workflow: str, count: int = 1) -> dict[str, Any]:
        """Waits until the workflow has ``count`` runs, and returns the newest."""
        found = self.until(lambda: len(runs := self.runs(workflow)) >= count and runs, f"{workflow} has {count} runs")
        return found[0]

    def attempts(self, run: str) -> list[dict[str, Any]]:
        """The attempts of the run's only step."""
        (step,) = self.get(f"runs/{run}")["steps"]
        return step["attempts"]

    def log(self, run: str) -> str:
        answer = self.client().get(f"/api/v1/runs/{run}/logs")
        assert 200 == answer.status_code, answer.text
        return answer.text

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads the catalogue directly, for what no door tells."""
        with closing(sqlite3.connect(f"file:{self.state / 'metadata.db'}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def attempt_directory(self, step: str, epoch: int) -> Path:
        """Where the attempt was to write."""
        ((nonce,),) = self.rows("SELECT nonce FROM attempt WHERE step = ? AND epoch = ?", step, epoch)
        return self.state / "objects" / "v" / nonce[:2] / nonce

    def referenced(self) -> set[str]:
        """The names of all objects that any version refers to."""
        return {o["name"] for (text,) in self.rows("SELECT objects FROM version") for o in json.loads(text)}

    def until(self, check: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
        """Returns the first true answer of ``check``; fails with all that the processes said."""
        deadline = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() >= deadline:
                pytest.fail(f"after {seconds:g} s it is still not so that {what}\n{self._said()}")
            time.sleep(0.01)
        return found

    def _forget_clients(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _said(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.read_text()[-3000:]}" for p in sorted(self._logs.iterdir()))


class Hand:
    """A worker that the test plays, in the words of the protocol."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.message = Exchange(session="", request=0)
        self.opening = OpenSession(protocol=1, incarnation="hand", pool="default", slots=1, host="hand")
        answer = self.call("POST", "sessions", site.worker_token, self.opening)
        assert 200 == answer.status_code, answer.text
        self.session = decode(answer.content, Session)

    def call(
        self, method: str, path: str, bearer: str | None = None, message: object = None, **more: Any
    ) -> httpx.Response:
        """One call of the worker protocol; the bearer is the session's secret where none is given."""
        headers = {"Authorization": f"Bearer {self.session.secret if bearer is None else bearer}"}
        body = {} if message is None else {"content": encode(message)}
        client = self._site.client("")
        return client.request(method, f"/worker/v1/{path}", headers=headers | more.pop("headers", {}), **body, **more)

    def next(self, *reports: Report, want: int = 0, wait_ms: int = 0) -> Answer:
        """A new request."""
        number = self.message.request + 1
        self.message = Exchange(
            session=self.session.session, request=number, reports=reports, want=want, wait_ms=wait_ms
        )
        return self.again()

    def again(self) -> Answer:
        """The last request, which may or may not have been heard."""
        answer = self.call("POST", "exchange", message=self.message)
        assert 200 == answer.status_code, answer.text
        return decode(answer.content, Answer)

    def take(self) -> Lease:
        """Waits for one lease."""
        (lease,) = self._site.until(lambda: self.next(want=1, wait_ms=1000).leases, "something is to be done")
        return lease

    def success(self, lease: Lease, value: object) -> Report:
        """The report that the lease's only output is ``value``, as small JSON."""
        text = json.dumps(value, sort_keys=True)
        (output,) = lease.outputs
        written = Written(
            asset=output.asset,
            format="json",
            digest=sha256(text.encode()).hexdigest(),
            rows=None,
            bytes=len(text),
            content=text,
        )
        return Report(
            step=lease.step,
            epoch=lease.epoch,
            secret=lease.secret,
            outcome="succeeded",
            bundle=lease.entry.bundle if lease.entry else None,
            outputs=(written,),
        )


def _free_port() -> int:
    """Returns a free port that the system gives to nobody who connects: a control plane comes back to it."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first - 12_000, first)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def _json_line(path: Path) -> bool:
    return path.read_text().rstrip().endswith("}")


def _descendants(pid: int) -> list[int]:
    """The processes that were started, directly or not, by this one and still have their parents."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found.extend(parents.get(child, ()))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(scope="module")
def make_site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites that live as long as the module, each served and applied."""
    made: list[Site] = []

    def make(pipeline: str, *, lease_seconds: float = 10.0) -> Site:
        site = Site(tmp_path_factory.mktemp("site"), pipeline, lease_seconds)
        state.prepare(site.state)
        shutil.copy(empty_database, site.state)
        made.append(site)
        site.serve()
        site.apply()
        return site

    yield make
    for site in made:
        site.close()
