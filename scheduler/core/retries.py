"""Is there another try, and when?"""

from __future__ import annotations

from collections.abc import Iterable

from riparian.assets.retry import Retry
from riparian.scheduler.core.lifecycle import LOST_ATTEMPTS

TIMED_OUT = ("TimeoutError", "OSError", "Exception", "BaseException")
"""What a try raised that took too long."""


def delay_after(retry: Retry, failures: int, *, retryable: bool) -> float | None:
    """Returns the seconds to wait after the ``failures``-th failure, or None when there is no other try."""
    if not retryable or failures >= retry.attempts:
        return None
    return min(retry.delay_seconds * retry.factor ** (failures - 1), retry.max_delay_seconds)


def admits(retry: Retry, raised: Iterable[str]) -> bool:
    """Whether what a try raised may be tried again: ``raised`` are the names of the exception's class and of those
    above it, none where it was no exception of the task."""
    full = set(raised)
    names = full | {name.rpartition(".")[2] for name in full}
    if not names.isdisjoint(retry.never):
        return False
    return not names or not retry.on or not names.isdisjoint(retry.on)


def may_repeat_lost(losses: int) -> bool:
    """Whether a step whose worker died is tried again; such tries do not count as failures."""
    return losses <= LOST_ATTEMPTS
