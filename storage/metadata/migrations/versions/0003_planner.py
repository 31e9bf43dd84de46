"""Limits, ranks and run time-outs; the moves of an asset in their order; what checks found; workflows that come back
remember what they waited for; backfills; keys of partitions that are added in use."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
OPEN = sa.text("state IN ('blocked', 'ready', 'leased', 'paused')")
READY = sa.text("state = 'ready'")
LATER = sa.text("state = 'ready' AND waits_for = '@clock'")

definition = sa.table("definition", sa.column("seq"), sa.column("body"))


def upgrade() -> None:
    _limits()
    op.create_index("ix_version_asset_head_seq", "version", ["asset", "head_seq"])
    _news()
    _checks()
    _backfills()
    _dynamic()
    _manifests()


def _limits() -> None:
    op.create_table(
        "slot",
        sa.Column("limit_name", Name, nullable=False),
        sa.Column("holder", Name, nullable=False),
        sa.Column("run", Name, nullable=False),
        sa.PrimaryKeyConstraint("limit_name", "holder"),
    )
    op.create_index("ix_slot_run", "slot", ["run"])
    op.add_column("run", sa.Column("keeps_place", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("run", sa.Column("timeout_seconds", sa.Float(), nullable=True))
    op.add_column("step", sa.Column("limits", sa.Text(), nullable=True))
    op.add_column("step", sa.Column("waits_for", Name, server_default="", nullable=False))
    op.add_column("step", sa.Column("rank", sa.BigInteger(), server_default="0", nullable=False))
    # Whoever failed may be between two tries; it goes on by itself when its time has come.
    op.execute(
        "UPDATE step SET rank = ready_at, waits_for = CASE WHEN failures > 0 THEN '@clock' ELSE '' END"
        " WHERE state IN ('blocked', 'ready', 'leased', 'paused')"
    )
    op.drop_index("ix_step_ready", table_name="step")
    # Made anew so that it is the later one: of two indexes that seem to cost the same SQLite takes that one.
    op.drop_index("ix_step_open", table_name="step")
    op.create_index("ix_step_open", "step", ["run", "task"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index(
        "ix_step_ready", "step", ["waits_for", "pool", "rank", "id"], sqlite_where=READY, postgresql_where=READY
    )
    op.create_index("ix_step_later", "step", ["pool", "ready_at"], sqlite_where=LATER, postgresql_where=LATER)


def _news() -> None:
    op.add_column("workflow", sa.Column("news_seq", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE workflow SET news_seq = adopted_seq")


def _checks() -> None:
    op.create_table(
        "check_result",
        sa.Column("version", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("asset", Name, nullable=False),
        sa.Column("partition", Name, nullable=False),
        sa.Column("run", Name, nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", "name"),
    )
    op.create_index("ix_check_result_asset_name_version", "check_result", ["asset", "name", "version"])
    op.create_index("ix_check_result_run", "check_result", ["run"])


def _backfills() -> None:
    op.create_table(
        "backfill",
        sa.Column("id", Name, nullable=False),
        sa.Column("asset", Name, nullable=False),
        sa.Column("workflow", Name, nullable=False),
        sa.Column("lo", Name, nullable=False),
        sa.Column("hi", Name, nullable=False),
        sa.Column("only", Name, nullable=False),
        sa.Column("propagate", sa.Boolean(), nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("by", Name, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("next_partition", Name, nullable=True),
        sa.Column("skipped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    going = sa.text("state IN ('running', 'paused')")
    op.create_index("ix_backfill_going", "backfill", ["id"], sqlite_where=going, postgresql_where=going)
    op.create_table(
        "backfill_item",
        sa.Column("backfill", Name, nullable=False),
        sa.Column("partition", Name, nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run", Name, nullable=True),
        sa.PrimaryKeyConstraint("backfill", "partition"),
    )
    op.create_index("ix_backfill_item_backfill_state_partition", "backfill_item", ["backfill", "state", "partition"])
    op.add_column("run", sa.Column("run_class", sa.Integer(), server_default="0", nullable=False))
    for table in ("head", "asset"):
        for name in ("news", "current"):
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
        op.execute(f"UPDATE {table} SET news = seq, current = seq")  # noqa: S608 - two names of ours


def _dynamic() -> None:
    op.create_table(
        "dynamic_key",
        sa.Column("project", Name, nullable=False),
        sa.Column("dimension", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("origins", Name, nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", Name, nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", Name, nullable=True),
        sa.PrimaryKeyConstraint("project", "dimension", "key"),
    )
    op.create_table(
        "dynamic_count",
        sa.Column("project", Name, nullable=False),
        sa.Column("dimension", Name, nullable=False),
        sa.Column("origins", Name, nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "dimension", "origins"),
    )
    op.add_column("step", sa.Column("partitions", sa.Text(), nullable=True))


def _manifests() -> None:
    """What is new in a manifest has its default where it is left out."""
    conn = op.get_bind()
    for row in conn.execute(sa.select(definition.c.seq, definition.c.body)).all():
        body = json.loads(row.body)
        if body["version"] == 2:
            text = json.dumps({**body, "version": 3}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            conn.execute(sa.update(definition).where(definition.c.seq == row.seq).values(body=text))
