"""What does each part of a trigger say now, and since when?"""

from __future__ import annotations

from dataclasses import dataclass

from riparian.assets.triggers import Signals, Trigger
from riparian.assets.triggers.labelled import Labelled
from riparian.scheduler.core.facts import Facts
from riparian.scheduler.core.standing import stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of a trigger: its ``kind``, as ``text`` what people type, its ``label`` where it has one, whether it
    ``holds``, and ``words`` that say why.

    ``since`` is the instant (UTC microseconds) of what makes it so now: of a true one the update or tick that no run
    has answered yet, or when a time came; of a false one when a run answered it, or when what it waits out began. None
    where that is not known, such as since when something is missing. ``until`` is when time alone will make it true.
    """

    kind: str
    label: str
    text: str
    holds: bool
    since: int | None
    until: int | None
    words: str
    parts: tuple[Node, ...] = ()


def explain(facts: Facts) -> Node:
    """Returns how the trigger of the workflow partition stands, part by part. It depends on the facts alone; where
    their moments were not looked up, ``since`` is not known."""
    return _node(facts.workflow.trigger, stand(facts).signals)


def _node(trigger: Trigger, signals: Signals) -> Node:
    label = ""
    if isinstance(trigger, Labelled):  # no question of its own: the name of the one in it
        label, trigger = trigger.text, trigger.trigger
    holds, at = trigger.holds(signals), trigger.when(signals)
    return Node(
        kind=trigger.kind,
        label=label,
        text=str(trigger),
        holds=holds,
        since=trigger.since(signals),
        until=None if holds else at,
        words=trigger.words(signals),
        parts=tuple(_node(part, signals) for part in trigger.parts),
    )
