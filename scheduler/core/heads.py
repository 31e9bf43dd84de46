"""May a new version become the head? Heads move only forward."""

from __future__ import annotations

from collections.abc import Mapping


def moves(new: Mapping[str, int], current: Mapping[str, int] | None) -> bool:
    """Whether a version made from inputs of the seqs ``new`` may replace a head made from ``current``.

    An input that only one of them has says nothing about which is newer: the definition changed between them.
    """
    return current is None or all(new[asset] >= seq for asset, seq in current.items() if asset in new)
