"""Updates that others report: a version at once, downstream runs, and each counted once."""

import json
from dataclasses import replace

import pytest

from riparian.assets.errors import Conflict, DeclarationError, Invalid, NotFound, Refused
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import events

ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"ops"}))
EVE = Principal(name="eve")


@pytest.fixture
def river(plant):
    """b is made from the source a, which only ops may read."""
    plant.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops", "owners"})})
    return plant


def report(plant, value=None, *, by=ME, key="a", **more):
    return events.record(plant.plane, key, value, by, **more)


def test_an_update_is_a_version_and_runs_what_is_made_from_it(river):
    """At once: its run is over when the answer comes, and says who reported it."""
    recorded = report(river, {"z": 1, "a": [None, 1.5]})
    [run] = river.runs("a")

    assert ["b"] == river.settle()
    assert {"z": 1, "a": [None, 1.5]} == river.head("a")
    assert (recorded.run, "event", "succeeded") == (run["id"], run["kind"], run["state"])
    assert ("me reported an update", ["a"]) == (run["cause"], run["makes"])
    assert not recorded.repeated


def test_the_same_id_is_the_same_update(river):
    """Nothing moves, whoever sends it again; without an id each report is an update of its own."""
    first = report(river, 1, id="delivery 7")
    river.settle()
    again = report(river, 1, id="delivery 7", by=replace(ME, name="olga"))
    runs_then = len(river.runs("a"))
    other = report(river, 1)

    assert replace(first, repeated=True) == again
    assert 1 == runs_then
    assert not other.repeated
    assert 2 == len(river.runs("a"))


def test_another_update_under_the_same_id_is_refused(river):
    """It would be lost if it were taken for the first."""
    report(river, 1, id="x")

    for more in ({"value": 2}, {"value": 1, "digest": "d"}):
        with pytest.raises(Conflict, match="another update"):
            report(river, id="x", **more)
    assert 1 == river.head("a")


def test_ids_are_of_one_partition(plant):
    """The same id for two days is two updates."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    for day in ("2020-01-01", "2020-01-02"):
        assert not report(plant, day, id="x", partition=day).repeated

    # An older day is not news to a workflow that is new; only the newest runs.
    plant.settle()
    assert "2020-01-01" == plant.head("a", "2020-01-01")
    assert "2020-01-02" == plant.head("a", "2020-01-02")


def test_equal_content_cuts_off(river):
    """The value counts, and not how it was written; the update is a version all the same."""
    report(river, {"x": 1, "y": 2})
    river.settle()
    report(river, {"y": 2, "x": 1})

    assert [] == river.settle()
    assert 2 == len(river.plane.access.as_principal(ME).versions("a").items)
    assert 1 == len(river.runs("b"))


def test_a_digest_stands_for_content_that_lies_elsewhere(river):
    """Another value under an equal digest is equal content, and an equal value under another digest is not."""
    report(river, {"at": "monday"}, digest="sha256:aa")
    river.settle()
    report(river, {"at": "tuesday"}, digest="sha256:aa")
    assert [] == river.settle()
    assert {"at": "tuesday"} == river.head("a")

    report(river, {"at": "tuesday"}, digest="sha256:bb")
    assert ["b"] == river.settle()


def test_a_digest_is_never_mistaken_for_a_value(river):
    """Who reports the digest that a value has says nothing about that value."""
    report(river, 1)
    river.settle()
    [version] = river.plane.access.as_principal(ME).versions("a").items
    report(river, 1, digest=version["digest"])

    assert ["b"] == river.settle()


def test_updates_and_files_stand_in_the_order_in_which_they_came(river):
    """A file that was seen before an update does not replace it, however long its copy took."""
    river.drop("a", "file")
    [copy] = river.take()
    report(river, "update")
    river.ask(river.done(copy))
    river.settle()
    assert "update" == river.head("a")

    river.drop("a", "later")
    river.settle()
    assert "later" == river.head("a")


def test_readers_may_not_report_and_strangers_may_not_know(river):
    """The right to operate is the owner's."""
    with pytest.raises(Refused, match="not yours to report updates of"):
        report(river, by=ANA)
    with pytest.raises(NotFound) as hidden:
        report(river, by=EVE)
    with pytest.raises(NotFound) as missing:
        report(river, by=EVE, key="nothing")

    assert str(missing.value).replace("nothing", "a") == str(hidden.value)
    assert [] == river.runs("a")


def test_only_sources_of_json_take_updates(plant):
    """What is made here is asked for; other formats have files."""
    declared = plant.manifest({"b": ["a"]}, "one")
    rows = AssetSpec(key=AssetKey("c"), kind="source", format="csv")
    plant.manifest = lambda *_, **__: replace(declared, assets=(*declared.assets, rows))
    plant.apply({})

    with pytest.raises(Conflict, match="made here"):
        report(plant, key="b")
    with pytest.raises(Conflict, match="format='json', or drop a file"):
        report(plant, key="c")


def test_a_removed_source_takes_no_updates(river):
    """Its versions are kept, but nothing looks at it."""
    river.apply({"z": []}, policies={"z": Policy()})

    with pytest.raises(Conflict, match="declared no more"):
        report(river)


@pytest.mark.parametrize(
    ("value", "more", "words"),
    [
        ("x" * 17_000, {}, "16384 bytes"),
        (float("nan"), {}, "no number in JSON"),
        (1, {"id": "x" * 201}, "200 characters"),
        (1, {"digest": "x" * 201}, "200 characters"),
        (1, {"partition": "2020-01-01"}, "not partitioned"),
    ],
)
def test_what_can_not_be_kept_is_refused(river, value, more, words):
    """Before anything is written."""
    with pytest.raises((Invalid, DeclarationError), match=words):
        report(river, value, **more)
    assert [] == river.runs("a")


def test_the_largest_value_is_kept(river):
    """The bound itself is possible."""
    value = "x" * (16 * 1024 - 2)
    report(river, value)

    assert value == river.head("a")


@pytest.mark.parametrize(("value", "rows"), [([1, [2], "x"], 3), ([], 0), ({"a": [1]}, None), ("abc", None)])
def test_a_list_tells_its_length(river, value, rows):
    """Tasks may be mapped over it."""
    report(river, value)

    [version] = river.plane.access.as_principal(ME).versions("a").items
    assert rows == version["rows"]


def test_reports_are_audited(river):
    """With the asset and who reported."""
    report(river, 1)

    assert ("me", "event", "a") in river.plane.db.read(_audited)


def _audited(tx):
    from riparian.storage.metadata.schema import audit

    return [(r.principal, r.act, r.object) for r in tx.conn.execute(audit.select())]


def test_a_value_is_written_as_the_format_writes_it(river):
    """So that a step that made the same value would have the same digest."""
    from riparian.storage.objects import write_value

    report(river, {"b": "ä", "a": 1.0})
    [version] = river.plane.access.as_principal(ME).versions("a").items
    written = write_value(river.plane.objects, "d", "a", "dict", {"a": 1.0, "b": "ä"})

    assert (written.digest, written.bytes) == (version["digest"], version["bytes"])
    assert {"a": 1.0, "b": "ä"} == json.loads(written.content)


def test_a_mistyped_partition_holds_up_no_writer(plant, monkeypatch):
    """What was meant is looked for while others write, and not for who may not report it."""
    plant.apply({"b": ["a"]}, daily=("a", "b"), policies={"a": Policy(readers={"ops", "owners"})})
    monkeypatch.setattr(plant.plane.db, "write", None)

    with pytest.raises(Invalid, match="2020-01-0"):
        report(plant, 1, partition="2020-01-0")
    with pytest.raises(Refused):
        report(plant, 1, partition="2020-01-0", by=ANA)


def test_a_partition_that_an_apply_takes_away_meanwhile_is_refused(plant, monkeypatch):
    """Between the look at it and the update."""
    plant.apply({"b": ["a"]}, daily=("a", "b"))
    write = plant.plane.db.write

    def late(act):
        monkeypatch.setattr(plant.plane.db, "write", write)
        plant.apply({"b": ["a"]})
        return write(act)

    monkeypatch.setattr(plant.plane.db, "write", late)
    with pytest.raises(Invalid, match="any more"):
        report(plant, 1, partition="2020-01-01")
