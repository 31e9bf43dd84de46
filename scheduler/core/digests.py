"""What is the digest of a set of partitions?

The sum, modulo 2**256, of a hash of each (partition, digest): adding, moving or removing one partition costs the same
however many there are, and the order of doing so does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

EMPTY = "0" * 64
"""The digest of no partitions: the neutral element."""

_MODULUS = 1 << 256


def with_member(set_digest: str, partition: str, digest: str) -> str:
    """Returns the digest of the set with one more partition, whose content has ``digest`` (64 hexadecimal digits)."""
    return _shifted(set_digest, _weight(partition, digest))


def without_member(set_digest: str, partition: str, digest: str) -> str:
    """Undoes ``with_member``. That the partition is a member is the caller's knowledge: the digest does not tell."""
    return _shifted(set_digest, -_weight(partition, digest))


def of_members(members: Iterable[tuple[str, str]]) -> str:
    """Returns the digest of the set of these (partition, digest)."""
    return _shifted(EMPTY, sum(_weight(partition, digest) for partition, digest in members))


def _shifted(set_digest: str, by: int) -> str:
    return f"{(int(set_digest, 16) + by) % _MODULUS:064x}"


def _weight(partition: str, digest: str) -> int:
    # The digest has a fixed length and comes first, so that no two pairs make the same text.
    return int.from_bytes(sha256(bytes.fromhex(digest) + partition.encode()).digest(), "big")
