"""What may one principal see? All that the doors can ask, each answered in one snapshot by the rights of that instant.

Answers are JSON values. What is hidden and what does not exist get the same answer: NotFound, with the same words.
An owner who may not read sees name, status, policy and runs; never data, previews, schema, errors or logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from riparian.assets.errors import NotFound, Refused
from riparian.assets.policy import Principal
from riparian.scheduler.core.backfills import Only
from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.access import assets, backfills, checks, data, dimensions, files, lineage, plan, reasons, runs
from riparian.storage.access.data import Download
from riparian.storage.access.pages import Page, iso
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import audit, catalogue
from riparian.storage.metadata.catalogue import AnyRow
from riparian.storage.metadata.database import Database
from riparian.storage.objects import Objects, iter_bytes

T = TypeVar("T")

OPEN = "open"
LOGS = "logs"


class View:
    """The catalogue as ``principal`` may see it; made by ``Access.as_principal``.

    ``by`` is who really asks: the same, or who looks through the principal's eyes.
    """

    def __init__(
        self,
        principal: Principal,
        by: Principal,
        look: Callable[[Callable[[Judge], Any]], Any],
        db: Database,
        objects: Objects,
    ) -> None:
        self.principal = principal
        self.by = by
        self._look = look
        self._db = db
        self._objects = objects

    def assets(self, cursor: str | None = None, limit: int = 100, kind: str | None = None) -> Page:
        """Returns the visible assets, by key."""
        return self._ask(lambda j: assets.listing(j, cursor, limit, kind))

    def asset(self, key: str) -> dict[str, Any]:
        """Returns one asset with its neighbours, trigger and newest schema."""
        return self._ask(lambda j: assets.one(j, key))

    def versions(self, key: str, partition: str | None = None, cursor: str | None = None, limit: int = 100) -> Page:
        """Returns the asset's versions, newest first."""
        return self._ask(lambda j: assets.versions(j, key, partition, cursor, limit))

    def checks(self, key: str, partition: str | None = None) -> dict[str, Any]:
        """Returns the asset's checks, each with what it found last."""
        return self._ask(lambda j: checks.of_asset(j, key, partition))

    def version(self, version_id: str) -> dict[str, Any]:
        """Returns one version."""
        return self._ask(lambda j: assets.version(j, version_id))

    def lineage(
        self,
        key: str,
        partition: str | None = None,
        version: str | None = None,
        *,
        direction: str = "both",
        up: int | None = None,
        down: int | None = None,
        level: str | None = None,
        limit: int = 500,
        as_of: str | None = None,
    ) -> dict[str, Any]:
        """Returns nodes and edges around an asset or (``level="version"``) one of its versions; depth None: all.
        ``as_of`` (a time, or a change_seq) asks how its versions stood then; no root: there was none."""
        return self._ask(
            lambda j: lineage.query(
                j,
                key,
                partition,
                version,
                direction=direction,
                up=up,
                down=down,
                level=level,
                limit=limit,
                as_of=as_of,
            )
        )

    def policy(self, key: str) -> dict[str, Any]:
        """Returns the asset's policy and the chain of origins behind it, in words too."""
        return self._ask(lambda j: reasons.policy(j, key))

    def why(self, key: str, partition: str | None = None) -> dict[str, Any]:
        """Returns why the asset's partition is being made, or is not."""
        return self._ask(lambda j: reasons.why(j, key, partition))

    def runs(
        self,
        cursor: str | None = None,
        limit: int = 100,
        *,
        workflow: str | None = None,
        asset: str | None = None,
        state: str | None = None,
        partition: str | None = None,
    ) -> Page:
        """Returns the visible runs, newest first."""
        return self._ask(
            lambda j: runs.listing(j, cursor, limit, workflow=workflow, asset=asset, state=state, partition=partition)
        )

    def run(self, run_id: str) -> dict[str, Any]:
        """Returns one run with its steps, attempts, pins and outputs."""
        return self._ask(lambda j: runs.one(j, run_id))

    def plan(self, cursor: str | None = None, limit: int = 100) -> Page:
        """Returns what is about to happen: queued runs, and what is held or waits, each with its reason."""
        return self._ask(lambda j: plan.pending(j, cursor, limit))

    def dimensions(self) -> list[dict[str, Any]]:
        """Returns the dimensions that the principal may know of, whose keys are added in use."""
        return self._ask(dimensions.listing)

    def keys(
        self,
        name: str,
        project: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        *,
        removed: bool = False,
    ) -> Page:
        """Returns the keys of a dimension, in order; also those that were taken out, where they are asked for."""
        return self._ask(lambda j: dimensions.keys(j, name, project, cursor, limit, removed=removed))

    def backfills(self, cursor: str | None = None, limit: int = 100) -> Page:
        """Returns the backfills that the principal may know of, newest first."""
        return self._ask(lambda j: backfills.listing(j, cursor, limit))

    def backfill(self, backfill_id: str) -> dict[str, Any]:
        """Returns one backfill with the partitions that failed."""
        return self._ask(lambda j: backfills.one(j, backfill_id))

    def backfill_preview(self, key: str, lo: str | None, hi: str | None, only: Only) -> dict[str, Any]:
        """Returns what a backfill of the asset would make, and how long that may take."""
        return self._ask(lambda j: backfills.preview(j, key, lo, hi, only))

    def logs(self, run_id: str, offset: int = 0, step: str | None = None, epoch: int | None = None) -> Iterator[bytes]:
        """Returns the bytes that the run (or one step, one attempt) wrote, from ``offset`` on."""
        chunks = self._open(LOGS, run_id, lambda j: runs.logs(j, run_id, step, epoch))
        return self._log_bytes(runs.after_offset(chunks, offset))

    def files(
        self, cursor: str | None = None, limit: int = 100, *, source: str | None = None, state: str | None = None
    ) -> Page:
        """Returns the files that arrived, newest first."""
        return self._ask(lambda j: files.listing(j, cursor, limit, source, state))

    def definitions(self) -> list[dict[str, Any]]:
        """Returns the current definition of each project of which the principal may see an asset."""
        return self._ask(_definitions)

    def preview(self, key: str, partition: str | None = None, rows: int = 20) -> dict[str, Any]:
        """Returns the first rows of a head; without a partition, of the head that moved last."""
        data.check_rows(rows)
        return data.preview(self._objects, self._head(key, partition), rows)

    def download(self, key: str, partition: str | None = None) -> Download:
        """Returns a head as it is stored; without a partition, the head that moved last."""
        return data.download(self._objects, self._head(key, partition))

    def _head(self, key: str, partition: str | None) -> AnyRow:
        return self._open(OPEN, key, lambda j: data.resolve(j, key, partition))

    def _ask(self, question: Callable[[Judge], T]) -> T:
        answer: T = self._look(question)
        return answer

    def _open(self, act: str, what: str, question: Callable[[Judge], T]) -> T:
        """Asks for bytes: that data was opened, or anything refused, is written down."""
        try:
            answer = self._ask(question)
        except (NotFound, Refused) as exc:
            self._note(act, what, allowed=False, detail=str(exc))
            raise
        if act == OPEN:
            # Before the first byte goes out: what can not be written down is not handed out.
            self._note(act, what, allowed=True, detail="").result()
        return answer

    def _note(self, act: str, what: str, *, allowed: bool, detail: str) -> Future[None]:
        on_behalf = self.principal.name if self.principal != self.by else None
        return self._db.submit(
            lambda tx: audit.append(
                tx, by=self.by.name, act=act, on=what, allowed=allowed, detail=detail, on_behalf=on_behalf
            )
        )

    def _log_bytes(self, chunks: list[tuple[str, int]]) -> Iterator[bytes]:
        for stored, skip in chunks:
            for piece in iter_bytes(self._objects, msgspec.json.decode(stored, type=StoredObject)):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(0, skip - len(piece))


def _definitions(judge: Judge) -> list[dict[str, Any]]:
    seen = {
        standing.project
        for key in judge.graph.assets
        if judge.visible(key) and (standing := judge.standing(key)) is not None
    }
    return [
        {
            "project": row.project,
            "seq": row.seq,
            "bundle": row.bundle,
            "applied_by": row.applied_by,
            "applied_at": iso(row.applied_at),
        }
        for row in catalogue.definitions(judge.tx)
        if row.project in seen
    ]
