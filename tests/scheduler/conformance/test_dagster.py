"""What Dagster's automation conditions do, case by case, and what the same triggers do here.

The numbers are those of a study of Dagster 1.13.29; each case names the test of Dagster that it comes from, or says
that it was run against that version. Where the outcome here is another one, ``ours`` says why.
"""

import pytest

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions import Hourly
from riparian.assets.triggers import eager, manual, missing, on_cron, on_update
from riparian.scheduler import events
from tests.scheduler.conformance.stage import Case, Stage, not_there, play, untold
from tests.scheduler.conftest import ME

HOURLY = on_cron("0 * * * *")
RUN = "run on 1.13.29"
HOURS = Hourly("hour", "2024-01-01")

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
    Case(
        number="15",
        source=RUN,
        title="two chains that meet, looked at in between or not",
        edges={"b": ["a"], "c": ["r"], "d": ["b", "c"]},
        script=[("a", "b"), ("r", "c"), ("done", "d"), ("a", "b"), ("look", ""), ("r", "c"), ("done", "d")],
        newest=("d",),
        made={"d": 2},
    ),
    Case(
        number="17",
        source=RUN,
        title="somebody reports what a workflow makes",
        edges={"b": ["a"], "c": ["b"]},
        script=[("a", "b"), ("done", "c"), ("b", "refused"), ("look", "")],
        ours="the same for whoever reads it; and who reports it is told that only sources take updates",
    ),
    Case(
        number="19",
        source="dagster#33656",
        title="an input that is not declared for a while",
        edges={"b": ["a"], "c": ["r"]},
        edits={"gone": {"edges": {"c": ["r"]}}, "back": {"edges": {"b": ["a"], "c": ["r"]}}},
        script=[
            ("a", "b"),
            ("done", ""),
            ("edit gone", ""),
            ("a", "refused"),
            ("look", ""),
            ("edit back", ""),
            ("a", "b"),
            ("done", ""),
        ],
        newest=("b",),
        ours="who reads it can not be declared without it, and what is not declared takes no updates",
    ),
    Case(
        number="23",
        source=RUN,
        title="a workflow of two outputs runs as one",
        edges={"x": ["p"], "y": ["q"], "z": ["y"]},
        flows={"xy": ("x", "y")},
        script=[("p", ""), ("q", "xy"), ("done", "z"), ("p", "xy"), ("done", ""), ("q", "xy"), ("done", "z")],
        ours="z runs only when y came out otherwise",
    ),
    Case(
        number="28",
        source="test_any_downstream_conditions.py::test_basic",
        title="who is read by the tick ticks too",
        edges={"a": ["s"], "b": ["a"]},
        triggers={"a": HOURLY, "b": on_update() & HOURLY},
        script=[
            ("s", ""),
            ("at 00:30", ""),
            ("at 01:00", "a"),
            ("done", "b"),
            ("s", ""),
            ("at 02:00", "a"),
            ("done", "b"),
            ("at 03:00", ""),
        ],
        newest=("b",),
        ours="no trigger reaches up: both have the schedule, and b asks for the update too, or it would not wait for a",
    ),
    Case(
        number="32",
        source=RUN,
        title="several days at once",
        edges=AB,
        daily=("a", "b"),
        script=[
            *((f"a[2025-02-0{n}]", f"b[2025-02-0{n}]") for n in range(1, 5)),
            ("done", ""),
            ("a[2025-02-01]", "b[2025-02-01]"),
            ("a[2025-02-03]", "b[2025-02-03]"),
            ("done", ""),
        ],
        ours="each day is a run of its own, however old: nothing that is delivered is left out",
    ),
    Case(
        number="33",
        source=RUN,
        title="a day that ends while its update waits",
        edges=AB,
        daily=("a", "b"),
        script=[
            ("at 2025-03-01T23:58", ""),
            ("a[2025-03-01]", "b[2025-03-01]"),
            ("start", ""),
            ("a[2025-03-01]", ""),
            ("at 2025-03-02T00:05", ""),
            ("finish", "b[2025-03-01]"),
            ("done", ""),
        ],
        made={"b": 2},
        ours="Dagster forgets the update when the window rolls",
    ),
    Case(
        number="34",
        source=RUN,
        title="a daily root that was down for days",
        edges={"r": []},
        daily=("r",),
        triggers={"r": on_cron("0 0 * * *")},
        script=[
            ("look", ""),
            ("at 2025-03-02T00:00", "r[2025-03-02]"),
            ("done", ""),
            ("sleep 2025-03-05T12:00", "r[2025-03-05]"),
            ("done", ""),
            ("look", ""),
        ],
    ),
    Case(
        number="34 all",
        source=RUN,
        title="a daily root that makes up for all days",
        edges={"r": []},
        daily=("r",),
        triggers={"r": on_cron("0 0 * * *")},
        said={"r": {"catch_up": "all"}},
        script=[
            ("look", ""),
            ("sleep 2025-03-04T12:00", "r[2025-03-02] r[2025-03-03] r[2025-03-04]"),
            ("done", ""),
            ("look", ""),
        ],
        made={"r": 3},
        ours="what is made up for can be said: catch_up is latest, so many, or all",
    ),
    Case(
        number="43",
        source="test_backfills_requested.py::test_simple_conditions_with_backfills",
        title="old hours of two graphs",
        edges={"b": ["a"], "d": ["c"]},
        cuts=dict.fromkeys("abcd", HOURS),
        script=[
            ("a[2025-02-01T00Z]", "b[2025-02-01T00Z]"),
            ("a[2025-02-01T05Z]", "b[2025-02-01T05Z]"),
            ("c[2025-02-01T05Z]", "d[2025-02-01T05Z]"),
            ("done", ""),
            ("look", ""),
        ],
        ours="what data calls for is a run for each; a backfill is what somebody asks for",
    ),
    Case(
        number="44",
        source="test_e2e.py::test_backfill_with_runs_and_checks",
        title="partitions and a whole, together",
        edges={"b": ["a"], "w": ["v"]},
        daily=("a", "b"),
        script=[
            ("a[2025-02-01]", "b[2025-02-01]"),
            ("v", "w"),
            ("a[2025-02-02]", "b[2025-02-02]"),
            ("done", ""),
            ("look", ""),
        ],
        ours="as in 43",
    ),
    Case(
        number="47 hourly",
        source="test_on_cron_condition.py::test_on_cron_hourly_partitioned",
        title="an hour that is late for its tick",
        edges=AB,
        cuts=dict.fromkeys("ab", HOURS),
        triggers={"b": on_update() & HOURLY},
        script=[
            ("a[2025-03-01T00Z]", ""),
            ("at 01:05", "b[2025-03-01T00Z]"),
            ("done", ""),
            ("a[2025-02-28T23Z]", "b[2025-02-28T23Z]"),
            ("done", ""),
            ("a[2025-02-28T23Z]", ""),
            ("at 02:05", "b[2025-02-28T23Z]"),
            ("done", ""),
            ("at 03:05", ""),
        ],
        ours="Dagster looks at the latest hour alone; here the tick waits for the data of each hour",
    ),
    Case(
        number="54",
        source=RUN,
        title="nobody looks more often than it ticks",
        edges=AB,
        triggers={"b": on_update() & HOURLY},
        script=[step for hour in range(1, 6) for step in (("a", ""), (f"sleep 0{hour}:00", "b"), ("done", ""))],
        newest=("b",),
        made={"b": 5},
        ours="Dagster leaves out every other tick",
    ),
    Case(
        number="59",
        source="test_on_cron_deps_fresh.py::test_staging",
        title="a tick that waits for its data",
        edges=AB,
        triggers={"b": on_update() & HOURLY},
        script=[("at 01:05", ""), ("why b", "waiting_for_input"), ("a", "b"), ("done", ""), ("at 02:00", "")],
        newest=("b",),
        ours="data that never was is waited for; freshness is promised by fresher_than",
    ),
    Case(
        number="65",
        source=RUN,
        title="other code",
        edges=AB,
        edits={"two": {"code": "two"}, "one": {"code": "one"}, "three": {"code": "three"}},
        script=[
            ("a", "b"),
            ("done", ""),
            ("edit two", ""),
            ("why b", "code_changed"),
            ("edit one", ""),
            ("why b", "up_to_date"),
            ("rebuild three", "b"),
            ("done", ""),
            ("look", ""),
            ("why b", "up_to_date"),
        ],
        ours="an edit runs nothing unasked, and what was taken back is no edit",
    ),
    Case(
        number="68",
        source="test_job_condition.py",
        title="missing roots",
        edges={"r": [], "b": ["r"]},
        triggers={"r": missing() & HOURLY, "b": missing()},
        script=[("look", ""), ("at 01:00", "r"), ("look", ""), ("done", "b"), ("at 02:00", ""), ("look", "")],
        ours="a workflow is asked for once, not at each tick until it is made",
    ),
    Case(
        number="74",
        source=RUN,
        title="what is stale, and why",
        edges={"b": ["a"], "c": ["b"]},
        edits={
            "more": {"edges": {"b": ["a"], "c": ["b", "a"]}},
            "manual": {"triggers": {"b": manual()}},
        },
        script=[
            ("a", "b"),
            ("done", "c"),
            ("edit more", ""),
            ("why c", "inputs_changed"),
            ("why b", "up_to_date"),
            ("a=", "c"),
            ("why b", "up_to_date"),
            ("done", ""),
            ("edit manual", ""),
            ("a", "c"),
            ("why b", "manual"),
        ],
        ours="equal content makes nothing stale",
    ),
    Case(
        number="30",
        source=RUN,
        title="a consumer of what was there before",
        edges={"c": ["a"]},
        daily=("a", "b", "c"),
        edits={"new": {"edges": {"c": ["a"], "b": ["a"]}}},
        script=[
            ("a[2025-02-01]", "c[2025-02-01]"),
            ("a[2025-02-02]", "c[2025-02-02]"),
            ("done", ""),
            ("edit new", "b[2025-02-02]"),
            ("done", ""),
            ("look", ""),
            ("why b 2025-02-01", "not_asked"),
            ("a[2025-02-01]", "b[2025-02-01] c[2025-02-01]"),
        ],
        ours="the latest day runs once; Dagster runs none of what was there",
    ),
    Case(
        number="21",
        source=RUN,
        title="looked at once, or all the time",
        edges={"b": ["a"], "c": ["b"]},
        script=[
            ("a", "b"),
            ("a", ""),
            ("start", ""),
            ("a", ""),
            ("look", ""),
            ("look", ""),
            ("finish", "b"),
            ("done", "c"),
        ],
        newest=("c",),
        made={"b": 2, "c": 1},
    ),
    Case(
        number="42",
        source=RUN,
        title="two days that end in the other order",
        edges={"b": ["a"], "w": ["b"]},
        daily=("a", "b"),
        script=[
            ("a[2025-02-01]", "b[2025-02-01]"),
            ("start", ""),
            ("a[2025-02-02]", "b[2025-02-02]"),
            ("done", ""),
            ("finish", "w"),
            ("done", ""),
        ],
        made={"b": 2, "w": 1},
        ours="what is read is what each partition was made from, not who made the asset last",
    ),
]

ELSEWHERE = {
    "25": "scheduler/test_checks.py::test_what_a_blocking_check_refuses_never_becomes_the_head",
    "26": "scheduler/test_checks.py::test_others_wait_until_the_checks_pass",
    "29": "scheduler/test_partitions.py::test_hours_of_hours",
    "31": "scheduler/test_partitions.py::test_a_day_waits_for_all_of_its_hours",
    "35": "scheduler/test_partitions.py::test_an_asset_is_made_from_its_own_day_before",
    "37": "scheduler/test_partitions.py::test_keys_and_the_whole",
    "38": "scheduler/test_partitions.py::test_the_last_day",
    "40": "scheduler/test_partitions.py::test_a_window_that_has_not_ended_waits",
    "41": "scheduler/test_partitions.py::test_what_is_required_and_not_there",
    "46": "scheduler/test_partitions.py::test_keys_of_two_inputs",
    "50": "scheduler/conformance/test_dagster.py::test_there_is_no_cliff",
    "58": "scheduler/conformance/test_dagster.py::test_what_is_no_schedule",
    "71": "scheduler/test_cost.py::test_what_does_not_run_costs_no_statements_of_its_own",
    "72": "scheduler/test_no_update_lost.py::test_everything_ends_up_made_from_the_newest",
    "73": "scheduler/test_cost.py::test_an_idle_tick_is_two_looks",
}
"""The cases that more is said of elsewhere."""

OTHERWISE = {
    "70": "what is there is read, and runs are written, in one transaction: nothing comes in between",
    "67": "runs have no tags of their own: a trigger asks for data and time, not for who ran something",
}

NUMBERS = (
    "1 2 4 5 7 8 10 11 13 14 15 16 17 19 20 21 22 23 25 26 28 29 30 31 32 33 34 35 37 38 40 41 42 43 44 46 47 49 50 52 "
    "53 54 55 56 58 59 61 62 64 65 67 68 70 71 72 73 74"
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(plant, case):
    """Each act makes requested what the table says, and at the end all is made from the newest."""
    said, came = play(plant, case)

    assert said == came, case.ours


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case_with_restarts(plant, case):
    """A restart after each act, and a look with it, changes nothing of what is requested and made."""
    said, came = play(plant, case, between="restart")

    assert said == came, case.ours


def test_none_is_left_out():
    """Each case of the study is in the table, told by a test that there is, or it is said why it has none."""
    assert [] == untold(NUMBERS, [c.number for c in CASES], ELSEWHERE, OTHERWISE)
    assert [] == not_there(ELSEWHERE)


@pytest.mark.parametrize("partitions", [1, 99, 100, 101])
def test_there_is_no_cliff(plant, partitions):
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
def test_what_is_no_schedule(expression):
    """58, test_on_cron_condition.py::test_invalid_schedules: it is refused where it is written."""
    with pytest.raises(DeclarationError, match="on_cron"):
        on_cron(expression)
