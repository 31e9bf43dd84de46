"""What does a person read when an attempt failed, and would another try end differently?"""

from __future__ import annotations

import traceback
from pathlib import Path

from riparian.assets.errors import DeclarationError, Invalid, Refused, RiparianError
from riparian.assets.retry import LONGEST_NAME, name_of
from riparian.storage.objects.errors import ObjectChanged, SourceChanged, UnknownFormat, UnreadableInput, WrongValue

LIMIT = 16 * 1024
MOST = 50

FINAL = (DeclarationError, Invalid, Refused, ObjectChanged, SourceChanged, UnknownFormat, UnreadableInput, WrongValue)
"""The same inputs and the same code end in these again."""


def is_retryable(exc: BaseException) -> bool:
    """Whether another try of the same step may end differently."""
    return not isinstance(exc, FINAL)


def raised(exc: BaseException) -> tuple[str, ...]:
    """Returns the names of the exception's class and of the exceptions above it, the nearest first, at most MOST."""
    classes = [c for c in type(exc).__mro__ if issubclass(c, BaseException)]
    return tuple(name_of(c)[:LONGEST_NAME].encode(errors="replace").decode() for c in classes[:MOST])


def error_text(exc: BaseException, bundle: Path | None) -> str:
    """Returns what a person should read: the traceback through the user's own files, then the exception.

    Files are named relative to the bundle. Our own errors that carry a remedy have no traceback unless user code raised
    them. No values of variables appear. At most LIMIT bytes: the middle of a longer text is left out, and says so.
    """
    told = traceback.TracebackException.from_exception(exc)
    seen: traceback.TracebackException | None = told
    while seen is not None:
        seen.stack = _own_frames(seen.stack, bundle)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    if isinstance(exc, RiparianError) and not told.stack:
        return _cut(str(exc))
    text = "".join(line for line in told.format() if told.stack or not line.startswith("Traceback "))
    return _cut(text.rstrip())


def _own_frames(stack: traceback.StackSummary, bundle: Path | None) -> traceback.StackSummary:
    if bundle is None:
        return traceback.StackSummary.from_list([])
    root = f"{bundle}/"
    own = [
        traceback.FrameSummary(f.filename.removeprefix(root), f.lineno, f.name, line=f.line, lookup_line=False)
        for f in stack
        if f.filename.startswith(root)
    ]
    return traceback.StackSummary.from_list(own)


def _cut(text: str) -> str:
    body = text.encode(errors="replace")
    if len(body) <= LIMIT:
        return body.decode()
    half = LIMIT // 2 - 64
    left = len(body) - 2 * half
    return f"{body[:half].decode(errors='ignore')}\n… {left} bytes left out …\n{body[-half:].decode(errors='ignore')}"
