"""Is the schema the one this code knows, and if not, how does it become it?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from riparian.assets.errors import RiparianError

HEAD = "0003"
"""The newest revision under ``migrations/versions``; a test compares the two."""

_MIGRATIONS = Path(__file__).with_name("migrations")


class SchemaTooNew(RiparianError):
    """The database was written by a newer riparian."""

    code = "schema_too_new"


def revision(engine: Engine) -> str | None:
    """Returns the database's revision, or None when it is new."""
    with engine.connect() as conn:
        if not inspect(conn).has_table("alembic_version"):
            return None
        return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Brings the schema to ``HEAD``; a second call does nothing. Raises SchemaTooNew for a database of the future."""
    found = revision(engine)
    if found == HEAD:
        return
    # Only here: alembic costs a second to import and is hardly ever needed.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(
            f"the database has schema {found}, this riparian knows up to {HEAD}; "
            "upgrade riparian or restore an older copy"
        )
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
