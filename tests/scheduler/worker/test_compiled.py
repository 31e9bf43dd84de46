"""What was compiled of a project's modules is kept, and never out of date."""

import marshal
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from riparian.scheduler.worker.compiled import Compiled
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
compiled = Compiled(root)
compiled.install()
import a
compiled.tidy()
print(a.X, a.__file__)
"""


def imported(root: Path, *options: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    said = subprocess.check_output(
        [sys.executable, "-P", *options, "-c", PROGRAM, str(root)], text=True, env=environment
    )
    return said.removesuffix(f" {root}/a.py\n")


def kept(root: Path) -> list[Path]:
    return sorted((root / ".riparian" / "compiled").iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".riparian").mkdir()
    (tmp_path / "a.py").write_text("X = 1\n")
    return tmp_path.resolve()


def test_kept_and_used_again(root: Path) -> None:
    """The second import writes nothing, and nothing lies among the user's files."""
    first = imported(root)
    (before,) = kept(root)
    written = before.stat().st_mtime_ns

    assert ("1", "1") == (first, imported(root))
    assert [(before, written)] == [(file, file.stat().st_mtime_ns) for file in kept(root)]
    assert [".riparian", "a.py"] == sorted(file.name for file in root.iterdir())


def test_the_same_size_and_time_are_not_the_same_text(root: Path) -> None:
    """A file that was saved twice within a second is compiled again; what was kept of it before is gone."""
    imported(root)
    (before,) = kept(root)
    was = (root / "a.py").stat()
    (root / "a.py").write_text("X = 2\n")
    os.utime(root / "a.py", ns=(was.st_atime_ns, was.st_mtime_ns))

    assert "2" == imported(root)
    assert 1 == len(kept(root))
    assert [before] != kept(root)


@pytest.mark.parametrize("damaged", [b"", b"\0" * 100])
def test_what_is_damaged_is_compiled_again(root: Path, damaged: bytes) -> None:
    """Bytes that are not those which were written are not read as code."""
    imported(root)
    (file,) = kept(root)
    file.write_bytes(damaged)

    assert "1" == imported(root)
    assert len(damaged) < file.stat().st_size or damaged not in file.read_bytes()


def test_nothing_is_made_where_there_is_no_state(root: Path) -> None:
    """A project that was never served gets no folder of ours."""
    (root / ".riparian").rmdir()

    assert "1" == imported(root)
    assert ["a.py"] == [file.name for file in root.iterdir()]


def test_without_assertions_is_other_code(root: Path) -> None:
    """What was compiled by an interpreter that leaves assertions out is not what another one runs."""
    (root / "a.py").write_text("X = 1\ntry:\n    assert False\nexcept AssertionError:\n    X = 2\n")

    assert ("1", "2", "1") == (imported(root, "-O"), imported(root), imported(root, "-O"))


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_what_others_could_have_written_is_not_run(root: Path, mode: int) -> None:
    """Compiled code is as good as code: a folder that others may write to is neither read nor written."""
    imported(root)
    (file,) = kept(root)
    code = marshal.dumps(compile("X = 'theirs'", "a.py", "exec"))
    file.write_bytes(sha256(code).digest() + code)
    file.parent.chmod(mode)

    assert "1" == imported(root)
    assert [file] == kept(root)
    file.parent.chmod(0o700)
    assert "theirs" == imported(root)
