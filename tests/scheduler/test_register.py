"""Who may change what is declared, and what a refusal tells."""

import pytest

from riparian.assets.errors import Invalid, Refused
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import register
from riparian.scheduler.register import InvalidProject
from riparian.storage.metadata import policies
from riparian.storage.objects import layout

EVE = Principal(name="eve")
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
    from dataclasses import replace

    from riparian.assets.manifest import Manifest

    plant.apply({"b": ["a"]})
    digest, body = plant.bundle("x")
    other = plant.manifest({"q": ["s"]}, "x")
    (workflow,) = other.workflows
    stolen = Manifest(project="other", bundle=digest, assets=other.assets, workflows=(replace(workflow, **take),))

    with pytest.raises((Invalid, InvalidProject)):
        register.apply(plant.plane, stolen, body, ANA)
