"""Riparian: a data-aware scheduler in which the right to read a dataset flows downstream with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riparian.assets import (
    ALL,
    AllPartitions,
    ByDimension,
    ByKey,
    CheckResult,
    Cron,
    Daily,
    DeclarationError,
    Dynamic,
    FileDrop,
    Fixed,
    Hourly,
    Identity,
    Input,
    Last,
    Limit,
    Monthly,
    NoUpdate,
    Offset,
    One,
    Overlapping,
    Policy,
    Product,
    Retry,
    RiparianError,
    Source,
    Static,
    Weekly,
    asset,
    branch,
    check,
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
    source,
    task,
    workflow,
)

if TYPE_CHECKING:
    from riparian.assets.context import Context

    __version__: str

__all__ = [
    "ALL",
    "AllPartitions",
    "ByDimension",
    "ByKey",
    "CheckResult",
    "Context",
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
    "__version__",
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


def __getattr__(name: str) -> object:
    # Looked up when asked for: logging, random and importlib.metadata would double the time of `import riparian`.
    if name == "Context":
        from riparian.assets.context import Context

        return Context
    if name == "__version__":
        from importlib.metadata import version

        return version("riparian")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
