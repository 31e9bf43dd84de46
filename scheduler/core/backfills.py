"""Which partitions does a backfill make, and what has others run for it?"""

from __future__ import annotations

from typing import Literal, get_args

from riparian.scheduler.core.facts import Cause, Facts, InputFacts

State = Literal["fresh", "missing", "code", "parameters", "input", "no_input"]
"""How a workflow partition stands: made from what is there now; never made; made by other code, with a person's
parameters or of other inputs; or not to be made, for an input that it reads has no version."""

STATES: tuple[State, ...] = get_args(State)

Only = Literal["missing", "stale", "all"]
"""What a backfill makes: what was never made, that and what is not fresh, or everything that can be made."""

CHUNK = 100
"""Partitions of a backfill that are asked for at once; more are when fewer than half of them are left."""


def state(facts: Facts) -> State:
    """Returns how the workflow partition stands, whatever its trigger says."""
    # Its own partition before may be about to be made.
    if any(i.now is None and i.edge.input is not None and not i.edge.is_own for i in facts.inputs):
        return "no_input"
    if facts.consumed_fingerprint is None:
        return "missing"
    if facts.consumed_fingerprint != facts.workflow.fingerprint:
        return "code"
    if facts.is_of_own_parameters:
        return "parameters"
    ignored = {i.edge.name for i in facts.inputs if not i.edge.orders}
    there = [i for i in facts.inputs if i.now is not None and i.edge.orders]
    if facts.consumed_inputs - ignored != {i.edge.name for i in there} or any(_differs(i) for i in there):
        return "input"
    return "fresh"


def is_wanted(found: State, only: str) -> bool:
    """Whether a backfill of ``only`` these makes a partition that stands so."""
    match only:
        case "missing":
            return found == "missing"
        case "stale":
            return found not in ("fresh", "no_input")
        case _:
            return found != "no_input"


def cause(backfill: str, asks: int, by: str, only: str, *, propagate: bool) -> Cause:
    """Returns the cause of a run that a backfill asks for, for the ``asks``-th time."""
    return Cause(kind="backfill", body={"id": backfill, "ask": asks, "by": by, "only": only, "propagate": propagate})


def is_of(cause: Cause, backfill: str) -> bool:
    """Whether it is a cause of that backfill's runs."""
    return cause.kind == "backfill" and bool(cause.body["id"] == backfill)


def is_untold(i: InputFacts) -> bool:
    """Whether the input moved for a backfill that nothing is to follow, and is not as it was consumed."""
    return i.now is not None and i.now.told < i.now.seq and (i.then is None or i.now.seq > i.then.seq) and _differs(i)


def _differs(i: InputFacts) -> bool:
    return i.now is not None and (i.then is None or i.now.differs(i.then))
