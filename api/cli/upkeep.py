"""Are a project's folder, its secrets, its server and its worker in order? Checks of `riparian doctor`."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from time import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from riparian.api import state
from riparian.api.cli import declarations
from riparian.api.cli.command import InvalidDeclarations
from riparian.api.cli.finding import Finding, Patient, fail, ok, warn

if TYPE_CHECKING:
    import httpx

    from riparian.api.settings import Settings

LITTLE_BYTES, TOO_LITTLE_BYTES = 1024**3, 100 * 1024**2
MOST_SKEW_SECONDS = 5.0
ANSWER_SECONDS = 5.0
MOUNTS = Path("/proc/self/mountinfo")
NETWORKED = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "glusterfs", "fuse.")
"""How the names of file systems begin whose locks and shared memory can not be relied on."""

SECRETS = (state.TOKEN, state.WORKER_TOKEN, "key", "metadata.db")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WORKER = "riparian.scheduler.worker"


def settings(patient: Patient) -> Finding:
    if patient.settings is None:
        return fail(patient.mistake, "mend it; until then nothing else of the project can be looked at")
    if not declarations.is_project(patient.settings):
        return warn(f"there is no project in {patient.root}", "`riparian init FOLDER` writes one; or go to its folder")
    return ok(f"{patient.settings.name}, {patient.settings.file or 'of the defaults'}")


def declared(patient: Patient) -> Finding | None:
    if patient.settings is None or not declarations.is_project(patient.settings):
        return None
    try:
        manifest, _ = declarations.describe(patient.settings)
    except InvalidDeclarations as exc:
        return fail(f"{exc}: {exc.problems[0]}", "`riparian check` tells each")
    return ok(declarations.counted(manifest))


def folder(patient: Patient) -> Finding | None:
    if patient.settings is None:
        return None
    where = _nearest(patient.settings.state)
    try:
        with tempfile.TemporaryFile(dir=where) as file:
            file.write(b"0")
    except OSError as exc:
        return fail(f"nothing can be written in {where} ({exc.strerror})", "make it a folder that you may write in")
    return ok(f"{where} can be written in")


def file_system(patient: Patient) -> Finding | None:
    if patient.settings is None or (where := _database(patient.settings)) is None or not MOUNTS.exists():
        return None
    kind = mounted_as(where, MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind.startswith(NETWORKED):
        return warn(
            f"{where} is on {kind}, where SQLite's locks may not hold", "keep the project on a disk of this machine"
        )
    return ok(f"{where} is on {kind or 'an unknown file system'}")


def mounted_as(path: Path, mounts: str) -> str:
    """Returns the kind of the file system that ``path`` lies on; ``mounts`` is what the kernel says of all of them."""
    kinds = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if len(words := before.split()) > 4 and after:
            # The kernel writes a space in a name as \\040; the last mount on a folder is the one that is seen.
            kinds[Path(words[4].replace("\\040", " "))] = after.split()[0]
    real = path.resolve()
    return next((kinds[p] for p in (real, *real.parents) if p in kinds), "")


def database(patient: Patient) -> Finding | None:
    """Tries it with a file beside the real one: two connections, one of which reads what the other writes."""
    if patient.settings is None or (where := _database(patient.settings)) is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="riparian-doctor-", dir=where) as beside:
            name = Path(beside) / "try.db"
            with closing(sqlite3.connect(name)) as writer, closing(sqlite3.connect(name)) as reader:
                (mode,) = writer.execute("PRAGMA journal_mode=WAL").fetchone()
                writer.execute("CREATE TABLE seen (n INTEGER)")
                writer.execute("INSERT INTO seen VALUES (1)")
                writer.commit()
                seen = reader.execute("SELECT n FROM seen").fetchall()
    except (OSError, sqlite3.Error) as exc:
        return fail(f"SQLite can not work in {where} ({exc})", "set database.url to a file on a disk of this machine")
    if (mode, seen) != ("wal", [(1,)]):
        return fail(f"SQLite has no write-ahead log in {where} (only {mode})", "set database.url to a file elsewhere")
    return ok("SQLite writes ahead and reads beside it")


def disk(patient: Patient) -> Finding | None:
    if patient.settings is None:
        return None
    where = _nearest(patient.settings.state)
    free = shutil.disk_usage(where).free
    words = f"{free / 1024**3:.1f} GiB free in {where}"
    if free < TOO_LITTLE_BYTES:
        return fail(words, "free some: with a full disk nothing can be committed")
    return warn(words, "free some before it is full") if free < LITTLE_BYTES else ok(words)


def secrets(patient: Patient) -> Finding | None:
    if patient.settings is None or not (held := patient.settings.state).is_dir():
        return None
    if not held.stat().st_mode & OTHERS:
        open_ones = [name for name in (state.TOKEN, state.WORKER_TOKEN, "key") if _is_open(held / name)]
        if not open_ones:
            return ok("tokens and keys are yours alone")
    else:
        open_ones = [name for name in SECRETS if _is_open(held / name)]
        if not open_ones:
            return warn(f"others may look into {held}", f"chmod 700 {shlex.quote(str(held))}")
    files = shlex.join(str(held / name) for name in open_ones)
    return fail(
        f"others may read {', '.join(open_ones)} in {held}",
        f"chmod go= {files}; a token that others may have read is best revoked",
    )


def lock(patient: Patient) -> Finding | None:
    if patient.settings is None:
        return None
    file = patient.settings.state / state.LOCK
    if not file.exists() or state.is_free(patient.settings.state):
        return ok("nobody has the project open")
    server = state.running_server(patient.settings.state)
    holder = state.holder(patient.settings.state)
    if holder is None:
        return warn(
            f"a process that did not say its number holds {file}",
            f"see which one (lsof {shlex.quote(str(file))}); wait for it, or end it",
        )
    return ok(f"held by process {holder}" + (f", which serves {server.url}" if server else ""))


def server(patient: Patient) -> Finding | None:
    url = _url(patient)
    if url is None:
        return ok("none runs here; commands open the project themselves") if patient.settings else None
    answer = _health(patient, url)
    if answer is None:
        return fail(f"{url} does not answer", "is the address right, and does `riparian serve` run there?")
    if answer.status_code in (401, 403):
        return fail(
            f"{url} refuses your token", "set RIPARIAN_TOKEN; an owner makes one with `riparian token create NAME`"
        )
    try:
        body = answer.json()
        theirs, status, problems = body["version"], body["status"], body["problems"] or []
    except (ValueError, KeyError, TypeError):
        return fail(f"what answers at {url} is no server of ours", "is the address right?")
    own = version("riparian")
    if theirs != own:
        return warn(f"{url} is riparian {theirs}, and this is {own}", "install the same version on both sides; restart")
    if status != "ok":
        return warn(f"{url} is in trouble: {'; '.join(problems) or 'its owner is told more'}", "see its log")
    return ok(f"{url}, riparian {theirs}")


def clock(patient: Patient) -> Finding | None:
    if (url := _url(patient)) is None or (answer := _health(patient, url)) is None or "date" not in answer.headers:
        return None  # what is wrong with the server is told by the check of the server
    skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time()
    if abs(skew) > MOST_SKEW_SECONDS:
        return warn(f"the server's clock differs by {skew:.0f} s", "keep both machines' clocks in step (NTP)")
    return ok("the server's clock is in step with this one")


def worker(patient: Patient) -> Finding | None:
    if patient.settings is None or (running := state.running_server(patient.settings.state)) is None:
        return None
    found = [pid for pid, url, _ in _workers() if url == running.url]
    token = patient.settings.state / state.WORKER_TOKEN
    if not found:
        return warn(
            f"no worker of this machine works for {running.url} (others are not seen from here)",
            shlex.join(["riparian", "worker", "--url", running.url, "--token-file", str(token)]),
        )
    return ok(f"process {', '.join(map(str, found))} works for {running.url}")


def left_over(patient: Patient) -> Finding | None:
    """Only what has this project's folder in its arguments, and a server that is no more."""
    if patient.settings is None:
        return None
    running = state.running_server(patient.settings.state)
    file = patient.settings.state / state.LOCK
    if running is None and file.exists() and not state.is_free(patient.settings.state):
        return None  # `riparian run --wait` has a worker of its own
    scratch = str(patient.settings.state / "scratch")
    left = [pid for pid, url, own in _workers() if own == scratch and (running is None or url != running.url)]
    if left:
        words = ", ".join(map(str, left))
        return warn(
            f"the worker of a server that is gone still runs: process {words}", f"kill {' '.join(map(str, left))}"
        )
    return ok("no process is left over")


def _nearest(path: Path) -> Path:
    """The path, or the first folder above it that exists: what is not made yet will be made there."""
    return next(p for p in (path, *path.parents) if p.exists())


def _database(given: Settings) -> Path | None:
    """The folder of the database's file; None for a database that is no file."""
    url = urlsplit(given.database_url)
    if url.scheme.partition("+")[0] != "sqlite":
        return None
    return _nearest(Path(given.root, unquote(url.path).removeprefix("/")).parent)


def _is_open(file: Path) -> bool:
    return file.is_file() and bool(file.stat().st_mode & OTHERS)


def _url(patient: Patient) -> str | None:
    if patient.url or patient.settings is None:
        return patient.url
    running = state.running_server(patient.settings.state)
    return running.url if running else None


def _health(patient: Patient, url: str) -> httpx.Response | None:
    """What the server says of itself; None when none answers."""
    import httpx

    if patient.settings is None:
        token = os.environ.get("RIPARIAN_TOKEN")
    else:
        token = state.token_for(patient.settings.state, url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.get(f"{url}/api/v1/health", headers=headers, timeout=ANSWER_SECONDS, trust_env=False)
    except (httpx.TransportError, httpx.InvalidURL):
        return None


def _workers() -> Iterator[tuple[int, str, str]]:
    """Yields process, address and scratch folder of each worker of this machine; of none where there is no /proc."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has just ended
        if WORKER in words:
            told = {name: _after(words, name) for name in ("--url", "--scratch")}
            yield int(file.parent.name), told["--url"].rstrip("/"), told["--scratch"]


def _after(words: list[str], option: str) -> str:
    return next((value for word, value in pairwise(words) if word == option), "")
