"""Whether `riparian doctor` sees what is wrong: each test makes it wrong."""

from __future__ import annotations

import errno
import fcntl
import http.server
import json
import os
import resource
import shlex
import sqlite3
import subprocess
import sys
import threading
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from riparian.api import settings, state
from riparian.api.cli import app, doctor, machine, upkeep
from riparian.api.cli.finding import Finding, Patient

if TYPE_CHECKING:
    from tests.api.conftest import Doors


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one asset that was never served."""
    (tmp_path / "riparian.toml").write_text('[project]\nname = "air"\nmodules = ["air"]\n')
    (tmp_path / "air.py").write_text(
        "from riparian import asset\n\n@asset('air.one')\ndef one() -> dict:\n    return {}\n"
    )
    return tmp_path


def patient(folder: Path, url: str | None = None) -> Patient:
    return Patient(root=folder, settings=settings.load(folder, {}), url=url)


def found(check: Any, folder: Path, url: str | None = None) -> Finding:
    finding = check(patient(folder, url))
    assert isinstance(finding, Finding)
    return finding


def test_a_good_project_is_told_to_be_good(project: Path) -> None:
    """Each check has a line, none fails, the command ends with 0 and leaves nothing behind."""
    before = sorted(p.name for p in project.iterdir())
    words = CliRunner().invoke(app, ["doctor", "--project", str(project)], env={})
    body = CliRunner().invoke(app, ["doctor", "--project", str(project), "--json"], env={})
    findings = json.loads(body.stdout)

    assert (0, 0, "") == (words.exit_code, body.exit_code, body.stderr), words.output
    assert [f["check"] for f in findings] == [line.split("\t")[1] for line in words.stdout.splitlines()]
    assert {"ok"} == {f["level"] for f in findings}, words.output
    assert before == sorted(p.name for p in project.iterdir() if p.name != "__pycache__")


def test_what_fails_ends_it_with_1(project: Path) -> None:
    """The answer is on stdout, the error beside it, and each failure says what to do."""
    (project / "air.py").write_text("import nothing_of_the_kind\n")
    body = CliRunner().invoke(app, ["doctor", "--project", str(project), "--json"], env={})
    [failed] = [f for f in json.loads(body.stdout) if f["level"] == "fail"]

    assert (1, "declarations") == (body.exit_code, failed["check"])
    assert "nothing_of_the_kind" in failed["words"]
    assert "riparian check" in failed["remedy"]
    assert "1 of " in json.loads(body.stderr)["error"]["detail"]


def test_wrong_settings_are_told_and_end_what_needs_them(project: Path) -> None:
    """The machine is still looked at."""
    (project / "riparian.toml").write_text("[server]\nprot = 1\n")
    body = CliRunner().invoke(app, ["doctor", "--project", str(project), "--json"], env={})
    levels = {f["check"]: f["level"] for f in json.loads(body.stdout)}

    assert (1, "fail", "ok") == (body.exit_code, levels["settings"], levels["python"])
    assert "disk" not in levels


def test_a_folder_that_is_no_project_is_not_imported(tmp_path: Path) -> None:
    """Only looked at: what lies there by chance must not run."""
    (tmp_path / "script.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    ended = CliRunner().invoke(app, ["doctor", "--project", str(tmp_path)], env={})

    assert (0, False) == (ended.exit_code, (tmp_path / "ran").exists())
    assert "riparian init" in found(upkeep.settings, tmp_path).remedy


def test_an_old_python_and_an_old_sqlite(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below what is needed, both fail."""
    monkeypatch.setattr(machine, "LEAST_PYTHON", (99, 0))
    monkeypatch.setattr(machine, "LEAST_SQLITE", (99, 0, 0))

    assert ["fail", "fail"] == [found(c, project).level for c in (machine.python, machine.sqlite)]


def test_without_time_zones(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the system's nor the package's are there."""
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=())
    try:
        finding = found(machine.time_zones, project)
    finally:
        zoneinfo.reset_tzpath()

    assert ("fail", True) == (finding.level, "tzdata" in finding.remedy)


def test_without_room_to_watch(project: Path) -> None:
    """No descriptor is left for inotify: it is told with the words of the system, and what to raise."""
    examined, before = patient(project), resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        finding = machine.watching(examined)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert ("warn", True) == (finding.level, os.strerror(errno.EMFILE) in finding.words)
    assert "max_user_instances" in finding.remedy


def test_attempts_that_are_not_forked_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the worker itself decides."""
    forked = found(machine.start_method, project).words
    monkeypatch.setenv("RIPARIAN_WORKER_START", "exec")

    assert forked != found(machine.start_method, project).words


@pytest.mark.parametrize("where", ["/proc", "file"])
def test_a_state_folder_that_can_not_be_written(project: Path, where: str) -> None:
    """On a file system that refuses, or because it is a file: it fails, and so does the database."""
    (project / "file").touch()
    (project / ".riparian").symlink_to(Path(where))

    assert "fail" == found(upkeep.folder, project).level
    assert "fail" == found(upkeep.database, project).level


def test_a_file_system_of_the_network(project: Path) -> None:
    """The innermost mount of a path counts; a space in its name is written as the kernel does."""
    line = "36 35 98:0 / {} rw,noatime master:1 - {} source rw\n"
    mounts = line.format("/", "ext4") + line.format("/data\\040disk", "nfs4") + line.format("/data\\040disk/own", "xfs")
    kinds = [upkeep.mounted_as(Path(p), mounts) for p in ("/home", "/data disk/air", "/data disk/own/air", "/dataset")]

    assert ["ext4", "nfs4", "xfs", "ext4"] == kinds
    assert "ok" == found(upkeep.file_system, project).level


def test_a_project_on_a_network_is_warned_of(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What the kernel says of the mounts decides."""
    mounts = tmp_path_factory.mktemp("proc") / "mountinfo"
    mounts.write_text(f"36 35 98:0 / {project.resolve()} rw - nfs4 server:/air rw\n")
    monkeypatch.setattr(upkeep, "MOUNTS", mounts)

    assert ("warn", True) == (
        found(upkeep.file_system, project).level,
        "nfs4" in found(upkeep.file_system, project).words,
    )


def test_a_database_without_a_write_ahead_log(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps SQLite from it is told, and where else the database can lie."""
    connect = sqlite3.connect

    def crippled(name: str) -> sqlite3.Connection:
        # In a transaction SQLite refuses to change its journal, as it does where memory can not be shared.
        db = connect(name)
        db.execute("BEGIN")
        return db

    monkeypatch.setattr(sqlite3, "connect", crippled)

    assert "fail" == found(upkeep.database, project).level


@pytest.mark.parametrize(("too_little", "level"), [(False, "warn"), (True, "fail")])
def test_a_full_disk(project: Path, monkeypatch: pytest.MonkeyPatch, too_little: bool, level: str) -> None:
    """Less than is good is warned of; less than is needed fails."""
    monkeypatch.setattr(upkeep, "LITTLE_BYTES", 2**80)
    if too_little:
        monkeypatch.setattr(upkeep, "TOO_LITTLE_BYTES", 2**80)

    assert level == found(upkeep.disk, project).level


def test_secrets_that_others_may_read(project: Path) -> None:
    """An open token fails, an open folder is warned of; what to type is told and mends it."""
    state.prepare(project / ".riparian")
    state.write_token(project / ".riparian", "secret")
    good = found(upkeep.secrets, project)
    (project / ".riparian" / "token").chmod(0o644)
    bad = found(upkeep.secrets, project)
    subprocess.run(shlex.split(bad.remedy.partition(";")[0]), check=True)
    (project / ".riparian").chmod(0o755)
    ajar = found(upkeep.secrets, project)
    subprocess.run(shlex.split(ajar.remedy), check=True)

    assert ["ok", "fail", "warn", "ok"] == [f.level for f in (good, bad, ajar, found(upkeep.secrets, project))]


def test_who_holds_the_project_is_told(project: Path) -> None:
    """By the number of the process; nobody once it has let go, and then a number left behind means nothing."""
    free = found(upkeep.lock, project)
    with state.exclusive(project / ".riparian"):
        held = found(upkeep.lock, project)
    (project / ".riparian" / "lock").write_text("1")

    assert f"process {os.getpid()}" in held.words
    assert [free, free] == [found(upkeep.lock, project)] * 2


def test_a_lock_without_a_number_is_told(project: Path) -> None:
    """Somebody holds it and does not say who."""
    state.prepare(project / ".riparian")
    with (project / ".riparian" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        assert "warn" == found(upkeep.lock, project).level


def test_a_server_that_answers(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its version, and its clock is in step."""
    monkeypatch.setenv("RIPARIAN_TOKEN", doors.token)
    folder = doors.state.parent

    assert f"{doors.url}, riparian {version('riparian')}" == found(upkeep.server, folder, doors.url).words
    assert "ok" == found(upkeep.clock, folder, doors.url).level


def test_a_token_that_opens_nothing(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is there, and refuses."""
    monkeypatch.setenv("RIPARIAN_TOKEN", "nobody")
    finding = found(upkeep.server, doors.state.parent, doors.url)

    assert ("fail", True) == (finding.level, "RIPARIAN_TOKEN" in finding.remedy)


def test_a_server_that_is_not_there(project: Path) -> None:
    """No answer fails; what its clock says is nobody's business then."""
    assert "fail" == found(upkeep.server, project, "http://127.0.0.1:9").level
    assert None is upkeep.clock(patient(project, "http://127.0.0.1:9"))


@contextmanager
def answering(body: object, date: str, shown: list[str | None] | None = None) -> Iterator[str]:
    """Something that listens and always says the same; notes which tokens it is shown."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(body).encode()
            if shown is not None:
                shown.append(self.headers["Authorization"])
            self.send_response_only(200)
            self.send_header("Date", date)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_folders_token_is_shown_to_its_own_server_alone(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of another, `doctor` shows none: what an owner is told is not told there."""
    monkeypatch.delenv("RIPARIAN_TOKEN", raising=False)
    shown: list[str | None] = []
    with answering({}, "Thu, 01 Jan 1970 00:00:00 GMT", shown) as url:
        found(upkeep.server, doors.state.parent, url)
        with state.exclusive(doors.state):
            state.announce(doors.state, url)
            found(upkeep.server, doors.state.parent, url)

    assert [None, f"Bearer {doors.token}"] == shown


def test_what_is_told_to_be_typed_stands_in_one_piece(tmp_path: Path) -> None:
    """A folder may be called as it likes: the command that is told names it, and no other."""
    folder = tmp_path / "a; touch b"
    folder.mkdir()
    with state.exclusive(folder / ".riparian"):
        state.announce(folder / ".riparian", "http://127.0.0.1:9")
        remedy = found(upkeep.worker, folder).remedy

    assert ["riparian", "worker", "--url", "http://127.0.0.1:9", "--token-file"] == shlex.split(remedy)[:-1]
    assert str(folder / ".riparian" / "worker-token") == shlex.split(remedy)[-1]


@pytest.mark.parametrize(
    ("body", "level", "told"),
    [
        ({"status": "ok", "version": "0.0.1", "problems": None}, "warn", "0.0.1"),
        ({"status": "trouble", "version": version("riparian"), "problems": ["drop/ is gone"]}, "warn", "drop/ is gone"),
        ({"hello": "world"}, "fail", "no server of ours"),
        ([], "fail", "no server of ours"),
    ],
)
def test_a_server_that_is_not_as_it_should_be(project: Path, body: object, level: str, told: str) -> None:
    """Of another version, in trouble, or something else that listens there."""
    with answering(body, "Thu, 01 Jan 1970 00:00:00 GMT") as url:
        finding = found(upkeep.server, project, url)

    assert (level, True) == (finding.level, told in finding.words), finding


def test_a_clock_that_is_wrong(project: Path) -> None:
    """By how much is told."""
    with answering({}, "Thu, 01 Jan 1970 00:00:00 GMT") as url:
        finding = found(upkeep.clock, project, url)

    assert ("warn", True) == (finding.level, "differs by -" in finding.words)


@contextmanager
def process(*arguments: str) -> Iterator[int]:
    """A process that is called so and does nothing."""
    code = "import sys; sys.stdin.read()"
    started = subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while arguments and arguments[-1] not in Path(f"/proc/{started.pid}/cmdline").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield started.pid
    finally:
        started.communicate()


def test_a_server_without_a_worker_is_told(project: Path) -> None:
    """And with one, which."""
    folder = project / ".riparian"
    with state.exclusive(folder):
        state.announce(folder, "http://127.0.0.1:9")
        alone = found(upkeep.worker, project)
        with process(upkeep.WORKER, "--url", "http://127.0.0.1:9/", "--scratch", str(folder / "scratch")) as pid:
            working, left = found(upkeep.worker, project), found(upkeep.left_over, project)

    assert ("warn", True) == (alone.level, "riparian worker --url http://127.0.0.1:9" in alone.remedy)
    assert ("ok", f"process {pid} works for http://127.0.0.1:9") == (working.level, working.words)
    assert "ok" == left.level


def test_a_worker_that_was_left_over_is_told(project: Path) -> None:
    """Its folder is this project's, and its server is gone; a worker of another project is none of ours."""
    scratch = str(project / ".riparian" / "scratch")
    with process(upkeep.WORKER, "--url", "http://127.0.0.1:9", "--scratch", f"{scratch}-of-another"):
        foreign = found(upkeep.left_over, project)
    with process(upkeep.WORKER, "--url", "http://127.0.0.1:9", "--scratch", scratch) as pid:
        left = found(upkeep.left_over, project)

    assert ("ok", "warn", f"kill {pid}") == (foreign.level, left.level, left.remedy)


def test_what_can_not_be_looked_at_does_not_end_the_rest(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that the system refuses is a warning, and the others are still made."""
    monkeypatch.setattr(upkeep, "MOUNTS", project)
    levels = {name: f.level for name, f in doctor.examine(patient(project))}

    assert ("warn", "ok") == (levels["file system"], levels["lock"])


def test_every_check_is_tried() -> None:
    """The tests above make each check say something other than that all is well; `libraries` only informs."""
    source = Path(__file__).read_text()

    assert ["libraries"] == [
        n for n, c in doctor.checks().items() if f".{c.__name__}" not in source and n != "declarations"
    ]
