"""What Airflow's asset schedules do, case by case, and what the same triggers do here.

The numbers are those of a study of Airflow 3.3.2; each case names the test of Airflow that it comes from, or the place
in its code or documentation. Where the outcome here is another one, ``ours`` says why.
"""

import itertools

import pytest

from riparian.assets.partitions import AllPartitions, Daily, Hourly, Interval, Monthly, Static, Weekly, default_mapping
from riparian.assets.triggers import Signals, on_cron, on_update
from tests.scheduler.conformance.stage import Case, not_there, play, untold

ALL = on_update(all=True)
HOURS = Hourly("hour", "2024-01-01")
DAYS = Daily("day", "2024-01-01")
REGIONS = Static("region", ["apac", "eu", "us"])
YEARLY = on_cron("0 6 1 1 *")

CASES = [
    Case(
        number="10",
        source="SJ::test_create_dag_runs_assets",
        title="two updates of one input, and two who read it",
        edges={"x": ["a", "b"], "y": ["a"]},
        triggers={"x": ALL},
        script=[("a", "y"), ("a", ""), ("done", ""), ("why x", "waiting_for_input"), ("b", "x"), ("done", "")],
        newest=("x",),
        made={"y": 1, "x": 1},
    ),
    Case(
        number="11",
        source="DG::test_dags_needing_dagruns_triggered_date_by_dag_queued_times",
        title="the last of all inputs starts it",
        edges={"x": ["a", "b"]},
        triggers={"x": ALL},
        script=[
            ("a", ""),
            ("b", "x"),
            ("done", ""),
            ("a", ""),
            ("at 01:00", ""),
            ("why x", "not_triggered"),
            ("b", "x"),
            ("done", ""),
        ],
        newest=("x",),
    ),
    Case(
        number="13",
        source="DG::test_dags_needing_dagruns_assets",
        title="an update while as many runs as may be are going on",
        edges={"x": ["a"]},
        script=[("a", "x"), ("start", ""), ("a", ""), ("why x", "running"), ("finish", "x"), ("done", "")],
        newest=("x",),
        ours="of one partition there is one run at a time, always; other partitions may run beside it",
    ),
    Case(
        number="14",
        source="SJ::test_new_asset_triggered_dag_backlog_gated_by_catchup",
        title="a new consumer of what was updated often",
        edges={"y": ["a"]},
        edits={"new": {"edges": {"y": ["a"], "x": ["a"]}}},
        script=[("a", "y"), ("done", ""), ("a", "y"), ("done", ""), ("edit new", "x"), ("done", ""), ("a", "x y")],
        made={"x": 1},
        ours="it runs once, for what is there now; what was there before it has no runs of its own, asked for or not",
    ),
    Case(
        number="16",
        source="SJ::test_no_create_dag_runs_when_dag_disabled",
        title="an update while a consumer is away",
        edges={"x": ["a"], "y": ["a"]},
        edits={"gone": {"edges": {"y": ["a"]}}, "back": {"edges": {"x": ["a"], "y": ["a"]}}},
        script=[
            ("a", "x y"),
            ("done", ""),
            ("edit gone", ""),
            ("a", "y"),
            ("done", ""),
            ("edit back", "x"),
            ("done", ""),
        ],
        newest=("x",),
    ),
    Case(
        number="19",
        source="DG::test_dags_needing_dagruns_checking_stale_adrq",
        title="a schedule that is taken away while an update waits",
        edges={"x": ["a", "b"]},
        triggers={"x": ALL},
        script=[
            ("b", ""),
            ("a", "x"),
            ("done", ""),
            ("a", ""),
            ("trigger x manual", ""),
            ("look", ""),
            ("b", ""),
            ("why x", "manual"),
            ("trigger x eager", "x"),
            ("done", ""),
        ],
        newest=("x",),
        ours="nothing is forgotten: whoever waits for updates again finds them",
    ),
    Case(
        number="20",
        source="DG::test_dags_needing_dagruns_asset_refs",
        title="an input by its name",
        edges={"x": ["a", "b"]},
        triggers={"x": on_update("a")},
        script=[("b", ""), ("a", "x"), ("done", ""), ("b", ""), ("a", "x"), ("done", "")],
        newest=("x",),
        ours="the name is the key; what starts a run is consumed whichever way it was named",
    ),
    Case(
        number="23",
        source="_create_dag_runs_asset_triggered",
        title="an update of the other input while the run is made",
        edges={"x": ["a", "b"]},
        script=[("a", ""), ("b", "x"), ("start", ""), ("b", ""), ("finish", "x"), ("done", "")],
        newest=("x",),
        made={"x": 2},
    ),
    Case(
        number="26",
        source="AT::test_generate_run_id",
        title="time or data, and a person",
        edges={"x": ["a"]},
        triggers={"x": on_update() | on_cron("0 * * * *")},
        script=[
            ("a", "x"),
            ("done", ""),
            ("at 01:00", ""),
            ("ask x", "x"),
            ("done", ""),
            ("a", "x"),
            ("done", ""),
            ("at 02:00", ""),
        ],
        newest=("x",),
        ours="a tick that finds nothing new runs nothing; triggers nest as one likes",
    ),
    Case(
        number="28",
        source="_create_dagruns_for_dags",
        title="a tick and an update at once",
        edges={"x": ["a"]},
        triggers={"x": on_update() | on_cron("0 * * * *")},
        script=[("a", "x"), ("at 01:00", ""), ("a", ""), ("done", ""), ("look", "")],
        newest=("x",),
        made={"x": 1},
    ),
    Case(
        number="29",
        source="docs: asset-scheduling.rst",
        title="a producer that fails",
        edges={"b": ["a"], "c": ["b"]},
        script=[("a", "b"), ("done", "c"), ("a", "b"), ("fail b", ""), ("look", ""), ("a", "b"), ("done", "c")],
        newest=("c",),
        made={"c": 2},
    ),
    Case(
        number="34",
        source="AM::test_register_asset_change_asset_doesnt_exist",
        title="an update of what nobody declared",
        edges={"x": ["a"]},
        script=[("zzz", "refused"), ("look", ""), ("a", "x")],
        ours="who reports it is told",
    ),
    Case(
        number="35",
        source="AM::test_register_asset_change",
        title="two consumers of one update",
        edges={"x": ["a"], "y": ["a"]},
        script=[("a", "x y"), ("done", ""), ("look", "")],
        newest=("x", "y"),
        made={"x": 1, "y": 1},
    ),
    Case(
        number="49",
        source="SJ::test_asset_orphaning",
        title="assets that are no longer declared, and a new one",
        edges={"x": ["a", "b"], "y": ["c"]},
        edits={"other": {"edges": {"x": ["a", "d"], "y": ["c"]}}},
        script=[
            ("a", ""),
            ("b", "x"),
            ("c", "y"),
            ("done", ""),
            ("edit other", ""),
            ("b", "refused"),
            ("d", "x"),
            ("done", ""),
            ("look", ""),
        ],
        made={"x": 2, "y": 1},
    ),
    Case(
        number="55",
        source="#58289",
        title="an update that does not say of which partition",
        edges={"x": ["a"]},
        daily=("a", "x"),
        script=[("a", "refused"), ("a[2025-02-30]", "refused"), ("a[2025-02-01]", "x[2025-02-01]"), ("done", "")],
        ours="who reports it is told; there only a line of the log says so",
    ),
    Case(
        number="56",
        source="SJ::test_consumer_dag_listen_to_two_partitioned_asset",
        title="two inputs, key by key",
        edges={"x": ["a", "b"]},
        daily=("a", "b", "x"),
        triggers={"x": ALL},
        script=[
            ("a[2025-02-01]", ""),
            ("b[2025-02-02]", ""),
            ("b[2025-02-01]", "x[2025-02-01]"),
            ("done", ""),
            ("why x 2025-02-02", "waiting_for_input"),
            ("a[2025-02-02]", "x[2025-02-02]"),
        ],
    ),
    Case(
        number="59",
        source="SJ::test_partitioned_dag_run_rollup_holds_until_window_complete",
        title="a day of its hours",
        edges={"d": ["h"]},
        cuts={"h": HOURS, "d": DAYS},
        script=[
            *((f"h[2025-02-01T{n:02}Z]", "") for n in range(23)),
            ("h[2025-02-01T23Z]", "d[2025-02-01]"),
            ("done", ""),
            ("look", ""),
        ],
        made={"d": 1},
    ),
    Case(
        number="61",
        source="SJ::test_partitioned_dag_run_rollup_survives_scheduler_restart_partial_arrival",
        title="a restart while a window fills",
        edges={"d": ["h"]},
        cuts={"h": HOURS, "d": DAYS},
        script=[
            *((f"h[2025-02-01T{n:02}Z]", "") for n in range(12)),
            ("restart", ""),
            *((f"h[2025-02-01T{n:02}Z]", "") for n in range(12, 23)),
            ("restart", ""),
            ("h[2025-02-01T23Z]", "d[2025-02-01]"),
            ("done", ""),
        ],
        made={"d": 1},
    ),
    Case(
        number="62",
        source="SJ::test_partitioned_dag_run_segment_rollup_holds_until_all_segments_arrive",
        title="all of some keys",
        edges={"m": ["a"]},
        cuts={"a": REGIONS},
        mappings={("m", "a"): AllPartitions(at_least=3)},
        script=[("a[us]", ""), ("a[eu]", ""), ("look", ""), ("a[apac]", "m"), ("done", ""), ("look", "")],
        made={"m": 1},
    ),
    Case(
        number="65",
        source="SJ::test_partitioned_dag_run_stale_rollup_fingerprint",
        title="a window that is edited while it fills",
        edges={"d": ["h"]},
        cuts={"h": HOURS, "d": DAYS},
        edits={"hours": {"cuts": {"h": HOURS, "d": HOURS}}, "code": {"code": "two"}},
        script=[
            *((f"h[2025-02-01T{n:02}Z]", "") for n in range(3)),
            ("edit code", ""),
            ("look", ""),
            ("edit hours", "d[2025-02-01T00Z] d[2025-02-01T01Z] d[2025-02-01T02Z]"),
            ("done", ""),
            ("h[2025-02-01T00Z]", "d[2025-02-01T00Z]"),
        ],
        ours="nothing that waited is dropped: it is looked at by the new windows, and each that is complete runs",
    ),
    Case(
        number="74",
        source="_get_or_create_apdr",
        title="a key that comes after its window ran",
        edges={"d": ["h"]},
        cuts={"h": HOURS, "d": DAYS},
        script=[
            *((f"h[2025-02-01T{n:02}Z]", "") for n in range(23)),
            ("h[2025-02-01T23Z]", "d[2025-02-01]"),
            ("done", ""),
            ("h[2025-02-01T07Z]", "d[2025-02-01]"),
            ("done", ""),
            ("h[2025-02-01T07Z]=", ""),
            ("look", ""),
        ],
        made={"d": 2},
        ours="the window is made again with all of its keys; there a run waits for ever for the others",
    ),
]

ELSEWHERE = {
    "22": "scheduler/test_cron.py::test_ringing_twice_changes_nothing",
    "25": "scheduler/test_workflows.py::test_a_map_runs_a_step_an_item_and_gathers_in_order",
    "17": "scheduler/test_register.py::test_what_an_unreadable_project_missed_is_looked_at",
    "31": "scheduler/test_commit.py::test_other_outputs_are_refused",
    "50": "assets/test_rules.py::test_two_producers",
    "58": "scheduler/test_planner_faults.py::test_a_mark_that_can_not_be_read_holds_up_nobody_else",
    "64": "scheduler/test_planner_faults.py::test_what_can_not_be_planned_holds_up_nobody_else",
    "67": "scheduler/test_planner_faults.py::test_a_slice_does_not_run_what_lies_below_it",
    "79": "scheduler/test_request.py::test_readers_may_not_run_and_strangers_may_not_know",
    **dict.fromkeys(("1", "2", "4", "5", "8"), "scheduler/conformance/test_airflow.py::test_truth_of_an_expression"),
    "7": "assets/test_triggers.py::test_json_round_trip",
    "70": "scheduler/conformance/test_airflow.py::test_what_a_window_fans_out_to",
}
"""The cases that more is said of elsewhere."""

_ALIAS = "which assets a workflow makes is declared, and known before it runs: rights and lineage follow from it"
_TEAMS = "no teams: anybody's workflow may wait for an asset; who may read what comes of it is judged by its origins"
_ONE_MESSAGE = "an update carries its content; nobody is called for it, and who waits is told by the head"
OTHERWISE = {
    "32": "a task returns what it makes and sends no events of its own",
    "37": _ONE_MESSAGE,
    "38": _ONE_MESSAGE,
    "40": "the partition of a version is that of its run, always",
    **dict.fromkeys(("41", "43", "44", "46", "47"), _ALIAS),
    "52": "no task waits inside of itself for an event: it is another workflow that the event starts",
    "53": "as 52",
    "68": "one writer plans, and a run is unique for its cause: see 22",
    "71": "windows are those of the calendar; Offset(-28, 0) says how many before",
    "73": "a partition has one name and no second date",
    **dict.fromkeys(("76", "77"), _TEAMS),
    "80": "updates do not queue: what is newest is there, and who reads it is judged against that",
}

NUMBERS = (
    "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31 32 34 35 37 38 40 41 43 44 46 47 49 50 52 53 55 56 58 59 "
    "61 62 64 65 67 68 70 71 73 74 76 77 79 80"
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(plant, case):
    """Each act makes requested what the table says, and at the end all is made from the newest."""
    said, came = play(plant, case)

    assert said == came, case.ours


def test_none_is_left_out():
    """Each case of the study is in the table, told by a test that there is, or it is said why it has none."""
    assert [] == untold(NUMBERS, [c.number for c in CASES], ELSEWHERE, OTHERWISE)
    assert [] == not_there(ELSEWHERE)


A, B, C = (on_update(name) for name in "abc")


@pytest.mark.parametrize(
    ("trigger", "ready"),
    [
        (A, "a ab ac abc"),  # 1, EV::test_asset_evaluate
        (A | B, "a b ab ac bc abc"),  # 2, EV::test_assset_boolean_condition_evaluate_iter
        (A | B | C, "a b c ab ac bc abc"),  # 4, EV::test_asset_logical_conditions_evaluation_and_serialization
        (A & B & C, "abc"),
        (A & (B | C), "ab ac abc"),  # 5, EV::test_nested_asset_conditions_with_serialization
        (on_update("a", "b", all=True), "ab abc"),  # 8, AT::test_core_asset_and_time_schedule_coerces_assets
        (on_update("a", "b"), "a b ab ac bc abc"),  # ours: without all=True any of them is enough
    ],
)
def test_truth_of_an_expression(trigger, ready):
    """Of all sets of updated assets, it holds for just these."""
    sets = ["".join(s) for n in range(4) for s in itertools.combinations("abc", n)]

    assert ready.split() == [s for s in sets if trigger.holds(Signals(updated=frozenset(s), consumes=frozenset("abc")))]


@pytest.mark.parametrize(
    ("own", "key", "of", "many"),
    [
        (Weekly("week", "2024-01-01"), "2024-01-15", DAYS, 7),
        (DAYS, "2024-01-17", HOURS, 24),
        (Monthly("month", "2024-01"), "2024-02", DAYS, 29),
        (Weekly("week", "2024-01-01"), "2024-02-26", DAYS, 7),
    ],
)
def test_what_a_window_fans_out_to(own, key, of, many):
    """70, FO::TestFanOutMapper: a window is so many of the smaller ones, and each of those belongs to it alone."""
    mapping = default_mapping(own, of)
    keys = [k for i in mapping.up(Interval(key, key), own, of) for k in of.within(i, 100)]

    assert many == len(keys)
    assert {(Interval(key, key),)} == {mapping.down(Interval(k, k), own, of) for k in keys}
