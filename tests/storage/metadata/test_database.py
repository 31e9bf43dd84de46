"""One writer, many readers: what is acknowledged is on disk, and one request can not spoil another."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql.compiler import SQLCompiler

from riparian.assets.errors import Conflict
from riparian.storage.metadata import counters
from riparian.storage.metadata.database import Database, memory_url, sqlite_url
from riparian.storage.metadata.schema import counter


@pytest.fixture
def db(tmp_path: Path):
    database = Database(sqlite_url(tmp_path / "metadata.db"))
    yield database
    database.close()


def count(db: Database, name: str) -> int:
    return db.read(lambda tx: counters.value(tx, name))


def test_what_is_compiled_is_compiled_once(db, tmp_path, monkeypatch):
    """A statement is put in the driver's words for all databases of the process, by the writer or by a reader."""
    compiled = []
    own = select(counter.c.value).where(counter.c.name == bindparam("compiled_once"))
    compile_one = SQLCompiler.visit_select
    monkeypatch.setattr(
        SQLCompiler, "visit_select", lambda self, *a, **k: compiled.append(self) or compile_one(self, *a, **k)
    )
    another = Database(sqlite_url(tmp_path / "another.db"))
    compiled.clear()
    for database in (db, another):
        for look in (database.read, database.write):
            look(lambda tx: tx.conn.execute(own, {"compiled_once": "x"}).all())
    another.close()

    assert 1 == len(compiled)


def test_requests_that_wait_together_share_a_transaction(db):
    """While the writer is busy requests pile up, and are then written with one commit, each answered."""
    commits = []
    started, go = threading.Event(), threading.Event()

    def busy(tx):
        started.set()
        go.wait(10)

    first = db.submit(busy)
    started.wait(10)
    futures = [db.submit(lambda tx: commits.append(id(tx.conn.get_transaction()))) for _ in range(50)]
    go.set()
    for future in [first, *futures]:
        future.result(10)

    assert 1 == len(set(commits))


def test_a_failing_request_leaves_nothing_and_harms_no_other(db):
    """Each request has a savepoint of its own inside the shared transaction."""
    started, go = threading.Event(), threading.Event()

    def busy(tx):
        started.set()
        go.wait(10)

    def spoiled(tx):
        counters.advance(tx, "spoiled")
        tx.conn.execute(text("INSERT INTO counter (name, value) VALUES ('spoiled', 1)"))

    db.submit(busy)
    started.wait(10)
    good, bad, after = (
        db.submit(lambda tx: counters.advance(tx, "good")),
        db.submit(spoiled),
        db.submit(lambda tx: counters.advance(tx, "good")),
    )
    go.set()

    assert (1, 2) == (good.result(10), after.result(10))
    with pytest.raises(IntegrityError):
        bad.result(10)
    assert (2, 0) == (count(db, "good"), count(db, "spoiled"))


def test_bells_ring_after_the_commit_and_only_then(db):
    """A callback sees what was written; that of a request that failed is never called."""
    seen = []

    def write(tx):
        counters.advance(tx, "n")
        tx.after_commit.append(lambda: seen.append(count(db, "n")))

    def fail(tx):
        tx.after_commit.append(lambda: seen.append("failed"))
        raise ValueError

    db.write(write)
    with pytest.raises(ValueError):  # noqa: PT011 - it is ours
        db.write(fail)

    assert [1] == seen


def test_readers_can_not_write(db):
    """A read that tries to write is refused by the database itself."""
    with pytest.raises(OperationalError):
        db.read(lambda tx: counters.advance(tx, "n"))


def test_a_read_is_one_snapshot(db):
    """What is written meanwhile does not show within one read."""

    def look(tx):
        before = counters.value(tx, "n")
        db.write(lambda other: counters.advance(other, "n"))
        return before, counters.value(tx, "n")

    assert (0, 0) == db.read(look)
    assert 1 == count(db, "n")


def test_a_cancelled_request_is_not_run(db):
    """A caller who went away before the writer came to it changes nothing, and the writer goes on."""
    started, go = threading.Event(), threading.Event()

    def busy(tx):
        started.set()
        go.wait(10)

    db.submit(busy)
    started.wait(10)
    gone: Future[int] = db.submit(lambda tx: counters.advance(tx, "gone"))
    assert gone.cancel()
    go.set()

    assert 1 == db.write(lambda tx: counters.advance(tx, "after"))
    assert 0 == count(db, "gone")


def test_closing_writes_what_is_queued(tmp_path: Path):
    """Close answers what was asked before it, and a second close does nothing."""
    db = Database(sqlite_url(tmp_path / "metadata.db"))
    futures = [db.submit(lambda tx: counters.advance(tx, "n")) for _ in range(20)]
    db.close()
    db.close()

    assert list(range(1, 21)) == [f.result(1) for f in futures]
    with pytest.raises(RuntimeError):
        db.write(lambda tx: None)


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path):
    """kill -9 at any moment: every number that was printed is in the database."""
    path = tmp_path / "metadata.db"
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from riparian.storage.metadata import counters\n"
        "from riparian.storage.metadata.database import Database, sqlite_url\n"
        "db = Database(sqlite_url(Path(sys.argv[1])))\n"
        "while True: print(db.write(lambda tx: counters.advance(tx, 'n')), flush=True)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    said = [worker.stdout.readline() for _ in range(30)]
    os.kill(worker.pid, signal.SIGKILL)
    said += worker.stdout.readlines()
    worker.wait(10)
    complete = [int(line) for line in said if line.endswith("\n")]

    db = Database(sqlite_url(path))
    found = count(db, "n")
    db.close()
    assert complete[-1] <= found <= complete[-1] + 1


def test_durability_is_as_promised(db):
    """The writer waits for the disk at every commit, and readers never block it."""

    def pragmas(tx):
        return [tx.conn.execute(text(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "synchronous")]

    assert ["wal", 2] == db.write(pragmas)


def test_a_full_disk_acknowledges_nothing(db):
    """When the database gives up a transaction, none of the requests that shared it is answered with success."""
    started, go = threading.Event(), threading.Event()

    def busy(tx):
        started.set()
        go.wait(10)

    def fill(tx):
        pages = tx.conn.execute(text("PRAGMA page_count")).scalar()
        tx.conn.execute(text(f"PRAGMA max_page_count = {pages}"))
        tx.conn.execute(text("INSERT INTO origins (id, members) VALUES ('x', zeroblob(10000000))"))

    first = db.submit(busy)
    started.wait(10)
    group = [
        db.submit(lambda tx: counters.advance(tx, "before")),
        db.submit(fill),
        db.submit(lambda tx: counters.advance(tx, "after")),
    ]
    go.set()
    first.result(10)
    said = []
    for future in group:
        try:
            said.append(future.result(10))
        except OperationalError:
            said.append("refused")
    db.write(lambda tx: tx.conn.execute(text("PRAGMA max_page_count = 1000000")))

    kept = [count(db, name) for name in ("before", "after")]
    assert ["refused" if n == 0 else 1 for n in kept] == [said[0], said[2]]
    assert "refused" == said[1]
    assert 1 == db.write(lambda tx: counters.advance(tx, "later"))


def test_a_callback_that_fails_does_not_end_the_writer(db):
    """A bell that breaks is logged; the commit stands and the next request is written."""

    def write(tx):
        counters.advance(tx, "n")
        tx.after_commit.append(lambda: 1 / 0)

    db.write(write)

    assert 2 == db.write(lambda tx: counters.advance(tx, "n"))


def test_one_process_writes_to_a_database(db, tmp_path: Path):
    """A second control plane on the same file is refused and told why; after the first has closed it may."""
    with pytest.raises(Conflict, match="one at a time"):
        Database(sqlite_url(tmp_path / "metadata.db"))
    db.close()

    Database(sqlite_url(tmp_path / "metadata.db")).close()


def test_a_clock_that_is_set_back_neither_goes_back_nor_stands_still(tmp_path: Path):
    """Time as the catalogue tells it runs on from where it was, so that what is due does not wait for the clock."""
    clock = [100]
    db = Database(sqlite_url(tmp_path / "other.db"), clock=lambda: clock[0])
    seen = []
    for shown in (100, 50, 60, 200):
        clock[0] = shown
        seen.append(db.write(lambda tx: tx.now))
    read = db.read(lambda tx: tx.now)
    db.close()

    assert [100, 100, 110, 250] == seen
    assert (250, 200) == (read, db.by_the_clock(250))


def test_a_cancelled_request_in_a_group_that_fails_does_not_end_the_writer(db):
    """The commit fails, one of its callers has left: the others are told, and the next request is written."""
    started, go = threading.Event(), threading.Event()

    def busy(tx):
        started.set()
        go.wait(10)

    def give_up(tx):
        tx.conn.connection.dbapi_connection.rollback()

    db.submit(busy)
    started.wait(10)
    gone, broken = db.submit(lambda tx: None), db.submit(give_up)
    assert gone.cancel()
    go.set()
    with pytest.raises(Exception, match=r"savepoint|transaction"):
        broken.result(10)

    assert 1 == db.submit(lambda tx: counters.advance(tx, "n")).result(10)


def test_a_database_in_memory_is_shared_by_its_connections_and_gone_with_them():
    """Its writer and its readers see one catalogue; the next one of that name is empty. No file is made."""
    found = []
    for _ in range(2):
        db = Database(memory_url("shared"))
        found.append(count(db, "change_seq"))
        db.write(lambda tx: counters.advance(tx, "change_seq"))
        found.append(count(db, "change_seq"))
        db.close()

    assert [0, 1, 0, 1] == found
    assert [] == [path for path in Path().iterdir() if "shared" in path.name]


def test_memory_databases_are_refused():
    """What would be gone with the process is no catalogue."""
    with pytest.raises(ValueError, match="outlives the process"):
        Database("sqlite://")


def test_many_rows_at_once(db):
    """Each row is written; a statement with a value of its own, which the driver would not be given, is refused."""
    rows = [{"name": name, "value": number} for number, name in enumerate("abc")]
    db.write(lambda tx: tx.many(insert(counter), rows))
    raised = update(counter).where(counter.c.name == bindparam("n")).values(value=bindparam("v"))
    db.write(lambda tx: tx.many(raised, [{"n": "b", "v": 7}, {"n": "c", "v": 8}]))
    db.write(lambda tx: tx.many(raised, []))
    kept = select(counter.c.name, counter.c.value).where(counter.c.name.in_(["a", "b", "c"])).order_by(counter.c.name)
    assert [("a", 0), ("b", 7), ("c", 8)] == [tuple(r) for r in db.read(lambda tx: tx.conn.execute(kept).all())]

    literal = delete(counter).where(counter.c.name == bindparam("n"), counter.c.value == 7)
    with pytest.raises(TypeError, match="parameters that the rows do not"):
        db.write(lambda tx: tx.many(literal, [{"n": "b"}]))
