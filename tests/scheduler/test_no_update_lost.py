"""At any interleaving, no update is lost, none is counted twice, and what is published is what it should be."""

import random
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from riparian.assets.errors import Conflict
from riparian.assets.policy import Principal
from riparian.assets.triggers import on_cron, on_update
from riparian.scheduler import request, sessions
from tests.scheduler.conftest import histories

ME = Principal(name="me", groups=frozenset({"owners"}))

X = {"x": 0}
"""The parameter that every workflow has."""

DAYS = ("2020-01-01", "2020-01-02")

HOUR = 3_600_000_000
HOURLY = on_cron("0 * * * *")
GATES = {"alone": HOURLY, "both": on_update() & HOURLY, "either": on_update() | HOURLY}

KINDS = ["drop", "drop", "take", "done", "done", "fail", "lost", "silence", "restart", "ask", "apply", "rebuild"]
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 999)),
    min_size=1,
    max_size=40,
)


@st.composite
def graphs(draw):
    """Two sources, one of them daily, and up to five assets that read what is above them."""
    edges: dict[str, list[str]] = {}
    daily = {"s"}
    names = ["s", "w"]
    for n in range(draw(st.integers(1, 5))):
        inputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        name = f"a{n}"
        edges[name] = inputs
        if any(i in daily for i in inputs) and draw(st.booleans()):
            daily.add(name)
        names.append(name)
    return edges, tuple(daily)


def expected(edges, daily, sources, asset, day):
    """What the asset's head must say when everything is made from everything newest; None where it can not exist."""
    if asset not in edges:
        return sources.get((asset, day if asset in daily else ""))
    parts = []
    for i in edges[asset]:
        days = [""] if i not in daily else ([day] if asset in daily else list(DAYS))
        found = [(d, v) for d in days if (v := expected(edges, daily, sources, i, d)) is not None]
        if not found:
            return None
        parts += [f"{d}={v}" for d, v in found]
    return f"{asset}({','.join(parts)})"


def act(plant, held, sources, daily, step, number):
    """One thing that can happen at any time."""
    if step == "drop":
        source = ("s", "w")[number % 2]
        day = DAYS[number // 2 % 2] if source in daily else ""
        content = f"v{number % 3}"
        plant.drop(source, content, day)
        sources[source, day] = content
    elif step == "ask":
        asset = sorted(plant.edges)[number % len(plant.edges)]
        with suppress(Conflict):
            request.materialize(plant.plane, asset, DAYS[number % 2] if asset in daily else "", ME, {"x": number})
    elif step in ("apply", "rebuild"):
        plant.apply(
            plant.edges,
            daily=daily,
            code=f"code{number % 3}",
            rebuild="latest" if step == "rebuild" else "none",
            triggers=plant.triggers,
            parameters=dict.fromkeys(plant.edges, X),
        )
    elif step == "tick":
        plant.now += (1 + number % 3) * HOUR // 2
        plant.plane.look()
    elif step == "take":
        held += plant.take(1 + number % 3)
    elif step == "restart":
        kept = plant.session
        plant.close()
        plant.open()
        plant.session = kept
    elif step == "silence":
        plant.now += 11_000_000
        sessions.expire(plant.plane)
        plant.session = plant.join()
    elif held:
        lease = held.pop(number % len(held))
        report = plant.done(lease) if step == "done" else plant.failed(lease, "lost" if step == "lost" else "failed")
        plant.ask(report)


@histories(25)
@given(graph=graphs(), steps=STEPS, seed=st.integers(0, 99))
def test_everything_ends_up_made_from_the_newest(make_plant, graph, steps, seed):
    """After any history, once all files came again and work succeeds, each head is what a full rebuild would make."""
    edges, daily = graph
    plant = make_plant()
    plant.edges, plant.triggers = {**edges, "anchor": ["s", "w"]}, {}
    plant.apply(plant.edges, daily=daily, parameters=dict.fromkeys(plant.edges, X))
    held, sources = [], {}
    for step, number in steps:
        act(plant, held, sources, daily, step, number)
    # Files that failed for good are quarantined, and failed runs wait for a cause: new content of each source is one.
    for n, (source, day) in enumerate(sorted(sources)):
        plant.drop(source, f"last{n}", day)
        sources[source, day] = f"last{n}"
    rng = random.Random(seed)
    idle = 0
    while idle < 3:
        plant.now += 400_000_000
        sessions.expire(plant.plane)
        plant.session = plant.join()
        leases = plant.take(3)
        rng.shuffle(leases)
        for lease in leases:
            plant.ask(plant.done(lease))
        idle = 0 if leases else idle + 1

    for asset in edges:
        for day in DAYS if asset in daily else ("",):
            assert expected(edges, daily, sources, asset, day) == plant.head(asset, day), (asset, day)
    _each_step_made_at_most_one_version(plant)


def _each_step_made_at_most_one_version(plant):
    from sqlalchemy import func, select

    from riparian.storage.metadata.schema import head, version

    def look(tx):
        steps = tx.conn.execute(select(func.count(version.c.id)).group_by(version.c.step)).scalars().all()
        true = select(func.count()).select_from(head).join(version, version.c.id == head.c.version)
        heads = tx.conn.execute(true.where(version.c.head_seq == head.c.seq)).scalar()
        return steps, heads, tx.conn.execute(select(func.count()).select_from(head)).scalar()

    steps, true_heads, heads = plant.plane.db.read(look)
    assert all(n == 1 for n in steps)
    assert heads == true_heads


@histories(25)
@given(graph=graphs(), seed=st.integers(0, 99))
def test_one_update_runs_each_partition_at_most_once(make_plant, graph, seed):
    """Whatever the shape of the graph and the order of completion, one update rebuilds nothing twice."""
    edges, daily = graph
    plant = make_plant()
    plant.apply(edges, daily=daily)
    for day in DAYS:
        plant.drop("s", "one", day)
    plant.drop("w", "one")
    plant.settle()
    rng = random.Random(seed)
    plant.drop("s", "two", DAYS[0])
    ran, held = [], []
    while new := plant.take(rng.randint(1, 3)) or held:
        if new is not held:
            held += new
            ran += [(x.workflow, x.partition) for x in new]
        plant.ask(plant.done(held.pop(rng.randrange(len(held)))))

    assert sorted(set(ran)) == sorted(ran)


# Nothing fails for good here: that would need new data, which finds everything again that was lost.
TIMELY = ["drop", "drop", "take", "take", "done", "done", "done", "restart", "ask", "apply", "tick", "tick", "tick"]


@histories(15)
@example(
    graph=({"a0": ["s"], "a1": ["s"], "a2": ["w"], "a3": ["s"], "a4": ["s"]}, ("s", "a3")),
    gates=["", "", "", "alone", ""],
    seed=8074,
    length=30,
)
@given(
    graph=graphs(),
    gates=st.lists(st.sampled_from(["", *GATES]), min_size=5, max_size=5),
    seed=st.integers(0, 9_999),
    length=st.integers(0, 80),
)
def test_ticks_lose_nothing_and_run_nothing_twice(make_plant, graph, gates, seed, length):
    """Whatever waits for the clock, and whatever happens meanwhile: after enough ticks, and no other event, each head
    is what a full rebuild would make, and no workflow partition ran twice for one tick."""
    edges, daily = graph
    plant = make_plant()
    plant.edges = edges
    plant.triggers = {a: GATES[g] for a, g in zip(edges, gates, strict=False) if g}
    plant.apply(edges, daily=daily, triggers=plant.triggers, parameters=dict.fromkeys(edges, X))
    # Drawn by a seed: long histories are what finds anything, and lists are drawn short.
    rng, held, sources = random.Random(seed), [], {}
    for _ in range(length):
        act(plant, held, sources, daily, rng.choice(TIMELY), rng.randrange(1000))
    # One round of ticks for each level of the graph; leases of the past are lost meanwhile.
    for _ in range(2 * len(edges) + 2):
        plant.now += HOUR
        sessions.expire(plant.plane)
        plant.session = plant.join()
        plant.plane.look()
        plant.settle()

    for asset in edges:
        for day in DAYS if asset in daily else ("",):
            assert expected(edges, daily, sources, asset, day) == plant.head(asset, day), (asset, day)
    _each_tick_ran_once(plant)
    _each_step_made_at_most_one_version(plant)


def _each_tick_ran_once(plant):
    from collections import Counter

    from sqlalchemy import select

    from riparian.scheduler.core.facts import Cause
    from riparian.storage.metadata.schema import run

    rows = plant.plane.db.read(lambda tx: tx.conn.execute(select(run)).all())
    ended = [(r, Cause.from_json(r.cause)) for r in rows if r.state == "succeeded"]
    ran = Counter((r.workflow, r.partition, *t) for r, c in ended for t in c.body.get("ticks", {}).items())
    assert [] == [key for key, times in ran.items() if times > 1]
