"""How does one ask Riparian? REST with a token; each person has their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from show.server import Failed, Running

FINISHED = frozenset({"succeeded", "failed", "superseded", "cancelled"})
POLL_SECONDS = 0.04
ASKED_BY = {"air.daily_report": "air.report"}
"""By which of its assets to ask why a workflow does not run; others bear the name of the one that they make."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, with how long it took."""

    status: int
    body: Any
    milliseconds: float

    @property
    def detail(self) -> str:
        return str(self.body.get("detail", "")) if isinstance(self.body, dict) else ""


class Person:
    """Somebody with a token. ``ask`` returns whatever the answer is, ``get`` and ``put`` expect what was asked for."""

    def __init__(self, name: str, server: Running, token: str) -> None:
        self.name = name
        self._log = server.log
        # trust_env: a proxy of the environment must not see tokens that are meant for this machine.
        self._http = httpx.Client(
            base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )

    def close(self) -> None:
        self._http.close()

    def ask(self, path: str, method: str = "GET", body: Any = None, **params: Any) -> Answer:
        more = {} if method == "GET" else {"json": body} if body is not None else {"content": "null"}
        headers = {"Content-Type": "application/json"} if method != "GET" else {}
        began = time.monotonic()
        try:
            response = self._http.request(method, path, params=params, headers=headers, **more)
        except httpx.TransportError as exc:
            raise Failed(f"the server does not answer ({exc!r}); see {self._log}") from exc
        return Answer(response.status_code, response.json(), (time.monotonic() - began) * 1000)

    def get(self, path: str, **params: Any) -> Any:
        return self._expected(self.ask(path, **params), f"GET {path}")

    def post(self, path: str, body: Any) -> Any:
        return self._expected(self.ask(path, "POST", body), f"POST {path}")

    def put(self, path: str, body: Any) -> Any:
        return self._expected(self.ask(path, "PUT", body), f"PUT {path}")

    def data(self, key: str) -> Answer:
        return self.ask(f"assets/{key}/data", rows=1000)

    def table(self, key: str, **params: Any) -> list[dict[str, Any]]:
        """Returns the rows of an asset, each by its columns."""
        body = self.get(f"assets/{key}/data", rows=1000, **params)
        return [dict(zip(body["columns"], row, strict=True)) for row in body["rows"]]

    def value(self, key: str, **params: Any) -> dict[str, Any]:
        """Returns a dict that is an asset."""
        return {row["key"]: row["value"] for row in self.table(key, **params)}

    def runs_since(self, last: str) -> list[dict[str, Any]]:
        """Returns the runs that were planned after the run ``last``: ids rise with time."""
        return [run for run in self.get("runs", limit=500)["items"] if run["id"] > last]

    def last_run(self) -> str:
        newest = self.get("runs", limit=1)["items"]
        return str(newest[0]["id"]) if newest else ""

    def _expected(self, answer: Answer, what: str) -> Any:
        if answer.status >= 400:
            raise Failed(f"{what} as {self.name} answered {answer.status}: {answer.detail}; see {self._log}")
        return answer.body


@dataclass(frozen=True, slots=True)
class People:
    """me owns the project and is in no group of its readers, ana is in ops and cleared for pii, bob is in no group."""

    me: Person
    ana: Person
    bob: Person


@contextmanager
def people(server: Running) -> Iterator[People]:
    """Makes ana and bob and gives all three."""
    me = Person("me", server, server.token)
    made = [me]
    try:
        for name, rights in (("ana", {"groups": ["ops"], "clear": ["pii"]}), ("bob", {})):
            made.append(Person(name, server, me.post("tokens", {"name": name, **rights})["token"]))
        yield People(*made)
    finally:
        for person in made:
            person.close()


def until_done(
    asker: Person, last: str, awaited: set[tuple[str, str]], log: Any, seconds: float = 45.0
) -> Iterator[list[dict[str, Any]]]:
    """Yields the runs after ``last`` again and again, until none is unfinished and all of ``awaited``, pairs of
    workflow and partition, succeeded. Raises Failed for a failed run, and when time is up, with what Riparian says
    it waits for."""
    deadline = time.monotonic() + seconds
    while True:
        runs = asker.runs_since(last)
        yield runs
        for run in runs:
            if run["state"] in ("failed", "cancelled"):
                raise Failed(f"{run['workflow']}[{run['partition']}] {run['state']}: {run['error']}; see {log}")
        missing = awaited - {(r["workflow"], r["partition"]) for r in runs if r["state"] == "succeeded"}
        if not missing and all(r["state"] in FINISHED for r in runs):
            return
        if time.monotonic() > deadline:
            raise Failed(f"not done within {seconds:.0f} s: {_reason(asker, runs, missing)}; see {log}")
        time.sleep(POLL_SECONDS)


def _reason(asker: Person, runs: list[dict[str, Any]], missing: set[tuple[str, str]]) -> str:
    if not missing:
        going = [f"{r['workflow']}[{r['partition']}] is {r['state']}" for r in runs if r["state"] not in FINISHED]
        return ", ".join(going)
    workflow, partition = min(missing)
    key = ASKED_BY.get(workflow, workflow)
    why = asker.ask(f"assets/{key}/why", **({"partition": partition} if partition else {}))
    words = why.body.get("words", why.detail) if isinstance(why.body, dict) else why.status
    return f"{key}[{partition}]: {words}"
