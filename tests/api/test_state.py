"""What processes of one project find in its state folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
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
