"""One workflow makes two assets, one for all and one for few: what does who knows of the one learn of the other?"""

from dataclasses import replace

import pytest
from sqlalchemy import text

from riparian.assets.errors import Conflict, Refused
from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import Missing, OnUpdate
from riparian.scheduler import register, request
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.preview import preview
from riparian.scheduler.rerun import rerun
from riparian.storage.metadata import counters, staleness

ME = Principal(name="me", groups=frozenset({"owners"}))
OLGA = Principal(name="olga")  # owns air.pub
BOB = Principal(name="bob", groups=frozenset({"sales"}))  # reads air.pub
HR = Policy(readers={"hr", "owners"})
OPEN = Policy(readers={"sales", "owners"})
POLICIES = {"air.flights": OPEN, "air.pub": None, "hr.bonus": HR, "hr.seed": HR, "hr.pay": HR}


def joined(manifest, key, *outputs):
    """The manifest in which one workflow of that key makes the outputs."""
    parts = [w for w in manifest.workflows if w.key in outputs]
    whole = replace(parts[0], key=key, produces=outputs, tasks=tuple(t for w in parts for t in w.tasks))
    assets = tuple(replace(a, producer=key) if a.key in outputs else a for a in manifest.assets)
    return replace(manifest, assets=assets, workflows=(*(w for w in manifest.workflows if w not in parts), whole))


def declared(plant, edges, *flows, code="one", **more):
    manifest = plant.manifest(edges, code, policies=POLICIES, **more)
    for key, *outputs in flows:
        manifest = joined(manifest, key, *outputs)
    return manifest


def apply(plant, *args, code="one", **more):
    register.apply(plant.plane, declared(plant, *args, code=code, **more), plant.bundle(code)[1], ME)


def give(plant, *keys, to="user:olga"):
    def write(tx):
        for key in keys:
            tx.conn.execute(text("UPDATE asset SET owner = :o WHERE key = :k"), {"o": to, "k": key})
        counters.advance(tx, "policy_epoch")

    plant.plane.db.write(write)


def all_told(plant, principal):
    """All that the doors say of air.pub and its runs."""
    view = plant.plane.access.as_principal(principal)
    runs = list(view.runs().items)
    answers = [view.why("air.pub"), view.asset("air.pub"), list(view.plan().items), runs]
    return str([*answers, *(view.run(r["id"]) for r in runs), view.versions("air.pub"), view.policy("air.pub")])


BOTH = {"air.pub": ["air.flights"], "hr.bonus": ["air.flights"]}
FLOW = ("air.w", "air.pub", "hr.bonus")


def test_the_owner_of_one_output_does_not_run_the_workflow(plant):
    """Its run would change the other; the refusal does not name that."""
    apply(plant, BOTH, FLOW)
    give(plant, "air.pub")
    plant.drop("air.flights", "one")
    plant.settle()

    with pytest.raises(Refused, match=r"air\.w is not yours to run: it makes a restricted asset too"):
        request.materialize(plant.plane, "air.pub", "", OLGA, {"evil": 1})
    assert [] == plant.settle()
    give(plant, "hr.bonus")
    assert request.materialize(plant.plane, "air.pub", "", OLGA).run


def test_nor_runs_again_what_made_only_theirs(plant):
    """A second output came with an edit: the run is theirs, what it would make now is not."""
    apply(plant, {"air.pub": ["air.flights"]}, ("air.w", "air.pub"))
    plant.drop("air.flights", "one")
    plant.settle()
    give(plant, "air.pub")
    apply(plant, BOTH, FLOW, code="two")
    [run] = plant.runs("air.w")

    with pytest.raises(Refused, match="it makes a restricted asset too"):
        rerun(plant.plane, run["id"], OLGA)


@pytest.mark.parametrize("principal", [OLGA, BOB])
@pytest.mark.parametrize("trigger", [OnUpdate(), Missing(())])
def test_the_other_output_is_named_nowhere(plant, principal, trigger):
    """To who reads or owns the one: while it waits, is queued, failed or was made, and after it is no more."""
    triggers = {"air.pub": trigger, "hr.bonus": trigger}
    apply(plant, BOTH, FLOW, triggers=triggers)
    give(plant, "air.pub")
    told = [all_told(plant, principal)]
    plant.drop("air.flights", "one")
    plant.ask(plant.done(plant.take(1)[0]))
    told.append(all_told(plant, principal))
    lease = plant.take(1)[0]
    plant.ask(plant.failed(lease, retryable=False))
    told.append(all_told(plant, principal))
    request.materialize(plant.plane, "air.pub", "", ME)
    plant.settle()
    told.append(all_told(plant, principal))
    apply(plant, {"air.pub": ["air.flights"]}, ("air.w", "air.pub"), code="two")
    told.append(all_told(plant, principal))

    assert [False] * 5 == ["hr.bonus" in t for t in told]
    assert "hr.bonus" in all_told(plant, ME)


def test_a_hidden_workflow_that_is_waited_for_has_no_name(plant):
    """Its key is no asset's."""
    edges = {"air.pub": ["air.flights"], "hr.pay": ["hr.seed"]}
    flows = (("air.w", "air.pub"), ("hr.secret_flow", "hr.pay"))
    apply(plant, edges, *flows)
    plant.drop("air.flights", "one")
    plant.drop("hr.seed", "one")
    plant.settle()
    give(plant, "air.pub")
    plant.drop("hr.seed", "two")
    plant.ask(plant.done(plant.take(1)[0]))
    apply(plant, {**edges, "air.pub": ["air.flights", "hr.pay"]}, *flows, code="two")

    for principal in (OLGA, BOB):
        view = plant.plane.access.as_principal(principal)
        assert "waiting for a restricted asset" == view.why("air.pub")["words"]
        assert "hr." not in all_told(plant, principal)
    assert "waiting for hr.secret_flow" == plant.plane.access.as_principal(ME).why("air.pub")["words"]


def test_the_plan_tells_a_reader_only_what_they_will_read(plant):
    """What was made of open data is theirs; that it is to be made of closed data is not, queued or waiting."""
    apply(plant, {"air.pub": ["air.flights"]}, ("air.w", "air.pub"))
    plant.drop("air.flights", "one")
    plant.settle()
    view = plant.plane.access.as_principal(BOB)
    plant.drop("air.flights", "two")
    plant.ask(plant.done(plant.take(1)[0]))
    assert [("air.w", "queued")] == [(p["workflow"], p["state"]) for p in view.plan().items]
    plant.settle()

    apply(plant, {"air.pub": ["air.flights", "hr.pay"], "hr.pay": ["hr.seed"]}, ("air.w", "air.pub"), code="two")
    plant.drop("air.flights", "three")
    plant.ask(plant.done(plant.take(1)[0]))
    assert ["air.w", "hr.pay"] == sorted(p["workflow"] for p in plant.plane.access.as_principal(ME).plan().items)
    assert [] == view.plan().items

    plant.drop("hr.seed", "one")
    for _ in range(2):
        plant.ask(plant.done(plant.take(1)[0]))
    assert [("air.w", "queued")] == [
        (p["workflow"], p["state"]) for p in plant.plane.access.as_principal(ME).plan().items
    ]
    assert [] == view.plan().items
    assert "air.pub" in [a["key"] for a in view.assets().items]


def test_what_a_rerun_misses_has_no_hidden_name(plant):
    """Also when the workflow's key is no asset."""
    apply(plant, {"air.pub": ["air.flights"]}, ("air.w", "air.pub"))
    plant.drop("air.flights", "one")
    plant.settle()
    give(plant, "air.pub")
    apply(plant, {"air.pub": ["air.flights", "hr.seed"]}, ("air.w", "air.pub"), code="two")

    with pytest.raises(Conflict, match=r"air\.w can not run: waiting for a first version of a restricted asset"):
        rerun(plant.plane, plant.runs("air.w")[0]["id"], OLGA)


def test_a_preview_names_nothing_hidden(plant):
    """It also tells of another project's runs: to who owns what they make, without what else they wait for."""
    edges = {"air.pub": ["air.flights"], "hr.pay": ["hr.seed"]}
    flows = (("air.w", "air.pub"), ("hr.secret_flow", "hr.pay"))
    apply(plant, edges, *flows)
    mine = replace(plant.manifest({"my.b": ["my.a"]}, "one"), project="mine")
    register.apply(plant.plane, mine, plant.bundle("one")[1], ME)
    give(plant, "my.a", "my.b", "air.pub")
    for source in ("air.flights", "hr.seed", "my.a"):
        plant.drop(source, "one")
    plant.settle()
    plant.drop("hr.seed", "two")
    plant.ask(plant.done(plant.take(1)[0]))
    apply(plant, {**edges, "air.pub": ["air.flights", "hr.pay"]}, *flows, code="two")
    left = Cause(kind="fingerprint", body={"of": "two:air.pub", "definition": 9}).to_json()
    plant.plane.db.write(lambda tx: staleness.mark_one(tx, "air.w", "", left))

    [run] = preview(plant.plane, mine, OLGA).runs
    assert ("air.w", "held", "waiting for a restricted asset") == (run["workflow"], run["state"], run["words"])
    give(plant, "air.pub", to="user:rita")
    assert [] == preview(plant.plane, mine, replace(OLGA, groups=frozenset({"sales"}))).runs


def test_a_preview_does_not_tell_who_drops_files_which_names_there_are(plant):
    """The path of a file is said as it is: a name in it that were left out would be one that is hidden."""
    apply(plant, BOTH, FLOW)
    mine = replace(plant.manifest({"my.b": ["my.a"]}, "one"), project="mine")
    other = replace(plant.manifest({"my.d": ["my.c"]}, "one"), project="mine")
    for manifest in (mine, other):
        register.apply(plant.plane, manifest, plant.bundle("one")[1], ME)
    give(plant, "my.a", "my.b", "my.c", "my.d")
    plant.see("my.a", "one", path="in/hr.bonus.json")

    [run] = preview(plant.plane, mine, OLGA).runs
    assert ("my.a", "the file in/hr.bonus.json arrived") == (run["workflow"], run["cause"])
