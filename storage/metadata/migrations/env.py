"""Runs the migrations on the connection that ``migrate.upgrade`` opened."""

from __future__ import annotations

from alembic import context

from riparian.storage.metadata.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
