"""What happens when declarations are edited while there is something made, going on, or waited for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec
from riparian.assets.partitions import One, Static
from riparian.assets.policy import Principal
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import manual, missing, on_cron, on_update
from riparian.scheduler import register
from riparian.scheduler.preview import preview

ME = Principal(name="me", groups=frozenset({"owners"}))
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAYS = ("2020-01-01", "2020-01-02", "2020-01-03")
SIX = on_cron("0 6 * * *")


def at(day: int, hour: int) -> int:
    """Microseconds of an hour in March 2025."""
    return (datetime(2025, 3, day, hour, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.fixture
def days(plant):
    """a → b by day, both made for three days, and c of all of them."""
    plant.apply({"b": ["a"], "c": ["b"]}, daily=("a", "b"))
    for day in DAYS:
        plant.drop("a", day, day)
    plant.settle()
    return plant


def rebuilt(plant, rebuild, **declared) -> list[str]:
    """Applies other code, and returns what the plan said would run; it is what then runs at once."""
    declared = {"daily": ("a", "b"), "code": "two", **declared}
    edges = {"b": ["a"], "c": ["b"]}
    code = declared.pop("code")
    told = preview(plant.plane, plant.manifest(edges, code, **declared), ME, rebuild)
    applied = plant.apply(edges, code=code, rebuild=rebuild, **declared)
    assert len(applied.planned) == len([r for r in told.runs if r["state"] == "queued"])
    return [f"{r['workflow']}[{r['partition']}]" if r["partition"] else r["workflow"] for r in told.runs]


# What a rebuild makes anew.


@pytest.mark.parametrize(
    ("rebuild", "expected"),
    [
        ("none", []),
        ("latest", [f"b[{DAYS[-1]}]", "c"]),
        ("all", [*(f"b[{d}]" for d in DAYS), "c"]),
    ],
)
def test_a_rebuild_goes_in_the_order_of_the_data(days, rebuild, expected):
    """By day and in one piece; what is below waits for what is above, and the plan says just that."""
    assert expected == rebuilt(days, rebuild)
    assert expected == days.settle()


@pytest.mark.parametrize("days", [("s",), ("s", "b"), ("s", "w", "b")])
@pytest.mark.parametrize("trigger", [missing(), on_update(), on_update() & SIX])
def test_a_rebuild_waits_for_an_input_that_is_not_there_yet(plant, days, trigger):
    """Whatever its trigger asks: when the input comes, it is made anew, once, as the plan said; then nothing is."""
    day = "2020-01-01"
    plant.apply({"b": ["s"], "c": ["w"]}, daily=days)
    plant.drop("s", "one", day)
    plant.settle()
    edges, declared = {"b": ["s", "w"], "c": ["w"]}, {"daily": days, "triggers": {"b": trigger}}
    told = preview(plant.plane, plant.manifest(edges, "one", **declared), ME, "all")
    plant.apply(edges, rebuild="all", **declared)
    plant.apply(edges, code="two", rebuild="all", **declared)
    waits = plant.why("b", day if "b" in days else "")
    (listed,) = [r for r in plant.plane.access.as_principal(ME).plan(None, 100).items if r["workflow"] == "b"]
    ran = plant.settle()
    plant.drop("w", "two", day if "w" in days else "")

    assert [("b", "held")] == [(r["workflow"], r["state"]) for r in told.runs]
    assert ("waiting_for_input", []) == (waits, ran)
    assert ("held", "waiting_for_input") == (listed["state"], listed["code"])
    assert 1 == [name.partition("[")[0] for name in plant.settle()].count("b")
    assert {} == preview(plant.plane, plant.manifest(edges, "two", **declared), ME, "all").stale_counts


def test_what_a_rebuild_waited_for_is_not_made_when_the_edit_is_taken_back(plant):
    """What there is was made by just these declarations, and an update is looked at as ever."""
    plant.apply({"b": ["s"], "c": ["w"]})
    plant.drop("s", "one")
    plant.settle()
    plant.apply({"b": ["s", "w"], "c": ["w"]}, rebuild="all")
    plant.apply({"b": ["s"], "c": ["w"]})

    assert [] == plant.settle()
    plant.drop("s", "two")
    assert ["s", "b"] == plant.settle()


def test_of_static_keys_each_is_the_latest(plant):
    """And a rebuild of all is the same."""
    keys = Static("k", ["x", "y"])

    def declared(code):
        manifest = plant.manifest({"b": ["a"]}, code)
        (flow,) = manifest.workflows
        cut = tuple(replace(a, partitions=keys) if a.key == "b" else a for a in manifest.assets)
        return replace(manifest, assets=cut, workflows=(replace(flow, partitions=keys),))

    def apply(code, rebuild):
        register.apply(plant.plane, declared(code), plant.bundle(code)[1], ME, rebuild)
        return plant.settle()

    apply("one", "none")
    plant.drop("a", "one")
    assert ["a", "b[x]", "b[y]"] == plant.settle()

    assert [] == apply("two", "none")
    assert ["b[x]", "b[y]"] == apply("three", "latest")
    assert ["b[x]", "b[y]"] == apply("four", "all")


def test_what_failed_is_made_anew(days):
    """The newest day failed under the old code: the latest is that one."""
    days.drop("a", "again", DAYS[-1])
    days.ask(days.done(days.take()[0]))
    days.ask(days.failed(days.take()[0]))

    assert [f"b[{DAYS[-1]}]"] == [r for r in rebuilt(days, "latest") if r.startswith("b")]
    assert f"b[{DAYS[-1]}]" in days.settle()


def test_what_is_manual_is_made_by_request_alone(days):
    """The plan says so."""
    told = preview(
        days.plane,
        days.manifest({"b": ["a"], "c": ["b"]}, "two", daily=("a", "b"), triggers={"b": manual()}),
        ME,
        "all",
    )
    b = next(e for e in told.edits if e["key"] == "b")

    assert (3, 0, 0, "runs only when somebody asks") == (b["stale"], b["latest"], b["all"], b["why"])
    assert {"b": 3} == told.stale_counts


def test_other_inputs_make_stale_too(plant):
    """An input that is taken away, with the code as it was: told, not run, and made anew by a rebuild."""
    plant.apply({"b": ["a", "n"]})
    plant.drop("a", "one")
    plant.drop("n", "one")
    plant.settle()
    told = preview(plant.plane, plant.manifest({"b": ["a"]}, "one"), ME)
    plant.apply({"b": ["a"]})
    (edit,) = (e for e in told.edits if e["key"] == "b")

    assert [("inputs", "reads n no more")] == [
        (c["what"], c["words"]) for c in edit["changes"] if c["what"] == "inputs"
    ]
    assert (1, {"b": 1}, [], "inputs_changed") == (edit["stale"], told.stale_counts, plant.settle(), plant.why("b"))
    plant.apply({"b": ["a"]}, rebuild="latest")
    assert (["b"], "up_to_date") == (plant.settle(), plant.why("b"))
    assert "its inputs changed and a rebuild was asked for" == plant.runs("b")[0]["cause"]


def test_what_follows_is_told(days):
    """Below the runs, whatever an update can start."""
    edges = {"b": ["a"], "c": ["b"], "d": ["c"], "e": ["d"]}
    declared = {"daily": ("a", "b"), "triggers": {"e": manual()}}
    days.apply(edges, **declared)
    days.settle()
    manifest = days.manifest(edges, "one", **declared)
    edited = tuple(replace(w, fingerprint="new") if w.key == "b" else w for w in manifest.workflows)

    assert ["c", "d"] == preview(days.plane, replace(manifest, workflows=edited), ME, "latest").follow


def test_other_partitions_are_a_new_beginning(plant):
    """What was made before stays and is no partition any more; the newest is made once, history is not."""
    edges = {"b": ["a"]}
    plant.apply(edges, daily=("a",))
    for day in DAYS:
        plant.drop("a", day, day)
    plant.settle()
    told = preview(plant.plane, plant.manifest(edges, "one", daily=("a", "b")), ME)
    plant.apply(edges, daily=("a", "b"))

    assert [1] == [e["former"] for e in told.edits if e["key"] == "b"]
    assert [("b", DAYS[-1])] == [(r["workflow"], r["partition"]) for r in told.runs]
    assert [f"b[{DAYS[-1]}]"] == plant.settle()
    assert plant.head("b")


# A run in flight.


def step(name: str, of: Ref, output: str = "") -> TaskSpec:
    return TaskSpec(
        name=name,
        module="code",
        qualname=name,
        returns="dict",
        arguments=(Argument(parameter="p", type="dict", ref=of),),
        output=output,
        retry=Retry(attempts=2, delay_seconds=1.0),
    )


TASKS = {
    "b": (step("first", Ref(kind="input", name="a")), step("second", Ref(kind="task", name="first"), "b")),
}


@pytest.fixture
def going(plant):
    """b, of two tasks, has its first step granted; c is below it."""
    plant.apply({"b": ["a"], "c": ["b"]}, tasks=TASKS)
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    (lease,) = plant.take()
    return plant, lease


EDITS = {
    "code": ({"b": ["a"], "c": ["b"]}, {"tasks": TASKS}),
    "tasks": ({"b": ["a"], "c": ["b"]}, {}),
    "trigger": ({"b": ["a"], "c": ["b"]}, {"tasks": TASKS, "triggers": {"b": manual()}}),
    "inputs": ({"b": ["n"], "c": ["b"]}, {"tasks": None}),
    "removed": ({"c": ["b"]}, {}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_run_in_flight_keeps_its_bundle(going, edit):
    """Its granted step, the retry of it and the steps after it run the bundle and the tasks they were planned with; its
    commit moves the head, whatever is declared by then."""
    plant, lease = going
    old = plant.bundle("one")[0]
    edges, declared = EDITS[edit]
    plant.apply(edges, code="two", **declared)
    ran = [lease]
    plant.ask(plant.failed(lease))
    plant.now += 2 * SECOND
    while leases := [x for x in plant.take(1) if x.workflow == "b"]:
        (again,) = leases
        ran.append(again)
        assert [200] == [r.status for r in plant.ask(plant.done(again)).results]
        if again.task == "second":
            break

    assert ["first", "first", "second"] == [x.task for x in ran]
    assert {old} == {x.entry.bundle for x in ran}
    assert "second(=first(=one))" == plant.head("b")
    assert (1, "succeeded") == (len(plant.runs("b")), plant.runs("b")[0]["state"])


def test_a_queued_run_keeps_its_bundle_too(plant):
    """What is planned is planned: the new code is what the next run executes, unless a rebuild takes its place."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.apply({"b": ["a"]}, code="two")
    (lease,) = plant.take()
    plant.ask(plant.done(lease))

    assert plant.bundle("one")[0] == lease.entry.bundle
    assert "code_changed" == plant.why("b")


@pytest.mark.parametrize("granted", [False, True])
def test_a_rebuild_makes_anew_what_is_being_made(plant, granted):
    """A run of the old code that waits is replaced; one that goes on ends first, and is followed by the new."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    lease = plant.take()[0] if granted else None
    told = preview(plant.plane, plant.manifest({"b": ["a"]}, "two"), ME, "latest")
    plant.apply({"b": ["a"]}, code="two", rebuild="latest")
    if lease:
        assert [] == plant.take()
        plant.ask(plant.done(lease))
    (anew,) = plant.take()
    plant.ask(plant.done(anew))

    assert ["held" if granted else "queued"] == [r["state"] for r in told.runs]
    assert plant.bundle("two")[0] == anew.entry.bundle
    assert "up_to_date" == plant.why("b")
    assert ["succeeded", "succeeded" if granted else "superseded"] == [r["state"] for r in plant.runs("b")]


def test_the_run_of_a_removed_workflow_that_comes_back(going):
    """It ends with the code it was planned with; then the new one is compared with what it made."""
    plant, lease = going
    plant.apply({"c": ["b"]}, code="two")
    plant.apply({"b": ["a"], "c": ["b"]}, code="two", tasks=TASKS)
    plant.ask(plant.done(lease))
    plant.settle()

    assert "succeeded" in {r["state"] for r in plant.runs("b")}
    assert plant.why("b") in ("up_to_date", "code_changed")
    assert [] == plant.settle()


# What was waited for.


def test_what_waited_for_a_tick_runs_when_updates_are_enough(plant):
    """A trigger that is edited from the clock to updates lets run at once what was pending."""
    plant.now = at(1, 12)
    plant.apply({"b": ["a"]}, triggers={"b": on_update() & SIX})
    plant.drop("a", "one")
    assert ["a"] == plant.settle()
    plant.apply({"b": ["a"]})

    assert ["b"] == plant.settle()


@pytest.mark.parametrize("daily", [(), ("a", "b")], ids=["whole", "by day"])
def test_toggled_triggers_drop_nothing(plant, daily):
    """From updates to the clock, to manual and back, with an update between: it runs once, in the end."""
    day = "2020-01-01" if daily else ""
    plant.now = at(1, 12)
    plant.apply({"b": ["a"]}, daily=daily)
    plant.drop("a", "one", day)
    plant.settle()
    for trigger in (on_update() & SIX, manual(), on_update() & SIX):
        plant.apply({"b": ["a"]}, daily=daily, triggers={"b": trigger})
        plant.drop("a", str(trigger), day)
        assert [f"a[{day}]" if day else "a"] == plant.settle()
    plant.apply({"b": ["a"]}, daily=daily)

    assert [f"b[{day}]" if day else "b"] == plant.settle()
    assert [] == plant.settle()


def test_what_was_held_survives_an_edit(plant):
    """The bottom of a diamond waits for a side that is still going on, and is edited meanwhile."""
    edges = {"l": ["a"], "r": ["a"], "d": ["l", "r"]}
    plant.apply(edges)
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    left, right = plant.take(2)
    plant.ask(plant.done(left))
    plant.apply(edges, triggers={"d": on_update("l", "r")})
    assert [] == plant.take()
    plant.ask(plant.done(right))

    assert ["d"] == plant.settle()


@pytest.mark.parametrize("arrives", ["before", "meanwhile"])
def test_who_comes_back_within_a_day_has_missed_nothing(plant, arrives):
    """A workflow by day is declared no more while an update of an early day waits, or arrives; then it comes back."""
    plant.now = at(1, 12)
    gated = {"daily": ("a", "b"), "triggers": {"b": on_update() & SIX}}
    plant.apply({"b": ["a"]}, **gated)
    plant.drop("a", "newest", DAYS[-1])
    plant.settle()
    if arrives == "before":
        plant.drop("a", "early", DAYS[0])
        plant.settle()
    plant.apply({"x": ["a"]}, daily=("a", "x"))
    plant.settle()
    if arrives == "meanwhile":
        plant.drop("a", "early", DAYS[0])
        plant.settle()
    plant.now += HOUR
    plant.apply({"b": ["a"], "x": ["a"]}, daily=("a", "b", "x"))

    assert [f"b[{DAYS[0]}]", f"b[{DAYS[-1]}]"] == plant.settle()


def test_who_comes_back_later_is_new(plant):
    """After more than a day what it would have waited for is history: it runs once, for the newest."""
    plant.now = at(1, 12)
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": on_update() & SIX})
    for day in DAYS:
        plant.drop("a", day, day)
    plant.settle()
    plant.apply({"x": ["a"]}, daily=("a", "x"))
    plant.settle()
    plant.go_on(at(3, 12))
    plant.apply({"b": ["a"], "x": ["a"]}, daily=("a", "b", "x"))

    assert [f"b[{DAYS[-1]}]"] == plant.settle()


def test_a_tick_that_was_missed_by_who_comes_back_counts(plant):
    """As one that was missed by a control plane that was down; a month's report need not wait for the next month."""
    plant.now = at(1, 5)
    plant.apply({"b": ["a"]}, triggers={"b": on_update() & SIX})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"x": ["a"]})
    assert ["x"] == plant.go_on(at(1, 7))
    plant.apply({"b": ["a"], "x": ["a"]}, triggers={"b": on_update() & SIX})

    assert ["b"] == plant.go_on(at(1, 8))
    assert [] == plant.go_on(at(2, 8))


def test_what_failed_before_it_was_removed_is_tried_again(plant):
    """As of one that is new."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0], retryable=False))
    plant.apply({"x": ["a"]})
    plant.settle()
    plant.apply({"b": ["a"], "x": ["a"]})

    assert ["b"] == plant.settle()


def test_a_source_that_comes_back(plant):
    """What its file said meanwhile is not lost, for who reads it either."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"x": ["n"]})
    plant.drop("a", "two")
    assert [] == plant.settle()
    plant.apply({"b": ["a"]})

    assert ["a", "b"] == plant.settle()
    assert "b(=two)" == plant.head("b")


def test_an_input_that_is_added_wakes_by_its_news(plant):
    """One whose versions are older than the last run is told and waits for a rebuild or an update."""
    plant.apply({"b": ["a"], "x": ["n"]})
    plant.drop("n", "old")
    plant.drop("a", "one")
    plant.settle()
    both = {
        "b": (
            InputSpec(parameter="a", asset=AssetKey("a"), mapping=One()),
            InputSpec(parameter="n", asset=AssetKey("n"), mapping=One()),
        )
    }
    plant.apply({"b": ["a", "n"], "x": ["n"]}, inputs=both)
    assert ([], "inputs_changed") == (plant.settle(), plant.why("b"))
    plant.drop("n", "new")

    assert ["n", "b", "x"] == plant.settle()
