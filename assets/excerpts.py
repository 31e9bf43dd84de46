"""What does one code object do, and what does it name?"""

from __future__ import annotations
import __future__

import re
from opcode import EXTENDED_ARG, hasconst, opmap
from types import CodeType
from typing import NamedTuple

GLOBAL, NAME, IMPORT = opmap["LOAD_GLOBAL"], opmap["LOAD_NAME"], opmap["IMPORT_NAME"]
TELLING = re.compile(b"[%b]" % re.escape(bytes([*hasconst, GLOBAL, NAME, IMPORT])))
"""The instructions whose argument says something that other instructions do not."""

PLAIN = frozenset({str, bytes, int, float, complex, bool, type(None), type(...)})

IGNORED_FLAGS = 0x4000000 | __future__.annotations.compiler_flag
"""Of a code object: that it has a docstring, in versions of Python that have the flag; that annotations are text."""


class Excerpt(NamedTuple):
    """What one code object does, with those inside it: ``text`` stands for it. And what it names outside itself."""

    text: str
    globals: set[str]
    imports: set[str]
    names: set[str]  # of globals, imports and attributes alike


def excerpt_of(code: CodeType) -> Excerpt:
    """Reads one code object, and those inside it."""
    operations, co_names, co_consts = bytearray(code.co_code), code.co_names, code.co_consts
    named, imported, names = set(), set(), set(co_names)
    if "getattr" in names:
        # Any of its texts may be the name that is asked for.
        names.update(constant for constant in co_consts if type(constant) is str)
    constants: list[str] = []
    # Operations and arguments take turns.
    for found in TELLING.finditer(operations[::2]):
        at = found.start()
        operation, argument, shift, before = operations[2 * at], operations[2 * at + 1], 8, 2 * at - 2
        while before >= 0 and operations[before] == EXTENDED_ARG:
            argument |= operations[before + 1] << shift
            shift, before = shift + 8, before - 2
        if operation == GLOBAL:
            named.add(co_names[argument >> 1])  # the lowest bit says something else
        elif operation == NAME:
            named.add(co_names[argument])
        elif operation == IMPORT:
            imported.add(co_names[argument])
        elif isinstance(constant := co_consts[argument], CodeType):
            inner = excerpt_of(constant)
            constants.append(inner.text)
            named |= inner.globals
            imported |= inner.imports
            names |= inner.names
            operations[2 * at + 1] = 0
        else:
            # By what it is: at which place it is kept depends on whether there is a docstring.
            constants.append(repr(constant) if type(constant) in PLAIN else _constant(constant))
            operations[2 * at + 1] = 0
    parts = (
        f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags & ~IGNORED_FLAGS}",
        *(operations.hex(), code.co_exceptiontable.hex()),
        *map(" ".join, (co_names, code.co_varnames, code.co_freevars)),
        *constants,
    )
    return Excerpt("\n".join(parts), named, imported, names)


def _constant(value: object) -> str:
    """Returns a text for a constant of compiled code, the same in every process."""
    if isinstance(value, frozenset):
        return f"frozenset{sorted(map(_constant, value))}"
    if isinstance(value, tuple):
        return f"tuple{[*map(_constant, value)]}"
    return repr(value)
