"""Whether a worker is there again after it died."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from riparian.api import keeper, settings, state
from riparian.api.keeper import Keeper
from riparian.scheduler.executors.base import Executor, State


class Mortal(Executor[int]):
    """Starts workers of which the first ``deaths`` die at once."""

    def __init__(self, deaths: int) -> None:
        self._deaths = deaths
        self.started: list[tuple[str, str, str]] = []
        self.stopped: list[int] = []
        self.lives = threading.Event()

    def start(self, pool: str, url: str, token: str) -> int:
        self.started.append((pool, url, token))
        if len(self.started) > self._deaths:
            self.lives.set()
        return len(self.started)

    def poll(self, handle: int) -> State:
        return State.GONE if handle <= self._deaths else State.RUNNING

    def stop(self, handle: int, *, seconds: float) -> None:
        self.stopped.append(handle)


def test_a_worker_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With longer and longer pauses; the one that lives is drained at the end, and only that one."""
    pauses: list[float] = []
    monkeypatch.setattr(keeper, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(keeper, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(keeper.log, "warning", lambda text, pause: pauses.append(pause))
    mortal = Mortal(deaths=3)
    kept = Keeper(mortal, "http://here", "secret")

    kept.start()
    assert mortal.lives.wait(10)
    kept.stop()

    assert [("default", "http://here", "secret")] * 4 == mortal.started
    assert [0.001, 0.002, 0.004] == pauses
    assert [4] == mortal.stopped


def test_a_worker_inherits_no_persons_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its children run code that is not ours."""
    inherited: list[dict[str, str]] = []
    monkeypatch.setenv("RIPARIAN_TOKEN", "owner")
    monkeypatch.setattr(keeper, "SubprocessExecutor", lambda **given: inherited.append(given["environ"]) or Mortal(0))
    configured = settings.load(tmp_path, {})
    state.prepare(configured.state)
    state.write_token(configured.state, "worker", state.WORKER_TOKEN)

    Keeper.of(configured, "http://here")

    assert os.environ.keys() - {"RIPARIAN_TOKEN"} == inherited[0].keys()
