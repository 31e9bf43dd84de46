"""Every rule of check, with the file and line that it names."""

from dataclasses import replace
from typing import Any

import pytest

from riparian.assets.arrival import FileDrop
from riparian.assets.checks import CheckSpec
from riparian.assets.errors import Location, Problem
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, WorkflowSpec
from riparian.assets.parameters import ParameterSpec
from riparian.assets.partitions import (
    AllPartitions,
    Daily,
    Identity,
    Mapping,
    Monthly,
    Offset,
    One,
    Product,
    Static,
)
from riparian.assets.policy import Policy
from riparian.assets.rules import CYCLES, check
from riparian.assets.task_rules import MOST_CONSTANTS, MOST_TASKS
from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.assets.triggers import Trigger, checks_passed, missing, on_cron, on_update

DAY = Daily("day", start="2013-01-01")
Made = tuple[AssetSpec, WorkflowSpec]
HERE = Location("flights.py", 7)
DAILY_CSV = FileDrop("drop/flights_{day:%Y-%m-%d}.csv")


def source(key: str = "n.raw", line: int = 1, **values: Any) -> AssetSpec:
    return AssetSpec(key=key, kind="source", location=Location("flights.py", line), **({"format": "bytes"} | values))


def made(
    key: str,
    *inputs: str | InputSpec,
    line: int = 7,
    partitions: Daily | None = None,
    trigger: Trigger | None = None,
    policy: Policy | None = None,
    type: str = "bytes",
) -> Made:
    """Returns the asset and the workflow of one @asset at ``line``, which reads its inputs as ``type``."""
    here = Location("flights.py", line)
    specs = tuple(i if isinstance(i, InputSpec) else consumed(i) for i in inputs)
    asset = AssetSpec(
        key=key, kind="asset", format="bytes", partitions=partitions, policy=policy, producer=key, location=here
    )
    workflow = WorkflowSpec(
        key=key,
        inputs=specs,
        produces=(AssetKey(key),),
        tasks=(task("f", *(takes(Ref(kind="input", name=s.parameter), type) for s in specs), output=key),),
        trigger=on_update() if trigger is None else trigger,
        partitions=partitions,
        location=here,
    )
    return asset, workflow


def consumed(key: str, mapping: Mapping = One()) -> InputSpec:  # noqa: B008  # a frozen value
    return InputSpec(parameter="p", asset=AssetKey(key), mapping=mapping)


def task(name: str, *arguments: Argument, returns: str = "dict", **said: Any) -> TaskSpec:
    return TaskSpec(name=name, module="m", qualname=name, arguments=arguments, returns=returns, **said)


def takes(ref: Ref, type: str = "dict", parameter: str = "p") -> Argument:
    return Argument(parameter=parameter, type=type, ref=ref)


def composed(*tasks: TaskSpec, raw: str = "json") -> tuple[Problem, ...]:
    """Returns the problems of a workflow of these tasks, which consumes ``n.raw`` as ``p`` and makes ``n.a``."""
    asset, workflow = made("n.a", "n.raw")
    return problems(source(format=raw), (asset, replace(workflow, tasks=tasks)))


def problems(*declared: AssetSpec | Made) -> tuple[Problem, ...]:
    assets = [d if isinstance(d, AssetSpec) else d[0] for d in declared]
    return check(assets, [d[1] for d in declared if not isinstance(d, AssetSpec)])


def only(*declared: AssetSpec | Made) -> Problem:
    (problem,) = problems(*declared)
    assert problem.message
    assert problem.remedy
    return problem


def test_what_is_right_has_no_problems() -> None:
    """A source, its daily consumer and a roll-up of that are fine."""
    assert () == problems(
        source(partitions=DAY, arrives=DAILY_CSV, format="csv"),
        made("n.a", consumed("n.raw", Identity()), partitions=DAY),
        made("n.b", consumed("n.a", AllPartitions())),
    )


def test_an_unknown_input_is_suggested() -> None:
    """A misspelt key says which one may be meant."""
    problem = only(source("air.flights"), made("n.a", "air.flighs"))

    assert ("unknown_input", HERE) == (problem.code, problem.location)
    assert "Did you mean 'air.flights'?" == problem.remedy


def test_an_unknown_asset_in_a_trigger() -> None:
    """on_update() names declared assets only."""
    problem = only(source("n.raw"), made("n.a", "n.raw", trigger=on_update("n.row")))

    assert ("unknown_asset", HERE) == (problem.code, problem.location)
    assert "'n.raw'" in problem.remedy


def test_two_producers() -> None:
    """One asset has one producer; the second one is told where the first is."""
    problem = only(made("n.a", line=3), made("n.a", line=7))

    assert ("two_producers", HERE) == (problem.code, problem.location)
    assert "flights.py:3" in problem.message


def test_a_source_that_is_also_made() -> None:
    """What arrives from outside is not made here as well."""
    assert "two_producers" == only(source("n.a"), made("n.a")).code


def test_a_cycle_is_named_in_the_direction_of_the_data() -> None:
    """The ring is written out, from its first key in the alphabet."""
    problem = only(made("n.b", "n.a", line=9), made("n.c", "n.b", line=8), made("n.a", "n.c", line=7))

    assert ("cycle", HERE) == (problem.code, problem.location)
    assert problem.message.endswith(": n.a -> n.b -> n.c -> n.a")


def test_an_asset_made_from_itself() -> None:
    """The smallest cycle has one asset."""
    assert only(made("n.a", "n.a")).message.endswith(": n.a -> n.a")


def test_the_day_before_is_no_cycle() -> None:
    """An asset may be made from its own earlier partitions; from this one, or a later one, it can not."""
    assert () == problems(made("n.a", consumed("n.a", Offset(-1)), partitions=DAY))
    assert () == problems(made("n.a", consumed("n.a", Offset(-6, -1)), partitions=DAY))
    for mapping in (Identity(), Offset(0), Offset(-1, 0), Offset(1)):
        assert "cycle" == only(made("n.a", consumed("n.a", mapping), partitions=DAY)).code


def test_a_diamond_is_no_cycle() -> None:
    """Two ways to one asset are fine."""
    assert () == problems(made("n.a"), made("n.b", "n.a"), made("n.c", "n.a"), made("n.d", "n.b", "n.c"))


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    """Chains longer than Python's recursion limit are followed."""
    chain = [made("n.a0"), *(made(f"n.a{i}", f"n.a{i - 1}") for i in range(1, 5_000))]

    assert () == problems(*chain)
    assert ["cycle"] == [p.code for p in problems(made("n.a0", "n.a4999"), *chain[1:])]


def test_bad_keys() -> None:
    """A key that reached a manifest otherwise than by the SDK is judged too."""
    assert ["bad_key"] == [p.code for p in problems(source("Air Flights"))]


@pytest.mark.parametrize(
    ("pattern", "partitions", "code"),
    [
        ("drop/{dya:%Y-%m-%d}.csv", DAY, "unknown_placeholder"),
        ("drop/{day:%Y-%m-%d}.csv", None, "unknown_placeholder"),
        ("drop/flights.csv", DAY, "missing_placeholder"),
        ("drop/{day:%Y-%m}.csv", DAY, "missing_placeholder"),
        ("drop/{day.csv", DAY, "bad_pattern"),
    ],
)
def test_patterns_that_do_not_fit_the_partitions(pattern: str, partitions: Daily | None, code: str) -> None:
    """The placeholders of a pattern are the dimensions of the partitions, and name whole days."""
    problem = only(source(arrives=FileDrop(pattern), partitions=partitions, line=7))

    assert (code, HERE) == (problem.code, problem.location)


@pytest.mark.parametrize("pattern", ["../elsewhere/{day:%Y/%m/%d}.csv", "/srv/{day:%Y-%m-%d}/flights.csv"])
def test_folders_are_free(pattern: str) -> None:
    """A pattern may leave the project's folder and may name the partition in folders."""
    assert () == problems(source(arrives=FileDrop(pattern), partitions=DAY))


def test_two_sources_of_the_same_files() -> None:
    """One file would be two assets' news."""
    one = source("n.a", arrives=FileDrop("x.csv"), format="csv")
    two = source("n.b", arrives=FileDrop("x.csv"), format="csv", line=7)

    assert ("same_files", HERE) == ((problem := only(one, two)).code, problem.location)


def test_an_unknown_format() -> None:
    """A misspelt format is found before a file arrives."""
    problem = only(source(format="prquet", line=7))

    assert ("unknown_format", HERE) == (problem.code, problem.location)
    assert "parquet" in problem.remedy


@pytest.mark.parametrize(
    ("mapping", "consumer", "input_partitions"),
    [
        (Identity(), DAY, None),
        (Identity(), None, DAY),
        (Identity(), DAY, Daily("day", start="2012-01-01", end="2012-12-31")),
        (One(), DAY, DAY),
        (AllPartitions(), DAY, None),
    ],
)
def test_mappings_that_never_match(mapping: Mapping, consumer: Daily | None, input_partitions: Daily | None) -> None:
    """A mapping between partitions that can not meet is an error of the consumer."""
    problem = only(source(partitions=input_partitions), made("n.a", consumed("n.raw", mapping), partitions=consumer))

    assert ("impossible_mapping", HERE) == (problem.code, problem.location)


def test_an_input_that_can_not_be_read() -> None:
    """A table can not be read from what is stored as JSON, nor anything but bytes from unknown files."""
    wants_table = made("n.a", "n.raw", type="pyarrow.lib.Table")

    for format in ("bytes", "json"):
        problem = only(source(format=format), wants_table)
        assert ("unreadable_input", HERE) == (problem.code, problem.location)
    for format in ("csv", "parquet", "of_an_extension"):
        assert "unreadable_input" not in {p.code for p in problems(source(format=format), wants_table)}


def test_a_dataclass_is_read_from_json() -> None:
    """A dataclass is JSON, whatever its name."""
    assert () == problems(source(format="json"), made("n.a", "n.raw", type="dataclass:m:Report"))


RAW = Ref(kind="input", name="p")
OF_A, OF_ITEMS = Ref(kind="task", name="a"), Ref(kind="results", name="items")


def test_a_result_that_can_not_be_read() -> None:
    """What one task stores as a table the next one can not take as a dict."""
    (problem,) = composed(task("a", takes(RAW), returns="pyarrow.lib.Table"), task("b", takes(OF_A), output="n.a"))

    assert "unreadable_input" == problem.code
    assert "'p' of b in n.a wants dict, but what a returns is stored as parquet" in problem.message


def test_what_is_no_list_is_not_gone_through() -> None:
    """Only a list has items: of a task, or of an asset of JSON in one piece."""
    squares = [task("items", takes(OF_A, "int"), returns="int", mapped="p"), task("b", takes(OF_ITEMS), output="n.a")]

    assert () == composed(task("a", takes(RAW), returns="list"), *squares)
    (problem,) = composed(task("a", takes(RAW), returns="dict"), *squares)
    assert "goes through the items of a, which returns dict" in problem.message
    over_input = task("items", takes(RAW, "int"), returns="int", mapped="p")
    assert () == composed(over_input, squares[1])
    (problem,) = composed(over_input, squares[1], raw="csv")
    assert "goes through the items of n.raw, which is no list" in problem.message


def test_an_asset_that_no_task_makes() -> None:
    """What is produced has a task that makes it."""
    (problem,) = composed(task("a", takes(RAW)))

    assert ("unmade_asset", HERE) == (problem.code, problem.location)


@pytest.mark.parametrize(
    "strange",
    [
        task("a", takes(RAW)),
        task("b", takes(Ref(kind="task", name="later"))),
        task("b", takes(Ref(kind="input", name="other"))),
        task("b", takes(Ref(kind="results", name="a"))),
        task("b", takes(RAW), roads=(Road(decision="a", label="storm"),)),
        task("b", takes(Ref(kind="choice", name="a", labels=("storm",), items=(RAW,)))),
        task("b", takes(Ref(kind="list", items=(RAW,)))),
        task("b", takes(Ref(kind="value", value="abc")), mapped="p"),
        task("b", takes(RAW), mapped="q"),
        task("b", takes(RAW), output="n.other"),
        task("b", takes(RAW), mapped="p", output="n.a"),
        task("b", takes(RAW), mapped="p", labels=("storm",), returns="str"),
        task("b", takes(Ref(kind="list"))),
        task("b\n", takes(RAW)),
    ],
)
def test_what_nobody_composed_is_refused(strange: TaskSpec) -> None:
    """A manifest comes over the network: tasks that could never be granted are refused, whoever wrote them."""
    assert "bad_composition" in {p.code for p in composed(task("a", takes(RAW), output="n.a"), strange)}


def test_a_workflow_takes_no_other_asset_s_key() -> None:
    """A workflow that is named like an asset of another one would share its runs and its rights."""
    asset, workflow = made("n.a", "n.raw")

    (problem,) = problems(source(), (asset, replace(workflow, key="n.raw")), made("n.b", "n.raw"))[:1]
    assert "two_workflows" == problem.code


def test_isolation_that_no_pool_offers_is_refused() -> None:
    """What can not be protected as asked is not accepted at all."""
    problem = only(made("n.a", policy=Policy(isolation=2)))

    assert ("isolation_unavailable", HERE) == (problem.code, problem.location)
    assert () == problems(made("n.a", policy=Policy(isolation=1)))


def test_a_trigger_on_its_own_product() -> None:
    """A workflow that waits for itself never runs, or never stops."""
    problem = only(source(), made("n.a", "n.raw", trigger=on_update("n.a")))

    assert ("self_trigger", HERE) == (problem.code, problem.location)


@pytest.mark.parametrize(
    ("cut", "trigger", "inputs", "says"),
    [
        (None, on_cron("0 1 * * *"), (), "no partitions by time"),
        (DAY, on_update("n.raw"), (), "names no schedule"),
        (DAY, on_cron("0 1 * * *"), ("n.raw",), "its inputs say"),
        (DAY, on_cron("0 1 * * *") | missing(), (), ""),
    ],
)
def test_what_has_nothing_to_catch_up(cut: Daily | None, trigger: Trigger, inputs: tuple[str, ...], says: str) -> None:
    """Only what runs for the window of a tick can make up for one."""
    specs = [consumed(i, Identity()) for i in inputs]
    asset, workflow = made("n.a", *specs, trigger=trigger, partitions=cut)
    found = problems(source(partitions=DAY), (asset, replace(workflow, catch_up="all")))

    assert [("nothing_to_catch_up", True)] * bool(says) == [(p.code, says in p.message) for p in found]


@pytest.mark.parametrize(("consumes", "codes"), [((), ["ambiguous_tick"]), (("n.raw",), [])])
def test_a_tick_of_two_dimensions_by_time(consumes: tuple[str, ...], codes: list[str]) -> None:
    """Which partitions it is about can not be told, unless an input says for which to run."""
    cut = Product(DAY, Monthly("month", "2013-01"))
    specs = [consumed(i, Identity()) for i in consumes]
    found = problems(source(partitions=cut), made("n.a", *specs, trigger=on_cron("0 1 * * *"), partitions=cut))

    assert codes == [p.code for p in found if p.code == "ambiguous_tick"]


def test_a_pattern_names_each_dimension() -> None:
    """One that it does not name is told, and so is one that there is not."""
    cut = Product(DAY, Static("region", ["eu"]))
    for pattern, code, said in (
        ("{day}.csv", "missing_placeholder", "does not say which 'region' a file is for"),
        ("{day}/{region}/{shop}.csv", "unknown_placeholder", "has partitions by day, region"),
    ):
        problem = only(replace(source(partitions=cut), arrives=FileDrop(pattern)))
        assert (code, True) == (problem.code, said in problem.message)


def test_problems_come_in_the_order_of_lines() -> None:
    """A report reads from the top of a file to its end, each problem once."""
    found = problems(made("n.b", "n.y", line=9), made("n.a", "n.x", "n.x", line=2))

    assert [2, 9] == [p.location.line for p in found]


def test_a_trigger_may_wait_for_its_own_absence() -> None:
    """That it is missing makes an asset, and having made it ends that."""
    assert () == problems(source(), made("n.a", "n.raw", trigger=missing("n.a")))


@pytest.mark.parametrize("key", ["n.b", "n.c"])
def test_a_circle_through_a_trigger(key: str) -> None:
    """What waits for the update of something that is made from it, near or far, would wait for itself."""
    (problem,) = problems(
        source(),
        made("n.a", "n.raw", trigger=on_update(key)),
        made("n.b", "n.a"),
        made("n.c", trigger=on_update("n.b")),
    )

    assert "cycle" == problem.code
    assert "n.a -> n.b" in problem.message


def test_two_workflows_that_watch_each_other_are_a_circle() -> None:
    """Though neither reads what the other makes."""
    (problem,) = problems(made("n.a", trigger=on_update("n.b")), made("n.b", trigger=on_update("n.a")))

    assert "these assets are made from themselves: n.a -> n.b -> n.a" == problem.message


def test_what_is_made_from_it_may_be_asked_to_be_missing() -> None:
    """The state of what lies below starts nothing below again."""
    below = missing("n.b") | (on_update() & ~missing("n.b"))

    assert () == problems(source(), made("n.a", "n.raw", trigger=below), made("n.b", "n.a"))


@pytest.mark.parametrize(("returns", "codes"), [("str", []), ("bool", []), ("", []), ("dict", ["bad_decision"])])
def test_a_branch_decides_by_a_text_or_by_true_and_false(returns: str, codes: list[str]) -> None:
    """What returns anything else would take none of the roads, and fail each run."""
    decision = task("which", takes(RAW), labels=("storm",), returns=returns)
    made = task("a", takes(RAW), output="n.a", roads=(Road(decision="which", label="storm"),))

    assert codes == [p.code for p in composed(decision, made)]


def test_what_is_declared_twice_at_one_place_is_told() -> None:
    """In a loop, say, or by a manifest without places."""
    asset, workflow = made("n.a", "n.raw")

    for assets, workflows in (([asset, asset], [workflow]), ([asset], [workflow, workflow])):
        (problem,) = check([source(), *assets], workflows)
        assert ("two_producers", Location("flights.py", 7)) == (problem.code, problem.location)
        assert "n.a is declared 2 times at one place" in problem.message


def test_of_very_many_circles_some_are_told() -> None:
    """Where everything is made from everything there are more of them than could be kept."""
    keys = [f"n.a{n}" for n in range(40)]
    inputs = tuple(replace(consumed(k), parameter=k) for k in keys)
    flows = [(asset, replace(workflow, inputs=inputs)) for asset, workflow in (made(k) for k in keys)]

    assert [CYCLES, "cycle"] == [
        len(found := check([a for a, _ in flows], [w for _, w in flows])),
        *{p.code for p in found},
    ]


def test_too_many_tasks_are_told() -> None:
    """Each run would write a row for each of them."""
    asset, workflow = made("n.a")
    many = replace(workflow, tasks=tuple(task(f"t{n}") for n in range(MOST_TASKS + 1)))

    assert ["too_many_tasks"] == [p.code for p in check([asset], [many])]


@pytest.mark.parametrize(("size", "codes"), [(MOST_CONSTANTS - 2, []), (MOST_CONSTANTS, ["large_constants"])])
def test_what_every_item_is_given_beside_itself_is_small(size: int, codes: list[str]) -> None:
    """It is written for each of them; the list of the items is not."""
    asset, workflow = made("n.a")
    items = Argument(parameter="x", type="", ref=Ref(kind="value", value=["item"] * 10_000))
    beside = Argument(parameter="y", type="", ref=Ref(kind="value", value="z" * size))
    mapped = replace(workflow, tasks=(task("m", items, beside, mapped="x"), *workflow.tasks))

    assert codes == [p.code for p in check([asset], [mapped])]


def checked(pair: Made, name: str = "good") -> Made:
    """The same with a check."""
    asset, workflow = pair
    spec = CheckSpec(asset=asset.key, name=name, module="m", qualname="f", parameter="x", type="dict", returns="bool")
    return asset, replace(workflow, checks=(spec,))


@pytest.mark.parametrize(
    ("trigger", "partitions", "code"),
    [
        (checks_passed("n.a"), DAY, None),
        (checks_passed("n.a"), None, "impossible_trigger"),
        (checks_passed(), None, "impossible_trigger"),
        (checks_passed("n.b"), DAY, "no_checks"),
        (~checks_passed("n.b"), DAY, "no_checks"),
        (checks_passed("n.c"), DAY, "unknown_asset"),
    ],
)
def test_a_trigger_asks_for_checks_that_there_are(trigger: Trigger, partitions: Any, code: str | None) -> None:
    """Of assets that are declared, have checks, and the same partitions: of a set nobody could say it in one look."""
    of_all = InputSpec(parameter="p", asset=AssetKey("n.a"), mapping=Identity() if partitions else AllPartitions())
    found = problems(
        checked(made("n.a", partitions=DAY)),
        made("n.b", partitions=DAY),
        made("n.user", of_all, partitions=partitions, trigger=trigger),
    )

    assert ([code] if code else []) == [p.code for p in found]


def test_too_many_checks_are_told() -> None:
    """Each is a step for every task that can make its asset: rows of every run."""
    asset, workflow = made("n.a")
    maker = workflow.tasks[0]
    many = tuple(replace(maker, name=f"t{n}") for n in range(200))
    named = [checked((asset, workflow), f"c{n}")[1].checks[0] for n in range(60)]

    assert ["too_many_checks"] == [p.code for p in check([asset], [replace(workflow, tasks=many, checks=tuple(named))])]


def test_a_task_takes_parameters_that_there_are() -> None:
    """Only a manifest that nobody composed can be so; nor does one go through the items of a parameter."""
    taken = takes(Ref(kind="param", name="days"), "int")

    assert ["bad_composition"] == [p.code for p in composed(task("t", taken, output="n.a"))]
    asset, workflow = made("n.a")
    days = ParameterSpec(name="days", type="int", default=7)
    for mapped, codes in (("", []), (taken.parameter, ["bad_composition"])):
        own = task("t", taken, mapped=mapped, output="" if mapped else "n.a")
        tasks = (own, *workflow.tasks) if mapped else (own,)
        assert codes == [p.code for p in check([asset], [replace(workflow, tasks=tasks, parameters=(days,))])]
