"""Is this a partition that there can be?"""

from __future__ import annotations

from riparian.assets.errors import DeclarationError, Invalid
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, WorkflowSpec
from riparian.assets.partitions import WHOLE, fits
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue, dimensions
from riparian.storage.metadata.catalogue import AnyRow


def partition_of(judge: Judge, spec: WorkflowSpec | AssetSpec, partition: str) -> str:
    """Returns the partition in its canonical form; raises Invalid for one that ``spec`` has not, or of which the reader
    may not know."""
    found = _written(spec, partition)
    _expect_added(judge, spec, found)
    return found


def expect_still(judge: Judge, spec: WorkflowSpec | AssetSpec, partition: str) -> None:
    """Raises Invalid when the partition that was there a moment ago was taken away."""
    if not fits(spec.partitions, partition):
        raise Invalid(f"{spec.key} has no partition {partition!r} any more: an apply just changed it; ask again")
    _expect_added(judge, spec, partition)


def check_partition(judge: Judge, key: str, partition: str | None) -> None:
    """Raises Invalid where the visible asset neither has the partition (None: any) nor had it once: under older
    declarations, or before it was taken out. The versions of these are kept."""
    spec = judge.graph.assets.get(AssetKey(key))
    if spec is None or partition is None:
        return
    head = catalogue.current(judge.tx, key, partition)
    is_known = may_name(judge, key, partition, head)
    if not is_known or (head is None and not _was_added(judge, spec, partition)):
        partition_of(judge, spec, partition)


def may_name(judge: Judge, key: str, partition: str, head: AnyRow | None) -> bool:
    """Whether the reader, who may know of the asset, may know that it has, or had, the partition of that head: what
    they may read they may also name."""
    return judge.knows_partition(key, partition) or (head is not None and judge.permits(head.origins, key))


def _was_added(judge: Judge, spec: AssetSpec, partition: str) -> bool:
    dimension = judge.graph.dimensions.of(spec.key)
    return dimension is not None and dimensions.get(judge.tx, dimension, partition) is not None


def _written(spec: WorkflowSpec | AssetSpec, partition: str) -> str:
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


def _expect_added(judge: Judge, spec: WorkflowSpec | AssetSpec, partition: str) -> None:
    """Raises Invalid for a key that is not there, in the same words as for one that the reader may not know of."""
    dimension = judge.graph.dimensions.of(spec.key)
    if dimension is not None:
        row = dimensions.get(judge.tx, dimension, partition)
        if row is None or row.removed_at is not None or not judge.may_name(dimension, row.origins):
            raise _unknown(spec, partition)


def _unknown(spec: WorkflowSpec | AssetSpec, partition: str) -> Invalid:
    assert spec.partitions is not None  # noqa: S101 - the callers know its dimension
    add = f"`riparian partitions add {spec.partitions.name} {partition}`"
    return Invalid(f"{spec.key} has no partition {partition!r}; its owner adds it by {add}")
