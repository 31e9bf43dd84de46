"""Who waits for whom, so that a diamond runs once."""

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, TaskSpec, WorkflowSpec
from riparian.assets.partitions import Daily, default_mapping
from riparian.assets.triggers import Manual, OnUpdate
from riparian.scheduler.core.blockers import Blockers
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
                        InputSpec(
                            parameter=i, asset=AssetKey(i), type="dict", mapping=default_mapping(parts[key], parts[i])
                        )
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


def test_unfinished_far_above_blocks():
    """What is unfinished two edges above blocks, though the direct input's maker is idle."""
    blockers = Blockers(graph(DIAMOND), 3, [Blocker("b", "", failed=False)])

    assert Blocker("b", "", failed=False) == blockers.find("d", "")
    assert blockers.find("b", "") is None


def test_manual_between_does_not_hold():
    """A manual workflow will not run by itself, so nobody waits for what it would make."""
    blockers = Blockers(graph(DIAMOND, triggers={"c": Manual()}), 3, [Blocker("b", "", failed=False)])

    assert blockers.find("d", "") is None


def test_a_failed_manual_workflow_holds_nobody():
    """Nobody waits for a repair that only a person can ask for; while it runs, its end is waited for."""
    g = graph(DIAMOND, triggers={"b": Manual()})

    assert Blockers(g, 3, [Blocker("b", "", failed=True)]).find("c", "") is None
    assert Blockers(g, 3, [Blocker("b", "", failed=False)]).find("c", "") is not None


def test_partition_blocks_its_own_and_the_roll_up():
    """A day blocks the same day below and the roll-up of all days, not another day."""
    g = graph({"b": ["a"], "c": ["b"], "sum": ["c"]}, daily=("a", "b", "c"))
    blockers = Blockers(g, 3, [Blocker("b", "2020-01-01", failed=False)])

    assert blockers.find("c", "2020-01-01") is not None
    assert blockers.find("c", "2020-01-02") is None
    assert blockers.find("sum", "") is not None


def test_whole_input_blocks_every_partition():
    """An unfinished whole asset blocks all partitions that read it."""
    blockers = Blockers(graph({"w": ["s"], "c": ["a", "w"]}, daily=("a", "c")), 3, [Blocker("w", "", failed=False)])

    assert blockers.find("c", "2020-01-07") is not None


def test_going_on_is_named_before_failed():
    """What will end by itself is the reason that is told, while it lasts."""
    seeds = [Blocker("b", "", failed=True), Blocker("x", "", failed=False)]
    blockers = Blockers(graph({**DIAMOND, "x": ["a"], "d": ["c", "x"]}), 3, seeds)

    assert Blocker("x", "", failed=False) == blockers.find("d", "")
    assert Blocker("b", "", failed=True) == blockers.find("c", "")
