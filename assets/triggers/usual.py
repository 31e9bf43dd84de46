"""Which triggers do people usually mean?"""

from __future__ import annotations

from riparian.assets.triggers.base import Trigger
from riparian.assets.triggers.manual import manual
from riparian.assets.triggers.on_cron import on_cron
from riparian.assets.triggers.on_update import on_update


def eager() -> Trigger:
    """Run whenever something that is consumed is updated: what a workflow without a trigger does."""
    return on_update().label("eager")


def scheduled(expression: str, timezone: str = "UTC") -> Trigger:
    """Run at the ticks of a cron expression, with what differs then: ``on_cron``."""
    return on_cron(expression, timezone).label("scheduled")


def lazy() -> Trigger:
    """Run only when somebody asks: ``manual``. That something downstream would run does not make it run."""
    return manual().label("lazy")
