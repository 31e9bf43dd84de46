"""How is the catalogue read and written?

One writer thread owns the one writing connection. Everything queued joins one transaction, each request under a
savepoint of its own, and is answered after the commit is on disk: many requests, one fsync. Readers use query-only
connections and never wait for the writer.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, Engine, Executable, Insert, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.util import LRUCache
from ulid import ULID

from riparian.assets.errors import Conflict
from riparian.storage.metadata import migrate
from riparian.storage.metadata.schema import run

T = TypeVar("T")

log = logging.getLogger(__name__)

_NEWEST = select(func.max(run.c.created_at))

MAX_GROUP = 256
"""Requests that may share one transaction."""

_COMPILED: LRUCache[Any, Any] = LRUCache(1000)
"""What statements are in the words of the driver, for all databases of this process."""

_DIALECTS: dict[type[Dialect], Dialect] = {}


def _new_id() -> str:
    return str(ULID())


@dataclass(slots=True)
class Tx:
    """One request's view of the database. ``now`` is UTC microseconds and the same for the whole request."""

    conn: Connection
    now: int
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    ids: Callable[[], str] = _new_id

    def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes a statement of plain texts and numbers once for each of ``rows``; does nothing when there are none.

        SQLAlchemy looks at every value of every row before the driver does, which takes longer than the writing.
        """
        if rows:
            text, names = _written(statement, tuple(rows[0]), self.conn.dialect)
            values = rows if names is None else [*map(_in_places(names), rows)]
            self.conn.exec_driver_sql(text, values)

    def new_id(self) -> str:
        """Returns a fresh id; ids made later sort later (to the millisecond)."""
        return self.ids()


def _in_places(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Returns what takes the values of these names out of a row, in their order."""
    return itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)


@cache
def _written(statement: Executable, columns: tuple[str, ...], dialect: Dialect) -> tuple[str, list[str] | None]:
    """Returns the statement in the words of the driver, and its parameters in order where they go by place."""
    # ``columns`` are what an insert names; the others have parameters of their own.
    keys = list(columns) if isinstance(statement, Insert) else None
    compiled = cast("Any", statement).compile(dialect=dialect, column_keys=keys)
    if own := compiled.params.keys() - set(columns):
        raise TypeError(f"{statement} has parameters that the rows do not: {sorted(own)}; write them out as text")
    return str(compiled), compiled.positiontup


@dataclass(slots=True)
class _Request:
    fn: Callable[[Tx], Any]
    future: Future[Any]


class Database:
    """The catalogue at ``url``. ``clock`` gives UTC microseconds, ``ids`` fresh ids that sort as they were made; tests
    pass their own."""

    def __init__(self, url: str | URL, *, clock: Callable[[], int] | None = None) -> None:
        self.url = make_url(url)
        self.clock = clock or (lambda: time.time_ns() // 1000)
        self.ids = _new_id
        self._latest = 0
        self._ahead = 0  # how far the catalogue's time is ahead of the clock, since the clock was set back
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._lock = _lock(self.url)
        self._writer = _engine(self.url, read_only=False)
        try:
            migrate.upgrade(self._writer)
        except BaseException:
            self._writer.dispose()
            _unlock(self._lock)
            raise
        self._reader = _engine(self.url, read_only=True)
        with self._reader.begin() as conn:
            self._latest = conn.execute(_NEWEST).scalar() or 0
        self._thread = threading.Thread(target=self._write_loop, name="metadata-writer", daemon=True)
        self._closed = False
        self._thread.start()

    def submit(self, fn: Callable[[Tx], T]) -> Future[T]:
        """Queues ``fn`` for the writer. The future is done after the commit, or with the exception of ``fn``, which
        then left nothing behind. What ``fn`` put in ``after_commit`` is called before the future is done."""
        if self._closed:
            raise RuntimeError("the database is closed")
        future: Future[T] = Future()
        self._queue.put(_Request(fn, future))
        return future

    def write(self, fn: Callable[[Tx], T]) -> T:
        """Runs ``fn`` in a writing transaction and returns its result once it is on disk."""
        return self.submit(fn).result()

    def read(self, fn: Callable[[Tx], T]) -> T:
        """Runs ``fn`` on one consistent snapshot that it can not change."""
        with self._reader.begin() as conn:
            return fn(Tx(conn, max(self._latest, self.clock() + self._ahead)))

    def close(self) -> None:
        """Writes what is queued, then closes. Called twice it does nothing."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._writer.dispose()
            self._reader.dispose()
            _unlock(self._lock)

    def by_the_clock(self, instant: int) -> int:
        """Returns what the clock will show at an instant of the catalogue's time, in microseconds."""
        return instant - self._ahead

    def _next_instant(self) -> int:
        """Time as the catalogue tells it never falls and never stands still: when the clock is set back it runs on from
        where it was, or what is due would wait for the clock to catch up."""
        now = self.clock() + self._ahead
        if now < self._latest:
            self._ahead += self._latest - now
            now = self._latest
        self._latest = now
        return now

    def _write_loop(self) -> None:
        with self._writer.connect() as conn:
            while (first := self._queue.get()) is not None:
                group = [first]
                last = False
                while len(group) < MAX_GROUP and not last:
                    try:
                        request = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if request is None:
                        last = True
                    else:
                        group.append(request)
                self._write_group(conn, group)
                if last:
                    return

    def _write_group(self, conn: Connection, group: list[_Request]) -> None:
        done: list[tuple[_Request, Any, Tx]] = []
        failed: list[tuple[_Request, BaseException]] = []
        try:
            with conn.begin():
                for request in group:
                    # Marks it as running, so that a caller who went away can not cancel it halfway.
                    if not request.future.set_running_or_notify_cancel():
                        continue
                    tx = Tx(conn, self._next_instant(), ids=self.ids)
                    savepoint = conn.begin_nested()
                    try:
                        result = request.fn(tx)
                    except BaseException as exc:  # noqa: BLE001 - the loop must survive any request; its caller is told
                        # Outside any catch: a database that gave up the whole transaction (a full disk) has no
                        # savepoint to go back to, and then nothing of this group may be acknowledged.
                        savepoint.rollback()
                        failed.append((request, exc))
                    else:
                        savepoint.commit()
                        done.append((request, result, tx))
                _require_transaction(conn)
        except BaseException as exc:  # noqa: BLE001 - the commit failed: nothing was acknowledged, and all are told
            for request in group:
                if not request.future.cancelled() and (
                    request.future.running() or request.future.set_running_or_notify_cancel()
                ):
                    request.future.set_exception(exc)
            return
        for _, _, tx in done:
            for callback in tx.after_commit:
                try:
                    callback()
                except Exception:  # the facts are on disk; a bell that does not ring must not end the writer
                    log.exception("a callback after a commit failed; what it should have woken looks by itself later")
        for request, result, _ in done:
            request.future.set_result(result)
        for request, error in failed:
            request.future.set_exception(error)


def _require_transaction(conn: Connection) -> None:
    """Raises when the database ended the transaction by itself: its commit would then say yes to nothing."""
    raw = conn.connection.dbapi_connection
    if getattr(raw, "in_transaction", True) is False:
        gone = RuntimeError("the database gave up the transaction; nothing was written")
        raise OperationalError("COMMIT", None, gone)


def _lock(url: URL) -> int | None:
    """Takes the file beside an SQLite database that says who writes to it; Conflict when another process has it."""
    if url.get_backend_name() != "sqlite" or url.database in (None, ":memory:") or url.query.get("vfs") == "memdb":
        return None
    held = os.open(f"{os.path.realpath(url.database or '')}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(held)
        raise Conflict(f"another control plane writes to {url.database}; one at a time can. Stop it first") from exc
    return held


def _unlock(held: int | None) -> None:
    if held is not None:
        os.close(held)


def _engine(url: URL, *, read_only: bool) -> Engine:
    options = {"compiled_cache": _COMPILED}
    engine = (
        create_engine(url, pool_size=8, max_overflow=56, execution_options=options)
        if url.database not in (None, ":memory:")
        else _refuse(url)
    )
    if engine.dialect.name == "sqlite":
        # What is compiled is found by the dialect itself, and one says nothing of one database or another.
        engine.dialect = _DIALECTS.setdefault(type(engine.dialect), engine.dialect)
        _configure_sqlite(engine, read_only=read_only)
    return engine


def _refuse(url: URL) -> Engine:
    raise ValueError(
        f"{url} is not a file; the catalogue needs one that outlives the process, such as sqlite:///metadata.db"
    )


def _configure_sqlite(engine: Engine, *, read_only: bool) -> None:
    """Full durability, and transactions begun by us: the driver's own would begin deferred and fail when upgraded."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=10000")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def sqlite_url(path: Path) -> URL:
    """Returns the url of the SQLite file at ``path``."""
    return URL.create("sqlite", database=str(path))


def memory_url(name: str) -> URL:
    """Returns the url of the SQLite database of that name in this process's memory, which its connections share; it is
    gone with the last of them. For tests: nothing of it outlives the process."""
    return URL.create("sqlite", database=f"file:/{name}", query={"vfs": "memdb", "uri": "true"})
