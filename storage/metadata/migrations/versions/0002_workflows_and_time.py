"""Steps of several tasks, schedules, and cancelled runs."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
OPEN = sa.text("state IN ('blocked', 'ready', 'leased', 'paused')")

definition = sa.table("definition", sa.column("seq"), sa.column("body"))
run = sa.table("run", sa.column("id"), sa.column("kind"), sa.column("state"), sa.column("pins"))
step = sa.table("step", sa.column("id"), sa.column("run"), sa.column("spec"))


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("workflow", Name, nullable=False),
        sa.Column("cron", Name, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workflow", "cron"),
    )
    op.add_column("attempted", sa.Column("ticks", sa.Text(), server_default="{}", nullable=False))
    op.add_column("attempted", sa.Column("outcome", Name, server_default="failed", nullable=False))
    op.add_column("consumed", sa.Column("ticks", sa.Text(), server_default="{}", nullable=False))
    op.add_column("step", sa.Column("map_index", sa.Integer(), nullable=True))
    op.add_column("step", sa.Column("reason", sa.Text(), nullable=True))
    op.drop_index("ix_step_run", table_name="step")
    op.create_index("ix_step_open", "step", ["run", "task"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_step_run_task_map_index", "step", ["run", "task", "map_index"])
    _say_what_tasks_take()


def _say_what_tasks_take() -> None:
    """What a task takes was said by its workflow's inputs, for there was one task; now each task says it itself."""
    conn = op.get_bind()
    for row in conn.execute(sa.select(definition.c.seq, definition.c.body)).all():
        conn.execute(
            sa.update(definition).where(definition.c.seq == row.seq).values(body=_manifest(json.loads(row.body)))
        )
    going = (
        sa.select(step.c.id, step.c.spec, run.c.pins)
        .join(run, run.c.id == step.c.run)
        .where(run.c.kind == "workflow", run.c.state.in_(("queued", "running")))
    )
    for name, text, pinned in conn.execute(going).all():
        spec, pins = json.loads(text), json.loads(pinned)
        spec["arguments"] = [
            {"parameter": p["parameter"], "type": p["type"], "ref": {"kind": "input", "name": p["parameter"]}}
            for p in pins
            if p["parameter"]
        ]
        spec["made_from"] = [a["parameter"] for a in spec["arguments"]]
        conn.execute(sa.update(step).where(step.c.id == name).values(spec=json.dumps(spec)))


def _manifest(body: dict[str, Any]) -> str:
    if body["version"] == 1:
        body["version"] = 2
        body["assets"] = [_sparse(asset) for asset in body["assets"]]
        body["workflows"] = [_workflow(workflow) for workflow in body["workflows"]]
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _workflow(workflow: dict[str, Any]) -> dict[str, Any]:
    inputs = workflow["inputs"]
    taken = [[i["parameter"], i["type"], {"input": i["parameter"]}] for i in inputs]
    return _sparse(workflow) | {
        "inputs": [[i["parameter"], i["asset"], i["mapping"]] for i in inputs],
        "tasks": [_sparse(t) | {"arguments": taken, "output": workflow["produces"][0]} for t in workflow["tasks"]],
    }


def _sparse(body: dict[str, Any]) -> dict[str, Any]:
    """What nobody said is left out, and a place is a file and a line."""
    kept = {name: value for name, value in body.items() if value is not None}
    if "location" in kept:
        kept["location"] = [kept["location"]["file"], kept["location"]["line"]]
    return kept
