"""What Dagster's automation conditions do, case by case, and what the same triggers do here.

The numbers are those of a study of Dagster 1.13.29; each case names the test of Dagster that it comes from, or says
that it was run against that version. Where the outcome here is another one, ``ours`` says why.
"""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from riparian.assets.errors import DeclarationError
from riparian.assets.policy import Principal
from riparian.assets.triggers import Trigger, eager, manual, missing, on_cron, on_update
from riparian.scheduler import events, request
from riparian.storage.metadata.schema import run

ME = Principal(name="me", groups=frozenset({"owners"}))
HOURLY = on_cron("0 * * * *")
RUN = "run on 1.13.29"


@dataclass(frozen=True, kw_only=True)
class Case:
    """``script`` holds acts with what each makes requested. ``a``: a new update of the source a, ``a=``: one of equal
    content, ``a[k]``: of a partition. ``look``: the planner looks again, ``at``: it does at that time. ``done``: all
    that is planned succeeds, with what follows, ``fail b``: but b fails. ``start``: what is planned begins, ``finish``,
    ``break``: it succeeds, fails. ``ask b``: a person does. ``trigger b x``: the trigger is edited. ``why b``: the
    reason's code. ``holds``: what the first part of b's trigger says."""

    number: str
    source: str
    title: str
    edges: dict[str, list[str]]
    triggers: dict[str, Trigger] = field(default_factory=dict)
    daily: tuple[str, ...] = ()
    script: list[tuple[str, str]]
    newest: tuple[str, ...] = ()
    made: dict[str, int] = field(default_factory=dict)
    ours: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


AB = {"b": ["a"]}

CASES = [
    Case(
        number="1",
        source="test_eager_condition.py::test_eager_unpartitioned",
        title="an update is one run, and a failure waits for the next update",
        edges=AB,
        triggers={"b": eager()},
        script=[
            ("look", ""),
            ("a", "b"),
            ("look", ""),
            ("look", ""),
            ("done", ""),
            ("a", "b"),
            ("fail b", ""),
            ("look", ""),
            ("why b", "failed"),
            ("a", "b"),
            ("done", ""),
        ],
        newest=("b",),
    ),
    Case(
        number="2",
        source=RUN,
        title="a root that was never made",
        edges={"r": []},
        triggers={"r": eager()},
        script=[("look", "r"), ("done", ""), ("look", ""), ("ask r", "r"), ("done", ""), ("look", "")],
        ours="a workflow that needs no input runs once when it is new; Dagster never runs it",
    ),
    Case(
        number="4",
        source=RUN,
        title="two updates before anything begins are one run",
        edges=AB,
        script=[("a", "b"), ("a", ""), ("done", ""), ("look", "")],
        newest=("b",),
        made={"b": 1},
    ),
    Case(
        number="5",
        source="dagster#24650",
        title="an update right after the request",
        edges=AB,
        script=[("a", "b"), ("look", ""), ("a", ""), ("look", ""), ("done", "")],
        newest=("b",),
        ours="the queued run is replaced by one that is pinned to the newest; Dagster loses the second update",
    ),
    Case(
        number="7",
        source="test_planned_materialization_batch.py::test_in_progress_matches_sync_queryer",
        title="an update during a run that fails",
        edges=AB,
        script=[("a", "b"), ("start", ""), ("a", ""), ("look", ""), ("break", "b"), ("done", "")],
        newest=("b",),
    ),
    Case(
        number="8",
        source=RUN,
        title="an update while the run reads",
        edges=AB,
        script=[("a", "b"), ("start", ""), ("a", ""), ("finish", "b"), ("done", ""), ("look", "")],
        newest=("b",),
        made={"b": 2},
        ours="what the run was pinned to is held against what is there now; Dagster loses the update",
    ),
    Case(
        number="10",
        source=RUN,
        title="an input that is missing holds, then both at once are one run",
        edges={"b": ["a", "c"]},
        script=[("a", ""), ("c", "b"), ("done", ""), ("c", "b"), ("a", ""), ("done", "")],
        newest=("b",),
        made={"b": 2},
    ),
    Case(
        number="11",
        source=RUN,
        title="an input that was never reported",
        edges={"b": ["a", "c"]},
        script=[("a", ""), ("look", ""), ("why b", "waiting_for_input"), ("c", "b"), ("done", "")],
        ours="the same, and the reason names the input",
    ),
    Case(
        number="13",
        source="test_eager_condition.py::test_eager_partial_run",
        title="a chain, and a failure in the middle of it",
        edges={"a": ["r"], "b": ["a"], "c": ["b"]},
        script=[
            ("r", "a"),
            ("done", "b c"),
            ("r", "a"),
            ("fail b", "b"),
            ("look", ""),
            ("why c", "up_to_date"),
            ("ask a", "a"),
            ("done", "b c"),
            ("r", "a"),
            ("done", "b c"),
        ],
        newest=("c",),
        ours="each is a run of its own as soon as what is above it is made, not all of one run",
    ),
    Case(
        number="14",
        source=RUN,
        title="a diamond runs once",
        edges={"b": ["a"], "c": ["a"], "d": ["b", "c"]},
        script=[("a", "b c"), ("done", "d"), ("look", "")],
        newest=("d",),
        made={"d": 1},
    ),
    Case(
        number="16",
        source="test_data_version_changed_condition.py",
        title="an update of equal content",
        edges={"b": ["a"], "c": ["b"]},
        script=[
            ("a", "b"),
            ("done", "c"),
            ("a=", ""),
            ("look", ""),
            ("why b", "up_to_date"),
            ("a", "b"),
            ("done", "c"),
        ],
        ours="content decides, always; in Dagster only where the condition asks for the data version",
    ),
    Case(
        number="20",
        source="test_initial_evaluation_condition.py::test_initial_evaluation_condition_toggle",
        title="a trigger that is edited with an update waiting",
        edges=AB,
        triggers={"b": on_cron("0 6 1 1 *")},
        script=[
            ("a", ""),
            ("trigger b eager", "b"),
            ("done", ""),
            ("trigger b manual", ""),
            ("a", ""),
            ("look", ""),
            ("trigger b eager", "b"),
            ("done", ""),
        ],
        newest=("b",),
        ours="nor is anything dropped when the trigger was gone meanwhile, as it is in Dagster",
    ),
    Case(
        number="22 ignore",
        source="dagster#30421",
        title="updates of one input alone",
        edges={"x": ["p", "q"]},
        triggers={"x": on_update("q")},
        script=[("q", ""), ("p", "x"), ("done", ""), ("p", ""), ("look", ""), ("q", "x"), ("done", "")],
        newest=("x",),
        ours="what is ignored need not be new, but must be there: it is read",
    ),
    Case(
        number="22 allow",
        source="test_dep_condition.py::test_dep_operators_mutation_bug_33720",
        title="two branches for different inputs fire again and again",
        edges={"x": ["p", "q"]},
        triggers={"x": (on_update("p") & ~missing("q")) | on_update("q")},
        script=[
            ("p", ""),
            ("q", "x"),
            ("done", ""),
            ("p", "x"),
            ("done", ""),
            ("q", "x"),
            ("done", ""),
            ("p", "x"),
            ("done", ""),
        ],
        newest=("x",),
    ),
    Case(
        number="47",
        source="test_on_cron_condition.py::test_on_cron_unpartitioned",
        title="an update and a tick, hour by hour",
        edges=AB,
        triggers={"b": on_update(all=True) & HOURLY},
        script=[
            ("at 00:55", ""),
            ("at 01:05", ""),
            ("a", "b"),
            ("done", ""),
            ("a", ""),
            ("at 02:05", "b"),
            ("done", ""),
            ("at 03:05", ""),
            ("a", "b"),
            ("done", ""),
        ],
        newest=("b",),
        ours="an update before the tick is not forgotten by it: it runs at the tick; in Dagster it must come after",
    ),
    Case(
        number="49",
        source="test_event_timestamps.py::test_since_any_deps_updated_uses_timestamps",
        title="an update just before the tick, and one just after it",
        edges=AB,
        triggers={"b": on_update() & HOURLY},
        script=[
            ("at 00:59", ""),
            ("a", ""),
            ("at 01:01", "b"),
            ("done", ""),
            ("at 02:00", ""),
            ("a", "b"),
            ("done", ""),
            ("look", ""),
        ],
        newest=("b",),
        ours="both run, and it does not matter when anybody looks",
    ),
    Case(
        number="52",
        source=RUN,
        title="one input before the tick, the other after it",
        edges={"b": ["p", "q"]},
        triggers={"b": on_update(all=True) & HOURLY},
        script=[
            ("p", ""),
            ("q", ""),
            ("at 05:00", "b"),
            ("done", ""),
            ("at 05:30", ""),
            ("p", ""),
            ("at 06:30", ""),
            ("q", "b"),
            ("done", ""),
            ("p", ""),
        ],
        ours="only a run answers an update: each was updated, and a tick came; Dagster waits for p once more",
    ),
    Case(
        number="53 never reported",
        source=RUN,
        title="a schedule over an input that was never reported",
        edges=AB,
        triggers={"b": HOURLY},
        script=[
            ("at 01:05", ""),
            ("at 02:05", ""),
            ("why b", "waiting_for_input"),
            ("a", ""),
            ("at 03:05", "b"),
            ("done", ""),
        ],
    ),
    Case(
        number="53 in progress",
        source=RUN,
        title="a tick during a run",
        edges=AB,
        triggers={"b": HOURLY},
        script=[
            ("a", ""),
            ("at 01:00", "b"),
            ("start", ""),
            ("a", ""),
            ("at 02:00", ""),
            ("finish", "b"),
            ("done", ""),
        ],
        newest=("b",),
        ours="one run of a partition at a time: the tick is answered when it has ended; Dagster runs both at once",
    ),
    Case(
        number="53 asked",
        source=RUN,
        title="a person ran it after the tick",
        edges=AB,
        triggers={"b": HOURLY},
        script=[("a", ""), ("ask b", "b"), ("done", ""), ("at 01:05", ""), ("look", ""), ("a", ""), ("at 02:05", "b")],
    ),
    Case(
        number="55",
        source=RUN,
        title="a daily schedule that was down for days",
        edges={"b": []},
        daily=("b",),
        triggers={"b": on_cron("0 1 * * *")},
        script=[
            ("sleep 2025-03-16T01:00", "b[2025-03-16]"),
            ("done", ""),
            ("sleep 2025-03-20T02:00", "b[2025-03-20]"),
            ("done", ""),
            ("look", ""),
        ],
        ours="a tick is for the day that its clock shows; Dagster's is for the day before",
    ),
    Case(
        number="56",
        source="test_on_cron_condition.py::test_on_cron_on_observable_source",
        title="a schedule over a source that did not change",
        edges={"m": ["o"]},
        triggers={"m": HOURLY},
        script=[
            ("o", ""),
            ("at 01:00", "m"),
            ("done", ""),
            ("at 02:00", ""),
            ("o=", ""),
            ("at 03:00", ""),
            ("o", ""),
            ("at 04:00", "m"),
            ("done", ""),
        ],
        newest=("m",),
    ),
    Case(
        number="61",
        source="test_on_missing_condition.py::test_on_missing_without_time_limit",
        title="what is missing is made, however old, and once",
        edges=AB,
        daily=("a", "b"),
        triggers={"b": missing()},
        script=[
            ("at 2026-03-01T00:00", ""),
            ("a[2020-01-01]", "b[2020-01-01]"),
            ("a[2020-01-02]", "b[2020-01-02]"),
            ("look", ""),
            ("done", ""),
            ("look", ""),
            ("a[2020-01-02]", ""),
        ],
    ),
    Case(
        number="62",
        source="test_automation_condition.py::test_missing_time_partitioned",
        title="missing, with nothing started",
        edges=AB,
        daily=("a", "b"),
        triggers={"b": missing()},
        script=[
            *((f"a[2020-01-0{n}]", f"b[2020-01-0{n}]") for n in range(1, 7)),
            ("look", ""),
            ("look", ""),
            ("done", ""),
        ],
        made={"b": 6},
        ours="one run is planned for each; Dagster requests all of them again at each tick until they are made",
    ),
    Case(
        number="64",
        source="test_since_condition.py::test_since_condition_unpartitioned",
        title="since: true from the update until a run answers it",
        edges=AB,
        triggers={"b": on_update() & on_cron("0 6 1 1 *")},
        script=[
            ("holds", "no"),
            ("a", ""),
            ("holds", "yes"),
            ("ask b", "b"),
            ("done", ""),
            ("holds", "no"),
            ("a", ""),
            ("holds", "yes"),
            ("look", ""),
            ("holds", "yes"),
            ("a", ""),
            ("holds", "yes"),
            ("ask b", "b"),
            ("done", ""),
            ("holds", "no"),
            ("look", ""),
            ("holds", "no"),
        ],
    ),
]


def moment(text: str) -> int:
    """UTC microseconds of a time of the first of March 2025, or of another day where one is named."""
    stamp = text if "T" in text else f"2025-03-01T{text}"
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Stage:
    """A plant on which a case is played."""

    def __init__(self, plant: Any, case: Case) -> None:
        self.plant, self.case = plant, case
        self.held: list[Any] = []
        self.values: dict[str, int] = {}
        self.count = itertools.count(1)
        self.seen: set[str] = set()
        self.triggers = dict(case.triggers)
        plant.now = moment("00:00")
        self.apply()

    def apply(self) -> None:
        self.plant.apply(self.case.edges, daily=self.case.daily, triggers=self.triggers)

    def act(self, act: str) -> str:
        """Does it and returns what it made requested: new runs but those that replace a queued one."""
        word, *rest = act.split()
        if word == "why":
            return self.plant.why(*rest)
        if word == "holds":
            tree = self.plant.plane.access.as_principal(ME).why("b", "")["trigger"]
            return "yes" if tree["parts"][0]["holds"] else "no"
        getattr(self, f"_{word}", lambda *_: self._update(word))(*rest)
        return self._requested()

    def _update(self, word: str) -> None:
        source, _, partition = word.removesuffix("]").removesuffix("=").partition("[")
        if not word.endswith("="):
            self.values[source] = next(self.count)
        events.record(self.plant.plane, source, self.values[source], ME, partition=partition)

    def _look(self) -> None:
        self.plant.plane.look()

    def _at(self, text: str) -> None:
        due = self.plant.plane.look()
        while due is not None and due <= moment(text):
            self.plant.now = max(self.plant.now, due)
            due = self.plant.plane.look()
        self._sleep(text)

    def _sleep(self, text: str) -> None:
        self.plant.now = moment(text)
        self.plant.session = self.plant.join()
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
        self.plant.ask(*[self.plant.failed(x, retryable=False) for x in self.held])
        self.held = []

    def _ask(self, asset: str) -> None:
        request.materialize(self.plant.plane, asset, "", ME)

    def _trigger(self, workflow: str, trigger: str) -> None:
        self.triggers[workflow] = {"eager": eager(), "manual": manual()}[trigger]
        self.apply()

    def _requested(self) -> str:
        query = select(run).where(run.c.kind == "workflow")
        rows = self.plant.plane.db.read(lambda tx: tx.conn.execute(query).all())
        replaced = {r.superseded_by for r in rows}
        new = [r for r in rows if r.id not in self.seen]
        self.seen.update(r.id for r in new)
        names = (f"{r.workflow}[{r.partition}]" if r.partition else r.workflow for r in new if r.id not in replaced)
        return " ".join(sorted(names))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_scenario(plant, case):
    """Each act makes requested what the case says, and at the end all is made from the newest."""
    stage = Stage(plant, case)
    played = [(act, stage.act(act)) for act, _ in case.script]

    assert case.script == played, case.ours
    for asset in case.newest:
        for source, value in stage.values.items():
            assert f"={value}" in plant.head(asset).replace(")", ","), (asset, source)
    for workflow, times in case.made.items():
        assert times == sum(r["state"] == "succeeded" for r in plant.runs(workflow))


@pytest.mark.parametrize("partitions", [1, 99, 100, 101])
def test_scenario_50_there_is_no_cliff(plant, partitions):
    """50, test_event_timestamps.py::test_many_partitions_uses_tick_timestamp: updates before the tick run at the tick,
    whatever their number; Dagster runs none of 100 and all of 101."""
    case = Case(
        number="50", source="", title="", edges=AB, daily=("a", "b"), triggers={"b": on_update() & HOURLY}, script=[]
    )
    stage = Stage(plant, case)
    plant.plane.look()
    for n in range(partitions):
        events.record(plant.plane, "a", n, ME, partition=f"2020-{1 + n // 28:02}-{1 + n % 28:02}")
    before = plant.runs("b")
    stage.act("at 01:00")

    assert ([], partitions) == (before, len(stage.seen))


@pytest.mark.parametrize("expression", ["* /15 * * *", "totally-invalid", "* * * *", "60 * * * *"])
def test_scenario_58_what_is_no_schedule(expression):
    """58, test_on_cron_condition.py::test_invalid_schedules: it is refused where it is written."""
    with pytest.raises(DeclarationError, match="on_cron"):
        on_cron(expression)
