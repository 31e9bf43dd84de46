"""What a message may say, whoever sends it."""

import msgspec
import pytest

from riparian.scheduler.core.protocol import Exchange, Heartbeat, decode


@pytest.mark.parametrize("epoch", [-1, 2**63, 10**40])
def test_an_epoch_is_a_number_that_can_be_kept(epoch: int) -> None:
    """Any other is no message of ours, and nobody looks it up."""
    held = b'{"session":"s","leases":[{"step":"x","epoch":%d}]}' % epoch
    report = b'{"session":"s","request":1,"reports":[{"step":"x","epoch":%d,"secret":"y","outcome":"lost"}]}' % epoch

    for message, kind in ((held, Heartbeat), (report, Exchange)):
        with pytest.raises(msgspec.ValidationError, match="epoch"):
            decode(message, kind)
