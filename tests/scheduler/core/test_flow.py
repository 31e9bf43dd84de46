"""Which steps may go on: roads, joins, maps and what is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.scheduler.core import flow
from riparian.scheduler.core.flow import (
    MOST_ITEMS,
    Ended,
    Move,
    State,
    decisions,
    made_from,
    mapped_inputs,
    moves,
    of_item,
)
from riparian.scheduler.core.pinned import StepSpec

OPEN, EMPTY = Ended(state=State.OPEN), Ended(state=State.EMPTY)


def done(label: str | None = None, items: int | None = None) -> Ended:
    return Ended(state=State.DONE, label=label, items=items)


def result(name: str) -> Ref:
    return Ref(kind="task", name=name)


def step(task: str, *refs: Ref, mapped: bool = False, roads: tuple[Road, ...] = ()) -> StepSpec:
    """A step whose parameters p0, p1, … receive these; with ``mapped`` it goes through the first."""
    taken = tuple(Argument(parameter=f"p{n}", type="dict", ref=ref) for n, ref in enumerate(refs))
    return StepSpec(task=task, arguments=taken, mapped="p0" if mapped else "", roads=roads)


def on(label: str, decision: str = "road") -> tuple[Road, ...]:
    return (Road(decision=decision, label=label),)


STORM_OR_CALM = Ref(kind="choice", name="road", labels=("storm", "calm"), items=(result("full"), result("short")))


def told(*specs: StepSpec, lengths: dict[str, int | None] | None = None, **ended: Ended) -> dict[str, str]:
    return {m.task: m.to for m in moves(specs, ended, lengths or {})}


def test_what_needs_nothing_is_ready() -> None:
    """A task of inputs and constants runs at once."""
    assert {"a": "ready"} == told(step("a", Ref(kind="input", name="x"), Ref(kind="value", value=1)))


def test_a_task_waits_for_what_it_takes() -> None:
    """It is ready when the last of them is done."""
    both = step("c", result("a"), result("b"))

    assert {} == told(both, a=done(), b=OPEN)
    assert {"c": "ready"} == told(both, a=done(), b=done())


def test_the_road_not_taken_is_skipped() -> None:
    """A decision lets one road go on and skips the other, and says what was decided."""
    full, short = step("full", roads=on("storm")), step("short", roads=on("calm"))

    assert {} == told(full, short, road=OPEN)
    found = moves([full, short], {"road": done("calm")}, {})
    assert {"full": "skipped", "short": "ready"} == {m.task: m.to for m in found}
    assert "road took the road 'calm', this is on the road 'storm'" == found[0].reason


def test_what_takes_a_skipped_result_is_skipped_too() -> None:
    """Skipping goes on to the end of the road, in one go."""
    tail = [step("full", roads=on("storm")), step("post", result("full")), step("send", result("post"))]

    assert {"full": "skipped", "post": "skipped", "send": "skipped"} == told(*tail, road=done("calm"))
    assert {"full": "skipped", "post": "skipped", "send": "skipped"} == told(*tail[::-1], road=done("calm"))


def test_a_join_runs_when_the_taken_road_is_done() -> None:
    """What takes a branch's result waits for that road alone."""
    join = step("join", STORM_OR_CALM)

    assert {} == told(join, road=done("calm"), full=EMPTY, short=OPEN)
    assert {"join": "ready"} == told(join, road=done("calm"), full=EMPTY, short=done())
    assert {} == told(join, road=OPEN, full=OPEN, short=OPEN)
    assert {"join": "skipped"} == told(join, road=EMPTY, full=EMPTY, short=EMPTY)


def test_a_road_may_give_a_constant() -> None:
    """Then what takes the branch's result runs at once."""
    choice = Ref(kind="choice", name="road", labels=("storm", "calm"), items=(result("full"), Ref(kind="value")))

    assert {"join": "ready"} == told(step("join", choice), road=done("calm"), full=EMPTY)


def test_a_list_takes_what_there_is() -> None:
    """Skipped results are left out; when nothing is left there is nothing to join."""
    join = step("join", Ref(kind="list", items=(result("a"), result("b"))))

    assert {} == told(join, a=OPEN, b=EMPTY)
    assert {"join": "ready"} == told(join, a=done(), b=EMPTY)
    assert {"join": "skipped"} == told(join, a=EMPTY, b=EMPTY)


def test_a_map_becomes_a_step_an_item() -> None:
    """Of a result, of an input, of a constant, and of another map's results."""

    def over(ref: Ref, items: int) -> Move:
        return Move(task="m", to="ready", items=items, over=ref)

    constant, given_input = Ref(kind="value", value=[1, 2, 3]), Ref(kind="input", name="x")
    assert [over(result("a"), 7)] == [*moves([step("m", result("a"), mapped=True)], {"a": done(items=7)}, {})]
    assert [over(constant, 3)] == [*moves([step("m", constant, mapped=True)], {}, {})]
    assert [over(given_input, 2)] == [*moves([step("m", given_input, mapped=True)], {}, {"x": 2})]


def test_of_a_choice_the_taken_road_is_gone_through() -> None:
    """The move says what the items are of, so that each step can be given its own."""
    constant = Ref(kind="value", value=[1, 2])
    choice = Ref(kind="choice", name="road", labels=("storm", "calm"), items=(result("full"), constant))

    (move,) = moves([step("m", choice, mapped=True)], {"road": done("calm"), "full": EMPTY}, {})
    assert (2, constant) == (move.items, move.over)
    own = of_item(step("m", choice, mapped=True), constant, 1)
    assert ("", Ref(kind="value", value=2)) == (own.mapped, own.arguments[0].ref)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (MOST_ITEMS + 1, "x has 10001 items; a task is mapped over at most 10000; let each item hold more"),
        (None, "m is mapped over x, and how many items that has is not known"),
        (-1, "m is mapped over x, and how many items that has is not known"),
    ],
)
def test_what_can_not_be_gone_through_fails(items: int | None, why: str) -> None:
    """Too many items, or nobody knows how many: the run ends with the reason."""
    (move,) = moves([step("m", Ref(kind="input", name="x"), mapped=True)], {}, {"x": items})

    assert "failed" == move.to
    assert (move.reason or "").startswith(why)
    (most,) = moves([step("m", Ref(kind="input", name="x"), mapped=True)], {}, {"x": MOST_ITEMS})
    assert MOST_ITEMS == most.items


def test_a_map_of_nothing_is_a_list_of_nothing() -> None:
    """It has succeeded without a try, and what gathers it runs."""
    mapped, gather = step("m", result("a"), mapped=True), step("g", Ref(kind="results", name="m"))

    assert {"m": "succeeded", "g": "ready"} == told(mapped, gather, a=done(items=0))


def test_of_nested_roads_the_outer_decides_first() -> None:
    """When the outer road is not taken nobody waits for the inner decision."""
    deep = step("deep", roads=(*on("storm"), *on("north", "where")))

    assert {"deep": "skipped"} == told(deep, road=done("calm"), where=OPEN)
    assert {"deep": "skipped"} == told(deep, road=done("storm"), where=EMPTY)
    assert {"deep": "ready"} == told(deep, road=done("storm"), where=done("north"))


def test_what_decides_and_what_is_gone_through() -> None:
    """Both are looked up only where they are asked for."""
    specs = [step("a", STORM_OR_CALM, roads=on("x", "other")), step("m", Ref(kind="input", name="days"), mapped=True)]

    assert {"road", "other"} == decisions(specs)
    assert {"days"} == mapped_inputs(specs)


def test_a_task_is_made_from_what_came_before_it() -> None:
    """Inputs count through results and through decisions."""

    def task(name: str, *refs: Ref, roads: tuple[Road, ...] = ()) -> TaskSpec:
        spec = step(name, *refs, roads=roads)
        return TaskSpec(name=name, module="m", qualname=name, arguments=spec.arguments, roads=roads)

    x, y = Ref(kind="input", name="x"), Ref(kind="input", name="y")
    tasks = [task("road", x), task("full", y, roads=on("storm")), task("join", STORM_OR_CALM), task("alone")]

    assert {"road": {"x"}, "full": {"x", "y"}, "join": {"x", "y"}, "alone": set()} == {
        name: set(found)
        for name, found in made_from([*tasks[:2], task("short"), *tasks[2:]]).items()
        if name != "short"
    }


@st.composite
def flows(draw: st.DrawFn) -> list[StepSpec]:
    """Tasks of which each takes some before it, on roads that some before it decide."""
    specs: list[StepSpec] = []
    for number in range(draw(st.integers(1, 8))):
        before = [s.task for s in specs]
        taken = draw(st.lists(st.sampled_from(before), max_size=2)) if before else []
        decided = draw(st.lists(st.sampled_from(before), max_size=1)) if before else []
        refs = [result(name) for name in taken]
        if len(refs) == 2 and draw(st.booleans()):
            refs = [Ref(kind="list", items=tuple(refs))]
        roads = tuple(Road(decision=d, label=draw(st.sampled_from("ab"))) for d in decided)
        specs.append(step(f"t{number}", *refs, roads=roads))
    return specs


@given(flows(), st.data())
def test_every_run_comes_to_its_end(specs: list[StepSpec], data: st.DataObject) -> None:
    """Whatever is decided and in whatever order tasks end: none is left waiting, and no order changes what runs."""
    labels = {s.task: data.draw(st.sampled_from("ab")) for s in specs}
    empty = {s.task for s in specs if data.draw(st.booleans())}

    def run(first: bool) -> dict[str, str]:
        ended: dict[str, Ended] = {}
        fates: dict[str, str] = {}
        going: list[str] = []
        blocked = list(specs)
        while blocked or going:
            standing = {**dict.fromkeys(going, OPEN), **ended}
            for move in moves(blocked, standing, {}):
                fates[move.task] = move.to
                blocked = [s for s in blocked if s.task != move.task]
                if move.to == "ready":
                    going.append(move.task)
                else:
                    ended[move.task] = EMPTY
            assert going or not blocked, "a task waits for nothing"
            if going:
                task = going.pop(0 if first else -1)
                ended[task] = EMPTY if task in empty else done(labels[task])
        return fates

    assert run(first=True) == run(first=False)
    assert {s.task for s in specs} == run(first=True).keys()


def test_each_task_is_looked_at_as_often_as_something_before_it_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the worst order: a long chain of skipped tasks costs its length."""
    looks: list[str] = []

    def looking(spec: StepSpec, *more: object) -> Move | None:
        looks.append(spec.task)
        return _move(spec, *more)  # type: ignore[arg-type]

    _move = flow._move
    monkeypatch.setattr(flow, "_move", looking)
    chain = [step(f"t{n}", result(f"t{n - 1}")) for n in range(100, 0, -1)]

    assert {f"t{n}": "skipped" for n in range(1, 101)} == told(*chain, t0=EMPTY)
    assert 2 * len(chain) > len(looks)


ALL = (result("x"), result("y"))
JOINED = (Ref(kind="list", items=ALL),)
CHOSEN = (Ref(kind="choice", name="d", labels=("storm", "calm"), items=ALL),)


@pytest.mark.parametrize(
    ("refs", "x", "y", "becomes"),
    [
        # What takes each by a parameter of its own: Airflow's all_success, which skips with what is skipped.
        (ALL, done(), done(), "ready"),
        (ALL, done(), EMPTY, "skipped"),
        (ALL, EMPTY, EMPTY, "skipped"),
        (ALL, OPEN, EMPTY, "skipped"),
        (ALL, done(), OPEN, None),
        # A list: Airflow's none_failed_min_one_success. It waits for all, and is skipped when nothing is there.
        (JOINED, done(), done(), "ready"),
        (JOINED, done(), EMPTY, "ready"),
        (JOINED, EMPTY, EMPTY, "skipped"),
        (JOINED, OPEN, EMPTY, None),
        (JOINED, done(), OPEN, None),
        # A branch's result: what Airflow has one_success for. Only the road that was taken counts.
        (CHOSEN, done(), EMPTY, "ready"),
        (CHOSEN, EMPTY, done(), "skipped"),
        (CHOSEN, done(), OPEN, "ready"),
        (CHOSEN, OPEN, EMPTY, None),
    ],
)
def test_joins_as_a_table(refs: tuple[Ref, ...], x: Ended, y: Ended, becomes: str | None) -> None:
    """What becomes of a task when those before it are so. The rules of Airflow about failures have no place here: a
    task that failed ends its run, and nothing of it is seen."""
    assert becomes == told(step("join", *refs), x=x, y=y, d=done("storm")).get("join")
