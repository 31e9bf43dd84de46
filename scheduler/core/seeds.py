"""Which random seed does a step get? One that follows from what it computes, never from the attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def seed(fingerprint: str, contents: Mapping[str, str], params: Mapping[str, Any], partition: str, step: str) -> str:
    """Returns 64 hex digits: the same code on the same inputs draws the same numbers, in every try.

    ``contents`` maps each input parameter to its content digest.
    """
    body = json.dumps(
        [fingerprint, dict(contents), dict(params), partition, step], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(body.encode()).hexdigest()
