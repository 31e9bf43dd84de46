"""Which part of a traceback is for who wrote the test? What lies outside of Riparian."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

import riparian
from riparian.assets.errors import RiparianError

P = ParamSpec("P")
R = TypeVar("R")

_OURS = str(Path(riparian.__file__).parent)


def outside(trace: TracebackType | None) -> TracebackType | None:
    """Returns the traceback from the first frame on that is not Riparian's; None when all are."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace


def plainly(function: Callable[P, R]) -> Callable[P, R]:
    """Has our own errors, which say what is wrong and what to do, raised where the test called the function."""

    @functools.wraps(function)
    def called(*args: P.args, **named: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return function(*args, **named)
        except RiparianError as exc:
            raise exc.with_traceback(outside(exc.__traceback__)) from exc.__cause__

    return called
