"""Who starts worker processes somewhere, and what may be asked of them?

An executor knows nothing of steps, leases or results. The process that it starts calls home and gets its own work, so
that an engine which starts it late, twice or not at all costs a refused request and no correctness.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Generic, TypeVar

H = TypeVar("H")


class State(Enum):
    """What is known of a worker that was started. A hint: the control plane believes heartbeats only."""

    RUNNING = "running"
    GONE = "gone"


class Executor(ABC, Generic[H]):
    """Starts worker processes. ``H`` is what the executor remembers one by."""

    @abstractmethod
    def start(self, pool: str, url: str, token: str) -> H:
        """Starts a worker for ``pool`` that calls the control plane at ``url``, and returns without waiting for it.

        The token must not be seen in a list of processes. Starting again what has ended is the caller's business.
        """

    @abstractmethod
    def poll(self, handle: H) -> State:
        """Returns whether the worker still runs, without waiting. What is GONE stays GONE."""

    @abstractmethod
    def stop(self, handle: H, *, seconds: float) -> None:
        """Asks the worker to drain, and ends it when it has not left after ``seconds``. It is GONE afterwards.

        Stopping what is gone does nothing.
        """
