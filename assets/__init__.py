if __name__ != "riparian.assets":
    raise ImportError("import riparian.assets, not the folder assets/")

from riparian.assets.arrival import FileDrop
from riparian.assets.declare import Input, Source, asset, source
from riparian.assets.errors import DeclarationError, RiparianError
from riparian.assets.limits import Limit
from riparian.assets.partitions import AllPartitions, Daily, Identity, One, Static
from riparian.assets.policy import ALL, Policy
from riparian.assets.retry import Retry
from riparian.assets.triggers import (
    eager,
    fresher_than,
    lazy,
    manual,
    missing,
    not_more_often_than,
    on_cron,
    on_update,
    scheduled,
)
from riparian.assets.workflows import NoUpdate, branch, task, workflow

__all__ = [
    "ALL",
    "AllPartitions",
    "Daily",
    "DeclarationError",
    "FileDrop",
    "Identity",
    "Input",
    "Limit",
    "NoUpdate",
    "One",
    "Policy",
    "Retry",
    "RiparianError",
    "Source",
    "Static",
    "asset",
    "branch",
    "eager",
    "fresher_than",
    "lazy",
    "manual",
    "missing",
    "not_more_often_than",
    "on_cron",
    "on_update",
    "scheduled",
    "source",
    "task",
    "workflow",
]
