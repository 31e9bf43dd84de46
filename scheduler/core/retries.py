"""Is there another try, and when?"""

from __future__ import annotations

from riparian.assets.retry import Retry
from riparian.scheduler.core.lifecycle import LOST_ATTEMPTS


def delay_after(retry: Retry, failures: int, *, retryable: bool) -> float | None:
    """Returns the seconds to wait after the ``failures``-th failure, or None when there is no other try."""
    if not retryable or failures >= retry.attempts:
        return None
    return min(retry.delay_seconds * retry.factor ** (failures - 1), retry.max_delay_seconds)


def may_repeat_lost(losses: int) -> bool:
    """Whether a step whose worker died is tried again; such tries do not count as failures."""
    return losses <= LOST_ATTEMPTS
