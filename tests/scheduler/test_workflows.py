"""Workflows of several tasks: what runs, on which road, with what, and when it becomes visible."""

import json
import logging
from dataclasses import replace

import pytest
from sqlalchemy import event

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec, Manifest
from riparian.assets.partitions import One
from riparian.assets.policy import Policy, Principal
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.scheduler import register, sessions
from riparian.scheduler.core.flow import MOST_ITEMS
from riparian.scheduler.core.protocol import Lease, Report
from riparian.scheduler.plan import MOST_MAPPED
from riparian.scheduler.request import materialize
from riparian.storage.metadata import runs

RAW = Ref(kind="input", name="raw")


def result(name: str) -> Ref:
    return Ref(kind="task", name=name)


def task(name: str, *refs: Ref, mapped: bool = False, roads: tuple[Road, ...] = (), **said) -> TaskSpec:
    """A task whose parameters p0, p1, … receive these; with ``mapped`` it goes through the first."""
    taken = tuple(Argument(parameter=f"p{n}", type="dict", ref=ref) for n, ref in enumerate(refs))
    return TaskSpec(
        name=name,
        module="code",
        qualname=name,
        arguments=taken,
        returns="dict",
        mapped="p0" if mapped else "",
        roads=roads,
        **said,
    )


def on(label: str) -> tuple[Road, ...]:
    return (Road(decision="road", label=label),)


STORM_OR_CALM = (
    task("profile", RAW),
    replace(task("road", result("profile"), labels=("storm", "calm")), returns="str"),
    task("full", RAW, result("profile"), roads=on("storm"), output="w"),
    task("short", result("profile"), roads=on("calm"), output="w"),
)
MAPPED = (
    replace(task("days", RAW), returns="list"),
    task("score", result("days"), mapped=True),
    task("total", Ref(kind="results", name="score"), output="w"),
)


def workflow(plant, tasks, *, produces=("w",), policies=None, code="one") -> Manifest:
    """The workflow ``w`` of these tasks, which consumes the source ``raw``."""
    manifest = plant.manifest({"w": ["raw"]}, code, tasks={"w": tasks}, policies=policies)
    spec = next(w for w in manifest.workflows if w.key == "w")
    made = next(a for a in manifest.assets if a.key == "w")
    others = tuple(replace(made, key=AssetKey(k)) for k in produces if k != "w")
    inputs = (InputSpec(parameter="raw", asset=AssetKey("raw"), mapping=One()),)
    spec = replace(spec, inputs=inputs, produces=tuple(AssetKey(k) for k in produces))
    return replace(manifest, assets=(*manifest.assets, *others), workflows=(spec,))


@pytest.fixture
def start(plant):
    """Applies a workflow of these tasks, delivers its input and takes that in."""

    def start(tasks, **said):
        manifest = workflow(plant, tasks, **said)
        me = Principal(name="me", groups=frozenset({"owners"}))
        register.apply(plane := plant.plane, manifest, plant.bundle(said.get("code", "one"))[1], me)
        plant.drop("raw", "r1")
        (ingest,) = plant.take(1)
        plant.ask(plant.done(ingest))
        return plane

    return start


def value(plant, lease: Lease, content) -> Report:
    """The report of a success with this content, as a list where it is one."""
    report = plant.done(lease, content)
    if not isinstance(content, list):
        return report
    return replace(report, outputs=tuple(replace(w, rows=len(content)) for w in report.outputs))


def unchanged(plant, lease: Lease) -> Report:
    return replace(plant.done(lease), outputs=(), unchanged=tuple(o.asset for o in lease.outputs))


def one(plant) -> Lease:
    (lease,) = plant.take(8)
    return lease


def accepted(plant, report: Report) -> None:
    assert [(200, "")] == [(r.status, r.reason) for r in plant.ask(report).results]


def received(lease: Lease) -> dict:
    return {i.parameter: [json.loads(p.content) for p in i.pieces] for i in lease.inputs}


def steps(plant) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    run = plant.runs("w")[0]["id"]
    for step in plant.plane.access.as_principal(ME).run(run)["steps"]:
        found.setdefault(step["task"], []).append(step["state"])
    return found


ME = Principal(name="me", groups=frozenset({"owners"}))


def test_tasks_run_in_the_order_of_their_results(plant, start):
    """A task is granted when what it takes is there, and receives it."""
    start((task("a", RAW), task("b", result("a"), RAW, output="w")))

    first = one(plant)
    assert ("a", {"p0": ["r1"]}) == (first.task, received(first))
    assert [] == plant.take(8)
    accepted(plant, plant.done(first, "from a"))
    second = one(plant)
    assert ("b", {"p0": ["from a"], "p1": ["r1"]}) == (second.task, received(second))
    assert plant.head("w") is None
    accepted(plant, plant.done(second, "made"))
    assert "made" == plant.head("w")
    assert {"a": ["succeeded"], "b": ["succeeded"]} == steps(plant)


@pytest.mark.parametrize(("decided", "ran", "left"), [("storm", "full", "short"), ("calm", "short", "full")])
def test_a_decision_takes_one_road(plant, start, decided: str, ran: str, left: str):
    """The other road is skipped, with the reason, and the asset is what the taken one made."""
    start(STORM_OR_CALM)

    accepted(plant, plant.done(one(plant), {"cancelled": 0.2}))
    accepted(plant, plant.done(one(plant), decided))
    last = one(plant)
    assert ran == last.task
    accepted(plant, plant.done(last, ran))
    assert ran == plant.head("w")
    assert {"profile": ["succeeded"], "road": ["succeeded"], ran: ["succeeded"], left: ["skipped"]} == steps(plant)
    run = plant.plane.access.as_principal(ME).run(plant.runs("w")[0]["id"])
    (skipped,) = (s for s in run["steps"] if s["state"] == "skipped")
    assert (
        f"road took the road {decided!r}, this is on the road {'calm' if decided == 'storm' else 'storm'!r}"
        == (skipped["reason"])
    )


def test_a_decision_without_a_road_fails_the_run(plant, start):
    """The error names what was returned and the roads there are."""
    start(STORM_OR_CALM)
    accepted(plant, plant.done(one(plant), {}))

    (refused,) = plant.ask(plant.done(one(plant), "rain")).results
    assert 422 == refused.status
    (run,) = plant.runs("w")
    assert "failed" == run["state"]
    assert "road: returned 'rain'; the branch on it has the roads storm, calm" == run["error"]


def test_a_map_runs_a_step_an_item_and_gathers_in_order(plant, start):
    """Each step receives its item; the list keeps the order of the items, whichever ended first."""
    start(MAPPED)
    accepted(plant, value(plant, one(plant), ["mon", "tue", "wed"]))

    leases = plant.take(8)
    assert [("score", ["mon"]), ("score", ["tue"]), ("score", ["wed"])] == [(x.task, received(x)["p0"]) for x in leases]
    assert 3 == len({x.seed for x in leases})
    for lease in reversed(leases):
        accepted(plant, plant.done(lease, f"scored {received(lease)['p0'][0]}"))
    total = one(plant)
    assert ({"p0": ["scored mon", "scored tue", "scored wed"]}, True) == (received(total), total.inputs[0].listed)
    accepted(plant, plant.done(total, "total"))
    assert "total" == plant.head("w")


def test_a_map_of_nothing_is_gathered_as_nothing(plant, start):
    """No items are no steps; what gathers them gets an empty list."""
    start(MAPPED)
    accepted(plant, value(plant, one(plant), []))

    total = one(plant)
    assert ("total", {"p0": []}, True) == (total.task, received(total), total.inputs[0].listed)


def test_items_with_nothing_new_are_left_out(plant, start):
    """What returned NoUpdate is not in the list."""
    start(MAPPED)
    accepted(plant, value(plant, one(plant), ["mon", "tue", "wed"]))
    first, second, third = plant.take(8)
    accepted(plant, plant.done(first, "a"))
    accepted(plant, unchanged(plant, second))
    accepted(plant, plant.done(third, "c"))

    assert {"p0": ["a", "c"]} == received(one(plant))


def test_a_map_over_a_map_goes_item_by_item(plant, start):
    """The second one receives the first one's results, each step one of them."""
    start(
        (
            *MAPPED[:2],
            task("twice", Ref(kind="results", name="score"), mapped=True, output=""),
            task("total", Ref(kind="results", name="twice"), output="w"),
        )
    )
    accepted(plant, value(plant, one(plant), ["mon", "tue"]))
    for lease in plant.take(8):
        accepted(plant, plant.done(lease, f"scored {received(lease)['p0'][0]}"))

    assert [{"p0": ["scored mon"]}, {"p0": ["scored tue"]}] == [received(x) for x in plant.take(8)]


def test_a_map_over_constants_needs_no_task_before_it(plant, start):
    """The items stand in the workflow; each step receives its own."""
    start(
        (
            task("score", Ref(kind="value", value=[3, 5]), mapped=True),
            task("total", Ref(kind="results", name="score"), output="w"),
        )
    )

    assert [{"p0": 3}, {"p0": 5}] == [x.constants for x in plant.take(8)]
    specs = plant.plane.db.read(
        lambda tx: tx.conn.exec_driver_sql("SELECT spec FROM step WHERE task = 'score'").scalars().all()
    )
    assert [False, False] == ["[3,5]" in spec for spec in specs]


def test_a_map_over_a_map_leaves_out_what_was_not_made(plant, start, monkeypatch):
    """Of three items of which one made nothing, the second map has two, each with the result that is its own."""
    start(
        (
            *MAPPED[:2],
            task("twice", Ref(kind="results", name="score"), mapped=True),
            task("total", Ref(kind="results", name="twice"), output="w"),
        )
    )
    accepted(plant, value(plant, one(plant), ["mon", "tue", "wed"]))
    first, second, third = plant.take(8)
    accepted(plant, unchanged(plant, first))
    accepted(plant, plant.done(second, "b"))
    accepted(plant, plant.done(third, "c"))

    # Each step loads its own: with all results for every one of them, ten thousand items would be a hundred million.
    monkeypatch.setattr(runs, "results", None)
    (b,) = plant.take(1)
    (c,) = plant.take(1)
    assert [{"p0": ["b"]}, {"p0": ["c"]}] == [received(b), received(c)]


def test_items_have_seeds_of_their_own_and_keep_them(plant, start):
    """Each item draws other numbers than its neighbour, and a retry draws the same ones again."""
    start((MAPPED[0], replace(MAPPED[1], retry=Retry(attempts=2, delay_seconds=0)), MAPPED[2]))
    accepted(plant, value(plant, one(plant), ["mon", "tue"]))
    mon, tue = plant.take(8)
    accepted(plant, plant.failed(mon))

    again = one(plant)
    assert (mon.step, mon.seed, 2) == (again.step, again.seed, again.attempt)
    assert mon.seed != tue.seed


def test_too_many_items_fail_the_run(plant, start):
    """A result that is longer than a task may be mapped over ends the run with words, and makes no steps."""
    start(MAPPED)
    lease = one(plant)
    stored = plant.plane.objects.put(f"{lease.outputs[0].directory}/value.json", b"[]")
    report = plant.done(lease)
    written = replace(report.outputs[0], rows=MOST_ITEMS + 1, content=None, objects=(stored,))

    accepted(plant, replace(report, outputs=(written,)))
    (run,) = plant.runs("w")
    assert (
        "failed",
        "days returned 10001 items; a task is mapped over at most 10000; let each item hold more",
    ) == (run["state"], run["error"])
    assert {"days": ["succeeded"], "score": ["cancelled"], "total": ["cancelled"]} == steps(plant)


def test_what_is_no_list_can_not_be_gone_through(plant, start):
    """An unknown number of items is not one item."""
    start(MAPPED)

    accepted(plant, plant.done(one(plant), "no list"))
    (run,) = plant.runs("w")
    assert "failed" == run["state"]
    assert "score is mapped over days, and how many items that has is not known" in run["error"]


def arrive(plant, content, rows: int | None) -> None:
    """The source's newest version is this one."""
    plant.drop("raw", str(content))
    (ingest,) = plant.take(1)
    text = json.dumps(content)
    report = plant.done(ingest)
    accepted(
        plant,
        replace(report, outputs=tuple(replace(w, content=text, rows=rows, bytes=len(text)) for w in report.outputs)),
    )


def test_too_many_constants_fail_the_run_when_it_is_planned(plant, start):
    """The run is there, with the reason, and nobody has to work for that; what comes next is tried again."""
    start(
        (
            task("score", Ref(kind="value", value=[0] * (MOST_ITEMS + 1)), mapped=True, output=""),
            task("w", RAW, output="w"),
        )
    )

    assert [] == plant.take(8)
    (run,) = plant.runs("w")
    assert "failed" == run["state"]
    assert "'p0' has 10001 items; a task is mapped over at most 10000" in run["error"]
    plant.plane.look()
    assert "failed" == plant.why("w")
    plant.drop("raw", "r2")
    accepted(plant, plant.done(one(plant), "r2"))
    assert ["failed", "failed"] == [r["state"] for r in plant.runs("w")]


def test_a_run_without_anything_to_do_ends_when_it_is_planned(plant, start, monkeypatch):
    """A map over a list that is empty already makes no steps; the run has succeeded, and the next one runs."""
    # Nobody may declare so any more; who did so before has it still.
    monkeypatch.setattr(register, "check", lambda *_: ())
    start((task("score", RAW, mapped=True, output="w"),))
    arrive(plant, [], 0)

    assert [] == plant.take(8)
    assert ["succeeded", "failed"] == [r["state"] for r in plant.runs("w")]
    assert "up_to_date" == plant.why("w")
    arrive(plant, ["mon"], 1)
    assert {"p0": ["mon"]} == received(one(plant))


def test_the_length_of_an_older_input_is_looked_up(plant, start):
    """A small list of which nobody noted how long it is, is read when it is gone through."""
    start((task("score", RAW, mapped=True), task("total", Ref(kind="results", name="score"), output="w")))
    plant.plane.db.write(lambda tx: tx.conn.exec_driver_sql('UPDATE version SET rows = NULL, content = \'["a","b"]\''))
    asked = materialize(plant.plane, "w", "", ME)

    assert asked.run is not None
    assert [{"p0": ["a"]}, {"p0": ["b"]}] == [received(x) for x in plant.take(8)]


def test_a_step_waits_for_nothing_that_has_ended(plant, start):
    """Ids are no order: where the clock was set back while the run was planned, nothing stays blocked."""
    start(
        (
            replace(task("profile", RAW), labels=("storm", "calm"), returns="str"),
            task("full", RAW, roads=(Road(decision="profile", label="storm"),)),
            task("last", result("full"), output="w"),
        )
    )
    decision = one(plant)
    plant.plane.db.write(
        lambda tx: tx.conn.exec_driver_sql("UPDATE step SET id = 'Z' || id WHERE task = 'full'"),
    )

    accepted(plant, plant.done(decision, "calm"))
    assert {"profile": ["succeeded"], "full": ["skipped"], "last": ["skipped"]} == steps(plant)
    assert "succeeded" == plant.runs("w")[0]["state"]


@pytest.mark.parametrize(
    ("column", "text"), [("spec", "{"), ("pins", "[{"), ("pins", "[]"), ("content", "[1,"), ("content", "[" * 9_000)]
)
def test_a_step_that_can_not_be_granted_costs_its_own_run(plant, start, caplog, column: str, text: str):
    """Whatever lies broken in the catalogue: that run fails with words, and the others of the exchange are granted."""
    start((MAPPED[0], task("other", RAW), task("score", result("days"), RAW, mapped=True), MAPPED[2]))
    plant.apply({"x": ["y"]}, code="two")
    first, second = plant.take(8)
    accepted(plant, value(plant, first if first.task == "days" else second, ["mon", "tue"]))
    plant.drop("y", "1")
    at = {
        "spec": "UPDATE step SET spec = ? WHERE task = 'score' AND map_index = 1",
        "pins": "UPDATE run SET pins = ? WHERE workflow = 'w'",
        "content": "UPDATE version SET content = ? WHERE asset = 'w/days'",
    }[column]
    plant.plane.db.write(lambda tx: tx.conn.exec_driver_sql(at, (text,)))

    with caplog.at_level(logging.CRITICAL):
        (ingest,) = plant.take(8)
    assert "y" == ingest.workflow
    (run,) = plant.runs("w")
    assert "failed" == run["state"]
    assert "score: it can not be granted (" in run["error"]
    assert [409] == [r.status for r in plant.ask(plant.done(second)).results]
    assert [200] == [r.status for r in plant.ask(plant.done(ingest)).results]
    assert ["x"] == plant.settle()


def test_heads_of_a_run_move_together(plant, start):
    """Two assets of one workflow are seen at once, when all of it has ended."""
    start((task("a", RAW, output="w"), task("b", RAW, output="v")), produces=("w", "v"))
    first, second = plant.take(8)

    accepted(plant, plant.done(first, "1"))
    assert (None, None) == (plant.head("w"), plant.head("v"))
    accepted(plant, plant.done(second, "2"))
    assert ("1", "2") == (plant.head("w"), plant.head("v"))


def test_nothing_new_keeps_the_head(plant, start):
    """NoUpdate ends the run well; the asset keeps its head, and the same inputs are not looked at again."""
    start((task("a", RAW, output="w"),))
    accepted(plant, plant.done(one(plant), "first"))
    plant.drop("raw", "r2")
    accepted(plant, plant.done(one(plant)))

    accepted(plant, unchanged(plant, one(plant)))
    assert "first" == plant.head("w")
    assert ["succeeded", "succeeded"] == [r["state"] for r in plant.runs("w")]
    assert "up_to_date" == plant.why("w")


def test_a_failed_task_fails_the_run(plant, start):
    """What else runs is fenced, what waited never runs, and nothing of it is seen."""
    start((task("a", RAW, output="w"), task("b", RAW), task("c", result("b"), output="v")), produces=("w", "v"))
    first, second = plant.take(8)
    accepted(plant, plant.failed(second))

    assert [409] == [r.status for r in plant.ask(plant.done(first)).results]
    assert ("failed", None, None) == (plant.runs("w")[0]["state"], plant.head("w"), plant.head("v"))
    run = plant.plane.access.as_principal(ME).run(plant.runs("w")[0]["id"])
    assert {"a": ["cancelled"], "b": ["failed"], "c": []} == {
        s["task"]: [a["outcome"] for a in s["attempts"]] for s in run["steps"]
    }
    assert [] == plant.take(8)


def test_each_task_has_retries_of_its_own(plant, start):
    """One task is tried again, the others keep what they made."""
    start((task("a", RAW), task("b", result("a"), output="w", retry=Retry(attempts=2, delay_seconds=0))))
    accepted(plant, plant.done(one(plant), "a"))

    accepted(plant, plant.failed(one(plant)))
    again = one(plant)
    assert ("b", 2, {"p0": ["a"]}) == (again.task, again.attempt, received(again))


def test_a_lost_step_of_a_map_is_repeated_alone(plant, start):
    """The death of one child costs that item and no other."""
    start(MAPPED)
    accepted(plant, value(plant, one(plant), ["mon", "tue"]))
    first, second = plant.take(8)
    accepted(plant, plant.failed(first, "lost"))

    again = one(plant)
    assert (first.step, {"p0": ["mon"]}, first.seed) == (again.step, received(again), again.seed)
    accepted(plant, plant.done(again, "again"))
    accepted(plant, plant.done(second, "second"))
    assert {"p0": ["again", "second"]} == received(one(plant))


def test_an_intermediate_is_no_version_of_an_asset(plant, start):
    """It is listed with its step, never among the outputs of the run or the versions of an asset."""
    start((task("a", RAW), task("b", result("a"), output="w")))
    accepted(plant, plant.done(one(plant), "a"))
    accepted(plant, plant.done(one(plant), "b"))

    view = plant.plane.access.as_principal(ME)
    assert ["w"] == [v["asset"] for v in view.run(plant.runs("w")[0]["id"])["outputs"]]
    rows = plant.plane.db.read(lambda tx: tx.conn.exec_driver_sql("SELECT asset, state, origins FROM version").all())
    (kept,) = (r for r in rows if r.state == "intermediate")
    assert "w/a" == kept.asset


def test_intermediates_and_outputs_carry_every_origin(plant, start):
    """A task that took no restricted input makes no open version: its run was granted one, and that decides it."""
    closed = Policy(readers={"ops"})
    start((task("a", RAW), task("b", Ref(kind="value", value=1), output="w")), policies={"raw": closed})
    for lease in plant.take(8):
        accepted(plant, plant.done(lease, lease.task))

    bob = plant.plane.access.as_principal(Principal(name="bob", groups=frozenset()))
    ana = plant.plane.access.as_principal(Principal(name="ana", groups=frozenset({"ops"})))
    assert [] == [a["key"] for a in bob.assets(None, 100, None).items if a["key"] == "w"]
    assert ["w"] == [a["key"] for a in ana.assets(None, 100, None).items if a["key"] == "w"]


def test_lineage_names_what_a_task_was_made_from(plant, start):
    """Through the tasks before it: an output has the inputs that led to it."""
    start((task("a", RAW), task("b", result("a"), output="w")))
    accepted(plant, plant.done(one(plant), "a"))
    accepted(plant, plant.done(one(plant), "b"))

    view = plant.plane.access.as_principal(ME)
    found = view.lineage("w", None, None, direction="up", up=3, down=0, level="version", limit=100)
    assert ["raw", "w"] == sorted(n["key"] for n in found["nodes"])


def test_a_restart_in_the_middle_goes_on(plant, start):
    """What tasks made lies in the catalogue; another process of the control plane grants what follows."""
    start(STORM_OR_CALM)
    accepted(plant, plant.done(one(plant), {"cancelled": 0.2}))
    decision = one(plant)
    plant.close()
    plant.open()

    plant.now += 60_000_000
    sessions.expire(plant.plane)
    plant.session = plant.join()
    again = one(plant)
    assert ("road", decision.step, decision.epoch + 2) == (again.task, again.step, again.epoch)


def test_a_report_that_leaves_an_output_out_is_refused(plant, start):
    """What is neither made nor said to be unchanged was forgotten."""
    start((task("a", RAW, output="w"),))

    (refused,) = plant.ask(replace(plant.done(one(plant)), outputs=())).results
    assert 422 == refused.status


def test_an_intermediate_of_another_run_is_never_granted(plant, start):
    """Each run has results of its own, also of the same task."""
    start((task("a", RAW), task("b", result("a"), output="w")))
    accepted(plant, plant.done(one(plant), "a1"))
    accepted(plant, plant.done(one(plant), "b1"))
    plant.drop("raw", "r2")
    accepted(plant, plant.done(one(plant)))
    accepted(plant, plant.done(one(plant), "a2"))

    assert {"p0": ["a2"]} == received(one(plant))


def test_tasks_that_are_mapped_over_too_many_items_at_once_fail_their_run(plant, start):
    """The rows of all their steps would be written in one go, while nobody else writes."""
    start(
        (
            *(
                task(f"score{n}", Ref(kind="value", value=[0] * MOST_ITEMS), mapped=True, output="")
                for n in range(MOST_MAPPED // MOST_ITEMS + 1)
            ),
            task("w", RAW, output="w"),
        )
    )

    (run,) = plant.runs("w")
    assert "11 tasks are mapped over 110000 items at once; 100000 are allowed" in run["error"]
    assert 12 == sum(c["steps"] for c in plant.plane.access.as_principal(ME).run(run["id"])["step_counts"])


def test_a_long_road_that_is_not_taken_is_skipped_at_once(plant, start):
    """With few queries, however many tasks follow one another on it."""
    chain = (task(f"t{n}", Ref(kind="task", name=f"t{n - 1}"), output="") for n in range(1, 40))
    storm = replace(task("t0", RAW, output=""), roads=(Road(decision="road", label="storm"),))
    start(
        (
            replace(task("road", RAW, output=""), returns="str", labels=("storm", "calm")),
            *(storm, *chain),
            task("w", RAW, output="w"),
        )
    )
    road = next(lease for lease in plant.take(8) if lease.task == "road")
    asked: list[str] = []
    writer = plant.plane.db._writer
    note = lambda *a: asked.append(a[2])  # noqa: E731
    event.listen(writer, "before_cursor_execute", note)
    accepted(plant, plant.done(road, "calm"))
    event.remove(writer, "before_cursor_execute", note)

    assert 40 > sum(statement.startswith("SELECT") for statement in asked)
    (run,) = plant.runs("w")
    counts = plant.plane.access.as_principal(ME).run(run["id"])["step_counts"]
    assert 40 == sum(c["steps"] for c in counts if c["state"] == "skipped")
