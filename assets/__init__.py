if __name__ != "riparian.assets":
    raise ImportError("import riparian.assets, not the folder assets/")

from riparian.assets.arrival import FileDrop
from riparian.assets.checks import CheckResult, check
from riparian.assets.declare import Input, Source, asset, source
from riparian.assets.errors import DeclarationError, RiparianError
from riparian.assets.limits import Limit
from riparian.assets.partitions import (
    AllPartitions,
    ByDimension,
    ByKey,
    Cron,
    Daily,
    Dynamic,
    Fixed,
    Hourly,
    Identity,
    Last,
    Monthly,
    Offset,
    One,
    Overlapping,
    Product,
    Static,
    Weekly,
)
from riparian.assets.policy import ALL, Policy
from riparian.assets.retry import Retry
from riparian.assets.triggers import (
    checks_passed,
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
    "ByDimension",
    "ByKey",
    "CheckResult",
    "Cron",
    "Daily",
    "DeclarationError",
    "Dynamic",
    "FileDrop",
    "Fixed",
    "Hourly",
    "Identity",
    "Input",
    "Last",
    "Limit",
    "Monthly",
    "NoUpdate",
    "Offset",
    "One",
    "Overlapping",
    "Policy",
    "Product",
    "Retry",
    "RiparianError",
    "Source",
    "Static",
    "Weekly",
    "asset",
    "branch",
    "check",
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
    "source",
    "task",
    "workflow",
]
