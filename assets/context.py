"""What does a function that asks for ``ctx`` learn about the run it is in?"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.partitions import WHOLE
from riparian.assets.partitions.boxes import joined
from riparian.assets.partitions.dynamic import MOST_ADDED, judged
from riparian.assets.partitions.key import PartitionKey


@dataclass(frozen=True, kw_only=True)  # no slots: cached_property keeps its value in the instance
class Context:
    """The context of one attempt.

    ``partition`` is the key being made (empty: the asset is in one piece), a text that also says the key of each
    dimension: ``ctx.partition["region"]``; ``params`` are the values of the run's parameters.
    ``seed`` derives from what is computed, so that another attempt with the same inputs draws the same numbers.
    ``added`` are the keys that ``add_partitions`` was given, by dimension.
    """

    partition: PartitionKey
    seed: str
    params: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("riparian.task"))
    added: dict[str, list[str]] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def rng(self) -> random.Random:
        """A generator seeded with ``seed``: the same seed gives the same numbers, on every machine."""
        return random.Random(self.seed)  # noqa: S311  # reproducible on purpose, never a secret

    def add_partitions(self, dimension: str, keys: Iterable[str]) -> None:
        """Adds keys to a ``Dynamic`` dimension of the project, with what the run makes: when all of the run has
        succeeded, and never of one that failed. What is there already is left as it is; so is a key that somebody took
        out, which only people add again.

        Raises Invalid for what can be no key, and when an attempt adds more than 10,000.
        """
        try:
            keys = judged(dimension, keys)
        except DeclarationError as exc:
            raise Invalid(str(exc)) from exc
        added = {**self.added, dimension: sorted({*self.added.get(dimension, ()), *keys})}
        if (count := sum(map(len, added.values()))) > MOST_ADDED:
            raise Invalid(f"{count:,} partitions are added by one attempt, {MOST_ADDED:,} are allowed; map over parts")
        self.added.update(added)

    @classmethod
    def for_test(
        cls, *, partition: str | Mapping[str, str] = WHOLE, seed: str = "", params: Mapping[str, Any] | None = None
    ) -> Context:
        """Returns a context to call a function with in a unit test; ``partition`` is a key, or one of each dimension by
        its name: ``{"day": "2013-01-31", "region": "eu"}``."""
        if isinstance(partition, str):
            key = PartitionKey(partition)
        else:
            key = PartitionKey(joined([*partition.values()]), [*partition])
        return cls(partition=key, seed=seed, params=params or {})
