"""How is one attempt run? In a process of its own, from the lease to the outcome."""

from __future__ import annotations

import functools
import importlib
import io
import json
import logging
import os
import random
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from riparian.assets.context import Context
from riparian.assets.errors import Invalid
from riparian.assets.partitions.key import PartitionKey
from riparian.assets.workflows import NoUpdate
from riparian.scheduler.core.protocol import Entry, Lease, Output, Written
from riparian.scheduler.worker.failures import error_text, is_retryable, raised
from riparian.scheduler.worker.messages import Outcome, encode
from riparian.storage.objects import Objects, copy_in, read_input, write_manifest, write_value
from riparian.storage.objects.files import remove_copies

SCHEMA_BYTES = 1024 * 1024
OUTCOME_BYTES = 8 * 1024 * 1024
"""What one attempt may say of what it made: a message holds the reports of many attempts."""


def attempt(
    lease: Lease, storage_url: str, bundle: Path | None, caught: Callable[[BaseException], None] | None = None
) -> Outcome:
    """Runs the lease and returns how it ended. Whatever the user's code raises is an outcome, never an exception;
    ``caught`` is told of it too.

    A process that user code forked, and that comes back here, does not return: the attempt is its parent's.
    """
    process = os.getpid()
    try:
        outputs, added = _work(lease, open_store(storage_url), process)
        made = {written.asset for written in outputs}
        unchanged = tuple(output.asset for output in lease.outputs if output.asset not in made)
        outcome = Outcome(succeeded=True, outputs=outputs, unchanged=unchanged, partitions=added)
        _refuse_endless(outcome)
    except BaseException as exc:  # noqa: BLE001 -- SystemExit and friends of user code are failures like any other
        outcome = failure(exc, bundle)
        if caught is not None:
            caught(exc)
    _leave_unless(process)
    remove_copies()
    return outcome


def failure(exc: BaseException, bundle: Path | None) -> Outcome:
    """Returns the outcome of an attempt that raised ``exc``."""
    return Outcome(succeeded=False, error=error_text(exc, bundle), retryable=is_retryable(exc), raised=raised(exc))


def _leave_unless(process: int) -> None:
    if os.getpid() != process:
        flush_output()
        os._exit(0)


def _refuse_endless(outcome: Outcome) -> None:
    for written in outcome.outputs:
        if (size := len((written.schema or "").encode())) > SCHEMA_BYTES:
            raise Invalid(
                f"the description of the columns of {written.asset} takes {size} bytes, {SCHEMA_BYTES} are allowed; "
                "make it of fewer columns, or put what is many into rows"
            )
    if (size := len(encode(outcome))) > OUTCOME_BYTES:
        count = sum(len(written.objects) for written in outcome.outputs)
        raise Invalid(
            f"the report of {len(outcome.outputs)} outputs and their {count} objects takes {size} bytes, "
            f"{OUTCOME_BYTES} are allowed; make fewer outputs or fewer columns in one step"
        )


@functools.cache
def open_store(url: str) -> Objects:
    """Opens the store with the options of the environment. A value made before a fork works after it."""
    return Objects(url, **json.loads(os.environ.get("RIPARIAN_STORAGE_OPTIONS") or "{}"))


def _work(lease: Lease, objects: Objects, process: int) -> tuple[tuple[Written, ...], dict[str, tuple[str, ...]]]:
    """Returns what was written, and the partitions that the function added."""
    written: tuple[Written, ...]
    added: dict[str, tuple[str, ...]] = {}
    if lease.ingest is not None:
        (output,) = lease.outputs
        written = (copy_in(objects, output.directory, output.asset, lease.ingest),)
    elif lease.entry is not None:
        seed_everything(lease.seed)
        function = load(lease.entry)
        dates = {name: date.fromisoformat(lease.constants[name]) for name in lease.dates}
        arguments = {**lease.constants, **dates, **{i.parameter: read_input(objects, i) for i in lease.inputs}}
        if lease.entry.context is not None:
            context = arguments[lease.entry.context] = _context(lease)
        try:
            value = function(**arguments)
        finally:
            _leave_unless(process)  # before it writes where its parent writes
        if lease.entry.context is not None:
            added = {name: tuple(keys) for name, keys in context.added.items()}
        written = tuple(
            write_value(objects, output.directory, output.asset, lease.entry.returns, one)
            for output, one in _share(value, lease.outputs)
            if one is not NoUpdate
        )
    else:
        raise Invalid(
            f"the lease of step {lease.step} names neither a function nor a file; the control plane is at fault"
        )
    for directory in dict.fromkeys(output.directory for output in lease.outputs):
        here = {output.asset for output in lease.outputs if output.directory == directory}
        # A value that travels in the report leaves nothing in the directory that a manifest could list.
        if listed := [w for w in written if w.asset in here and w.objects]:
            write_manifest(objects, directory, listed)
    return written, added


def seed_everything(seed: str) -> None:
    """Seeds the generators that user code may draw from, so that a retry draws the same numbers.

    numpy is seeded when something imported it; code that makes its own generators takes ``ctx.rng`` or ``ctx.seed``.
    """
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(int.from_bytes(sha256(seed.encode()).digest()[:4], "big"))


def load(entry: Entry) -> Callable[..., Any]:
    """Returns the function; raises Invalid when the bundle does not hold it, and whatever importing raises."""
    found: object = importlib.import_module(entry.module)
    try:
        for name in entry.qualname.split("."):
            found = getattr(found, name)
    except AttributeError:
        found = None
    if not callable(found):
        raise Invalid(
            f"{entry.module}:{entry.qualname} is no function of bundle {entry.bundle[:12]}; apply the project again"
        )
    return found


def _context(lease: Lease) -> Context:
    log = logging.getLogger("riparian.task")
    if not log.handlers:
        writer = logging.StreamHandler(sys.stderr)
        writer.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        log.addHandler(writer)
        log.setLevel(logging.INFO)
        log.propagate = False
    partition = PartitionKey(lease.partition, lease.dimensions)
    return Context(partition=partition, params=lease.params, log=log, seed=lease.seed)


def _share(value: Any, outputs: tuple[Output, ...]) -> list[tuple[Output, Any]]:
    """One output takes the value as it is; several take theirs from a dict by asset key."""
    if len(outputs) == 1 or value is NoUpdate:
        return [(output, value) for output in outputs]
    keys = [o.asset for o in outputs]
    if not isinstance(value, Mapping) or set(value) != set(keys):
        got = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
        raise Invalid(
            f"a function that makes {', '.join(keys)} returns a dict with exactly these keys; it returned {got}"
        )
    return [(o, value[o.asset]) for o in outputs]


def redirect_output(log: Path) -> None:
    """Sends stdout and stderr of this process, at the level of file descriptors, to ``log``."""
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the bundle's modules may have put something else there
            stream.reconfigure(line_buffering=True)


def flush_output() -> None:
    """Writes out what Python still holds; the process leaves without the usual farewells."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError, OSError, AttributeError):
            stream.flush()
