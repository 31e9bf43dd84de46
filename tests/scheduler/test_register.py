"""Who may change what is declared, and what a refusal tells."""

from dataclasses import replace

import pytest

from riparian.assets.errors import DeclarationError, Invalid, Refused
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import register
from riparian.scheduler.register import InvalidProject
from riparian.storage.metadata import counters, policies, schema
from riparian.storage.objects import layout

EVE = Principal(name="eve")
ME = Principal(name="me", groups=frozenset({"owners"}))
ANA = Principal(name="ana", groups=frozenset({"owners"}))


def test_a_stranger_applies_nothing(plant):
    """Neither a new project, nor one of others, nor one that was emptied: code runs only by its owners' will."""
    with pytest.raises(Refused):
        plant.apply({"e": ["s"]}, by=EVE)
    plant.apply({"b": ["a"]})
    with pytest.raises(Refused):
        plant.apply({"b": ["a"], "e": ["a"]}, by=EVE)
    plant.apply({})
    with pytest.raises(Refused):
        plant.apply({"e": ["s"]}, by=EVE, code="evil")

    digest, _ = plant.bundle("evil")
    assert not plant.plane.objects.exists(layout.bundle_name(digest))
    assert {} == dict(plant.plane.db.read(plant.plane.graphs.at).workflows)


def test_a_refusal_names_nothing(plant):
    """Whatever keys a stranger tries, the answer is the same text."""
    plant.apply({"b": ["a"]})
    said = set()
    for keys in ({"b": ["a"]}, {"x": ["y"]}, {"x": ["a"]}):
        with pytest.raises(Refused) as refused:
            plant.apply(keys, by=EVE)
        said.add(str(refused.value))

    assert 1 == len(said)


def test_a_refused_apply_stores_no_bundle(plant):
    """Nothing of a stranger's upload is kept."""
    before = plant.plane.objects.list("b")
    with pytest.raises(Refused):
        plant.apply({"e": ["s"]}, by=EVE, code="x" * 1000)

    assert before == plant.plane.objects.list("b")


def test_the_group_of_owners_may_apply_what_one_of_them_began(plant):
    """Nothing is left without somebody who may change it."""
    plant.apply({"b": ["a"]})

    assert ["c"] == plant.apply({"b": ["a"], "c": ["b"]}, by=ANA).added


def test_a_bundle_that_is_not_the_named_one_is_refused(plant, monkeypatch):
    """The digest is computed from what came, not believed."""
    monkeypatch.setattr(register, "bundle_digest", lambda files: "f" * 64)

    with pytest.raises(Invalid, match="digest"):
        plant.apply({"b": ["a"]})


def test_declarations_are_checked_here_too(plant):
    """A control plane does not trust that the sender ran the check."""
    with pytest.raises(InvalidProject) as refused:
        plant.apply({"b": ["c"], "c": ["b"]})

    assert "cycle" in {p.code for p in refused.value.problems}


def test_applying_the_same_again_changes_nothing(plant):
    """The second apply of equal declarations makes no new definition and runs nothing."""
    first = plant.apply({"b": ["a"]})
    again = plant.apply({"b": ["a"]})

    assert (first.definition, [], [], []) == (again.definition, again.added, again.changed, again.removed)


def test_a_removed_source_still_restricts(plant):
    """Taking a source out of the code does not free what was made from it."""
    plant.apply({"b": ["a"]}, policies={"a": Policy(readers={"ops"})})
    plant.drop("a", "one")
    plant.settle()
    plant.apply({"c": ["x"]})

    assert "only ops may read" in str(plant.plane.access.as_principal(ANA).policy("b")["origins"])


def test_a_failed_commit_leaves_no_rights_behind(plant):
    """What a use case saw in a transaction that was undone is not remembered for the next reader."""
    plant.apply({"b": ["a"], "d": ["c"]}, policies={"a": Policy(readers={"ops"})})
    plant.drop("a", "one")
    plant.settle()
    view = plant.plane.access.as_principal(EVE)

    def loosen_and_look(tx):
        policies.approve(tx, "a", Policy())
        assert plant.plane.access.judge(tx, EVE).visible("b")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        plant.plane.db.write(loosen_and_look)
    plant.plane.db.write(
        lambda tx: __import__("riparian.storage.metadata.counters", fromlist=["x"]).advance(tx, "policy_epoch")
    )

    assert "b" not in {a["key"] for a in view.assets().items}


@pytest.mark.parametrize(
    "take", [{"produces": ("b",)}, {"key": "b"}, {"key": "a"}], ids=["its asset", "its workflow", "its source"]
)
def test_a_workflow_makes_only_what_its_project_declares(plant, take):
    """A manifest made by hand can not take over what another project makes or takes in."""
    from riparian.assets.manifest import Manifest

    plant.apply({"b": ["a"]})
    digest, body = plant.bundle("x")
    other = plant.manifest({"q": ["s"]}, "x")
    (workflow,) = other.workflows
    stolen = Manifest(project="other", bundle=digest, assets=other.assets, workflows=(replace(workflow, **take),))

    with pytest.raises((Invalid, InvalidProject)):
        register.apply(plant.plane, stolen, body, ANA)


def _olga_owns_p(plant):
    """The project p is Olga's, who is in no group."""
    plant.apply({"b": ["a"]})

    def give(tx):
        tx.conn.execute(schema.asset.update().where(schema.asset.c.project == "p").values(owner="user:olga"))
        counters.advance(tx, "policy_epoch")

    plant.plane.db.write(give)
    return Principal(name="olga")


def _apply_q(plant, edges):
    manifest = replace(plant.manifest(edges, "one"), project="q")
    return register.apply(plant.plane, manifest, plant.bundle("one")[1], ANA)


@pytest.mark.parametrize("removed", [False, True], ids=["declared", "once declared"])
@pytest.mark.parametrize("keys", [{"y": ["x"]}, {"c": ["x"]}, {"c": ["y"]}])
def test_the_keys_of_others_can_not_be_asked_for(plant, keys, removed):
    """Who owns one project alone gets the words of any stranger for each key that another one has, or had."""
    olga = _olga_owns_p(plant)
    _apply_q(plant, {"y": ["x"]})
    if removed:
        _apply_q(plant, {})
    with pytest.raises(Refused) as stranger:
        plant.apply({"b": ["a"]}, by=EVE)
    with pytest.raises(Refused) as refused:
        plant.apply({"b": ["a"], **keys}, by=olga)

    assert str(stranger.value) == str(refused.value)
    assert ["n"] == plant.apply({"b": ["a"], "n": ["a"]}, by=olga).added


def test_who_owns_all_is_told_who_has_a_key(plant):
    """And takes over what was removed there."""
    _apply_q(plant, {"y": ["x"]})
    with pytest.raises(InvalidProject, match="y is declared by project q already"):
        plant.apply({"y": ["a"]})
    _apply_q(plant, {})

    assert ["y"] == plant.apply({"y": ["a"]}).added


def test_a_stranger_costs_no_reading(plant):
    """What somebody without rights sent is not read further than the project's name."""
    plant.apply({"b": ["a"]})
    text = plant.manifest({"b": ["a"]}, "one").to_json().replace('"tasks":[', '"tasks":[5,')

    with pytest.raises(Refused):
        register.read(plant.plane, text, EVE)
    with pytest.raises(DeclarationError, match="workflow b"):
        register.read(plant.plane, text, ANA)


def test_a_source_has_no_producer(plant):
    """A manifest made by hand can not say that a workflow makes what arrives."""
    manifest = plant.manifest({"b": ["a"]}, "one")
    said = tuple(replace(a, producer="b") for a in manifest.assets)

    with pytest.raises(Invalid, match="the source a has a producer"):
        register.apply(plant.plane, replace(manifest, assets=said), plant.bundle("one")[1], ME)


def test_one_unreadable_project_does_not_stop_the_others(plant, caplog):
    """What is stored and can not be read any more is told and left out, also after a restart, until it is applied."""
    plant.apply({"b": ["a"]})
    _apply_q(plant, {"y": ["x"]})
    broken = schema.definition.update().where(schema.definition.c.project == "q").values(body="[" * 100_000)
    plant.plane.db.write(lambda tx: tx.conn.execute(broken))
    plant.close()
    plant.open()

    plant.drop("a", "one")
    assert ["a", "b"] == plant.settle()
    assert "project q can not be read" in caplog.text
    assert ["c"] == plant.apply({"b": ["a"], "c": ["a"]}).added
    with pytest.raises(InvalidProject):
        plant.apply({"y": ["a"]})
    _apply_q(plant, {"y": ["x"]})
    plant.settle()
    plant.drop("x", "one")
    assert ["x", "y"] == plant.settle()


def test_what_an_unreadable_project_missed_is_looked_at(plant):
    """What came of a run that was going on is told to nobody while it is left out; its next apply looks at all."""
    _apply_q(plant, {"y": ["x"], "z": ["y"]})
    plant.drop("x", "one")
    assert ["x", "y", "z"] == plant.settle()
    plant.drop("x", "two")
    broken = schema.definition.update().where(schema.definition.c.project == "q").values(body="[]")
    plant.plane.db.write(lambda tx: tx.conn.execute(broken))
    plant.close()
    plant.open()
    assert ["x"] == plant.settle()

    assert ["y", "z"] == _apply_q(plant, {"y": ["x"], "z": ["y"]}).changed
    assert ["y", "z"] == plant.settle()
