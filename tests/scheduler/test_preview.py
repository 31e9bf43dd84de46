"""What an apply would do: the truth, without a trace."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from riparian.assets.errors import Refused
from riparian.assets.manifest import Manifest
from riparian.assets.partitions import Static
from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import manual
from riparian.scheduler import events, principals, register, tick
from riparian.scheduler import preview as previewing
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.preview import preview
from riparian.storage.metadata import catalogue, counters, schema, staleness

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))

EDGES = {"b": ["a"], "c": ["b"]}


@pytest.fixture
def made(plant):
    """a → b → c, all made by the code ``one``."""
    plant.apply(EDGES)
    plant.drop("a", "one")
    plant.settle()
    return plant


def dump(plant):
    """All that is kept but for the record of who asked."""
    with closing(sqlite3.connect(plant.folder / "metadata.db")) as db:
        return [line for line in db.iterdump() if not line.startswith('INSERT INTO "audit"')]


def shown(plant, edges=EDGES, *, code="two", rebuild="none", limit=100, by=ME, **declared):
    return preview(plant.plane, plant.manifest(edges, code, **declared), by, rebuild, limit)


def targets(items):
    return [(i["workflow"], i["partition"]) for i in items]


@pytest.mark.parametrize("rebuild", ["none", "latest", "all"])
def test_it_leaves_no_trace(made, rebuild):
    """The whole database is as it was, and an apply afterwards does what it would have done."""
    before = dump(made)
    shown(made, {**EDGES, "d": ["c"]}, rebuild=rebuild, policies={"a": Policy(readers={"ops"})})

    assert before == dump(made)
    assert "up_to_date" == made.why("c")


def test_the_graph_that_was_tried_is_not_remembered(made):
    """Also when the next apply gets the number and the instant that the trial had."""
    shown(made, {"b": ["a"], "x": ["b"]})
    made.apply({"b": ["a"], "y": ["b"]}, code="two")

    assert ["y"] == made.settle()


def test_it_says_what_an_apply_then_does(made):
    """Added, changed, removed, and the runs."""
    edges = {"b": ["a"], "d": ["b"]}
    told = shown(made, edges)
    applied = made.apply(edges, code="two")

    assert (applied.added, applied.changed, applied.removed) == (told.added, told.changed, told.removed)
    assert (["d"], ["b"], ["c"]) == (told.added, told.changed, told.removed)
    assert [("d", "")] == targets(told.runs)
    assert ["d"] == made.settle()


def test_what_is_stale_and_does_not_run_is_told_with_its_reason(made):
    """An edit of code makes stale what it made; nothing runs unless a rebuild is asked for."""
    told = shown(made)

    assert [] == told.runs
    assert [("b", ""), ("c", "")] == targets(told.stale)
    assert {"code_changed"} == {s["code"] for s in told.stale}
    assert {"b": 1, "c": 1} == told.stale_counts


def test_a_rebuild_is_told_in_the_order_of_the_data(made):
    """What waits for another is held, and runs too."""
    told = shown(made, rebuild="latest")

    assert [("b", "", "queued"), ("c", "", "held")] == [(r["workflow"], r["partition"], r["state"]) for r in told.runs]
    assert {"its code changed and a rebuild was asked for"} == {r["cause"] for r in told.runs}
    assert "waiting for b" == told.runs[1]["words"]
    assert [] == told.stale


def test_long_lists_are_cut_and_counted(plant):
    """The newest come first."""
    days = [f"2020-01-{day:02}" for day in range(1, 8)]
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    for day in days:
        plant.drop("a", day, day)
    plant.settle()
    for day in days[:-1]:
        plant.drop("a", f"{day} again", day)
    plant.settle()
    stale = shown(plant, {"b": ["a"]}, limit=2, daily=("a", "b"))
    rebuilt = shown(plant, {"b": ["a"]}, limit=2, rebuild="all", daily=("a", "b"))
    latest = shown(plant, {"b": ["a"]}, limit=2, rebuild="latest", daily=("a", "b"))

    assert ([("b", days[-1]), ("b", days[-2])], 5, {"b": 7}) == (
        targets(stale.stale),
        stale.stale_left_out,
        stale.stale_counts,
    )
    assert ([("b", days[0]), ("b", days[1])], 5, False) == (
        targets(rebuilt.runs),
        rebuilt.runs_left_out,
        rebuilt.truncated,
    )
    assert ([("b", days[-1])], {"b": 6}) == (targets(latest.runs), latest.stale_counts)


def test_loosened_policies_are_told(made):
    """They would wait for their owner."""
    made.apply(EDGES, policies={"a": Policy(readers={"ops"})})

    assert ["a"] == shown(made, code="one", policies={"a": Policy()}).pending


def test_what_does_not_fit_is_told_with_its_problems(made):
    """Not refused: to find them is what the question is for."""
    before = dump(made)
    told = shown(made, {"b": ["b"]})

    assert told.problems
    assert ([], [], []) == (told.added, told.runs, told.stale)
    assert before == dump(made)


def test_who_may_not_apply_may_not_try(made):
    """It would tell of what is not theirs."""
    with pytest.raises(Refused, match="not yours to apply"):
        shown(made, by=ANA)


def test_runs_of_other_projects_are_told_only_to_who_may_know_of_them(made):
    """What an apply would plan beside its own is nothing to an owner of this project alone."""
    theirs = made.manifest({"z": ["y"]}, "one", policies={"y": Policy(readers={"finance"})})
    other = Manifest(project="q", bundle=theirs.bundle, assets=theirs.assets, workflows=theirs.workflows)
    register.apply(made.plane, other, made.bundle("one")[1], ME)
    events.record(made.plane, "y", 1, ME)
    made.settle()
    olga = Principal(name="olga")
    made.plane.db.write(_give_all_to_olga)
    left = Cause(kind="request", body={"id": "1", "by": "me", "params": {}}).to_json()
    made.plane.db.write(lambda tx: staleness.mark_one(tx, "z", "", left))

    assert [("z", "")] == targets(shown(made, code="one").runs)
    assert [] == targets(shown(made, code="one", by=olga).runs)


def _give_all_to_olga(tx):
    tx.conn.execute(schema.asset.update().where(schema.asset.c.project == "p").values(owner="user:olga"))
    counters.advance(tx, "policy_epoch")


def test_who_asked_is_recorded(made):
    """To try is to look at what is not public: the record says who did."""
    shown(made)

    rows = made.plane.db.read(
        lambda tx: tx.conn.execute(schema.audit.select().where(schema.audit.c.act == "plan")).all()
    )
    assert [("me", "p", True)] == [(r.principal, r.object, r.allowed) for r in rows]


def test_a_question_ends(plant, monkeypatch):
    """However much there is to look at, for nobody else writes meanwhile: then it says that it left something out."""
    monkeypatch.setattr(tick, "SLICE", 5)
    monkeypatch.setattr(previewing, "MOST_TARGETS", 10)
    keys = Static("k", [f"k{n:03}" for n in range(50)])
    manifest = plant.manifest({"b": ["a"]}, "one", triggers={"b": manual()})
    (workflow,) = manifest.workflows
    assets = tuple(replace(a, partitions=keys) if a.key == "b" else a for a in manifest.assets)
    cut = replace(manifest, assets=assets, workflows=(replace(workflow, partitions=keys),))

    assert preview(plant.plane, cut, ME).truncated
    monkeypatch.setattr(previewing, "MOST_TARGETS", 1000)
    assert not preview(plant.plane, cut, ME).truncated
    monkeypatch.setattr(previewing, "MOST_SECONDS", 0.0)
    assert preview(plant.plane, cut, ME).truncated


def test_what_another_project_had_is_not_told(made):
    """A workflow whose key another project once had is new here: what ran there is not looked up."""
    other = made.manifest({"z": ["y"]}, "one")
    register.apply(made.plane, replace(other, project="q"), made.bundle("one")[1], ME)
    made.drop("y", "one")
    made.settle()
    register.apply(made.plane, replace(other, project="q", assets=(), workflows=()), made.bundle("one")[1], ME)
    told = shown(made, {**EDGES, "z": ["a"]}, code="two")

    assert "z" not in told.stale_counts
    assert {"b", "c"} == {s["workflow"] for s in told.stale}


def test_only_what_is_shown_is_put_into_words(made, monkeypatch):
    """The rest is counted: while the answer is made nobody else writes."""
    asked = []
    told = catalogue.standing_reason
    monkeypatch.setattr(catalogue, "standing_reason", lambda tx, *target: asked.append(target) or told(tx, *target))
    found = shown(made, rebuild="all", limit=1)

    assert ([("b", "")], 1) == (targets(found.runs), found.runs_left_out)
    assert [("b", "")] == asked


OPS, SALES = Policy(readers={"ops"}), Policy(readers={"sales"})


def moves(told):
    return {
        a["asset"]: tuple(m and (m["before"], m["after"], m["gain"], m["lose"]) for m in map(a.get, MOMENTS))
        for a in told.access
    }


MOMENTS = ("heads", "coming", "approved")


@pytest.fixture
def known(made):
    """a → b → c, with Ana of ops and Bob of sales."""
    for name, group in (("ana", "ops"), ("bob", "sales")):
        principals.create_token(made.plane.db, name, groups=[group], clearances=[], by=ME)
    return made


def test_who_loses_the_right_to_read_is_told(known):
    """Stricter at once, down to all that comes from it."""
    lost = ("everyone", "ops", [], ["bob"])

    assert dict.fromkeys("abc", (lost, lost, None)) == moves(shown(known, code="one", policies={"a": OPS}))


def test_who_gains_waits_for_the_owner(known):
    """Nothing moves before it is approved; then what there is opens too."""
    known.apply(EDGES, policies={"a": OPS})
    told = shown(known, code="one", policies={"a": Policy(readers={"ops", "sales"})})

    assert ["a"] == told.pending
    assert dict.fromkeys("abc", (None, None, ("ops", "ops or sales", ["bob"], []))) == moves(told)


def test_other_inputs_bind_what_is_made_from_now_on(known):
    """Versions keep the origins that they have."""
    known.apply({**EDGES, "x": ["n"]}, policies={"n": SALES})
    told = shown(known, {"b": ["a", "n"], "c": ["b"], "x": ["n"]}, policies={"n": SALES})
    less = ("everyone", "sales", [], ["ana"])

    assert {"b": (None, less, None), "c": (None, less, None)} == moves(told)


def test_a_source_that_is_removed_closes_what_came_from_it(known):
    """To its owner: told before it happens."""
    told = moves(shown(known, {"z": ["y"]}, code="one"))

    assert {"a", "b", "c"} == told.keys()
    assert (("everyone", "user:me", [], ["ana", "bob"]), None, None) == told["b"]


def test_names_of_people_are_told_to_who_administers_them(known):
    """To another owner whether they themselves gain or lose."""
    known.plane.db.write(_give_all_to_olga)
    olga = Principal(name="olga", groups=frozenset({"sales"}))
    lost = ("everyone", "ops", [], ["olga"])

    assert dict.fromkeys("abc", (lost, lost, None)) == moves(shown(known, code="one", by=olga, policies={"a": OPS}))


def test_an_edit_is_told_with_what_it_means(made):
    """What changed, what that makes stale, and how much each rebuild makes anew."""
    told = shown(made, triggers={"c": manual()})

    assert [("b", "code", 1, 1, 1), ("c", "code", 1, 0, 0)] == [
        (e["key"], e["changes"][0]["what"], e["stale"], e["latest"], e["all"]) for e in told.edits
    ]
    assert ["code", "trigger"] == [c["what"] for c in told.edits[1]["changes"]]
    assert (True, "runs only when somebody asks") == (told.code, told.edits[1]["why"])


def test_what_an_earlier_edit_left_stale_is_told(made):
    """Without a change of its own."""
    made.apply(EDGES, code="two")

    assert [("b", [], 1), ("c", [], 1)] == [(e["key"], e["changes"], e["stale"]) for e in shown(made).edits]


def test_files_that_change_nothing_are_told(made):
    """Later runs execute them, and nothing is stale."""
    manifest = replace(made.manifest(EDGES, "one"), bundle=made.bundle("two")[0])
    told = preview(made.plane, manifest, ME)

    assert (True, [], [], []) == (told.code, told.changed, told.edits, told.stale)


def test_what_was_asked_for_already_does_not_stay_stale(made):
    """A rebuild that waits for what is going on is not called for again."""
    made.apply(EDGES, code="two", rebuild="latest")

    assert ({}, 1) == ((told := shown(made)).stale_counts, told.edits[0]["stale"])
