"""Never more at once than a limit says, whatever happens; and whoever waits for a place gets one."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from riparian.assets.limits import HIGHEST_PRIORITY, Limit
from riparian.assets.policy import Policy, Principal
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import manual
from riparian.scheduler import sessions
from riparian.scheduler.cancel import cancel
from riparian.scheduler.core.limits import Limits, of_run
from riparian.scheduler.core.protocol import Heartbeat
from riparian.scheduler.core.ranks import RunClass, lift
from riparian.scheduler.request import materialize
from tests.scheduler.conftest import histories

ME = Principal(name="me", groups=frozenset({"owners"}))
DAYS = [f"2020-01-{day:02}" for day in range(1, 32)]
SECOND = 1_000_000


def task(name, *after, output="") -> TaskSpec:
    """A task that takes the results of others."""
    taken = tuple(Argument(parameter=a, type="dict", ref=Ref(kind="task", name=a)) for a in after)
    return TaskSpec(name=name, module="code", qualname=name, returns="dict", arguments=taken, output=output)


def declare(plant, said, *, tasks=None, retry=Retry(), code="one"):  # noqa: B008 - a frozen value
    """Workflows by day that run when somebody asks."""
    edges = {key: [] for key in said}
    plant.apply(
        edges,
        daily=tuple(said),
        triggers=dict.fromkeys(said, manual()),
        said={key: {"limits": limits} if isinstance(limits, tuple) else limits for key, limits in said.items()},
        tasks=tasks,
        retry=retry,
        code=code,
    )


def ask(plant, key, *days):
    return [materialize(plant.plane, key, day, ME).run for day in days]


def rows(plant, statement):
    return plant.plane.db.read(lambda tx: tx.conn.execute(text(statement)).all())


def waits(plant):
    """What the ready steps wait for, and how many for each."""
    return Counter(r.waits_for for r in rows(plant, "SELECT waits_for FROM step WHERE state = 'ready'"))


def test_a_workflow_limits_its_runs(plant):
    """No more runs of it than it says are under way; the next begins when one has ended."""
    declare(plant, {"w": (Limit(2),), "v": ()})
    ask(plant, "w", *DAYS[:4])
    ask(plant, "v", DAYS[0])

    first = plant.take(8)

    assert ["v", "w", "w"] == sorted(x.workflow for x in first)
    assert [] == plant.take(8)
    (of_w, *_) = [x for x in first if x.workflow == "w"]
    plant.ask(plant.done(of_w))
    assert ["w"] == [x.workflow for x in plant.take(8)]


def test_a_key_limits_the_steps_of_all_that_name_it(plant):
    """Of several numbers the smallest holds; who does not name the key is not held up."""
    declare(plant, {"v": (Limit(5, "k"),), "w": (Limit(3, "k"),), "x": ()})
    for key in "vwx":
        ask(plant, key, *DAYS[:4])

    assert {"x": 4} | {"v": 3} == Counter(x.workflow for x in plant.take(16))
    assert {"key:k": 5} == waits(plant)


def test_a_run_keeps_its_place_to_its_end(plant):
    """Between two tries, and between its tasks: another run of the workflow would be in its way."""
    tasks = {"w": (task("one"), task("two", "one", output="w"))}
    declare(plant, {"w": (Limit(1),)}, tasks=tasks)
    ask(plant, "w", *DAYS[:2])
    (one,) = plant.take(8)
    plant.ask(plant.done(one))
    (two,) = plant.take(8)

    assert ("two", one.run) == (two.task, two.run)
    plant.ask(plant.done(two))
    assert ["one"] == [x.task for x in plant.take(8)]


def test_steps_of_one_run_need_one_place(plant):
    """Those that were called together leave the place that they do not need to another run."""
    tasks = {"w": (task("one"), task("two"), task("end", "one", "two", output="w"))}
    declare(plant, {"w": (Limit(2),)}, tasks=tasks)
    ask(plant, "w", *DAYS[:4])
    first = plant.take(8)
    assert 4 == len(first)
    assert [] == plant.take(8)
    plant.ask(*[plant.done(lease) for lease in first])
    plant.ask(*[plant.done(lease) for lease in plant.take(8)])

    second = [lease for _ in range(3) for lease in plant.take(8)]

    assert [2, 2] == list(Counter(lease.run for lease in second).values())


def test_between_two_tries_the_key_is_free(plant):
    """A step that waits for its next try holds up nobody, and takes a place again when its time has come."""
    declare(plant, {"w": (Limit(1, "k"),)}, retry=Retry(attempts=3, delay_seconds=60))
    ask(plant, "w", *DAYS[:2])
    (first,) = plant.take(8)
    plant.ask(plant.failed(first))
    (second,) = plant.take(8)

    assert first.run != second.run
    plant.now += 61 * SECOND
    assert [] == plant.take(8)
    plant.ask(plant.done(second))
    assert [first.run] == [x.run for x in plant.take(8)]


@pytest.mark.parametrize("limit", [Limit(1), Limit(1, "k")])
def test_a_cancelled_run_frees_its_place_at_once(plant, limit):
    """So does one that was called and cancelled before a worker took it: the next is called in its place."""
    declare(plant, {"w": (limit,)})
    running, called, last = ask(plant, "w", *DAYS[:3])
    (lease,) = plant.take(8)
    assert running == lease.run
    assert [] == plant.take(8)

    cancel(plant.plane, running, ME)
    cancel(plant.plane, called, ME)

    assert [last] == [x.run for x in plant.take(8)]
    assert [409] == [r.status for r in plant.ask(plant.done(lease)).results]


@pytest.mark.parametrize("limit", [Limit(1), Limit(1, "k")])
def test_a_silent_worker_frees_its_places(plant, limit):
    """What it held is tried again by another, under the same limit; what it says later is refused."""
    declare(plant, {"w": (limit,)})
    ask(plant, "w", *DAYS[:2])
    (lost,) = plant.take(8)
    plant.now += 11 * SECOND
    sessions.expire(plant.plane)
    plant.session = plant.join()

    (first,) = plant.take(8)
    plant.ask(plant.done(first))
    (second,) = plant.take(8)

    assert [1, 2] == sorted([first.attempt, second.attempt])
    assert lost.run in (first.run, second.run)


def test_the_operator_limits_a_pool(make_plant):
    """No more of its steps than that are granted at once, and nothing of it is read while it is full."""
    plant = make_plant()
    plant.limit(pools={"default": 2})
    declare(plant, {"w": ()})
    ask(plant, "w", *DAYS[:4])
    first = plant.take(8)

    assert 2 == len(first)
    assert [] == plant.take(8)
    plant.ask(plant.done(first[0]))
    assert 1 == len(plant.take(8))


def test_what_the_operator_says_of_a_key_counts(make_plant):
    """More or less than the declarations say."""
    plant = make_plant()
    plant.limit(keys={"k": 3})
    declare(plant, {"w": (Limit(1, "k"),)})
    ask(plant, "w", *DAYS[:5])

    assert 3 == len(plant.take(8))


def test_another_number_holds_from_the_next_grant_on(plant):
    """More room is used at once; with less nobody is thrown out."""
    declare(plant, {"w": (Limit(1, "k"),)})
    ask(plant, "w", *DAYS[:5])
    plant.take(8)
    declare(plant, {"w": (Limit(3, "k"),)}, code="two")
    assert 2 == len(plant.take(8))
    declare(plant, {"w": (Limit(1, "k"),)}, code="three")
    assert [] == plant.take(8)
    declare(plant, {"w": ()}, code="four")
    assert 2 == len(plant.take(8))


def test_many_that_wait_cost_nothing(plant):
    """Ten thousand ready steps at their limit are not read again at an acquire, nor at the end of one of them."""
    mapped = TaskSpec(
        name="each",
        module="code",
        qualname="each",
        returns="dict",
        mapped="n",
        arguments=(Argument(parameter="n", type="", ref=Ref(kind="value", value=list(range(10_000)))),),
    )
    tasks = {"w": (mapped, task("end", output="w"))}
    declare(plant, {"w": (Limit(2, "k"),), "v": ()}, tasks=tasks)
    ask(plant, "w", DAYS[0])
    first = plant.take(8)
    while waits(plant)[""]:
        assert [] == plant.take(8)
    ask(plant, "v", DAYS[0])
    seen = []

    def note(conn, cursor, statement, parameters, context, executemany):
        seen.append((statement, parameters))

    event.listen(plant.plane.db._writer, "before_cursor_execute", note)
    granted = plant.take(8)
    plant.ask(plant.done(first[0]))
    granted += plant.take(8)
    event.remove(plant.plane.db._writer, "before_cursor_execute", note)

    assert ["v", "w"] == [x.workflow for x in granted]
    assert {"key:k": 9_998} == waits(plant)
    served = []

    def explain(tx):
        for statement, parameters in seen:
            if "step" in statement and statement.lstrip().startswith(("SELECT", "UPDATE")):
                plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                served.extend((row[3], statement) for row in plan if "step" in row[3])

    plant.plane.db.write(explain)
    assert [] == [plan for plan in served if plan[0].startswith("SCAN step")]
    assert [] == [s for s in served if "ix_step_ready (waits_for=?)" in s[0] or "TEMP B-TREE" in s[0]]
    assert any("ix_step_ready (waits_for=? AND pool=?)" in plan for plan, _ in served)


def test_two_runs_with_both_limits_do_not_wait_for_each_other(plant):
    """All take their places in one order, whatever order they were written in."""
    declare(plant, {"v": (Limit(1, "a"), Limit(1, "b")), "w": (Limit(1), Limit(1, "b")), "x": (Limit(1, "a"),)})
    for key in "vwx":
        ask(plant, key, *DAYS[:3])

    assert 9 == len(plant.settle())
    assert [] == rows(plant, "SELECT * FROM slot")


def test_who_waits_for_a_place_is_told_for_which(make_plant):
    """In the reason, in what is about to happen, and of the run."""
    plant = make_plant()
    plant.limit(pools={"default": 3})
    declare(plant, {"w": (Limit(1, "k"),), "v": (Limit(1),), "x": ()})
    ask(plant, "w", *DAYS[:2])
    ask(plant, "v", *DAYS[:2])
    plant.take(8)
    view = plant.plane.access.as_principal(ME)
    asked = view.why("w", DAYS[1])

    def waiting(key):
        return [r["waits"] for r in sorted(plant.runs(key), key=lambda r: r["partition"])]

    assert ("at_limit", "a run is planned and is at the limit of k: 1 of the steps that share it are under way") == (
        asked["code"],
        asked["words"],
    )
    assert [None, "at the limit of v: 1 of its runs are under way"] == waiting("v")
    assert {"at_limit"} == {p["code"] for p in view.plan(None, 10).items}
    ask(plant, "x", *DAYS[:2])
    plant.take(8)
    assert [None, "at the limit of the pool default: 3 of its steps are under way"] == waiting("x")


def test_a_name_in_a_limit_is_hidden_like_any_other(plant):
    """A key that is called like an asset tells nobody that there is such an asset."""
    plant.apply(
        {"w": [], "secret": []},
        triggers={"w": manual(), "secret": manual()},
        policies={"w": Policy(), "secret": Policy(readers={"few"})},
        said={"w": {"limits": (Limit(1, "secret"),)}, "secret": {"limits": (Limit(1, "secret"),)}},
    )
    ask(plant, "secret", "")
    plant.take(8)
    ask(plant, "w", "")
    assert [] == plant.take(8)
    bob = plant.plane.access.as_principal(Principal(name="bob", groups=frozenset({"many"})))

    (told,) = bob.runs(None, 10, workflow="w").items

    assert "secret" not in told["waits"]
    assert "secret" in plant.runs("w")[0]["waits"]


def test_a_higher_priority_goes_first_until_others_have_waited(plant):
    """Each ten minutes of waiting are worth one priority; of the same priority the first goes first."""
    declare(plant, {"low": {"priority": -1}, "same": (), "high": {"priority": 2}})
    ask(plant, "low", DAYS[0])
    plant.now += 600 * SECOND
    ask(plant, "low", DAYS[1])
    ask(plant, "same", DAYS[0])
    plant.now += 600 * SECOND
    ask(plant, "high", DAYS[0])
    order = [(x.workflow, x.partition) for _ in range(4) for x in plant.take(1)]

    assert [("high", DAYS[0]), ("low", DAYS[0]), ("same", DAYS[0]), ("low", DAYS[1])] == order


def test_a_priority_counts_after_a_failure_too(plant):
    """Between two tries it is kept; the age begins anew when the next try is due."""
    declare(plant, {"low": (), "high": {"priority": 1}}, retry=Retry(attempts=3, delay_seconds=30))
    ask(plant, "high", DAYS[0])
    (lease,) = plant.take()
    ask(plant, "low", DAYS[0])
    plant.ask(plant.failed(lease))
    plant.now += 31 * SECOND

    assert ["high", "low"] == [x.workflow for _ in range(2) for x in plant.take()]


def test_no_age_and_no_priority_brings_a_backfill_before_todays_work():
    """A run class goes before the next, whatever else is said of it."""
    now = 1_700_000_000 * SECOND
    lowest = lift(-HIGHEST_PRIORITY, RunClass.CURRENT)
    highest = lift(HIGHEST_PRIORITY, RunClass.BACKFILL)
    year = 366 * 86_400 * SECOND

    assert now - lowest < now - 10 * year - highest < 2**63


ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from("wxyz"), st.integers(0, 9)),
    st.tuples(st.just("take"), st.integers(0, 1), st.integers(1, 5)),
    st.tuples(
        st.just("end"), st.integers(0, 9), st.sampled_from(["done", "done", "failed", "lost", "released", "final"])
    ),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("silence"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("time"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("apply"), st.integers(1, 3), st.integers(0, 1)),
)


class World:
    """Four workflows with crossing limits, two workers, and what each holds."""

    def __init__(self, plant) -> None:
        self.plant = plant
        self.sessions = [plant.session, plant.join()]
        self.leases = []  # (worker, lease)
        self.gone = []
        self.applied = 0
        self.apply(2, 0)

    def apply(self, most, dropped) -> None:
        self.applied += 1
        both = (Limit(most, "k"), Limit(1, "l"))
        declared = {
            "w": (Limit(most),),
            "x": (Limit(1), *both),
            "y": both[:1] if not dropped else (),
            "z": (Limit(2), Limit(1, "l")),
        }
        tasks = {"z": (task("one"), task("two"), task("end", "one", "two", output="z"))}
        declare(self.plant, declared, tasks=tasks, retry=Retry(attempts=2, delay_seconds=2), code=str(self.applied))

    def ask(self, key, day) -> None:
        ask(self.plant, key, DAYS[day])

    def take(self, worker, want):
        leases = self.plant.ask(want=want, session=self.sessions[worker]).leases
        self.leases += [(worker, lease) for lease in leases]
        if leases:
            self.check_limits()
        return leases

    def end(self, number, how) -> None:
        if self.gone and number == 0:
            zombie = self.plant.ask(self.plant.done(self.gone.pop()), session=self.sessions[0])
            assert [409] == [r.status for r in zombie.results]
        if not self.leases:
            return
        worker, lease = self.leases.pop(number % len(self.leases))
        match how:
            case "done":
                report = self.plant.done(lease)
            case "final":
                report = self.plant.failed(lease, retryable=False)
            case _:
                report = self.plant.failed(lease, how)
        self.plant.ask(report, session=self.sessions[worker])

    def cancel(self, number, _) -> None:
        going = rows(self.plant, "SELECT id FROM run WHERE state IN ('queued', 'running') ORDER BY id")
        if going:
            cancel(self.plant.plane, going[number % len(going)].id, ME)

    def silence(self, worker, _) -> None:
        self.plant.now += 6 * SECOND
        spoken = Heartbeat(session=self.sessions[1 - worker].session)
        sessions.heartbeat(self.plant.plane, spoken)
        self.plant.now += 6 * SECOND
        sessions.expire(self.plant.plane)
        # What it held is not forgotten: it will report when its session is over.
        self.gone += [lease for of, lease in self.leases if of == worker]
        self.leases = [(of, lease) for of, lease in self.leases if of != worker]
        self.sessions[worker] = self.plant.join()

    def time(self, seconds, _) -> None:
        self.plant.now += seconds * SECOND

    @property
    def limits(self) -> Limits:
        return self.plant.plane.db.read(lambda tx: self.plant.plane.limits(self.plant.plane.graphs.at(tx)))

    def check_limits(self) -> None:
        """What was granted just now was within each of its limits."""
        taken = Counter(r.limit_name for r in rows(self.plant, "SELECT limit_name FROM slot"))
        newest = self.leases[-1][1]
        of = {r.id: json.loads(r.limits or "[]") for r in rows(self.plant, "SELECT id, limits FROM step")}
        for name in of[newest.step]:
            most = self.limits.most(name)
            assert most is None or of_run(name) or taken[name] <= most, name

    def check_slots(self) -> None:
        """Each place is held by who has a right to it, and whoever works has all of his."""
        held = {(r.limit_name, r.holder) for r in rows(self.plant, "SELECT limit_name, holder FROM slot")}
        for r in rows(self.plant, "SELECT id, run, state, waits_for, limits FROM step WHERE limits IS NOT NULL"):
            names = json.loads(r.limits)
            own = [n for n in names if (n, r.id) in held]
            if r.state == "leased":
                assert [] == [n for n in names if (n, r.run if of_run(n) else r.id) not in held]
            elif r.state == "ready" and r.waits_for in names:
                assert set(own) <= set(names[: names.index(r.waits_for)])
            else:
                assert [] == own or r.state == "ready"
        ended = {r.id for r in rows(self.plant, "SELECT id FROM run WHERE state NOT IN ('queued', 'running')")}
        assert [] == [h for h in held if h[1] in ended]

    def check_nobody_starves(self) -> None:
        """Once a worker has taken all it can get, whoever is left waits for a limit that is full."""
        while self.take(0, 64):
            pass
        taken = Counter(r.limit_name for r in rows(self.plant, "SELECT limit_name FROM slot"))
        for r in rows(self.plant, "SELECT waits_for, ready_at FROM step WHERE state = 'ready'"):
            if r.waits_for == "@clock":
                assert r.ready_at > self.plant.now
                continue
            assert r.waits_for
            assert taken[r.waits_for] >= (self.limits.most(r.waits_for) or 10_000), r.waits_for


@histories(25)
@given(st.lists(ACTIONS, min_size=5, max_size=40))
def test_limits_hold_and_nobody_starves(make_plant, actions):
    """Through any order of requests, grants, ends of all kinds, cancelling, silence, time and applies."""
    world = World(make_plant())
    for name, first, second in actions:
        getattr(world, name)(first, second)
        world.check_slots()
    world.check_nobody_starves()
    world.check_slots()
    for _ in range(200):
        world.time(4, 0)
        while world.leases:
            world.end(0, "done")
        if not world.take(0, 64):
            break
    assert [] == rows(world.plant, "SELECT id FROM run WHERE state IN ('queued', 'running')")
    assert [] == rows(world.plant, "SELECT * FROM slot")
