"""Who waits for whom, so that a diamond runs once."""

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, TaskSpec, WorkflowSpec
from riparian.assets.partitions import EVERYTHING, Daily, Hourly, Interval, Monthly, Offset, default_mapping
from riparian.assets.triggers import Manual, OnUpdate, on_cron, on_update
from riparian.scheduler.core.blockers import above, holds
from riparian.scheduler.core.facts import Blocker
from riparian.scheduler.core.graph import Graph

DAILY = Daily("day", start="2020-01-01")


def graph(edges: dict[str, list[str]], daily: tuple[str, ...] = (), triggers=None) -> Graph:
    """A graph of assets by what each consumes; assets that consume nothing are sources."""
    parts = {k: DAILY if k in daily else None for k in {*edges, *(i for ins in edges.values() for i in ins)}}
    assets, workflows = [], []
    for key in parts:
        made = key in edges
        assets.append(
            AssetSpec(key=AssetKey(key), kind="asset" if made else "source", format="json", partitions=parts[key])
        )
        if made:
            workflows.append(
                WorkflowSpec(
                    key=key,
                    inputs=tuple(
                        InputSpec(parameter=i, asset=AssetKey(i), mapping=default_mapping(parts[key], parts[i]))
                        for i in edges[key]
                    ),
                    produces=(AssetKey(key),),
                    tasks=(TaskSpec(name=key, module="m", qualname=key),),
                    trigger=(triggers or {}).get(key, OnUpdate()),
                    partitions=parts[key],
                )
            )
    return Graph([Manifest(project="p", bundle="b", assets=tuple(assets), workflows=tuple(workflows))])


DIAMOND = {"b": ["a"], "c": ["b"], "d": ["a", "c"]}


def test_depth_orders_makers_before_users():
    """Sources lie at no depth, and each workflow below all that it reads."""
    assert {"b": 1, "c": 2, "d": 3} == graph(DIAMOND).depth


def test_what_lies_above_is_found_through_any_number_of_edges():
    """What is unfinished two edges above is waited for, though the direct input's maker is idle."""
    assert {"a", "b", "c"} == set(above(graph(DIAMOND), "d", ""))
    assert {"a"} == set(above(graph(DIAMOND), "b", ""))


def test_manual_between_is_not_looked_through():
    """A manual workflow will not run by itself, so nobody waits for what it would be made from."""
    assert {"a", "c"} == set(above(graph(DIAMOND, triggers={"c": Manual()}), "d", ""))


def test_an_input_that_does_not_wake_is_not_waited_for():
    """With a named trigger, only what lies above the named asset holds."""
    assert {"a"} == set(above(graph(DIAMOND, triggers={"d": OnUpdate((AssetKey("a"),))}), "d", ""))


def test_partitions_reach_up_as_their_mappings_say():
    """A day waits for its own day, the roll-up for every day, and both for an input in one piece."""
    g = graph({"b": ["a", "w"], "sum": ["b"], "c": ["sum", "b"]}, daily=("a", "b", "c"))

    day, whole = (Interval("2020-01-02", "2020-01-02"),), (Interval("", ""),)
    every = (EVERYTHING,)

    assert {"a": day, "w": whole} == above(g, "b", "2020-01-02")
    assert {"b": every, "a": every, "w": whole} == above(g, "sum", "")
    assert {"sum": whole, "b": every, "a": every, "w": whole} == above(g, "c", "2020-01-02")


def test_a_failed_manual_workflow_holds_nobody():
    """Nobody waits for a repair that only a person can ask for; while it runs, its end is waited for."""
    g = graph(DIAMOND, triggers={"b": Manual()})

    assert not holds(g, Blocker("b", "", failed=True))
    assert holds(g, Blocker("b", "", failed=False))
    assert holds(g, Blocker("c", "", failed=True))


def test_who_waits_for_the_clock_is_not_looked_through():
    """What a workflow that needs a tick would make of its inputs is not waited for; one that updates can start is."""
    six = on_cron("0 6 * * *")

    assert {"a", "c"} == set(above(graph(DIAMOND, triggers={"c": on_update() & six}), "d", ""))
    assert {"a", "b", "c"} == set(above(graph(DIAMOND, triggers={"c": on_update() | six}), "d", ""))


def test_who_waits_for_the_clock_still_waits_for_what_it_watches():
    """An update that is still being made is waited for by what needs a tick too; by the clock alone nobody waits."""
    six = on_cron("0 6 * * *")

    assert {"a", "b", "c"} == set(above(graph(DIAMOND, triggers={"d": on_update() & six}), "d", ""))
    assert set() == set(above(graph(DIAMOND, triggers={"d": six}), "d", ""))


def test_a_failure_that_only_a_tick_repairs_holds_nobody():
    """Below a workflow that waits for the clock nobody waits for its next try."""
    g = graph(DIAMOND, triggers={"b": on_cron("0 6 * * *")})

    assert not holds(g, Blocker("b", "", failed=True))
    assert holds(g, Blocker("b", "", failed=False))


def test_windows_reach_up_to_the_windows_that_they_need():
    """A month waits for its own days' hours and for no other's; what is made from its own day before, for all earlier
    days, each of which may change the next."""
    parts = {"h": Hourly("hour", "2020-01-01"), "d": DAILY, "m": Monthly("month", "2020-01"), "s": DAILY}
    assets = [AssetSpec(key=AssetKey(k), kind="asset", format="json", partitions=cut) for k, cut in parts.items()]
    reads = {"d": {"h": None}, "m": {"d": None}, "s": {"d": None, "s": Offset(-1)}}
    workflows = [
        WorkflowSpec(
            key=key,
            inputs=tuple(
                InputSpec(parameter=i, asset=AssetKey(i), mapping=said or default_mapping(parts[key], parts[i]))
                for i, said in inputs.items()
            ),
            produces=(AssetKey(key),),
            tasks=(TaskSpec(name=key, module="m", qualname=key),),
            trigger=OnUpdate(),
            partitions=parts[key],
        )
        for key, inputs in reads.items()
    ]
    g = Graph([Manifest(project="p", bundle="b", assets=tuple(assets), workflows=tuple(workflows))])

    assert {
        "d": (Interval("2020-02-01", "2020-02-29"),),
        "h": (Interval("2020-02-01T00Z", "2020-02-29T23Z"),),
    } == above(g, "m", "2020-02")
    earlier = Interval("", "2020-02-02")
    found = above(g, "s", "2020-02-03")
    assert (earlier,) == found["s"]
    assert {Interval("2020-02-03", "2020-02-03"), earlier} == set(found["d"])
    assert "s" not in above(g, "s", "2020-01-01")
