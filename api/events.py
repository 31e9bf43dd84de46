"""What happened since the last look? Runs that ended, with what they made, and files that nobody can use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client

PAGE = 100
MOST_CHARACTERS = 300
"""So much of an error is told."""
FINISHED = frozenset({"succeeded", "failed", "superseded", "cancelled"})
FILE_TROUBLE = ("quarantined", "unmatched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line for the terminal: what happened to what, with how it went in words."""

    what: str
    subject: str
    detail: str = ""


class Events:
    """Looks through the REST API, as anybody could. What happened before the first look is not told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        newest = client.get("runs", limit=1)["items"]
        self._last = str(newest[0]["id"]) if newest else ""
        self._going: set[str] = set()
        self._files = {_identity(f) for state in FILE_TROUBLE for f in self._in_trouble(state)}

    def look(self) -> list[Event]:
        """Returns what happened since the last look, the oldest first."""
        return [*self._look_at_files(), *self._look_at_runs()]

    def _look_at_runs(self) -> list[Event]:
        # Ids rise with time, so that everything above the last one is new.
        page = self._client.get("runs", limit=PAGE)["items"]
        fresh = {r["id"]: r for r in page if r["id"] > self._last or r["id"] in self._going}
        for run_id in self._going - fresh.keys():
            fresh[run_id] = self._client.get(f"runs/{run_id}")
        self._going = {i for i, r in fresh.items() if r["state"] not in FINISHED}
        self._last = max([self._last, *fresh])
        ended = sorted((r for r in fresh.values() if r["state"] in FINISHED), key=lambda r: str(r["ended_at"]))
        return [event for r in ended for event in self._of_run(r)]

    def _of_run(self, run: dict[str, Any]) -> list[Event]:
        subject = _subject(run["workflow"], run["partition"])
        if run["state"] == "superseded":
            return []
        if run["state"] != "succeeded":
            return [Event(what=run["state"], subject=subject, detail=last_line(run["error"], run["id"]))]
        made = self._client.get(f"runs/{run['id']}")["outputs"]
        return [
            Event(what="committed", subject=_subject(v["asset"], v["partition"]), detail=_size(v, run)) for v in made
        ] or [Event(what="succeeded", subject=subject, detail="nothing new")]

    def _look_at_files(self) -> list[Event]:
        events = []
        for state in FILE_TROUBLE:
            for f in self._in_trouble(state):
                if _identity(f) not in self._files:
                    self._files.add(_identity(f))
                    events.append(Event(what=state, subject=f["path"], detail=f["reason"]))
        return events

    def _in_trouble(self, state: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get("files", state=state, limit=PAGE)["items"]
        return found


def _identity(file: dict[str, Any]) -> tuple[str, str, str]:
    return file["source"], file["path"], file["seen_at"]


def _subject(key: str, partition: str) -> str:
    return f"{key}[{partition}]" if partition else key


def last_line(error: str | None, run_id: str) -> str:
    """Returns the line that says what was wrong, and where the rest is: an error may hold a whole traceback."""
    lines = (error or "").strip().splitlines()
    said = lines[-1].strip() if lines else ""
    if len(said) > MOST_CHARACTERS:
        said = said[:MOST_CHARACTERS] + "…"
    return f"{said} (riparian logs {run_id})".strip()


def _size(version: dict[str, Any], run: dict[str, Any]) -> str:
    said = []
    if version["file"]:
        said.append(f"from {version['file']}")
    if version["rows"] is not None:
        said.append(f"{version['rows']:,} rows")
    if run["seconds"] is not None:
        said.append(f"in {run['seconds']:.2f} s")
    return ", ".join(said)
