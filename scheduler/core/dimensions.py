"""Which dimensions have keys that are added in use, and what is partitioned by them?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, Manifest
from riparian.assets.partitions import Dynamic


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """All of a project that is cut by ``Dynamic(name)``: it has its keys in common. ``sources`` are among the
    ``assets``."""

    project: str
    name: str
    assets: tuple[AssetKey, ...]
    sources: tuple[AssetKey, ...]
    workflows: tuple[str, ...]


class Dimensions:
    """The dynamic dimensions of all projects."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        assets: dict[tuple[str, str], list[AssetSpec]] = defaultdict(list)
        workflows: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._projects: dict[str, str] = {}
        for m in manifests:
            self._projects.update((w.key, m.project) for w in m.workflows)
            for a in m.assets:
                if isinstance(a.partitions, Dynamic):
                    assets[m.project, a.partitions.name].append(a)
            for w in m.workflows:
                if isinstance(w.partitions, Dynamic):
                    workflows[m.project, w.partitions.name].append(w.key)
        self._all = {
            at: Dimension(
                project=at[0],
                name=at[1],
                assets=tuple(a.key for a in assets[at]),
                sources=tuple(a.key for a in assets[at] if a.kind == "source"),
                workflows=tuple(workflows[at]),
            )
            for at in sorted({*assets, *workflows})
        }
        # What makes an asset is cut as that is, so one key stands for one dimension.
        self._of = {key: d for d in self._all.values() for key in (*d.assets, *d.workflows)}

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self._all.values())

    def __bool__(self) -> bool:
        return bool(self._all)

    def of(self, key: str) -> Dimension | None:
        """Returns the dimension of the asset or workflow of that key; None for what is not cut so."""
        return self._of.get(key)

    def beside(self, workflow: str, name: str) -> Dimension | None:
        """Returns the dimension of that name in the workflow's project."""
        return self._all.get((self._projects.get(workflow, ""), name))
