"""`python -m riparian.scheduler.worker`: one worker process that works until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from riparian.assets.errors import RiparianError
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.worker.attempts import Settings, fork_is_safe
from riparian.scheduler.worker.bundles import remove
from riparian.scheduler.worker.supervisor import Supervisor

TOKEN = "RIPARIAN_WORKER_TOKEN"  # noqa: S105 -- the name of a variable


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 after a drain, 1 when the control plane turned the worker away, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m riparian.scheduler.worker", description=main.__doc__)
    parser.add_argument("--url", required=True, help="the control plane, such as http://127.0.0.1:8321")
    parser.add_argument("--pool", default=DEFAULT_POOL, help="whose steps to run")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="attempts at once")
    parser.add_argument("--scratch", type=Path, help="folder for bundles and logs in progress; a new one by default")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--token-file", type=Path, help=f"file that holds the worker's token; else ${TOKEN}")
    given.add_argument(
        "--lifeline",
        action="store_true",
        help="the first line of stdin is the token; at the end of stdin leave at once",
    )
    parser.add_argument("--drain-seconds", type=float, default=30.0, help="what running attempts get at SIGTERM")
    options = parser.parse_args(arguments)
    if options.slots < 1:
        parser.error("--slots must be at least 1")
    environ = dict(os.environ)
    token = environ.pop(TOKEN, "")
    os.environ.pop(TOKEN, None)
    if options.token_file is not None:
        token = options.token_file.read_text().strip()
    if options.lifeline:
        token = _first_line(sys.stdin.fileno())
    if not token:
        parser.error(f"a worker needs its token: set {TOKEN}, or name a file with --token-file, or see --lifeline")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(levelname)s %(message)s")
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="riparian-worker-"))
    try:
        supervisor = Supervisor(
            Settings(
                url=options.url,
                token=token,
                pool=options.pool,
                slots=options.slots,
                scratch=scratch.absolute(),
                fork=fork_is_safe(environ),
                drain_seconds=options.drain_seconds,
                environ=environ,
            )
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.drain())
        if options.lifeline:
            threading.Thread(target=_follow, args=(sys.stdin.fileno(), supervisor), daemon=True).start()
        return 0 if supervisor.run() else 1
    except RiparianError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 -- the door of this process
        return 2
    finally:
        if options.scratch is None:
            with contextlib.suppress(OSError):  # what is being killed may still write there; the system cleans up
                remove(scratch)


def _first_line(descriptor: int) -> str:
    line = b""
    while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode().strip()


def _follow(descriptor: int, supervisor: Supervisor) -> None:
    """Leaves with who holds the other end: a worker whose starter was killed would call for ever where nobody is."""
    while os.read(descriptor, 4096):
        pass
    supervisor.leave()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads that still wait for a control plane that is away must not hold up the end that was promised.
    os._exit(code)
