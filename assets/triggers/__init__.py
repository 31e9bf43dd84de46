"""When should a workflow run? Values that are combined with ``&``, ``|`` and, over states, ``~``."""

from riparian.assets.triggers.base import Signals, Trigger
from riparian.assets.triggers.behind import Behind, fresher_than
from riparian.assets.triggers.checks_passed import ChecksPassed, checks_passed
from riparian.assets.triggers.limited import Limited, not_more_often_than
from riparian.assets.triggers.manual import Manual, manual
from riparian.assets.triggers.missing import Missing, missing
from riparian.assets.triggers.on_cron import OnCron, on_cron
from riparian.assets.triggers.on_update import OnUpdate, on_update
from riparian.assets.triggers.usual import eager, lazy, scheduled

# What combines, names, delays and reads triggers is loaded when that is done: every project's module imports this.

__all__ = [
    "Behind",
    "ChecksPassed",
    "Limited",
    "Manual",
    "Missing",
    "OnCron",
    "OnUpdate",
    "Signals",
    "Trigger",
    "checks_passed",
    "eager",
    "fresher_than",
    "lazy",
    "manual",
    "missing",
    "not_more_often_than",
    "on_cron",
    "on_update",
    "scheduled",
]
