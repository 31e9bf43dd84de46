"""How is a case of another scheduler played here? A table's rows, and the stage on which they are acted."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from riparian.assets.errors import RiparianError
from riparian.assets.partitions import Daily, Partitions
from riparian.assets.partitions import Mapping as Meant
from riparian.assets.triggers import Trigger, eager, manual
from riparian.scheduler import dimensions, events, register, request
from riparian.scheduler.core.protocol import Lease
from riparian.storage.metadata.schema import run
from tests.scheduler.conftest import ME, declared

DAILY = Daily("day", start="2020-01-01")
TESTS = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Case:
    """``script`` holds acts with what each makes requested. ``a``: a new update of the source a, ``a=``: one of equal
    content, ``a[k]``: of a partition. ``look``: the planner looks again, ``at``: it does whenever it has to up to that
    time, ``sleep``: only then, ``pass``: nor then. ``done``: all that is planned succeeds, with what follows, ``fail
    b``: but b fails. ``start``: what is planned begins, ``finish``, ``break``: it succeeds, fails. ``ask b``: a person
    does. ``trigger b x``: the trigger is edited. ``edit x``: what ``edits`` calls so is declared from now on, ``rebuild
    x``: and rebuilt. ``add k``, ``remove k``: a key of the dimension k.
    ``restart``: of the control plane. ``why b``: the reason's code. ``holds``: what the first part of b's trigger says.

    What is refused makes ``refused``. At the end ``newest`` are made from the newest updates, and ``made`` says how
    often each was. ``ours`` says why the outcome is another one than there. ``flows`` are workflows of several outputs.
    """

    number: str
    source: str
    title: str
    edges: dict[str, list[str]]
    triggers: dict[str, Trigger] = field(default_factory=dict)
    daily: tuple[str, ...] = ()
    cuts: dict[str, Partitions] = field(default_factory=dict)
    mappings: dict[tuple[str, str], Meant] = field(default_factory=dict)
    flows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    code: str = "one"
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)
    script: list[tuple[str, str]]
    newest: tuple[str, ...] = ()
    made: dict[str, int] = field(default_factory=dict)
    ours: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


def moment(text: str) -> int:
    """UTC microseconds of a time of the first of March 2025, or of another day where one is named."""
    stamp = text if "T" in text else f"2025-03-01T{text}"
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Stage:
    """A plant on which a case is played."""

    def __init__(self, plant: Any, case: Case) -> None:
        self.plant, self.case = plant, case
        self.held: list[Lease] = []
        self.values: dict[str, int] = {}
        self.count = itertools.count(1)
        self.seen: set[str] = set()
        plant.now = moment("00:00")
        self.apply()

    def apply(self, rebuild: Any = "none") -> None:
        case = self.case
        manifest = declared(
            self.plant,
            case.edges,
            {**dict.fromkeys(case.daily, DAILY), **case.cuts},
            case.mappings,
            case.triggers,
            case.code,
            flows=case.flows,
            said=case.said,
        )
        register.apply(self.plant.plane, manifest, self.plant.bundle(case.code)[1], ME, rebuild)

    def act(self, act: str) -> str:
        """Does it and returns what it made requested: new runs but those that replace a queued one."""
        word, *rest = act.split()
        if word == "why":
            return self.plant.why(*rest)
        if word == "holds":
            tree = self.plant.plane.access.as_principal(ME).why("b", "")["trigger"]
            return "yes" if tree["parts"][0]["holds"] else "no"
        try:
            getattr(self, f"_{word}", lambda *_: self._update(word))(*rest)
        except RiparianError:
            return "refused"
        return self._requested()

    def _update(self, word: str) -> None:
        source, _, partition = word.removesuffix("=").removesuffix("]").partition("[")
        value = self.values.get(source, 0) if word.endswith("=") else next(self.count)
        events.record(self.plant.plane, source, value, ME, partition=partition)
        self.values[source] = value

    def _look(self) -> None:
        self.plant.plane.look()

    def _at(self, text: str) -> None:
        due = self.plant.plane.look()
        while due is not None and due <= moment(text):
            self.plant.now = max(self.plant.now, due)
            due = self.plant.plane.look()
        self._sleep(text)

    def _pass(self, text: str) -> None:
        self.plant.now = moment(text)
        self.plant.session = self.plant.join()

    def _sleep(self, text: str) -> None:
        self._pass(text)
        self.plant.plane.look()

    def _restart(self) -> None:
        self.plant.close()
        self.plant.open()
        self.plant.plane.look()

    def _done(self) -> None:
        self.plant.settle()

    def _fail(self, workflow: str) -> None:
        while leases := self.plant.take(8):
            broken = [self.plant.failed(x, retryable=False) for x in leases if x.workflow == workflow]
            self.plant.ask(*broken, *[self.plant.done(x) for x in leases if x.workflow != workflow])

    def _start(self) -> None:
        self.began = self.plant.session
        self.held += self.plant.take(8)

    def _finish(self) -> None:
        # However long it took, its worker is still there.
        self.plant.ask(*[self.plant.done(x) for x in self.held], session=self.began)
        self.held = []

    def _break(self) -> None:
        self.plant.ask(*[self.plant.failed(x, retryable=False) for x in self.held], session=self.began)
        self.held = []

    def _ask(self, asset: str) -> None:
        name, _, partition = asset.removesuffix("]").partition("[")
        request.materialize(self.plant.plane, name, partition, ME)

    def _add(self, key: str) -> None:
        dimensions.add(self.plant.plane, "k", [key], ME)

    def _remove(self, key: str) -> None:
        dimensions.remove(self.plant.plane, "k", [key], ME)

    def _trigger(self, workflow: str, trigger: str) -> None:
        told = {"eager": eager(), "manual": manual()}[trigger]
        self.case = replace(self.case, triggers={**self.case.triggers, workflow: told})
        self.apply()

    def _edit(self, name: str) -> None:
        self.case = replace(self.case, **self.case.edits[name])
        self.apply()

    def _rebuild(self, name: str) -> None:
        self.case = replace(self.case, **self.case.edits[name])
        self.apply("latest")

    def _requested(self) -> str:
        query = select(run).where(run.c.kind == "workflow")
        rows = self.plant.plane.db.read(lambda tx: tx.conn.execute(query).all())
        replaced = {r.superseded_by for r in rows}
        new = [r for r in rows if r.id not in self.seen]
        self.seen.update(r.id for r in new)
        names = (f"{r.workflow}[{r.partition}]" if r.partition else r.workflow for r in new if r.id not in replaced)
        return " ".join(sorted(names))


def play(plant: Any, case: Case, between: str = "") -> tuple[list[str], list[str]]:
    """Acts the case, with another act after each of it that must make nothing requested; returns what it says of each
    act and of the end, and what came of them."""
    stage = Stage(plant, case)
    said, came = [], []
    for n, (act, requested) in enumerate(case.script, 1):
        said.append(f"{n}. {act}: {requested}")
        came.append(f"{n}. {act}: {stage.act(act)}")
        # Where time passes and nobody looks, that is the point of it.
        if between and not act.startswith("pass") and (more := stage.act(between)):
            came.append(f"{n}. {act}, {between}: {more}")
    for asset in case.newest:
        for source, value in stage.values.items():
            head = plant.head(asset) or ""
            said.append(f"{asset} is made from the newest {source}: {head}")
            came.append(said[-1] if f"={value}," in head.replace(")", ",") else f"{asset} is made otherwise: {head}")
    for workflow, times in case.made.items():
        said.append(f"{workflow} was made {times} times")
        came.append(f"{workflow} was made {sum(r['state'] == 'succeeded' for r in plant.runs(workflow))} times")
    return said, came


def untold(numbers: str, *told: Collection[str]) -> list[str]:
    """The numbers of a source (``1 2 4``) that nothing tells the outcome of, and those that are not the source's."""
    known = {number.split()[0] for numbers in told for number in numbers}
    return sorted(known ^ set(numbers.split()), key=int)


def not_there(places: Mapping[str, str] | Sequence[str]) -> list[str]:
    """Which of these tests (``scheduler/test_tick.py::test_x``, as seen from the tests' folder) there are not."""
    found = []
    for place in places.values() if isinstance(places, Mapping) else places:
        file, _, name = place.partition("::")
        with suppress(FileNotFoundError):
            tree = ast.parse((TESTS / file).read_text())
            if name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
                continue
        found.append(place)
    return found
