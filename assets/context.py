"""What does a function that asks for ``ctx`` learn about the run it is in?"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from riparian.assets.partitions import WHOLE


@dataclass(frozen=True, kw_only=True)  # no slots: cached_property keeps its value in the instance
class Context:
    """The context of one attempt.

    ``partition`` is the key being made (empty: the asset is in one piece), ``params`` the values of the run's
    parameters.
    ``seed`` derives from what is computed, so that another attempt with the same inputs draws the same numbers.
    """

    partition: str
    seed: str
    params: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("riparian.task"))

    @cached_property
    def rng(self) -> random.Random:
        """A generator seeded with ``seed``: the same seed gives the same numbers, on every machine."""
        return random.Random(self.seed)  # noqa: S311  # reproducible on purpose, never a secret

    @classmethod
    def for_test(cls, *, partition: str = WHOLE, seed: str = "", params: Mapping[str, Any] | None = None) -> Context:
        """Returns a context to call a function with in a unit test."""
        return cls(partition=partition, seed=seed, params=params or {})
