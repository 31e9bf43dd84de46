"""The migrations lead to the schema that the code knows."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from riparian.storage.metadata import migrate
from riparian.storage.metadata.database import Database, sqlite_url
from riparian.storage.metadata.schema import metadata


def test_migrated_is_what_is_declared(tmp_path: Path):
    """A database made by the migrations differs in nothing from the declared tables."""
    path = tmp_path / "metadata.db"
    Database(sqlite_url(path)).close()
    with create_engine(sqlite_url(path)).connect() as conn:
        assert [] == compare_metadata(MigrationContext.configure(conn), metadata)


def test_head_is_the_newest_revision():
    """The number that lets a start skip alembic is that of the last migration."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))

    assert migrate.HEAD == ScriptDirectory.from_config(config).get_current_head()


def test_alembic_is_imported_only_when_needed(tmp_path: Path):
    """Opening a database of this schema does not pay for alembic."""
    path = tmp_path / "metadata.db"
    Database(sqlite_url(path)).close()
    script = (
        "import sys; from pathlib import Path\n"
        "from riparian.storage.metadata.database import Database, sqlite_url\n"
        "Database(sqlite_url(Path(sys.argv[1]))).close(); print('alembic' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    assert "False" == found.stdout.strip()


def test_a_database_of_the_future_is_refused(tmp_path: Path):
    """A schema that this version does not know is left as it is, with a remedy."""
    path = tmp_path / "metadata.db"
    Database(sqlite_url(path)).close()
    with create_engine(sqlite_url(path)).begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(migrate.SchemaTooNew, match="upgrade riparian"):
        Database(sqlite_url(path))


def test_a_migration_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The schema changes in one transaction: after a failure the next start begins anew."""
    path = tmp_path / "metadata.db"
    engine = create_engine(sqlite_url(path))
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE version (id TEXT)"))  # in the way of a later statement of the first migration
    with pytest.raises(Exception, match="already exists"):
        Database(sqlite_url(path))
    with engine.begin() as conn:
        tables = {row[0] for row in conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))}
        conn.execute(text("DROP TABLE version"))

    assert {"version"} == tables
    Database(sqlite_url(path)).close()
