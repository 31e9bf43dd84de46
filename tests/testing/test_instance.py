"""A project under test: what is dropped is made into what is declared, here and now, and nothing else happens."""

from __future__ import annotations

import logging
import random
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riparian import (
    ALL,
    Context,
    Daily,
    FileDrop,
    Policy,
    asset,
    manual,
    on_cron,
    on_update,
    source,
)
from riparian.assets.errors import Conflict, Invalid, NotFound, Refused
from riparian.scheduler.register import InvalidProject
from riparian.testing import Instance

DAYS = Daily("day", start="2013-01-01")
TEXT = "carrier,late\nUA,20\nB6,0\n"

raw = source("t.raw", arrives=FileDrop("drop/{day:%Y%m%d}.csv"), partitions=DAYS, policy=Policy(readers=ALL))
names = source("t.names", arrives=FileDrop("names.json"), policy=Policy(readers={"ops"}))
rates = source("t.rates", policy=Policy(readers=ALL))
log = logging.getLogger(__name__)


@asset("t.late", partitions=DAYS)
def late(raw: pa.Table) -> int:
    return sum(minutes > 15 for minutes in raw["late"].to_pylist())


@asset("t.total")
def total(late: dict[str, int]) -> dict:
    return {"late": sum(late.values()), "days": list(late)}


@asset("t.named", trigger=on_update("t.total") & on_cron("0 6 1 * *", timezone="America/New_York"))
def named(total: dict, names: dict) -> dict:
    return {names.get(k, k): v for k, v in total.items()}


PIPELINE = (raw, names, rates, late, total, named)


@pytest.fixture
def instance() -> Iterator[Instance]:
    with Instance.of(*PIPELINE) as opened:
        yield opened


def test_a_file_arrives_and_what_follows_is_made(instance: Instance) -> None:
    """In the order of the data; each as its function returns it."""
    instance.drop(raw, TEXT, "2013-02-08")

    assert ["t.late[2013-02-08]", "t.total"] == instance.run()
    assert (1, {"late": 1, "days": ["2013-02-08"]}) == (instance.read(late), instance.read("t.total"))
    assert [] == instance.run()


def test_nothing_happens_by_itself(instance: Instance) -> None:
    """What is dropped is taken in, and what follows from it waits for the test."""
    instance.drop(raw, TEXT, "2013-02-08")

    assert TEXT == instance.read(raw, type=str)
    with pytest.raises(NotFound) as found:
        instance.read(late, "2013-02-08")
    assert ["t.late[2013-02-08] is queued"] == [note.partition(":")[0] for note in found.value.__notes__]


def test_several_days_wait_side_by_side(instance: Instance) -> None:
    """A second file is taken in while what follows from the first is still queued."""
    for day in ("2013-02-08", "2013-02-09"):
        instance.drop(raw, TEXT, day)

    instance.assert_plan({f"t.late[{day}]": "t.raw" for day in ("2013-02-08", "2013-02-09")})
    assert ["queued"] == [run.state for run in instance.runs(late, "2013-02-08")]
    assert ["t.late[2013-02-08]", "t.late[2013-02-09]", "t.total"] == instance.run()


ROWS: list[dict[str, Any]] = [{"carrier": "UA", "late": 20}, {"carrier": "B6", "late": 0}]


@pytest.mark.parametrize(
    "content",
    [TEXT, TEXT.encode(), pa.Table.from_pylist(ROWS), ROWS, pd.DataFrame(ROWS), pl.DataFrame(ROWS)],
    ids=["text", "bytes", "table", "rows", "pandas", "polars"],
)
def test_what_may_be_dropped(instance: Instance, content: Any) -> None:
    """Text and bytes as they are, tables in the source's format."""
    instance.drop(raw, content, "2013-02-08")

    assert ROWS == instance.read(raw).to_pylist()


def test_a_file_may_be_dropped(instance: Instance, tmp_path: Path) -> None:
    """A Path stands for its content; the name is the source's."""
    (tmp_path / "mine.csv").write_text(TEXT)
    instance.drop(raw, tmp_path / "mine.csv", "2013-02-08")

    assert ROWS == instance.read(raw, "2013-02-08").to_pylist()


def test_a_value_is_dropped_as_json(instance: Instance) -> None:
    """Where the source is JSON; a text is taken as it is."""
    instance.drop(names, {"late": "verspätet"})
    first = instance.read(names)
    instance.drop(names, "[1]")

    assert ({"late": "verspätet"}, [1]) == (first, instance.read(names))


def test_an_empty_file_arrives_too(instance: Instance) -> None:
    """Which the sensor waits for a while to be filled: the test need not."""
    instance.drop(raw, "", "2013-02-08")

    assert b"" == instance.read(raw, type=bytes)


def test_parquet_and_frames() -> None:
    """A table is dropped as Parquet where the source is; a frame is read as one, or as what is asked for."""
    measured = source("f.measured", arrives=FileDrop("m.parquet"))

    @asset("f.frame")
    def frame(measured: pd.DataFrame) -> pd.DataFrame:
        return measured[measured["late"] > 15]

    with Instance.of(measured, frame) as instance:
        instance.drop(measured, ROWS)
        instance.run()

        assert ROWS[:1] == instance.read(frame).to_dict("records")
        assert ROWS[:1] == instance.read(frame, type=pl.DataFrame).to_dicts()


def test_a_name_says_the_partition(instance: Instance) -> None:
    """As it does for a real file, and one that fits nothing is refused with the sensor's reason."""
    instance.drop(raw, TEXT, name="20130208.csv")

    assert ROWS == instance.read(raw, "2013-02-08").to_pylist()
    with pytest.raises(Invalid, match="matches no pattern of this folder"):
        instance.drop(raw, TEXT, name="today.csv")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda i: i.drop(raw, TEXT), "is partitioned by day; say which"),
        (lambda i: i.drop(names, "{}", "2013-02-08"), "is in one piece"),
        (lambda i: i.drop(late, 1), "t.late does not wait for files; it is made by t.late"),
        (lambda i: i.drop(rates, 1), "report"),
        (lambda i: i.drop(raw, 7, "2013-02-08"), "can not say a int"),
        (lambda i: i.drop(names, {1, 2}), "is no JSON"),
        (lambda i: i.drop(raw, TEXT, name=".hidden.csv"), "never arrive"),
        (
            lambda i: i.drop(raw, TEXT, "2013-02-08", name="20130209.csv"),
            "stands for '2013-02-09', not for '2013-02-08'",
        ),
        (lambda i: i.drop(raw, TEXT, name="../../out.csv"), "outside of the source's folder"),
        (lambda i: i.fail_next("lat"), "no task, workflow or asset is called 'lat'"),
        (lambda i: i.read(late, as_user="ana"), "nobody is called 'ana'"),
    ],
)
def test_mistakes_of_a_test_are_told(instance: Instance, act: Any, said: str) -> None:
    """As what they are, with what to do."""
    with pytest.raises(Invalid, match=said.replace(".", r"\.")):
        act(instance)


def test_an_unknown_asset_is_told(instance: Instance) -> None:
    """With what may be meant."""
    with pytest.raises(NotFound, match=r"t\.lat.*did you mean.*t\.late"):
        instance.read("t.lat")


@pytest.mark.parametrize("pattern", ["{folder}/in.json", "../in.json"])
def test_nothing_is_written_where_files_really_arrive(tmp_path: Path, pattern: str) -> None:
    """Also for a pattern that leads out of the project's folder."""
    folder = tmp_path / "really"
    folder.mkdir()
    arriving = source("a.arriving", arrives=FileDrop(pattern.replace("{folder}", str(folder))))
    with Instance.of(arriving) as instance:
        instance.drop(arriving, {"n": 1})

        assert {"n": 1} == instance.read(arriving)
    assert [] == list(folder.iterdir())


def test_an_update_is_reported(instance: Instance) -> None:
    """Of a source that has no files."""
    instance.report(rates, {"eur": 1.1})

    assert {"eur": 1.1} == instance.read("t.rates")
    assert ["succeeded"] == [run.state for run in instance.runs(rates)]


def test_an_unchanged_result_ends_there(instance: Instance) -> None:
    """Another file that comes to the same: what is made of it runs, and nothing below."""
    instance.drop(raw, TEXT, "2013-02-08")
    instance.run()
    instance.drop(raw, TEXT.replace("20", "30"), "2013-02-08")

    assert ["t.late[2013-02-08]"] == instance.run()
    instance.assert_reason(total, "up_to_date")


def test_asked_for(instance: Instance) -> None:
    """A run is made whether or not anything changed, and its value is handed back."""
    instance.drop(raw, TEXT, "2013-02-08")
    instance.run()

    assert 1 == instance.materialize(late, "2013-02-08")
    assert 2 == len(instance.runs(late))
    with pytest.raises(Conflict, match=r"waiting for a first version of t\.raw"):
        instance.materialize(late, "2013-02-09")


def test_what_a_task_raises_may_be_asked_not_to_be_raised(instance: Instance) -> None:
    """Then the test looks at what came of it; what was below waits for the repair."""
    instance.drop(raw, TEXT, "2013-02-08")
    instance.run()
    instance.drop(raw, "no,late\n1,x\n", "2013-02-08")

    assert ["t.late[2013-02-08]"] == instance.run(raising=False)
    instance.assert_reason(late, "failed", "2013-02-08")
    assert 1 == instance.read(late)


def test_failures_are_asked_for_by_the_name_of_a_task(instance: Instance) -> None:
    """Of a task, a workflow or an asset; as often as was said."""
    instance.fail_next("late", "full disk", times=2)
    for day in ("2013-02-08", "2013-02-09", "2013-02-10"):
        instance.drop(raw, TEXT, day)
    instance.run()
    states = {run.partition: (run.state, run.error) for run in instance.runs(late)}

    assert ["failed", "failed", "succeeded"] == [states[day][0] for day in sorted(states)]
    assert "RuntimeError: full disk" in str(states["2013-02-08"][1])


def test_a_schedule_ticks_when_the_clock_is_moved(instance: Instance) -> None:
    """The letter of the first, six in the morning in New York: not before, and then for the data of the month."""
    instance.clock.set("2013-02-08 12:00")
    instance.drop(raw, TEXT, "2013-02-08")
    instance.drop(names, {"late": "too late"})
    instance.run()
    instance.assert_reason(named, "waiting_for_tick")
    instance.clock.set("2013-03-01 05:59", timezone="America/New_York")
    instance.assert_plan([])
    instance.clock.advance(minutes=1)

    instance.assert_plan({"t.named": "0 6 1 * *"})
    assert ["t.named"] == instance.run()
    assert {"too late": 1, "days": ["2013-02-08"]} == instance.read(named)


def test_the_present_is_what_the_test_says() -> None:
    """From the beginning."""
    with Instance.of(*PIPELINE, now="2013-02-08 06:00") as instance:
        instance.drop(names, {})

        assert datetime(2013, 2, 8, 6, tzinfo=UTC) == instance.clock.now
        with pytest.raises(Invalid, match="time does not go back"):
            instance.clock.set("2013-02-07")


def test_rights_flow_downstream(instance: Instance) -> None:
    """Who may read is asked of the gate that everybody passes, and a policy that is tightened closes what follows."""
    instance.drop(raw, TEXT, "2013-02-08")
    instance.drop(names, {})
    instance.run()
    instance.materialize(named)
    instance.person("ana", groups=["ops"])
    instance.person("bob")
    before = [instance.may_read(who, what) for who in ("ana", "bob") for what in (named, late)]
    instance.set_policy(raw, Policy(readers={"ops"}))
    during = [instance.may_read(who, what) for who in ("ana", "bob") for what in (named, late)]
    with pytest.raises((Refused, NotFound)):
        instance.read(late, as_user="bob")
    instance.set_policy(raw, None)

    assert [True, True, False, True] == before
    assert [True, True, False, False] == during
    assert 1 == instance.read(late, as_user="bob")


def test_a_plan_that_is_not_as_expected_is_shown(instance: Instance) -> None:
    """What is missing, what is too much with its cause, what is close, and what comes later."""
    for day in ("2013-02-08", "2013-02-09"):
        instance.drop(raw, TEXT, day)
    with pytest.raises(AssertionError) as told:
        instance.assert_plan({"t.late[2013-02-08]": "a tick", "t.late[2013-02-1]": ""})

    assert [
        "what would run now is not what was expected:",
        "~ t.late[2013-02-08]: planned because 't.raw was updated', which does not say 'a tick'",
        "+ t.late[2013-02-09]: planned, and not expected: t.raw was updated",
        "- t.late[2013-02-1]: expected, and not planned; did you mean t.late[2013-02-09]?",
    ] == str(told.value).splitlines()[:4]


def test_a_reason_that_is_not_as_expected_is_shown(instance: Instance) -> None:
    """With its words, and the reasons of all others."""
    with pytest.raises(AssertionError) as told:
        instance.assert_reason(named, "unchanged")

    assert [
        "t.named is 'waiting_for_input', not 'unchanged': waiting for a first version of t.names, t.total",
        "all reasons:",
        "  waiting_for_input  t.late",
        "  waiting_for_input  t.total",
        "  waiting_for_input  t.named",
    ] == str(told.value).splitlines()


def test_the_same_test_is_the_same_each_time() -> None:
    """Order, ids, causes and what was drawn at random."""

    @asset("d.drawn", trigger=manual())
    def drawn(ctx: Context) -> list:
        return [ctx.rng.random(), random.random()]

    def told() -> tuple[Any, ...]:
        with Instance.of(*PIPELINE, drawn) as instance:
            for day in range(1, 9):
                instance.drop(raw, TEXT, f"2013-02-0{day}")
            ran = instance.run()
            return ran, instance.runs(late), instance.runs(total), instance.materialize(drawn)

    assert told() == told()


def test_instances_know_nothing_of_each_other() -> None:
    """Open at the same time, of the same declarations."""
    with Instance.of(*PIPELINE) as one, Instance.of(*PIPELINE) as other:
        one.drop(raw, TEXT, "2013-02-08")
        other.drop(names, {})
        one.run()

        assert 1 == one.read(late)
        assert ([], []) == (other.run(), other.runs(late))


def test_what_an_attempt_does_to_its_process_does_not_last(instance: Instance) -> None:
    """A worker's process ends after it; the test's goes on: random numbers, threads, modules, memory, folders."""
    random.seed(7)
    expected = random.Random(7).random()
    threads, modules = threading.active_count(), set(sys.modules)
    with Instance.of(*PIPELINE) as other:
        other.drop(raw, TEXT, "2013-02-08")
        other.run()

    assert expected == random.random()
    assert threads == threading.active_count()
    assert set() == {name for name in set(sys.modules) - modules if name.startswith("riparian_named")}


def test_wrong_declarations_are_told() -> None:
    """As `riparian check` tells them, before anything is done."""

    @asset("c.lost")
    def lost(nowhere: dict) -> dict:
        return nowhere

    with pytest.raises(InvalidProject, match="nowhere"):
        Instance.of(lost)


@pytest.mark.parametrize("thing", [len, "t.late", random])
def test_what_declares_nothing_is_told(thing: object) -> None:
    """A plain function, a key, a module without declarations."""
    with pytest.raises(Invalid, match="declare"):
        Instance.of(thing)


def test_a_module_stands_for_all_that_it_declares() -> None:
    """So that a test names the modules of its project."""
    with Instance.of(sys.modules[__name__]) as instance:
        instance.drop("t.raw", TEXT, "2013-02-08")

        assert ["t.late[2013-02-08]", "t.total"] == instance.run()


def test_an_instance_is_opened_first() -> None:
    """And the message says how; what was closed is not open either."""
    instance = Instance.of(*PIPELINE)
    with pytest.raises(Invalid, match="write: with Instance"):
        instance.run()
    with instance:
        instance.run()
    with pytest.raises(Invalid, match="write: with Instance"):
        instance.run()


ACTS = st.one_of(
    st.tuples(st.just("drop"), st.integers(1, 3), st.integers(0, 40)),
    st.tuples(st.just("run")),
    st.tuples(st.just("advance"), st.integers(1, 90)),
)


@settings(max_examples=10)
@given(st.lists(ACTS, max_size=8))
def test_the_end_is_the_same_whenever_work_is_done(acts: list[tuple[Any, ...]]) -> None:
    """Any deliveries, in any order, with work and time between them or not: what is made in the end is made of the
    last delivery of each day."""
    expected: dict[str, int] = {}
    with Instance.of(*PIPELINE) as instance:
        for act in acts:
            if act[0] == "drop":
                day = f"2013-02-0{act[1]}"
                instance.drop(raw, f"carrier,late\nUA,{act[2]}\n", day)
                expected[day] = int(act[2] > 15)
            elif act[0] == "run":
                instance.run()
            else:
                instance.clock.advance(days=act[1])
        instance.run()

        assert expected == {day: instance.read(late, day) for day in expected}
        if expected:
            assert {"late": sum(expected.values()), "days": sorted(expected)} == instance.read(total)
        instance.assert_plan([])
