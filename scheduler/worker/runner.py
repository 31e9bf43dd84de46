"""How is one attempt run? In a process of its own, from the lease to the outcome."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import os
import random
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from riparian.assets.context import Context
from riparian.assets.errors import Invalid
from riparian.scheduler.core.protocol import Entry, Lease, Output, Written
from riparian.scheduler.worker.failures import error_text, is_retryable
from riparian.scheduler.worker.messages import Outcome
from riparian.storage.objects import Objects, copy_in, read_input, write_manifest, write_value


def attempt(lease: Lease, storage_url: str, bundle: Path | None) -> Outcome:
    """Runs the lease and returns how it ended. Whatever the user's code raises is an outcome, never an exception."""
    try:
        written = _work(lease, open_store(storage_url))
    except BaseException as exc:  # noqa: BLE001 -- SystemExit and friends of user code are failures like any other
        return Outcome(succeeded=False, error=error_text(exc, bundle), retryable=is_retryable(exc))
    return Outcome(succeeded=True, outputs=written)


@functools.cache
def open_store(url: str) -> Objects:
    """Opens the store with the options of the environment. A value made before a fork works after it."""
    return Objects(url, **json.loads(os.environ.get("RIPARIAN_STORAGE_OPTIONS") or "{}"))


def _work(lease: Lease, objects: Objects) -> tuple[Written, ...]:
    written: tuple[Written, ...]
    if lease.ingest is not None:
        (output,) = lease.outputs
        written = (copy_in(objects, output.directory, output.asset, lease.ingest),)
    elif lease.entry is not None:
        seed_everything(lease.seed)
        function = load(lease.entry)
        arguments = {i.parameter: read_input(objects, i) for i in lease.inputs}
        if lease.entry.context is not None:
            arguments[lease.entry.context] = _context(lease)
        value = function(**arguments)
        written = tuple(
            write_value(objects, output.directory, output.asset, lease.entry.returns, one)
            for output, one in _share(value, lease.outputs)
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
    return written


def seed_everything(seed: str) -> None:
    """Seeds the generators that user code may draw from, so that a retry draws the same numbers.

    numpy is seeded when something imported it; code that makes its own generators takes ``ctx.rng`` or ``ctx.seed``.
    """
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(int.from_bytes(sha256(seed.encode()).digest()[:4], "big"))


def load(entry: Entry) -> Callable[..., Any]:
    """Returns the function; raises Invalid when the bundle does not hold it, and whatever importing raises."""
    found: Any = importlib.import_module(entry.module)
    try:
        for name in entry.qualname.split("."):
            found = getattr(found, name)
    except AttributeError:
        found = None
    if not callable(found):
        raise Invalid(
            f"{entry.module}:{entry.qualname} is no function of bundle {entry.bundle[:12]}; apply the project again"
        )
    return found  # type: ignore[no-any-return]


def _context(lease: Lease) -> Context:
    log = logging.getLogger("riparian.task")
    if not log.handlers:
        writer = logging.StreamHandler(sys.stderr)
        writer.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        log.addHandler(writer)
        log.setLevel(logging.INFO)
        log.propagate = False
    return Context(partition=lease.partition, params=lease.params, log=log, seed=lease.seed)


def _share(value: Any, outputs: tuple[Output, ...]) -> list[tuple[Output, Any]]:
    """One output takes the value as it is; several take theirs from a dict by asset key."""
    if len(outputs) == 1:
        return [(outputs[0], value)]
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
        with suppress(AttributeError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def flush_output() -> None:
    """Writes out what Python still holds; the process leaves without the usual farewells."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError, OSError, AttributeError):
            stream.flush()
