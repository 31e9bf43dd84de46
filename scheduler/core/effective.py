"""Who may read what was made from these assets, by the policies they have now?

A version carries no policy: it carries its origins, and each is asked when somebody wants to read. So nothing has to
be rewritten when an origin becomes stricter, and no copy of a policy can be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from riparian.assets.policy import NOBODY, OPEN, Policy, Principal

UNKNOWN = "unknown"
"""The kind of an origin that the catalogue has no row of: it admits nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """What one asset says about its readers. ``owner`` is ``user:<name>`` or a group's name; ``kind`` is ``source``,
    ``asset`` or UNKNOWN; ``declared`` is in force from code, ``overlay`` was set by the owner; both join."""

    asset: str
    kind: str
    owner: str
    declared: Policy | None = None
    overlay: Policy | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Denial:
    """One origin that does not admit the reader, and why in words."""

    asset: str
    why: str


@dataclass(frozen=True, slots=True)
class Redeclared:
    """What a new declaration comes to: the policy in force, and a looser one that waits for the owner."""

    declared: Policy | None
    pending: Policy | None
    waits: bool


def unknown(asset: str) -> Restriction:
    """Returns the restriction of an asset that nobody knows."""
    return Restriction(asset=asset, kind=UNKNOWN, owner="")


def policy_of(restriction: Restriction) -> Policy:
    """Returns the policy that the asset puts on all that was made from it, right now."""
    if restriction.kind == UNKNOWN:
        return NOBODY
    policy = _base(restriction.kind, restriction.owner, _join(restriction.declared, restriction.overlay))
    return policy.join(Policy(readers={restriction.owner})) if restriction.removed else policy


def effective(restrictions: Iterable[Restriction]) -> Policy:
    """Returns the policy that admits exactly whom each of the origins admits."""
    policy = OPEN
    for restriction in restrictions:
        policy = policy.join(policy_of(restriction))
    return policy


def denials(restrictions: Iterable[Restriction], principal: Principal, now: datetime) -> tuple[Denial, ...]:
    """Returns why ``principal`` may not read, by the asset's name; empty when every origin permits."""
    return tuple(
        Denial(r.asset, why)
        for r in sorted(restrictions, key=lambda r: r.asset)
        for why in policy_of(r).denials(principal, now)
    )


def owns(principal: Principal, owner: str) -> bool:
    """Whether the principal is the owner or in the fallback group, so that no asset is ever without an owner."""
    return owner in principal.identities or OWNERS in principal.groups


OWNERS = "owners"
"""The group that owns everything beside its owner, and administers principals and tokens."""


def redeclare(known: Restriction, kind: str, new: Policy | None) -> Redeclared:
    """Returns what becomes of the declared policy of ``known`` when code now says ``kind`` and ``new``.

    What is stricter acts at once. Whatever admits one more person waits for the owner; until then both bind.
    A source without a policy is its owner's alone, so to write a first one may wait too.
    """
    if new == known.declared and kind == known.kind:
        return Redeclared(new, None, False)
    before = _base(known.kind, known.owner, known.declared)
    after = _base(kind, known.owner, new)
    if after.covers(before):
        return Redeclared(new, None, False)
    both = before.join(after)
    # Without a change in force the stored form stays, so that applying the same code again changes nothing.
    stays = kind == known.kind and both == before
    return Redeclared(known.declared if stays else both, new, True)


def _base(kind: str, owner: str, policy: Policy | None) -> Policy:
    if policy is None:
        return Policy(readers={owner}) if kind == "source" else OPEN
    return policy


def _join(a: Policy | None, b: Policy | None) -> Policy | None:
    if a is None or b is None:
        return a if b is None else b
    return a.join(b)
