"""Keys that are added while the project is in use: what runs for them, and what does not?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from riparian.assets.errors import Conflict, Invalid, NotFound
from riparian.assets.partitions import Dynamic, Fixed, Static
from riparian.assets.triggers import missing, on_cron
from riparian.scheduler import backfill, cancel, dimensions, events, preview, register, request, rerun

from .conftest import ME, declared
from .test_checks import check_of
from .test_partitions import declare, instant, made, words

CUSTOMER = Dynamic("customer")
BOTH = {"a": CUSTOMER, "b": CUSTOMER}


def add(plant, *keys: str, by=ME) -> list[str]:
    return dimensions.add(plant.plane, "customer", keys, by).keys


def remove(plant, *keys: str, by=ME) -> list[str]:
    return dimensions.remove(plant.plane, "customer", keys, by).keys


def known(plant, by=ME, **asked) -> list[str]:
    page = plant.plane.access.as_principal(by).keys("customer", **asked)
    return [item["key"] for item in page.items]


def test_unpartitioned_to_keys(plant):
    """An input in one piece makes each key; one that is added later is made of what is there, at once and alone."""
    declare(plant, {"b": ["a"]}, {"b": CUSTOMER})
    plant.drop("a", "one")
    assert [] == made(plant.settle(), "b")
    assert ["acme", "best"] == add(plant, "best", "acme")
    assert ["b[acme]", "b[best]"] == sorted(plant.settle())

    assert ["core"] == add(plant, "core", "acme")
    assert ["b[core]"] == plant.settle()
    plant.drop("a", "two")
    assert ["b[acme]", "b[best]", "b[core]"] == sorted(made(plant.settle(), "b"))
    assert "up_to_date" == plant.why("b", "core")


def test_keys_to_the_whole(plant):
    """All keys that have a version come together, once there is one; and again with each that comes."""
    declare(plant, {"b": ["a"], "sum": ["b"]}, BOTH)
    assert [] == plant.settle()
    plant.drop("a", "one", "acme")
    assert ["b[acme]", "sum"] == [r for r in plant.settle() if r != "a[acme]"]
    plant.drop("a", "one", "best")
    plant.settle()

    assert "sum(acme=b(acme=one),best=b(best=one))" == plant.head("sum")


def test_a_file_brings_its_key(plant):
    """A file for a customer that nobody knew adds them when it is taken in, and not before."""
    declare(plant, {"b": ["a"]}, BOTH)
    plant.drop("a", "one", "acme")
    (ingest,) = plant.take()
    assert [] == known(plant)
    plant.ask(plant.done(ingest))

    assert ["acme"] == known(plant)
    assert ["b[acme]"] == plant.settle()
    assert "b(acme=one)" == plant.head("b", "acme")


def test_a_key_whose_input_is_not_there_waits(plant):
    """It says for what; and runs when that comes."""
    declare(plant, {"b": ["a", "w"]}, BOTH)
    plant.drop("w", "w")
    add(plant, "acme")
    assert [] == made(plant.settle(), "b")
    assert "waiting for a first version of a" == words(plant, "b", "acme")
    plant.drop("a", "one", "acme")

    assert ["b[acme]"] == made(plant.settle(), "b")


def test_what_needs_no_input_is_made_for_each_key(plant):
    """Nothing says for which partitions it runs but the keys themselves: each that is there, and each that comes."""
    declare(plant, {"r": []}, {"r": CUSTOMER})
    assert [] == plant.settle()
    add(plant, "acme", "best")
    assert ["r[acme]", "r[best]"] == sorted(plant.settle())
    add(plant, "core")
    assert ["r[core]"] == plant.settle()
    declare(plant, {"r": [], "s": []}, {"r": CUSTOMER, "s": CUSTOMER})

    assert ["s[acme]", "s[best]", "s[core]"] == sorted(plant.settle())


def test_a_tick_is_for_each_key(plant):
    """A schedule makes all keys that there are when it is due."""
    plant.now = instant("2025-03-01T00:30")
    declare(plant, {"r": []}, {"r": CUSTOMER}, triggers={"r": on_cron("0 * * * *")})
    add(plant, "acme", "best")
    remove(plant, "best")
    assert [] == plant.settle()
    plant.now = instant("2025-03-01T01:00")
    plant.session = plant.join()
    plant.plane.look()

    assert ["r[acme]"] == plant.settle()


def test_missing_runs_for_a_new_key(plant):
    """What is missing of it is made; what is there of others is left alone."""
    declare(plant, {"b": ["w"]}, {"b": CUSTOMER}, triggers={"b": missing()})
    plant.drop("w", "w")
    add(plant, "acme")
    assert ["b[acme]"] == made(plant.settle(), "b")
    add(plant, "best")

    assert ["b[best]"] == plant.settle()


def test_a_key_that_is_taken_out(plant):
    """Nothing is run for it, whatever comes; what was made of it can be read, and nobody waits for what failed of it.
    Added again, it is made of what has come meanwhile."""
    declare(plant, {"b": ["a", "w"], "sum": ["b"]}, BOTH)
    plant.drop("w", "w")
    for key in ("acme", "best"):
        plant.drop("a", "one", key)
    plant.settle()
    assert ["acme"] == remove(plant, "acme", "never")
    assert [] == remove(plant, "acme")
    assert ["best"] == known(plant)
    assert ["acme", "best"] == known(plant, removed=True)

    plant.drop("w", "new")
    assert ["b[best]", "sum"] == [r for r in plant.settle() if r != "w"]
    assert "removed" == plant.why("b", "acme")
    assert "b(acme=one,=w)" == plant.head("b", "acme")
    assert [] == [p for p in plant.plane.access.as_principal(ME).plan().items if p["partition"] == "acme"]
    for act in (lambda: request.materialize(plant.plane, "b", "acme", ME), lambda: plant_backfill(plant, "acme")):
        with pytest.raises(Invalid, match="no partition 'acme'"):
            act()

    add(plant, "acme")
    assert ["b[acme]", "sum"] == plant.settle()
    assert "b(acme=one,=new)" == plant.head("b", "acme")


def plant_backfill(plant, lo=None, hi=None, only="missing"):
    return backfill.start(plant.plane, "b", ME, lo=lo, hi=hi or lo, only=only)


def test_a_queued_run_is_taken_back(plant):
    """What no worker has begun of a key that is taken out is not run; what runs goes on, and its result stays."""
    declare(plant, {"b": ["w"], "sum": ["b"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    plant.settle()
    add(plant, "acme")
    (running,) = plant.take()
    add(plant, "best")
    remove(plant, "acme", "best")
    assert [] == plant.take()
    assert "superseded" == plant.runs("b")[0]["state"]

    assert [200] == [r.status for r in plant.ask(plant.done(running)).results]
    assert ["sum"] == plant.settle()
    assert "b(=w)" == plant.head("b", "acme")


def test_a_failure_of_a_key_that_is_taken_out_holds_nobody(plant):
    """A roll-up waits for the repair of what failed; not of what is there no more."""
    declare(plant, {"b": ["a"], "sum": ["b"]}, BOTH)
    plant.drop("a", "one", "acme")
    plant.drop("a", "one", "best")
    while leases := plant.take(8):
        bad = [x for x in leases if (x.workflow, x.partition) == ("b", "acme")]
        plant.ask(*[plant.failed(x, retryable=False) for x in bad], *[plant.done(x) for x in leases if x not in bad])
    assert "upstream_failed" == plant.why("sum")
    remove(plant, "acme")

    assert ["sum"] == plant.settle()


def test_a_run_that_fails_after_its_key_was_taken_out_holds_nobody(plant):
    """It went on to its end, and that was a failure: of what is there no more."""
    declare(plant, {"b": ["a"], "sum": ["b"]}, BOTH)
    plant.drop("a", "one", "acme")
    plant.drop("a", "one", "best")
    for _ in range(2):
        leases = plant.take(8)
        plant.ask(*[plant.done(x) for x in leases if (x.workflow, x.partition) != ("b", "acme")])
    remove(plant, "acme")
    (running,) = [x for x in leases if (x.workflow, x.partition) == ("b", "acme")]
    assert "waiting_for" == plant.why("sum")
    plant.ask(plant.failed(running, retryable=False))

    assert ["sum"] == plant.settle()
    assert "removed" == plant.why("b", "acme")


@pytest.mark.parametrize("how", ["queued", "failed", "failed after", "cancelled", "done"])
def test_a_key_that_is_added_again_is_made_whatever_became_of_its_run(plant, how):
    """It begins anew, though nothing has come meanwhile: no run of before was for it as it is now. What was made of it
    already, of the same, is not made again."""
    declare(plant, {"b": ["w"], "sum": ["b"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    plant.settle()
    add(plant, "acme")
    for lease in plant.take() if how != "queued" else ():
        if how in ("failed", "done"):
            plant.ask(plant.failed(lease, retryable=False) if how == "failed" else plant.done(lease))
            plant.settle()
        remove(plant, "acme")
        if how == "failed after":
            plant.ask(plant.failed(lease, retryable=False))
        if how == "cancelled":
            cancel.cancel(plant.plane, lease.run, ME)
    remove(plant, "acme")
    for _ in range(2):
        add(plant, "acme")
        remove(plant, "acme")
    add(plant, "acme")

    assert ([] if how == "done" else ["b[acme]", "sum"]) == plant.settle()
    assert ["up_to_date"] * 2 == [plant.why("b", "acme"), plant.why("sum")]


def test_a_file_of_a_key_that_was_taken_out_waits(plant):
    """Data does not undo what a person did; the ledger says why it waits, and when the key is back it is taken in."""
    declare(plant, {"b": ["a"]}, BOTH)
    plant.drop("a", "one", "acme")
    plant.settle()
    remove(plant, "acme")
    plant.drop("a", "two", "acme")
    assert [] == plant.settle()
    (row, _) = plant.plane.access.as_principal(ME).files().items
    assert ("ready", True) == (row["state"], "taken out of customer" in row["reason"])

    add(plant, "acme")
    assert ["a[acme]", "b[acme]"] == plant.settle()
    assert "b(acme=two)" == plant.head("b", "acme")
    assert {""} == {f["reason"] for f in plant.plane.access.as_principal(ME).files().items}


def test_a_file_that_no_worker_has_begun_to_take_in_waits_too(plant):
    """It is taken back with the key, and those behind it stay behind it: the last one is what there is in the end."""
    declare(plant, {"b": ["a"], "sum": ["a"]}, BOTH)
    plant.drop("a", "one", "acme")
    plant.settle()
    plant.drop("a", "two", "acme")
    plant.drop("a", "three", "acme")
    remove(plant, "acme")
    assert [] == plant.settle()
    found = plant.plane.access.as_principal(ME).files().items
    assert [("three", "ready"), ("two", "ready"), ("one", "committed")] == [
        (said, f["state"]) for said, f in zip(("three", "two", "one"), found, strict=True)
    ]
    assert "taken out of customer" in found[1]["reason"]
    assert "a(acme=one)" == (plant.head("sum") or "").replace("sum", "a")

    add(plant, "acme")
    assert ["a[acme]", "a[acme]"] == made(plant.settle(), "a")
    assert ("three", "b(acme=three)") == (plant.head("a", "acme"), plant.head("b", "acme"))


def test_a_task_adds_keys_when_its_run_succeeds(plant):
    """They come with what the run makes, in the same moment; a run that fails adds none."""
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    plant.ask(replace(plant.failed(lease), partitions={"customer": ("acme",)}))
    assert [] == known(plant)
    plant.drop("w", "new")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    assert [200] == [
        r.status for r in plant.ask(replace(plant.done(lease), partitions={"customer": ("best", "acme")})).results
    ]

    assert ["acme", "best"] == known(plant)
    assert ["b[acme]", "b[best]"] == sorted(plant.settle())
    assert {"seen"} == {i["added_by"] for i in plant.plane.access.as_principal(ME).keys("customer").items}


@pytest.mark.parametrize("passes", [True, False])
def test_a_step_adds_keys_at_the_end_of_its_run(plant, passes):
    """A task has succeeded, but the check behind it decides: until then there are no keys, and none if it fails. A run
    that goes on from where that one failed adds them."""
    manifest = declared(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    flows = [
        replace(w, checks=(check_of("seen", blocking=True),) if w.key == "seen" else ()) for w in manifest.workflows
    ]
    register.apply(plant.plane, replace(manifest, workflows=tuple(flows)), plant.bundle("one")[1], ME)
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (task,) = plant.take()
    plant.ask(replace(plant.done(task), partitions={"customer": ("acme",)}))
    assert [] == known(plant)
    (check,) = plant.take()
    plant.ask(plant.done(check, passes))
    assert (["acme"] if passes else []) == known(plant)

    if not passes:
        rerun.rerun(plant.plane, task.run, ME, from_failed=True)
        (check,) = plant.take()
        plant.ask(plant.done(check, True))
        assert ["acme"] == known(plant)
    assert ["b[acme]"] == plant.settle()


def test_a_check_adds_no_keys(plant):
    """Only what makes something does."""
    manifest = declared(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    flows = [replace(w, checks=(check_of("seen"),) if w.key == "seen" else ()) for w in manifest.workflows]
    register.apply(plant.plane, replace(manifest, workflows=tuple(flows)), plant.bundle("one")[1], ME)
    plant.drop("w", "w")
    for _ in range(2):
        (lease,) = plant.take()
        plant.ask(plant.done(lease))
    (check,) = plant.take()
    (result,) = plant.ask(replace(plant.done(check), partitions={"customer": ("acme",)})).results

    assert (422, [], True) == (result.status, known(plant), "is no task of a workflow" in result.reason)


def test_a_task_adds_no_key_that_somebody_took_out(plant):
    """What a person took out only a person adds again."""
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    add(plant, "acme")
    remove(plant, "acme")
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    plant.ask(replace(plant.done(lease), partitions={"customer": ("acme", "best")}))

    assert ["best"] == known(plant)


@pytest.mark.parametrize(
    ("partitions", "says"),
    [
        ({"client": ("acme",)}, "of 'client'; nothing in its project is partitioned by Dynamic('client')"),
        ({"customer": ("a/b",)}, "'a/b' can not be a key"),
        ({"customer": tuple(f"k{n}" for n in range(10_001))}, "add at most 10,000"),
    ],
)
def test_what_a_task_can_not_add(plant, partitions, says):
    """A dimension that its project has not, what is no key and too many fail the attempt, and say why."""
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    (result,) = plant.ask(replace(plant.done(lease), partitions=partitions)).results

    assert (422, True) == (result.status, says in result.reason)
    assert [] == known(plant)
    assert plant.head("seen") is None


def test_a_backfill_of_keys(plant):
    """It makes the keys that there are when it comes to them, in their order; of one that was taken out meanwhile it
    makes none, and says that it was skipped."""
    declare(plant, {"b": ["w"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    add(plant, *(f"k{n}" for n in range(6)))
    plant.settle()
    remove(plant, "k5")
    ident = plant_backfill(plant, "k1", "k4", "all")
    remove(plant, "k2")
    assert ["b[k1]", "b[k3]", "b[k4]"] == sorted(plant.settle())
    told = plant.plane.access.as_principal(ME).backfill(ident)

    assert ("done", 3, 1) == (told["state"], told["made"], told["skipped"])
    told = plant.plane.access.as_principal(ME).backfill_preview("b", None, None, "all")
    assert (4, ["k0", "k4"]) == (told["makes"], [told["states"][0][end] for end in ("first", "last")])


def test_a_rebuild_leaves_out_what_was_taken_out(plant):
    """Other code makes each key anew, and says how many are left out."""
    declare(plant, {"b": ["w"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    add(plant, "acme", "best")
    plant.settle()
    remove(plant, "acme")
    manifest = declared(plant, {"b": ["w"]}, {"b": CUSTOMER}, code="two")
    told = preview.preview(plant.plane, manifest, ME, "latest")
    register.apply(plant.plane, manifest, plant.bundle("two")[1], ME, "latest")

    assert [("b", 1, 1, 1)] == [(e["key"], e["stale"], e["former"], e["runs"]) for e in told.edits]
    assert ["b[best]"] == plant.settle()


def test_an_event_is_of_a_key_that_there_is(plant):
    """Who reports an update names a customer that was added; a typing error adds none."""
    declare(plant, {"b": ["a"]}, BOTH)
    with pytest.raises(Invalid, match="a has no partition 'acme'; its owner adds it by `riparian partitions add"):
        events.record(plant.plane, "a", "one", ME, partition="acme")
    add(plant, "acme")
    events.record(plant.plane, "a", "one", ME, partition="acme")

    assert ["b[acme]"] == plant.settle()


def test_one_key_for_all(plant):
    """A consumer may name one key; taken out, it is still read."""
    declare(plant, {"b": ["a"]}, {"a": CUSTOMER}, {("b", "a"): Fixed("acme")})
    plant.drop("a", "one", "best")
    plant.drop("a", "one", "acme")
    assert ["b"] == made(plant.settle(), "b")
    remove(plant, "acme")
    request.materialize(plant.plane, "b", "", ME)

    assert ["b"] == plant.settle()


def test_cut_by_keys_that_were_static(plant):
    """What was made before stays, and its keys are added like any."""
    regions = Static("customer", ["acme", "best"])
    declare(plant, {"b": ["w"]}, {"b": regions})
    plant.drop("w", "w")
    plant.settle()
    declare(plant, {"b": ["w"]}, {"b": CUSTOMER})
    plant.drop("w", "new")
    assert [] == made(plant.settle(), "b")
    assert "b(=w)" == plant.head("b", "acme")
    add(plant, "acme")

    assert ["b[acme]"] == plant.settle()


@pytest.mark.parametrize(
    ("name", "keys", "error"),
    [
        ("customer", ["a/b"], Invalid),
        ("customer", [""], Invalid),
        ("customer", ["x" * 201], Invalid),
        ("customer", [f"k{n}" for n in range(10_001)], Invalid),
        ("client", ["acme"], NotFound),
        ("a customer", ["acme"], Invalid),
    ],
)
def test_what_can_not_be_added(plant, name, keys, error):
    """What is no key, too many of them, and a dimension that there is not."""
    declare(plant, {"b": ["a"]}, BOTH)
    with pytest.raises(error):
        dimensions.add(plant.plane, name, keys, ME)

    assert [] == known(plant)


def test_there_is_room_for_so_many(plant, monkeypatch):
    """Beyond it nothing is added, by nobody, and a file waits."""
    monkeypatch.setattr("riparian.storage.metadata.dimensions.MOST_KEYS", 2)
    declare(plant, {"seen": ["w"], "b": ["a"]}, BOTH)
    add(plant, "k1", "k2")
    add(plant, "k1", "k2")
    with pytest.raises(Conflict, match="more than 2 partitions"):
        add(plant, "k2", "k3")
    plant.drop("a", "one", "k3")
    plant.drop("w", "w")
    (ingest,) = plant.take(8)
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    (result,) = plant.ask(replace(plant.done(lease), partitions={"customer": ("k1", "k3")})).results

    assert (422, ["k1", "k2"]) == (result.status, known(plant))
    remove(plant, "k1")
    add(plant, "k3")
    assert ["a[k3]", "b[k3]"] == plant.settle()


def failing(plant, workflow: str, key: str) -> None:
    """Works until nothing is ready; of the key the workflow fails."""
    while leases := plant.take(8):
        bad = [x for x in leases if (x.workflow, x.partition) == (workflow, key)]
        plant.ask(*[plant.failed(x, retryable=False) for x in bad], *[plant.done(x) for x in leases if x not in bad])


@pytest.mark.parametrize("before", [Static("customer", ["acme", "best"]), CUSTOMER])
def test_a_failure_of_a_key_that_another_dimension_had_holds_nobody(plant, before):
    """What failed as a key of Static, or of a dimension of another name, is none of this one: nobody waits for it."""
    declare(plant, {"b": ["w"], "sum": ["b"]}, {"b": before})
    if before == CUSTOMER:
        add(plant, "acme", "best")
    plant.drop("w", "w")
    failing(plant, "b", "acme")
    assert "upstream_failed" == plant.why("sum")
    declare(plant, {"b": ["w"], "sum": ["b"]}, {"b": Dynamic("client")})

    assert ["sum"] == plant.settle()


def test_a_backfill_ends_when_the_dimension_is_another(plant):
    """The keys of another name are others, though they may be written alike."""
    declare(plant, {"b": ["w"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    add(plant, *(f"k{n}" for n in range(3)))
    plant.settle()
    ident = plant_backfill(plant, only="all")
    declare(plant, {"b": ["w"]}, {"b": Dynamic("client")})
    told = plant.plane.access.as_principal(ME).backfill(ident)

    assert ("cancelled", "b is cut otherwise now; start another") == (told["state"], told["words"])


def test_a_run_is_of_the_code_that_it_was_planned_with(plant):
    """An apply that takes a dimension away fails no run that is under way: it makes what it was to make, and adds
    nothing."""
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    (lease,) = plant.take()
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {}, code="two")
    (result,) = plant.ask(replace(plant.done(lease), partitions={"customer": ("acme",)})).results

    assert (200, "seen(=w)") == (result.status, plant.head("seen"))
    declare(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER}, code="three")
    assert [] == known(plant)


def test_the_steps_of_a_run_add_so_many_together(plant, monkeypatch):
    """However many steps a run has: all that it adds is written in one moment, in which nobody else writes. What is
    known already counts for nothing."""
    monkeypatch.setattr("riparian.scheduler.added.MOST_OF_RUN", 2)
    manifest = declared(plant, {"seen": ["w"], "b": ["seen"]}, {"b": CUSTOMER})
    (task,) = next(w.tasks for w in manifest.workflows if w.key == "seen")
    first = replace(task, name="first", output=None)
    flows = [replace(w, tasks=(first, task)) if w.key == "seen" else w for w in manifest.workflows]
    register.apply(plant.plane, replace(manifest, workflows=tuple(flows)), plant.bundle("one")[1], ME)
    add(plant, "old", "out")
    remove(plant, "out")
    plant.drop("w", "w")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    one, two = plant.take(8)
    results = [
        *plant.ask(replace(plant.done(one), partitions={"customer": ("k1", "k2", "old", "out")})).results,
        *plant.ask(replace(plant.done(two), partitions={"customer": ("k2", "k3", "old")})).results,
    ]

    assert [200, 422] == [r.status for r in results]
    assert "3 partitions that there are not yet; 2 are allowed" in results[1].reason
    assert ["old"] == known(plant)


def test_a_file_of_another_cut_brings_no_key(plant):
    """What was seen while the source was in one piece has no key, whenever it is taken in."""
    declare(plant, {"b": ["a"]}, {})
    plant.drop("a", "one")
    (ingest,) = plant.take()
    plant.drop("a", "two")
    declare(plant, {"b": ["a"]}, BOTH)
    plant.ask(plant.done(ingest))
    plant.settle()

    assert [] == known(plant)
    assert 0 == plant.plane.access.as_principal(ME).dimensions()[0]["keys"]
