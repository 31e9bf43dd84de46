if __name__ != "riparian.assets":
    raise ImportError("import riparian.assets, not the folder assets/")

from riparian.assets.arrival import FileDrop
from riparian.assets.declare import Input, Source, asset, source
from riparian.assets.errors import DeclarationError, RiparianError
from riparian.assets.partitions import AllPartitions, Daily, Identity, One
from riparian.assets.policy import ALL, Policy
from riparian.assets.retry import Retry
from riparian.assets.triggers import manual, on_update

__all__ = [
    "ALL",
    "AllPartitions",
    "Daily",
    "DeclarationError",
    "FileDrop",
    "Identity",
    "Input",
    "One",
    "Policy",
    "Retry",
    "RiparianError",
    "Source",
    "asset",
    "manual",
    "on_update",
    "source",
]
