"""What is told of a run's steps: each of few, the numbers of many, and nothing of the data to who may not read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, update

from riparian.assets.errors import NotFound
from riparian.assets.policy import Policy, Principal
from riparian.assets.tasks import Road
from riparian.scheduler.core.facts import Cause
from riparian.scheduler.core.pinned import StepSpec
from riparian.scheduler.core.protocol import encode
from riparian.storage.access.runs import MOST_STEPS
from riparian.storage.metadata import schema

if TYPE_CHECKING:
    from conftest import World

OWNER = Principal(name="olga")
OPS = Principal(name="ana", groups=frozenset({"ops"}), clearances=frozenset({"pii"}))


def add_steps(world: World, *steps: dict[str, Any], run: str = "r0002") -> None:
    base = {"run": run, "spec": "{}", "pool": "default", "ready_at": 0, "map_index": None, "reason": None}
    world.db.write(lambda tx: tx.conn.execute(insert(schema.step), [{**base, **s} for s in steps]))


def add_intermediate(world: World, version: str, step: str, asset: str, run: str = "r0002") -> None:
    def write(tx: Any) -> None:
        row = tx.conn.execute(schema.version.select().where(schema.version.c.id == "v0002")).one()
        values = {**row._mapping, "id": version, "step": step, "asset": asset, "run": run, "rows": 3, "bytes": 40}
        values |= {"state": "intermediate", "head_seq": None, "content": "[1, 2, 3]"}
        tx.conn.execute(insert(schema.version), values)
        made_from = {"version": version, "parameter": "x", "asset": "air.drop", "lo": "", "hi": "", "as_of": 1}
        tx.conn.execute(insert(schema.lineage), {**made_from, "input_version": "v0001"})

    world.db.write(write)


def test_a_step_tells_its_item_its_road_and_its_result(river: World) -> None:
    """In the order in which the steps began; what has not begun comes last."""
    add_steps(
        river,
        {"id": "a2", "task": "score", "map_index": 1, "state": "succeeded"},
        {"id": "a1", "task": "score", "map_index": 0, "state": "ready"},
        {"id": "a0", "task": "road", "state": "skipped", "reason": "road returned 'storm'"},
    )
    add_intermediate(river, "vx", "a2", "air.flights/score")
    told = river.view(OPS).run("r0002")

    assert [("t", None), ("road", None), ("score", 0), ("score", 1)] == [
        (s["task"], s["map_index"]) for s in told["steps"]
    ]
    assert "road returned 'storm'" == told["steps"][1]["reason"]
    assert [None, None, None, {"format": "json", "rows": 3, "bytes": 40}] == [s["result"] for s in told["steps"]]
    assert 0 == told["steps_left_out"]


def test_an_owner_who_may_not_read_sees_states_alone(river: World) -> None:
    """The size of a result and what was wrong with it tell of the data; that each task ran once does not."""
    add_steps(river, {"id": "a0", "task": "first", "state": "succeeded", "reason": "why not"})
    add_intermediate(river, "vx", "s0002", "air.flights/t")
    told = river.view(OWNER).run("r0002")

    assert [("first", "succeeded", None, None), ("t", "succeeded", None, None)] == sorted(
        (s["task"], s["state"], s["reason"], s["result"]) for s in told["steps"]
    )
    assert (2, False) == (len(told["step_counts"]), told["steps_withheld"])


@pytest.mark.parametrize(
    "spec",
    [
        StepSpec(task="each", mapped="n"),
        StepSpec(task="fire_all", roads=(Road(decision="decide", label="fire"),)),
        StepSpec(task="decide", labels=("fire", "keep")),
    ],
)
@pytest.mark.parametrize("index", [None, 0])
def test_what_the_data_decides_is_not_told_by_steps(river: World, spec: StepSpec, index: int | None) -> None:
    """Which road was taken, and how many items there were: not by a state, a place or a number, from the start on."""
    row = {"id": "a0", "task": spec.task, "state": "blocked", "spec": encode(spec).decode(), "map_index": index}
    add_steps(river, row, *({**row, "id": f"a{n}", "map_index": n} for n in range(1, 4) if index is not None))
    owner, reader = river.view(OWNER).run("r0002"), river.view(OPS).run("r0002")

    assert ([], 0, [], True) == tuple(
        owner[name] for name in ("steps", "steps_left_out", "step_counts", "steps_withheld")
    )
    assert (2 if index is None else 5, False) == (len(reader["steps"]), reader["steps_withheld"])


def test_the_path_of_a_file_is_no_place_to_look_for_names(river: World) -> None:
    """It says what was dropped, whatever else has such a name."""
    river.declare(river.made("hr.pay", Policy(readers={"hr"})), owner="user:rita")
    cause = Cause(kind="file", body={"path": "hr.pay", "fingerprint": "x", "seq": 1}).to_json()
    river.db.write(lambda tx: tx.conn.execute(update(schema.run).where(schema.run.c.id == "r0001").values(cause=cause)))

    assert "the file hr.pay arrived" == river.view(OWNER).run("r0001")["cause"]


def test_intermediates_are_versions_of_no_asset(river: World) -> None:
    """They are in no list, no lineage and no output, and have no page of their own."""
    before = river.view(OPS).lineage("air.drop", level="version")
    add_intermediate(river, "vx", "sx", "air.flights")
    view = river.view(OPS)

    assert ["v0002"] == [v["id"] for v in view.versions("air.flights").items]
    assert ["v0002"] == [v["id"] for v in view.run("r0002")["outputs"]]
    assert before == view.lineage("air.drop", level="version")
    with pytest.raises(NotFound):
        view.version("vx")
    with pytest.raises(NotFound):
        view.lineage("air.flights", version="vx")


def test_of_very_many_steps_the_failed_come_first(river: World) -> None:
    """The rest is told by its numbers; attempts are of those listed."""
    add_steps(
        river,
        *({"id": f"m{n:05}", "task": "score", "map_index": n, "state": "succeeded"} for n in range(MOST_STEPS + 100)),
        {"id": "z1", "task": "score", "map_index": 99_998, "state": "failed"},
        {"id": "z0", "task": "score", "map_index": 99_999, "state": "leased"},
    )
    told = river.view(OPS).run("r0002")

    assert ["failed", "leased", "succeeded"] == [s["state"] for s in told["steps"]][:3]
    assert (MOST_STEPS, 103) == (len(told["steps"]), told["steps_left_out"])
    assert [
        {"task": "score", "state": "failed", "steps": 1},
        {"task": "score", "state": "leased", "steps": 1},
        {"task": "score", "state": "succeeded", "steps": MOST_STEPS + 100},
        {"task": "t", "state": "succeeded", "steps": 1},
    ] == told["step_counts"]


def test_a_cancelled_run_says_by_whom_to_all_who_see_it(river: World) -> None:
    """That tells nothing of the data; any other error does."""
    river.commit("air.flights", inputs=[("air.drop", "", "")], error="bad value 7")
    assert None is river.view(OWNER).run("r0004")["error"]

    cancelled = {"state": "cancelled", "error": "cancelled by ana"}
    river.db.write(lambda tx: tx.conn.execute(update(schema.run).where(schema.run.c.id == "r0004").values(**cancelled)))
    assert "cancelled by ana" == river.view(OWNER).run("r0004")["error"]
