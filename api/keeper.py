"""Is a worker there? Starts one beside a server of this machine, and another whenever it dies."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from riparian.api import state
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.executors.base import Executor, State
from riparian.scheduler.executors.subprocess import SubprocessExecutor

if TYPE_CHECKING:
    from riparian.api.settings import Settings

log = logging.getLogger("riparian.api")

POLL_SECONDS = 0.5
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.5, 30.0
HEALTHY_SECONDS = 60.0
"""A worker that lived for so long was not started in vain: the next pause is a short one again."""

SECRETS = ("RIPARIAN_TOKEN", "RIPARIAN_WORKER_TOKEN")
"""What a worker must not inherit: its children run code that is not ours."""


class Keeper:
    """Keeps one worker process alive. The control plane is told nothing of a death: the worker's leases expire."""

    def __init__(self, executor: Executor[Any], url: str, token: str) -> None:
        self._executor = executor
        self._url = url
        self._token = token
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    @classmethod
    def of(cls, settings: Settings, url: str) -> Keeper:
        """Returns the keeper of a project's own worker, with the token that lies in its state folder."""
        token = state.read_token(settings.state, state.WORKER_TOKEN)
        if token is None:
            raise FileNotFoundError(settings.state / state.WORKER_TOKEN)
        environ = {name: value for name, value in os.environ.items() if name not in SECRETS}
        executor = SubprocessExecutor(scratch=settings.state / "scratch", slots=settings.slots, environ=environ)
        return cls(executor, url, token)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Drains the worker and waits for its end."""
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ended.is_set():
            began = time.monotonic()
            worker = self._executor.start(DEFAULT_POOL, self._url, self._token)
            while self._executor.poll(worker) is State.RUNNING:
                if self._ended.wait(POLL_SECONDS):
                    self._executor.stop(worker, seconds=5.0)
                    return
            if time.monotonic() - began > HEALTHY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.warning("the worker ended; another one starts in %.1f s", pause)
            self._ended.wait(pause)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)
