"""Which random seed does a step get? One that follows from what it computes, never from the attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def seed(
    fingerprint: str, contents: Mapping[str, str], params: Mapping[str, Any], partition: str, workflow: str
) -> str:
    """Returns 64 hex digits: the same code on the same inputs draws the same numbers, in every run.

    ``contents`` maps each input parameter to its content digest.
    """
    body = json.dumps(
        [fingerprint, dict(contents), dict(params), partition, workflow], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(body.encode()).hexdigest()


def step_seed(run_seed: str, task: str, item: int | None) -> str:
    """Returns the seed of one step of a run: another one for each task and each item, the same in every try."""
    return hashlib.sha256(f"{run_seed}\n{task}\n{'' if item is None else item}".encode()).hexdigest()
