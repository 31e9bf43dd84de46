"""What can a retry say?"""

from typing import Any

import pytest

from riparian.assets.errors import DeclarationError
from riparian.assets.retry import Retry


@pytest.mark.parametrize(
    "said",
    [
        {"attempts": 0},
        {"attempts": 2.0},
        {"attempts": True},
        {"attempts": 101},
        {"delay_seconds": -1},
        {"delay_seconds": float("nan")},
        {"delay_seconds": 30 * 86_400 + 1},
        {"delay_seconds": "1"},
        {"factor": 0.5},
        {"factor": 101},
        {"max_delay_seconds": float("inf")},
        {"max_delay_seconds": 10**400},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_can_not_be_meant_is_refused(said: dict[str, Any]) -> None:
    """A number of another kind, or without bound, is named with what it may be."""
    with pytest.raises(DeclarationError, match=rf"Retry\({next(iter(said))}=.* from [01] to "):
        Retry(**said)


def test_the_bounds_themselves_can_be_meant() -> None:
    """A hundred attempts, thirty days, a factor of a hundred; and whole seconds."""
    longest = 30 * 86_400

    assert 100 == Retry(attempts=100, delay_seconds=longest, factor=100, max_delay_seconds=longest).attempts
    assert 0 == Retry(delay_seconds=0, factor=1, max_delay_seconds=0).delay_seconds
