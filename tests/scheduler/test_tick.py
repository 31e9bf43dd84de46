"""What runs after an update: chains, diamonds, partitions, cut-off, edits."""

from sqlalchemy import text

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec
from riparian.assets.partitions import AllPartitions, Identity
from riparian.assets.policy import Principal
from riparian.assets.triggers import Manual, OnUpdate
from riparian.scheduler import request

ME = Principal(name="me", groups=frozenset({"owners"}))
DIAMOND = {"b": ["a"], "c": ["a"], "d": ["b", "c"]}


def test_an_update_rebuilds_everything_below_it(plant):
    """A dropped file becomes a version, and all that depends on it is made from it."""
    plant.apply({"b": ["a"], "c": ["b"]})
    plant.drop("a", "one")

    assert ["a", "b", "c"] == plant.settle()
    assert "c(=b(=one))" == plant.head("c")


def test_a_diamond_runs_once(plant):
    """Each asset of a diamond runs once for one update, the lowest from inputs that agree."""
    plant.apply(DIAMOND)
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")

    assert ["a", "b", "c", "d"] == plant.settle()
    assert "d(=b(=two),=c(=two))" == plant.head("d")


def test_a_diamond_with_legs_of_different_length_runs_once(plant):
    """The lowest waits for the longer leg though its direct inputs have all moved."""
    plant.apply({"b": ["a"], "b2": ["b"], "d": ["a", "b2"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")

    assert ["a", "b", "b2", "d"] == plant.settle()
    assert "d(=two,=b2(=b(=two)))" == plant.head("d")


def test_equal_content_cuts_off_everything_below(plant):
    """A delivery of equal content makes a version and no run downstream."""
    plant.apply({"b": ["a"], "c": ["b"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "one")

    assert ["a"] == plant.settle()
    assert "up_to_date" == plant.why("b")


def test_cut_off_inside_a_diamond_releases_who_waited(plant):
    """When a leg turns out unchanged, what waited for it runs all the same."""
    plant.apply({"b": ["a"], "b2": ["b"], "d": ["a", "b2"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (b,) = plant.take()
    assert "waiting_for" == plant.why("d")

    plant.ask(plant.done(b, "b(=one)"))

    assert ["d"] == plant.settle()
    assert "d(=two,=b2(=b(=one)))" == plant.head("d")


def test_partitions_run_for_what_came(plant):
    """A day's file rebuilds that day and the roll-up over all days, and no other day."""
    plant.apply({"b": ["a"], "sum": ["b"]}, daily=("a", "b"))
    plant.drop("a", "one", "2020-01-01")
    plant.settle()
    plant.drop("a", "two", "2020-01-02")

    assert ["a[2020-01-02]", "b[2020-01-02]", "sum"] == plant.settle()
    assert "sum(2020-01-01=b(2020-01-01=one),2020-01-02=b(2020-01-02=two))" == plant.head("sum")


def test_a_roll_up_runs_once_for_a_burst(plant):
    """Many days at once lead to one run of what reads them all."""
    plant.apply({"b": ["a"], "sum": ["b"]}, daily=("a", "b"))
    for day in range(1, 10):
        plant.drop("a", f"d{day}", f"2020-01-0{day}")

    assert 1 == plant.settle().count("sum")


def test_a_whole_input_makes_every_made_partition_stale(plant):
    """A new version of an asset in one piece rebuilds all partitions that were made from it."""
    plant.apply({"b": ["a", "w"]}, daily=("a", "b"))
    plant.drop("w", "x")
    for day in (1, 2, 3):
        plant.drop("a", "o", f"2020-01-0{day}")
    plant.settle()
    plant.drop("w", "y")

    assert ["b[2020-01-01]", "b[2020-01-02]", "b[2020-01-03]", "w"] == sorted(plant.settle())


def test_an_update_while_running_leads_to_another_run(plant):
    """What arrives while a run is going on is not lost: the run keeps its pins, and another one follows."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    (running,) = plant.take()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take()[0]))
    assert [] == plant.take()

    plant.ask(plant.done(running))

    assert "b(=one)" == plant.head("b")
    assert ["b"] == plant.settle()
    assert "b(=two)" == plant.head("b")


def test_an_update_while_queued_supersedes_the_run(plant):
    """A run that no worker has touched gives way to one with the newer input."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    later = text("UPDATE step SET ready_at = ready_at + 5000000, waits_for = '@clock' WHERE state = 'ready'")
    plant.plane.db.write(lambda tx: tx.conn.execute(later))  # so that the file is taken in before it is granted
    plant.drop("a", "two")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    states = [r["state"] for r in plant.runs("b")]

    assert ["queued", "superseded"] == states
    assert ["b"] == plant.settle()
    assert "b(=two)" == plant.head("b")


def test_a_failed_run_waits_for_a_cause(plant):
    """A failure is not repeated for the same cause; news or a request runs it again."""
    plant.apply({"b": ["a"], "c": ["b"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0]))

    assert [] == plant.settle()
    assert "failed" == plant.why("b")
    plant.drop("a", "two")
    assert ["a", "b", "c"] == plant.settle()


def test_what_lies_below_a_failure_is_held(plant):
    """The bottom of a diamond does not mix new and old when one leg failed; a repair releases it."""
    plant.apply(DIAMOND)
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take()[0]))
    legs = {x.workflow: x for x in plant.take(2)}
    plant.ask(plant.failed(legs["b"]), plant.done(legs["c"]))

    assert [] == plant.settle()
    assert "upstream_failed" == plant.why("d")
    request.materialize(plant.plane, "b", "", ME)
    assert ["b", "d"] == plant.settle()
    assert "d(=b(=two),=c(=two))" == plant.head("d")


def test_a_new_workflow_does_no_historical_work(plant):
    """Adopted over many partitions, a workflow runs for the newest only; an older one once its input is updated."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    for day in (1, 2, 3):
        plant.drop("a", "o", f"2020-01-0{day}")
    plant.settle()
    plant.apply({"b": ["a"], "c": ["b"]}, daily=("a", "b", "c"))

    assert ["c[2020-01-03]"] == plant.settle()
    assert "not_asked" == plant.why("c", "2020-01-01")
    plant.drop("a", "new", "2020-01-01")
    assert ["a[2020-01-01]", "b[2020-01-01]", "c[2020-01-01]"] == plant.settle()


def test_an_edit_runs_nothing_unasked(plant):
    """Changed code is shown as stale, and runs with `rebuild`."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"b": ["a"]}, code="two")

    assert [] == plant.settle()
    assert "code_changed" == plant.why("b")
    plant.apply({"b": ["a"]}, code="two", rebuild="latest")
    assert ["b"] == plant.settle()
    assert "up_to_date" == plant.why("b")


def test_every_request_runs_as_it_was_asked(plant):
    """Requests one after the other, while one is queued or running, each run, with their own parameters."""
    plant.apply({"b": ["a"]}, parameters={"b": {"x": 0}})
    plant.drop("a", "one")
    plant.settle()
    for x in (1, 2, 3):
        request.materialize(plant.plane, "b", "", ME, {"x": x})
    (first,) = plant.take()
    request.materialize(plant.plane, "b", "", ME, {"x": 4})
    plant.drop("a", "two")
    seen = [first.params]
    plant.ask(plant.done(first))
    while leases := plant.take():
        seen += [x.params for x in leases if x.workflow == "b"]
        plant.ask(*[plant.done(x) for x in leases])

    assert [{"x": n} for n in (1, 2, 3, 4)] == sorted((s for s in seen if s["x"]), key=lambda p: p["x"])
    assert "b(=two)" == plant.head("b")


def test_an_asset_without_inputs_runs_once_when_it_is_new(plant):
    """Nothing could ever start it, so that adoption does; an edit of its code does not run it unasked."""
    plant.apply({"b": []})

    assert ["b"] == plant.settle()
    plant.apply({"b": []}, code="two")
    assert [] == plant.settle()


def test_one_asset_read_as_a_day_and_as_all_days(plant):
    """Two inputs from one asset, of different reach, are held apart, so that the cut-off still works."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    plant.drop("a", "one", "2020-01-01")
    plant.settle()
    both = (
        InputSpec(parameter="today", asset=AssetKey("a"), mapping=Identity()),
        InputSpec(parameter="ever", asset=AssetKey("a"), mapping=AllPartitions()),
    )
    plant.apply({"b": ["a"]}, daily=("a", "b"), code="two", inputs={"b": both}, rebuild="latest")

    assert ["b[2020-01-01]"] == plant.settle()
    plant.drop("a", "one", "2020-01-01")
    assert ["a[2020-01-01]"] == plant.settle()
    assert "up_to_date" == plant.why("b", "2020-01-01")


def test_a_run_keeps_its_bundle(plant):
    """A run that was planned before an apply executes the code it was planned with, the next one the new."""
    plant.apply({"b": ["a"]}, code="one")
    plant.drop("a", "x")
    plant.ask(plant.done(plant.take()[0]))
    applied = plant.apply({"b": ["a"]}, code="two")
    (old,) = plant.take()

    assert applied.bundle != old.entry.bundle
    plant.ask(plant.done(old))
    plant.drop("a", "y")
    plant.ask(plant.done(plant.take()[0]))
    assert applied.bundle == plant.take()[0].entry.bundle


def test_manual_runs_only_when_asked(plant):
    """A manual workflow is left alone by updates, and holds nobody."""
    plant.apply({"b": ["a"], "c": ["a", "b"]}, triggers={"b": Manual()})
    plant.drop("a", "one")
    assert ["a"] == plant.settle()
    assert "manual" == plant.why("b")
    assert "waiting_for_input" == plant.why("c")


def test_a_named_trigger_waits_for_its_asset(plant):
    """on_update('x') runs for news of x alone, with the newest of the other inputs."""
    plant.apply({"c": ["a", "b"]}, triggers={"c": OnUpdate(("b",))})
    plant.drop("a", "a1")
    plant.drop("b", "b1")
    plant.settle()
    plant.drop("a", "a2")
    assert ["a"] == plant.settle()
    plant.drop("b", "b2")

    assert ["b", "c"] == plant.settle()
    assert "c(=a2,=b2)" == plant.head("c")


def test_an_asset_that_is_only_waited_for(plant):
    """An asset named by the trigger and not consumed starts runs, is not granted, and restricts what is made."""
    plant.apply({"c": ["a"], "other": ["s"]}, triggers={"c": OnUpdate(("s",))})
    plant.drop("a", "a1")
    assert ["a"] == plant.settle()
    plant.drop("s", "s1")

    assert {"s", "c", "other"} == set(plant.settle())
    assert "c(=a1)" == plant.head("c")
    origins = plant.plane.access.as_principal(ME).policy("c")["origins"]
    assert {"a", "c", "s"} == {o["origin"] for o in origins}


def test_what_waits_survives_a_restart(plant):
    """A held workflow partition, a queued run and an unfinished one go on after the control plane came back."""
    plant.apply(DIAMOND)
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    plant.ask(plant.done(plant.take()[0]))
    (leg,) = plant.take(1)
    session = plant.session
    plant.close()
    plant.open()

    assert [200] == [r.status for r in plant.ask(plant.done(leg), session=session).results]
    plant.settle()
    assert "d(=b(=two),=c(=two))" == plant.head("d")


def test_a_failure_that_is_undone_upstream_holds_nobody(plant):
    """s=1 made m, s=2 broke it, s=1 again: m is up to date, and what lies below runs for other news."""
    plant.apply({"m": ["s"], "d": ["m", "t"]})
    plant.drop("s", "1")
    plant.drop("t", "1")
    plant.settle()
    plant.drop("s", "2")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0]))
    plant.drop("t", "2")
    assert ["t"] == plant.settle()
    assert "upstream_failed" == plant.why("d")
    plant.drop("s", "1")

    assert ["s"] == plant.settle()
    plant.plane.db.write(plant.plane._plan)
    assert ["d"] == plant.settle()
    assert "up_to_date" == plant.why("m")


def test_what_was_passed_over_comes_back(plant):
    """A content that a newer one replaced before it was taken in is a delivery again when it comes back."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "zero")
    for content in ("old", "new", "old"):
        plant.see("a", content, path="f")
    plant.settle()

    assert "old" == plant.head("a")


def test_a_failure_of_old_declarations_holds_nobody(plant):
    """What failed and is a source now, or is cut otherwise, is not waited for."""
    plant.apply({"b": ["a"], "d": ["b"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0]))
    plant.apply({"d": ["b"]})
    plant.drop("b", "now a source")

    assert ["b", "d"] == plant.settle()


def test_a_failed_workflow_that_is_declared_anew_is_new(plant):
    """Removed and added again, with mended code, it runs once as new ones do."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.ask(plant.done(plant.take()[0]))
    plant.ask(plant.failed(plant.take()[0]))
    plant.apply({"c": ["a"]}, code="other")
    plant.settle()
    plant.apply({"c": ["a"], "b": ["a"]}, code="mended")

    assert ["b"] == plant.settle()


def test_what_came_while_it_was_manual_is_seen_when_it_is_not(plant):
    """A trigger that is put back looks at what has come, by partition too."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    plant.drop("a", "one", "2020-01-01")
    plant.settle()
    plant.apply({"b": ["a"]}, daily=("a", "b"), triggers={"b": Manual()})
    plant.drop("a", "two", "2020-01-01")
    assert ["a[2020-01-01]"] == plant.settle()
    plant.apply({"b": ["a"]}, daily=("a", "b"))

    assert ["b[2020-01-01]"] == plant.settle()


def test_a_workflow_that_became_daily_does_not_run_as_a_whole(plant):
    """What was made before stays, and is no partition of what is declared now."""
    plant.apply({"b": ["a", "w"]})
    plant.drop("a", "one")
    plant.drop("w", "x")
    plant.settle()
    plant.apply({"b": ["a", "w"]}, daily=("a", "b"), code="two")
    plant.drop("w", "y")

    assert ["w"] == plant.settle()
