"""Is this a partition that there can be?"""

from __future__ import annotations

from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, WorkflowSpec
from riparian.assets.partitions import WHOLE, fits
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue


def partition_of(spec: WorkflowSpec | AssetSpec, partition: str) -> str:
    """Returns the partition in its canonical form; raises Invalid for one that ``spec`` has not."""
    if spec.partitions is None:
        if partition != WHOLE:
            raise Invalid(f"{spec.key} is not partitioned; leave the partition {partition!r} out")
        return WHOLE
    if partition == WHOLE:
        raise Invalid(f"{spec.key} has a partition for every {spec.partitions.name}; say which")
    try:
        return spec.partitions.parse(partition)
    except DeclarationError as exc:
        raise Invalid(f"{spec.key}: {exc}") from exc


def expect_still(spec: WorkflowSpec | AssetSpec, partition: str) -> None:
    """Raises Invalid when an apply has taken away the partition that was there a moment ago."""
    if not fits(spec.partitions, partition):
        raise Invalid(f"{spec.key} has no partition {partition!r} any more: an apply just changed it; ask again")


def check_partition(judge: Judge, key: str, partition: str | None) -> None:
    """Raises Invalid where the visible asset neither has the partition (None: any) nor had it under older declarations,
    of which the versions are kept."""
    spec = judge.graph.assets.get(AssetKey(key))
    if spec is not None and partition is not None and catalogue.current(judge.tx, key, partition) is None:
        partition_of(spec, partition)
