"""Who may know a dimension whose keys are added in use, and which of its keys?

A key may be a person's name. So it is known to the owners of what is partitioned by it and to who may read any of
that, and of what a task or a file added only to who may read what the key was learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riparian.assets.errors import Invalid, Refused
from riparian.scheduler.core.dimensions import Dimension
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import dimensions
from riparian.storage.metadata.catalogue import AnyRow


def listing(judge: Judge) -> list[dict[str, Any]]:
    """Every dimension that the reader may know of, with how many of its keys they may know."""
    return [_told(judge, d) for d in judge.graph.dimensions if _knows(judge, d)]


def keys(
    judge: Judge, name: str, project: str | None, cursor: str | None, limit: int, *, removed: bool = False
) -> Page:
    """The dimension's keys that the reader may know, in order, with those that were taken out where they are asked for.
    Raises as ``find`` does."""
    dimension = find(judge, name, project)

    def keep(rows: Sequence[AnyRow]) -> list[AnyRow]:
        there = [row for row in rows if removed or row.removed_at is None]
        return [row for row in there if judge.may_name(dimension, row.origins)]

    found, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: dimensions.page(judge.tx, dimension, after[0] if after else "", most),
        keep=keep,
        place=lambda row: [row.key],
    )
    judge.listen(f"{row.added_by} {row.removed_by or ''}" for row in found)
    return Page([_key(judge, row) for row in found], following)


def find(judge: Judge, name: str, project: str | None) -> Dimension:
    """Returns the dimension; raises NotFound when there is none that they may know of, Invalid when several projects
    have one of that name."""
    named = [d for d in judge.graph.dimensions if d.name == name and project in (None, d.project)]
    found = [d for d in named if _knows(judge, d)]
    if not found:
        raise judge.missing("dimension", name)
    if len(found) > 1:
        projects = ", ".join(d.project for d in found)
        raise Invalid(f"several projects have partitions by {name}: {projects}; say which project")
    return found[0]


def owned(judge: Judge, name: str, project: str | None, act: str) -> Dimension:
    """Returns the dimension, of which all is theirs; raises as ``find`` does, and Refused."""
    dimension = find(judge, name, project)
    foreign = [a for a in dimension.assets if not judge.owns(a)]
    if foreign:
        raise Refused(
            f"{name} is not yours to {act}: {judge.redact(foreign[0])} is partitioned by it too; ask its owner"
        )
    return dimension


def _knows(judge: Judge, dimension: Dimension) -> bool:
    judge.prepare(dimension.assets)
    return any(judge.visible(a) for a in dimension.assets)


def _told(judge: Judge, dimension: Dimension) -> dict[str, Any]:
    counts = dimensions.counts(judge.tx, dimension)
    return {
        "name": dimension.name,
        "project": dimension.project,
        "keys": sum(live for origins, live in counts.items() if judge.may_name(dimension, origins)),
        "assets": sorted(a for a in dimension.assets if judge.visible(a)),
    }


def _key(judge: Judge, row: AnyRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "added_at": iso(row.added_at),
        "added_by": judge.redact(row.added_by),
        "removed_at": iso(row.removed_at),
        "removed_by": judge.redact(row.removed_by) if row.removed_by else None,
    }
