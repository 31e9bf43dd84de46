"""What exactly does a step receive? The versions that its parameters stand for, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Row

from riparian.assets.tasks import Argument, Ref
from riparian.scheduler.core import flow
from riparian.scheduler.core.pinned import Pin, StepSpec
from riparian.scheduler.core.protocol import Input, Piece, StoredObject, decode
from riparian.storage.metadata import runs, versions
from riparian.storage.metadata.database import Tx


class Granted:
    """Looks up what ``steps`` steps of some runs receive, each version once."""

    def __init__(self, tx: Tx, of: Iterable[Row[Any]], steps: int) -> None:
        self._tx = tx
        self._steps = steps
        self._pins = {run.id: _pins(run) for run in of}
        wanted = [p.version for pins in self._pins.values() for p in pins.values() if p.version]
        self._singles = versions.by_id(tx, wanted)
        # Many runs of one plan pin the same set, and many steps of one run take the same result.
        self._sets: dict[Pin, tuple[Piece, ...]] = {}
        self._results: dict[tuple[str, str], list[Row[Any]]] = {}
        self._by_item: dict[tuple[str, str], dict[int, Row[Any]]] = {}
        self._items: dict[str, list[Any] | None] = {}

    def arguments(self, run: Row[Any], spec: StepSpec, item: int | None) -> tuple[tuple[Input, ...], dict[str, Any]]:
        """Returns the step's inputs, and the values of those parameters that the workflow itself gives one."""
        inputs: list[Input] = []
        constants: dict[str, Any] = {}
        for argument in spec.arguments:
            of = item if argument.parameter == spec.mapped else None
            ref = self._chosen(run.id, argument.ref)
            assert ref is not None  # noqa: S101 - a step whose road was not taken is skipped, not granted
            if ref.kind == "value":
                constants[argument.parameter] = ref.value if of is None else ref.value[of]
            elif ref.kind == "input":
                inputs.append(self._input(self._pins[run.id][ref.name], argument, of))
            else:
                inputs.append(self._result(run, ref, argument, of, spec.item))
        return tuple(inputs), constants

    def _chosen(self, run: str, ref: Ref | None) -> Ref | None:
        """Returns what stands on the road that was taken; None when none was."""
        while ref is not None and ref.kind == "choice":
            decision = self._of(run, ref.name)
            ref = flow.taken(ref, runs.decided(decision[0])) if decision else None
        return ref

    def _input(self, pin: Pin, argument: Argument, item: int | None) -> Input:
        if pin.version is not None:
            pieces: tuple[Piece, ...] = (_piece(self._singles[pin.version]),)
        else:
            if pin not in self._sets:
                found = [versions.as_of(self._tx, pin.asset, lo, hi, pin.as_of) for lo, hi in pin.intervals]
                self._sets[pin] = tuple(_piece(v) for rows in found for v in rows)
            pieces = self._sets[pin]
        pieces, item = self._picked(pieces, item)
        return Input(
            parameter=argument.parameter,
            asset=pin.asset,
            type=argument.type,
            many=pin.many,
            pieces=pieces,
            item=item,
            none=pin.lo > pin.hi,
            dimensions=pin.dimensions,
        )

    def _result(self, run: Row[Any], ref: Ref, argument: Argument, item: int | None, made: int | None) -> Input:
        listed = ref.kind in ("list", "results")
        pieces: tuple[Piece, ...]
        if ref.kind == "results" and item is not None:
            # It goes through what another mapped task made, result by result.
            pieces = (_piece(self._of_item(run.id, ref.name, item if made is None else made)),)
            item, listed = None, False
        else:
            pieces, item = self._picked(self._pieces(run.id, ref), item)
        return Input(
            parameter=argument.parameter,
            asset=f"{run.workflow}/{ref.name or argument.parameter}",
            type=argument.type,
            many=False,
            pieces=pieces,
            listed=listed,
            item=item,
        )

    def _picked(self, pieces: tuple[Piece, ...], item: int | None) -> tuple[tuple[Piece, ...], int | None]:
        """Picks the item here where the list lies in the metadata: a thousand steps need not carry all of it each."""
        if item is None or len(pieces) != 1 or pieces[0].content is None:
            return pieces, item
        (piece,) = pieces
        if piece.version not in self._items:
            found = json.loads(pieces[0].content)
            self._items[piece.version] = found if isinstance(found, list) else None
        items = self._items[piece.version]
        if items is None or item >= len(items):
            return pieces, item  # reading it will say so
        return (replace(piece, content=json.dumps(items[item], ensure_ascii=False)),), None

    def _pieces(self, run: str, ref: Ref) -> tuple[Piece, ...]:
        if ref.kind == "list":
            chosen = [self._chosen(run, item) for item in ref.items]
            return tuple(piece for item in chosen if item is not None for piece in self._pieces(run, item))
        if ref.kind == "value":
            return (Piece(partition="", version="", format="json", digest="", content=json.dumps(ref.value)),)
        return tuple(_piece(row) for row in self._of(run, ref.name))

    def _of_item(self, run: str, task: str, number: int) -> Row[Any]:
        known = self._by_item.setdefault((run, task), {})
        if number not in known:
            # Steps are granted in the order of their items, so the next ones are asked for next.
            known.update(runs.results_between(self._tx, run, task, number, number + self._steps - 1))
        return known[number]

    def _of(self, run: str, task: str) -> list[Row[Any]]:
        if (run, task) not in self._results:
            self._results[run, task] = runs.results(self._tx, run, [task])[task]
        return self._results[run, task]


def _pins(run: Row[Any]) -> dict[str, Pin]:
    try:
        return {p.parameter: p for p in decode(run.pins, list[Pin]) if p.parameter}
    except (msgspec.DecodeError, RecursionError):
        return {}  # its own steps will miss them; the others are granted


def _piece(version: Row[Any]) -> Piece:
    return Piece(
        partition=version.partition,
        version=version.id,
        format=version.format,
        digest=version.digest,
        objects=decode(version.objects, tuple[StoredObject, ...]),
        content=version.content,
        file=version.file,
    )
