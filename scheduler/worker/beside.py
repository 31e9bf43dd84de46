"""Who takes the fingerprints of a large project? A second process, while the first one describes the rest.

It is a copy of the first, made when the project is imported: it has the same functions, and reads the same of them.
"""

from __future__ import annotations

import _thread
import marshal
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from riparian.assets.fingerprint import Code, Read

FEWEST = 1_000
"""Functions for which another process pays: to make one takes as long as a hundred or two fingerprints."""

DIGITS = 64
AT_ONCE = 50
"""Fingerprints that are sent at once."""

PATIENCE_SECONDS = 5.0
"""After which a helper that says nothing is ended: a copy may lack what the project's import has left somewhere."""


class CodeBeside(Code):
    """Like Code, and gives the same. The functions that are asked for first are read by a helper, where there are many
    and a processor is free for it; what it does not give is read here."""

    _helper = 0  # its process
    _functions: Sequence[Callable[..., Any]] = ()
    _given = 0  # of the functions
    _said = b""  # by the helper, and not used yet

    def begin(self, functions: Sequence[Callable[..., Any]]) -> None:
        if len(functions) < FEWEST or not _can_help():
            return
        self._ours, theirs = os.pipe()
        self._functions = functions
        self._helper = os.fork()
        if self._helper == 0:
            self._help(theirs)
        os.close(theirs)

    def fingerprint(self, function: Callable[..., Any]) -> str:
        if self._helper and self._given < len(self._functions) and self._functions[self._given] is function:
            while len(self._said) < DIGITS and self._hears():
                pass
            if len(self._said) >= DIGITS:
                self._given += 1
                digits, self._said = self._said[:DIGITS], self._said[DIGITS:]
                return digits.decode("ascii")
        return super().fingerprint(function)

    def read(self) -> Read:
        if not self._helper:
            return super().read()
        while self._hears():
            pass
        try:
            found: Read = marshal.loads(self._said[DIGITS * (len(self._functions) - self._given) :])  # noqa: S302
        except (EOFError, ValueError, TypeError):
            for function in self._functions:
                super().fingerprint(function)
            found = {}
        os.close(self._ours)
        os.waitpid(self._helper, 0)
        for name, (digests, others) in super().read().items():
            known = found.setdefault(name, (set(), set()))
            known[0].update(digests)
            known[1].update(others)
        return found

    def _hears(self) -> bool:
        """Whether the helper said more."""
        if not select.select([self._ours], [], [], PATIENCE_SECONDS)[0]:
            os.kill(self._helper, signal.SIGKILL)
        more = os.read(self._ours, 1 << 20)
        self._said += more
        return bool(more)

    def _help(self, pipe: int) -> NoReturn:
        """What the helper does: it writes the fingerprints in order, and what was read for them."""
        try:
            with os.fdopen(pipe, "wb", AT_ONCE * DIGITS) as out:
                for function in self._functions:
                    out.write(super().fingerprint(function).encode("ascii"))
                out.write(marshal.dumps(super().read()))
        finally:
            # Nothing of the project's may run here at the end; what could not be read is read by the other process.
            os._exit(0)


def _can_help() -> bool:
    """Whether a copy of this process can run, and beside it: other threads, which a copy lacks, may hold locks."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1 and not _thread._count()
