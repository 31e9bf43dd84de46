"""Whatever stands and whatever is edited: a plan foretells what the apply then does."""

import random
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from riparian.assets.policy import Policy, Principal
from riparian.assets.triggers import manual, missing, on_cron, on_update
from riparian.scheduler import principals, rebuild, register
from riparian.scheduler.preview import preview
from riparian.storage.metadata.schema import run
from tests.scheduler.conftest import histories

ME = Principal(name="me", groups=frozenset({"owners"}))
PEOPLE = {"ana": frozenset({"ops"}), "bob": frozenset({"sales"}), "eve": frozenset({"ops", "sales"})}
POLICIES = [None, Policy(), Policy(readers={"ops"}), Policy(readers={"sales"}), Policy(readers={"ops", "sales"})]
TRIGGERS = [on_update(), on_update(), on_update(), manual(), missing(), on_update() & on_cron("0 6 * * *")]
DAYS = ("2020-01-01", "2020-01-02")
OPEN = dict.fromkeys("swb")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However slow the machine is, an answer is whole."""
    monkeypatch.setattr("riparian.scheduler.preview.MOST_SECONDS", 600)


@st.composite
def declared(draw):
    """Two sources, one of them by day, and up to four assets: {name: (inputs, by day, code, trigger, policy)}."""
    edges, daily, names = {}, {"s"}, ["s", "w"]
    codes, triggers = {}, {}
    for name in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True).map(sorted)):
        edges[name] = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        if any(i in daily for i in edges[name]) and draw(st.booleans()):
            daily.add(name)
        codes[name] = draw(st.sampled_from(["one", "one", "two"]))
        triggers[name] = draw(st.sampled_from(TRIGGERS))
        names.append(name)
    policies = {n: draw(st.sampled_from(POLICIES)) for n in names}
    return edges, tuple(sorted(daily)), codes, triggers, policies


def manifest_of(plant, declaration):
    edges, daily, codes, triggers, policies = declaration
    manifest = plant.manifest(edges, str(sorted(codes.items())), daily=daily, triggers=triggers, policies=policies)
    flows = tuple(replace(w, fingerprint=f"{codes[w.key]}:{w.key}") for w in manifest.workflows)
    return replace(manifest, workflows=flows)


def apply(plant, declaration, how="none"):
    manifest = manifest_of(plant, declaration)
    _, body = plant.bundle(str(sorted(declaration[2].items())))
    return register.apply(plant.plane, manifest, body, ME, how)


def act(plant, step, number):
    """One thing that happens: a file arrives, somebody works, succeeds or fails."""
    chance = random.Random(number)
    if step == "drop":
        source = chance.choice(["s", "w"])
        plant.drop(source, f"{number}", chance.choice(DAYS) if source == "s" else "")
    elif step == "settle":
        plant.settle()
    for lease in plant.take(1) if step in ("done", "fail", "going") else ():
        if step != "going":
            plant.ask(plant.done(lease) if step == "done" else plant.failed(lease, retryable=False))


def readable(plant):
    """Which heads of which asset each person may read."""

    def look(tx):
        found = set()
        for name, groups in PEOPLE.items():
            judge = plant.plane.access.judge(tx, Principal(name=name, groups=groups))
            for asset in "swabcd":
                found |= {(name, asset, s) for s in judge.head_origins(asset) if judge.permits(s, asset)}
        return found

    return plant.plane.db.read(look)


def queued(plant):
    rows = plant.plane.db.read(lambda tx: tx.conn.execute(run.select().where(run.c.state == "queued")).all())
    return {r.id: (r.workflow, r.partition) for r in rows}


STEPS = st.lists(
    st.tuples(st.sampled_from(["drop", "drop", "settle", "settle", "done", "fail", "going"]), st.integers(0, 10**6)),
    max_size=8,
)


@histories(25)
@given(before=declared(), steps=STEPS, after=declared(), how=st.sampled_from(["none", "latest", "all"]))
def test_a_plan_foretells_an_apply(make_plant, before, steps, after, how):
    """What is added, changed, removed and waits for approval, what runs, what stays stale, and who gains or loses the
    right to read which asset: of random edits of random graphs in random states."""
    plant = make_plant()
    for name, groups in PEOPLE.items():
        principals.create_token(plant.plane.db, name, groups=groups, clearances=(), by=ME)
    apply(plant, before)
    for step, number in [("drop", 1), ("drop", 2), *steps]:
        act(plant, step, number)
    manifest = manifest_of(plant, after)
    stood, could = queued(plant), readable(plant)
    told = preview(plant.plane, manifest, ME, how, 500)
    applied = apply(plant, after, how)
    stands, can = queued(plant), readable(plant)

    assert (told.added, told.changed, told.removed) == (applied.added, applied.changed, applied.removed)
    assert told.pending == applied.pending
    new = sorted(target for name, target in stands.items() if name not in stood)
    assert sorted((r["workflow"], r["partition"]) for r in told.runs if r["state"] == "queued") == new
    running = {(r["workflow"], r["partition"]) for r in told.runs}
    specs = {w.key for w in manifest.workflows}
    left = plant.plane.db.read(lambda tx: rebuild.stale(tx, plant.plane.graphs.at(tx), specs))
    stays = {k: n for k, of in left.items() if (n := len([p for p in of.partitions if (k, p) not in running]))}
    assert told.stale_counts == stays
    gained = {(name, a) for name, a, s in can - could}
    lost = {(name, a) for name, a, s in could - can}
    moves = [(a["asset"], a["heads"]) for a in told.access if a["heads"]]
    assert gained == {(name, asset) for asset, move in moves for name in move["gain"] if name in PEOPLE}
    assert lost == {(name, asset) for asset, move in moves for name in move["lose"] if name in PEOPLE}


@histories(10)
@given(before=declared(), after=declared(), steps=STEPS)
@example(
    before=({"b": ["s"]}, ("s",), {"b": "one"}, {"b": on_update()}, OPEN),
    after=({"b": ["s", "w"]}, ("s",), {"b": "one"}, {"b": missing()}, OPEN),
    steps=[("drop", 0)],
).via("`w` comes after the rebuild was asked for, and for it alone nothing runs")
def test_a_rebuild_of_all_leaves_nothing_stale(make_plant, before, after, steps):
    """But what is made by request alone, what has not all of its inputs, and what waits for either."""
    plant = make_plant()
    apply(plant, before)
    for step, number in [("drop", 1), ("drop", 2), *steps]:
        act(plant, step, number)
    plant.now += 3600_000_000
    plant.plane.look()
    plant.session = plant.join()
    plant.settle()
    apply(plant, after, "all")
    plant.settle()
    told = preview(plant.plane, manifest_of(plant, after), ME, "all", 500)

    assert {s["code"] for s in told.stale} <= {"manual", "waiting_for_input", "failed", "upstream_failed"}
    assert [] == [r for r in told.runs if r["state"] == "queued"]
