"""Which files arrived, and what became of them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riparian.assets.errors import Invalid
from riparian.scheduler.core.lifecycle import FILE
from riparian.storage.access.assets import require
from riparian.storage.access.pages import Page, fill, iso
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue
from riparian.storage.metadata.catalogue import AnyRow


def listing(judge: Judge, cursor: str | None, limit: int, source: str | None, state: str | None) -> Page:
    """The ledger's rows of visible sources, newest first."""
    if state is not None and state not in FILE:
        raise Invalid(f"state={state!r} is no state of a file; write one of {', '.join(FILE)}")
    if source is not None:
        require(judge, source)

    def keep(rows: Sequence[AnyRow]) -> list[AnyRow]:
        judge.prepare(list({row.source for row in rows}))
        return [row for row in rows if judge.visible(row.source)]

    rows, following = fill(
        limit,
        cursor,
        fetch=lambda after, most: catalogue.files(
            judge.tx, (after[0], after[1], after[2]) if after else None, most, source=source, state=state
        ),
        keep=keep,
        place=lambda row: [row.seq, row.source, row.path],
    )
    return Page([_file(judge, row) for row in rows], following)


def _file(judge: Judge, row: AnyRow) -> dict[str, Any]:
    readable = judge.admits([row.source])
    return {
        "source": row.source,
        "path": row.path,
        "partition": row.partition,
        "state": row.state,
        # Why a file was set aside quotes what is in it.
        "reason": row.reason if readable else "",
        "size": row.size if readable else None,
        "seen_at": iso(row.seen_at),
        "changed_at": iso(row.changed_at),
        "run": row.run,
        "version": row.version,
    }
