"""What processes of one project find in its state folder."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from riparian.api import state
from riparian.assets.errors import Conflict

HOLD = """
import sys
from pathlib import Path
from riparian.api import state
with state.exclusive(Path(sys.argv[1])):
    if sys.argv[2]:
        state.announce(Path(sys.argv[1]), sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(folder: Path, url: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()
    return process


def test_a_second_process_is_told_who_holds_the_project(tmp_path: Path) -> None:
    """The refusal names the holder's process; after its end the project is free."""
    with holding(tmp_path / "s") as other:
        with pytest.raises(Conflict, match=f"process {other.pid} "), state.exclusive(tmp_path / "s", 0):
            pass
        other.communicate()

    with state.exclusive(tmp_path / "s", 0):
        pass


def test_a_server_is_found_while_it_holds_the_lock(tmp_path: Path) -> None:
    """server.json is believed only together with the lock; what a killed server left behind is not."""
    with holding(tmp_path / "s", "http://127.0.0.1:1") as other:
        assert state.RunningServer("http://127.0.0.1:1", other.pid) == state.running_server(tmp_path / "s")
        other.kill()
        other.wait()

    with state.exclusive(tmp_path / "s", 0):
        assert (tmp_path / "s" / "server.json").exists()
        assert None is state.running_server(tmp_path / "s")


@contextmanager
def copied(folder: Path, url: str = "http://127.0.0.1:9") -> Iterator[Path]:
    """A state folder as a stranger could have packed it: it names a process that lives, which holds no lock."""
    state.prepare(folder)
    (folder / "lock").write_text(str(os.getpid()))
    (folder / "server.json").write_text(json.dumps({"url": url, "pid": os.getpid()}))
    state.write_token(folder, "of the folder")
    yield folder


def test_files_that_only_say_so_are_not_believed(tmp_path: Path) -> None:
    """Nobody holds the lock: whatever the files say, no server runs, and no token is for it."""
    with copied(tmp_path / "s") as folder:
        assert None is state.running_server(folder)
        assert None is state.token_for(folder, "http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["lock", "server.json"])
def test_a_link_to_the_files_of_another_project_is_not_believed(tmp_path: Path, name: str) -> None:
    """Its lock is held, and not for this folder."""
    with holding(tmp_path / "other", "http://127.0.0.1:1") as other, copied(tmp_path / "s") as folder:
        (folder / "lock").write_text(str(other.pid))
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "other" / name)
        with (folder / "lock").open("rb") as held:
            if name != "lock":  # else the other project's process holds it
                fcntl.flock(held, fcntl.LOCK_EX)

            assert None is state.running_server(folder)
        other.communicate()


def test_what_belongs_to_somebody_else_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that another user holds in a folder that all may write in says nothing of our server."""
    with state.exclusive(tmp_path):
        state.announce(tmp_path, "http://127.0.0.1:2")
        monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)

        assert None is state.running_server(tmp_path)


@pytest.mark.parametrize(
    ("announced", "found"),
    [
        ("http://localhost:2", "http://localhost:2"),
        ("http://127.0.0.2:2", "http://127.0.0.2:2"),
        ("http://[::1]:2", "http://[::1]:2"),
        ("http://0.0.0.0:2", "http://127.0.0.1:2"),
        ("http://[::]:2", "http://[::1]:2"),
        ("http://192.0.2.1:2", None),
        ("http://127.0.0.1.example.org:2", None),
        ("http://127.0.0.1:2@example.org", None),
        ("http://127.0.0.1:2/; touch here", None),
        ("http://example.org", None),
    ],
)
def test_only_an_address_of_this_machine_is_followed(tmp_path: Path, announced: str, found: str | None) -> None:
    """Also from who holds the lock: beyond this machine, a server is named by who asks it, and the refusal says so."""
    with state.exclusive(tmp_path):
        state.announce(tmp_path, announced)
        server = state.running_server(tmp_path)

        assert found == (server and server.url)
        assert (found is None) is ("name it by --url" in str(state.in_use(tmp_path)))


def test_the_folders_token_is_for_its_own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the folder is shown to nobody else; what the caller set is the caller's word."""
    monkeypatch.delenv("RIPARIAN_TOKEN", raising=False)
    with state.exclusive(tmp_path):
        state.announce(tmp_path, "http://127.0.0.1:2")
        state.write_token(tmp_path, "of the folder")
        own, other = "http://127.0.0.1:2/", "http://127.0.0.1:3"

        assert ["of the folder", None] == [state.token_for(tmp_path, url) for url in (own, other)]
        monkeypatch.setenv("RIPARIAN_TOKEN", "mine")
        assert ["mine", "mine"] == [state.token_for(tmp_path, url) for url in (own, other)]


def test_announced_and_withdrawn(tmp_path: Path) -> None:
    """The holder can say where it listens and take it back."""
    with state.exclusive(tmp_path):
        state.announce(tmp_path, "http://127.0.0.1:2")
        assert state.RunningServer("http://127.0.0.1:2", os.getpid()) == state.running_server(tmp_path)
        state.withdraw(tmp_path)

        assert None is state.running_server(tmp_path)


def test_tokens_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The file is 0600 from its first moment, also when it replaces an older one."""
    state.prepare(tmp_path)
    before = os.umask(0)
    try:
        state.write_token(tmp_path, "one")
        state.write_token(tmp_path, "two")
    finally:
        os.umask(before)

    assert "two" == state.read_token(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / "token").stat().st_mode)
    assert None is state.read_token(tmp_path, state.WORKER_TOKEN)
