"""Which projects are measured? Synthetic ones, whose functions do nothing but say when they ran."""

from __future__ import annotations

from pathlib import Path

STAMPS = "stamps.txt"
FUNCTIONS_PER_MODULE = 500

_STAMP_MODULE = '''"""Says when a function ran."""
import os
import time

FILE = {file!r}


def stamp(name: str, started: int) -> None:
    line = f"{{name}} {{started}} {{time.time_ns()}}\\n".encode()
    descriptor = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)
'''

_HEADER = """import time

from riparian import Daily, FileDrop, asset, manual, source

from _stamps import stamp

"""

_ROOT = """
@asset("bench.{name}", trigger=manual())
def {name}() -> dict:
    started = time.time_ns()
    stamp("{name}", started)
    return {{"at": started}}
"""

_SOURCE = """
{name} = source("bench.{name}"{partitions})
"""

# What comes out differs whenever what goes in does: nothing is cut off as unchanged.
_CONSUMER = """
@asset("bench.{name}"{partitions})
def {name}({of}: dict) -> dict:
    started = time.time_ns()
    stamp("{name}", started)
    return {{"at": {of}["at"], "by": "{name}"}}
"""

_DROP = """
rows = source("bench.rows", arrives=FileDrop("drop/rows.json"))


@asset("bench.consumer")
def consumer(rows: dict) -> dict:
    started = time.time_ns()
    stamp("consumer", started)
    return rows
"""

_MAP = """import time

from riparian import manual, task, workflow

from _stamps import stamp


@task
def numbers() -> list:
    started = time.time_ns()
    stamp("numbers", started)
    return list(range({width}))


@task
def square(n: int) -> int:
    stamp("square", time.time_ns())
    return n * n


@task
def total(squares: list) -> int:
    stamp("total", time.time_ns())
    return sum(squares)


@workflow("bench.squares", produces=["bench.total"], trigger=manual())
def squares():
    return {{"bench.total": total(square.map(numbers()))}}
"""


def chain(folder: Path, length: int) -> None:
    """Writes ``length`` assets c0 … , each of which consumes the one before it; c0 runs when asked."""
    links = [_CONSUMER.format(name=f"c{i}", of=f"c{i - 1}", partitions="") for i in range(1, length)]
    _write(folder, [_ROOT.format(name="c0"), *links])


def fan(folder: Path, width: int) -> None:
    """Writes a root and ``width`` consumers of it: f0 …"""
    _write(
        folder,
        [_ROOT.format(name="root"), *(_CONSUMER.format(name=f"f{i}", of="root", partitions="") for i in range(width))],
    )


def mapped(folder: Path, width: int) -> None:
    """Writes a workflow that makes bench.total of ``width`` numbers, each squared by a step of its own."""
    _write(folder, [])
    (folder / "squares.py").write_text(_MAP.format(width=width), encoding="utf-8")


def grid(folder: Path, size: int, *, width: int = 100) -> None:
    """Writes ``size`` assets in layers of ``width``: every asset consumes the one above it in the layer before."""
    parts = [_ROOT.format(name=f"g{i}") for i in range(min(width, size))]
    parts += [_CONSUMER.format(name=f"g{i}", of=f"g{i - width}", partitions="") for i in range(width, size)]
    _write(folder, parts)


def layers(folder: Path, size: int, *, width: int, daily: str = "") -> None:
    """Writes ``size`` assets in layers of ``width``, as ``grid`` does; those of the first layer are sources. With
    ``daily``, all of them have a partition for each day since then."""
    partitions = f', partitions=Daily("day", "{daily}")' if daily else ""
    parts = [_SOURCE.format(name=f"g{i}", partitions=partitions) for i in range(width)]
    parts += [_CONSUMER.format(name=f"g{i}", of=f"g{i - width}", partitions=partitions) for i in range(width, size)]
    _write(folder, parts)


def drop(folder: Path) -> None:
    """Writes a source whose file is already there, and one consumer of it."""
    (folder / "drop").mkdir()
    (folder / "drop" / "rows.json").write_text('{"at": 1}', encoding="utf-8")
    _write(folder, [_DROP])


def _write(folder: Path, parts: list[str]) -> None:
    (folder / "_stamps.py").write_text(_STAMP_MODULE.format(file=str(folder / STAMPS)), encoding="utf-8")
    modules = [parts[at : at + FUNCTIONS_PER_MODULE] for at in range(0, len(parts), FUNCTIONS_PER_MODULE)]
    for number, module in enumerate(modules):
        (folder / f"part{number}.py").write_text(_HEADER + "\n".join(module), encoding="utf-8")
    (folder / "riparian.toml").write_text('[project]\nname = "bench"\n', encoding="utf-8")
