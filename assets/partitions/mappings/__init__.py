"""Which pieces of one asset does a piece of another need? One file for each mapping, or for a few that are much alike;
``base.py`` says what a mapping is."""

from riparian.assets.partitions.mappings.all import AllPartitions, One
from riparian.assets.partitions.mappings.base import Mapping
from riparian.assets.partitions.mappings.by_dimension import ByDimension
from riparian.assets.partitions.mappings.by_key import ByKey
from riparian.assets.partitions.mappings.defaults import completed, default_mapping
from riparian.assets.partitions.mappings.identity import Identity
from riparian.assets.partitions.mappings.offset import Offset
from riparian.assets.partitions.mappings.overlapping import Overlapping
from riparian.assets.partitions.mappings.read import MAPPINGS, mapping_from_json
from riparian.assets.partitions.mappings.single import Fixed, Last

__all__ = [
    "MAPPINGS",
    "AllPartitions",
    "ByDimension",
    "ByKey",
    "Fixed",
    "Identity",
    "Last",
    "Mapping",
    "Offset",
    "One",
    "Overlapping",
    "completed",
    "default_mapping",
    "mapping_from_json",
]
