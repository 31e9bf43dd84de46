"""A helper takes the fingerprints of a large project, and they are what they are without one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from riparian.assets.fingerprint import Code
from riparian.scheduler.worker import beside
from riparian.scheduler.worker.beside import CodeBeside

MANY = 30
TEXT = "LIMIT = 3\ndef clean(x): return x < LIMIT\n" + "".join(
    f"def f{number}(x): return clean(x) + {number}\n" for number in range(MANY)
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(beside, "FEWEST", MANY)
    monkeypatch.setattr(beside, "_can_help", lambda: True)
    monkeypatch.setattr(beside, "AT_ONCE", 1)
    file = tmp_path / "m.py"
    file.write_text(TEXT)
    made = ModuleType("m")
    made.__file__ = str(file)
    exec(compile(TEXT, str(file), "exec"), vars(made))  # noqa: S102  # what importing does
    return made


def functions(module: ModuleType) -> list[Callable[..., object]]:
    return [value for name, value in vars(module).items() if isinstance(value, FunctionType) and name != "clean"]


def read(code: Code, module: ModuleType) -> tuple[list[str], object]:
    """Asks for all, and for one that was not announced between them."""
    code.begin(functions(module))
    first, *more = functions(module)
    digests = [code.fingerprint(first), code.fingerprint(module.clean), *map(code.fingerprint, more)]
    return digests, code.units()


class Counting(CodeBeside):
    """Counts what is read in this process."""

    here = 0

    def _function(self, function: FunctionType) -> tuple[bytes, tuple[object, ...]]:  # type: ignore[override]
        if os.getpid() == PROCESS:
            Counting.here += 1
        return super()._function(function)  # type: ignore[return-value]


PROCESS = os.getpid()


def test_the_helper_reads_the_same(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it reads is not read a second time."""
    monkeypatch.setattr(Counting, "here", 0)
    assert read(Code({"m": module}), module) == read(Counting({"m": module}), module)
    assert Counting.here == 1


class Dying(CodeBeside):
    """A helper that ends after some functions, or can do no more."""

    how: Callable[[], None]

    def _function(self, function: FunctionType) -> tuple[bytes, tuple[object, ...]]:  # type: ignore[override]
        if os.getpid() != PROCESS and function.__name__ == "f7":
            type(self).how()
        return super()._function(function)  # type: ignore[return-value]


def fail() -> None:
    raise RuntimeError("only here")


@pytest.mark.parametrize("how", [fail, lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: time.sleep(60)])
def test_what_the_helper_does_not_give_is_read_here(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, how: Callable[[], None]
) -> None:
    """Whether it fails, dies or stands still."""
    monkeypatch.setattr(beside, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(Dying, "how", staticmethod(how), raising=False)
    assert read(Code({"m": module}), module) == read(Dying({"m": module}), module)


def test_few_functions_are_read_here(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "FEWEST", MANY + 1)
    monkeypatch.setattr(os, "fork", fail)
    assert read(Code({"m": module}), module) == read(CodeBeside({"m": module}), module)


def test_a_thread_of_the_project_keeps_the_process_from_being_copied() -> None:
    """It may hold a lock that nobody would give back in the copy."""
    import threading

    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert not beside._can_help()
    finally:
        ended.set()
        thread.join()
