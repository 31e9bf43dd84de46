"""The migrations lead to the schema that the code knows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from riparian.assets.errors import Location
from riparian.assets.manifest import Manifest
from riparian.assets.tasks import Argument, Ref
from riparian.scheduler.core.pinned import Pin, StepSpec
from riparian.scheduler.core.protocol import decode
from riparian.storage.metadata import definitions, migrate
from riparian.storage.metadata.database import Database, sqlite_url
from riparian.storage.metadata.definitions import GraphCache
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


V1_MANIFEST = {
    "version": 1,
    "project": "air",
    "bundle": "b",
    "assets": [
        {
            "key": key,
            "kind": kind,
            "format": "json",
            "partitions": None,
            "policy": None,
            "arrives": {"pattern": "drop/flights.json", "settle_seconds": 2.0} if kind == "source" else None,
            "producer": None if kind == "source" else key,
            "description": "",
            "location": {"file": "flights.py", "line": 3},
        }
        for key, kind in (("air.flights", "source"), ("air.late", "asset"))
    ],
    "workflows": [
        {
            "key": "air.late",
            "inputs": [{"parameter": "flights", "asset": "air.flights", "type": "dict", "mapping": "one"}],
            "produces": ["air.late"],
            "tasks": [
                {
                    "name": "late",
                    "module": "m",
                    "qualname": "late",
                    "context": None,
                    "returns": "dict",
                    "retry": {"attempts": 2, "delay_seconds": 1.0, "factor": 2.0, "max_delay_seconds": 9.0},
                    "timeout_seconds": None,
                }
            ],
            "trigger": {"kind": "on_update", "assets": []},
            "partitions": None,
            "fingerprint": "f",
            "location": None,
        }
    ],
}
V1_PIN = {"parameter": "flights", "asset": "air.flights", "type": "dict", "many": False, "lo": "", "hi": ""} | {
    "as_of": 3,
    "seq": 3,
    "digest": "d",
    "origins": [],
    "version": "v",
}


def test_what_the_second_schema_held_goes_on(tmp_path: Path):
    """Declarations are read, and a workflow's news begins where it was adopted."""
    path = tmp_path / "metadata.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    body = json.dumps({"version": 2, "project": "air", "bundle": "b", "assets": [], "workflows": []})
    with create_engine(sqlite_url(path)).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        conn.execute(text("INSERT INTO definition VALUES (1, 'air', 'b', 'me', 0, :body)"), {"body": body})
        conn.execute(text("INSERT INTO workflow VALUES ('air.late', 'air', 7, '', NULL)"))

    database = Database(sqlite_url(path))
    manifests = database.read(definitions.current)
    (news,) = database.read(lambda tx: tx.conn.execute(text("SELECT news_seq FROM workflow")).one())
    database.close()

    assert (["air"], 7) == (list(manifests), news)


def test_what_the_first_schema_held_goes_on(tmp_path: Path):
    """Declarations and a run in the middle, as the first schema kept them, are understood after the upgrade."""
    path = tmp_path / "metadata.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    with create_engine(sqlite_url(path)).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(
            text("INSERT INTO definition VALUES (1, 'air', 'b', 'me', 0, :body)"), {"body": json.dumps(V1_MANIFEST)}
        )
        conn.execute(
            text(
                "INSERT INTO run (id, workflow, partition, kind, state, fingerprint, definition, trigger_key, cause, "
                "as_of, pins, origins, params, seed, created_at) VALUES ('r', 'air.late', '', 'workflow', 'queued', "
                "'f', 1, 'k', :cause, 3, :pins, 'o', '{}', 's', 0)"
            ),
            {"pins": json.dumps([V1_PIN]), "cause": json.dumps({"kind": "adopted"})},
        )
        spec = {"task": "late", "module": "m", "qualname": "late", "outputs": ["air.late"], "returns": "dict"}
        conn.execute(
            text(
                "INSERT INTO step (id, run, task, spec, state, pool, ready_at) VALUES ('s', 'r', 'late', :spec,"
                " 'ready', 'default', 0)"
            ),
            {"spec": json.dumps(spec)},
        )

    database = Database(sqlite_url(path))
    graph = database.read(GraphCache().at)
    pins, kept = database.read(lambda tx: tx.conn.execute(text("SELECT pins, spec FROM run, step")).one())
    database.close()

    assert Location("flights.py", 3) == graph.assets["air.flights"].location
    (task,) = graph.workflows["air.late"].tasks
    argument = Argument(parameter="flights", type="dict", ref=Ref(kind="input", name="flights"))
    assert ((argument,), "air.late", 2) == (task.arguments, task.output, task.retry.attempts)
    step = decode(kept, StepSpec)
    assert ((argument,), ("flights",), ("air.late",)) == (step.arguments, step.made_from, step.outputs)
    assert "flights" == decode(pins, list[Pin])[0].parameter


def test_steps_of_the_second_schema_go_on(tmp_path: Path):
    """What was ready is granted in the order in which it came; what waited for its next try still waits for it."""
    path = tmp_path / "metadata.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    manifest = Manifest(project="air", bundle="b").to_json().replace('"version":3', '"version":2')
    with create_engine(sqlite_url(path)).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        conn.execute(text("INSERT INTO definition VALUES (1, 'air', 'b', 'me', 0, :body)"), {"body": manifest})
        for name, state, failures in (("new", "ready", 0), ("tried", "ready", 1), ("over", "succeeded", 1)):
            values = {"name": name, "state": state, "failures": failures}
            conn.execute(
                text(
                    "INSERT INTO step (id, run, task, spec, state, failures, pool, ready_at) VALUES (:name, 'r', 't', "
                    "'{}', :state, :failures, 'default', 7)"
                ),
                values,
            )

    database = Database(sqlite_url(path))
    declared = database.read(definitions.current)
    steps = database.read(
        lambda tx: tx.conn.execute(text("SELECT id, rank, waits_for FROM step WHERE state = 'ready' ORDER BY id")).all()
    )
    database.close()

    assert {"air": Manifest(project="air", bundle="b")} == declared
    assert [("new", 7, ""), ("tried", 7, "@clock")] == [tuple(row) for row in steps]


def test_declarations_of_the_second_schema_go_on(tmp_path: Path):
    """A manifest of before there were checks and parameters has none, and is read by the number of today."""
    path = tmp_path / "metadata.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    made = {"key": "air.late", "kind": "asset", "format": "json", "producer": "air.late"}
    task = {"name": "late", "module": "m", "qualname": "late", "returns": "dict", "arguments": [], "output": "air.late"}
    workflow = {"key": "air.late", "inputs": [], "produces": ["air.late"], "tasks": [task], "fingerprint": "f"}
    workflow |= {"trigger": {"kind": "manual"}}
    body = {"version": 2, "project": "air", "bundle": "b", "assets": [made], "workflows": [workflow]}
    with create_engine(sqlite_url(path)).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        conn.execute(text("INSERT INTO definition VALUES (1, 'air', 'b', 'me', 0, :body)"), {"body": json.dumps(body)})

    database = Database(sqlite_url(path))
    graph = database.read(GraphCache().at)
    database.close()

    found = graph.workflows["air.late"]
    assert ("f", (), ()) == (found.fingerprint, found.checks, found.parameters)


def test_heads_of_the_second_schema_were_news(tmp_path: Path):
    """Whatever had moved before there were backfills moved by today's work, and others were to run for it."""
    path = tmp_path / "metadata.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    with create_engine(sqlite_url(path)).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        conn.execute(
            text(
                "INSERT INTO head (asset, partition, version, seq, digest, origins, trace) "
                "VALUES ('a', '', 'v', 7, 'd', 'o', '{}')"
            )
        )
        conn.execute(
            text(
                "INSERT INTO asset (key, project, kind, owner, seq, heads, digest) VALUES ('a','p','asset','o',8,1,'d')"
            )
        )

    database = Database(sqlite_url(path))
    asked = "SELECT news, current FROM head UNION ALL SELECT news, current FROM asset"
    found = database.read(lambda tx: tx.conn.execute(text(asked)).all())
    database.close()

    assert [(7, 7), (8, 8)] == [tuple(row) for row in found]
