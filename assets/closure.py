"""Which files does a project's own code consist of?

First-party is what lies under the project's folder, without installed packages and hidden folders in it. Beside the
modules that importing loads, functions may import others when they run: those are found in the text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from riparian.assets.statements import import_targets

_LATE_IMPORT = re.compile(rb"^[ \t]+(?:import|from)[ \t]", re.MULTILINE)
"""Only a file with an indented import can import more than what was loaded; the others need not be parsed for it."""


def is_first_party(root: Path, file: Path) -> bool:
    """Whether ``file`` belongs to the project in ``root``. Both are resolved paths."""
    try:
        parts = file.relative_to(root).parts
    except ValueError:
        return False
    # Python calls code without a file <string>, <frozen …> and the like.
    return not any(part.startswith((".", "<")) or part in ("site-packages", "dist-packages") for part in parts)


def closure(root: Path, loaded: Iterable[Path], *, complete: bool = True) -> dict[str, bytes]:
    """Returns the content of every file of the project's code, by its path relative to ``root``, sorted.

    ``loaded`` are the first-party files that importing the project loaded. Where they are not all of them
    (``complete=False``), what they import is found in their text.
    """
    contents: dict[str, bytes] = {}
    waiting = [(path, not complete) for path in loaded]
    while waiting:
        path, late = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name in contents:
            continue
        contents[name] = path.read_bytes()
        # Of a module that was loaded, the imports at its top level are among the loaded ones.
        if path.suffix == ".py" and (late or _LATE_IMPORT.search(contents[name])):
            waiting.extend((found, True) for found in _imported(root, name, contents[name]))
    return dict(sorted(contents.items()))


def dotted_name(path: str) -> str:
    """Returns the name by which the file of a project is imported; ``path`` is relative to the project's folder."""
    return ".".join(PurePosixPath(path.removesuffix("/__init__.py")).with_suffix("").parts)


def _imported(root: Path, name: str, content: bytes) -> Iterator[Path]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):  # a file that is imported late may be for another Python
        return
    package = ".".join(PurePosixPath(name).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names if isinstance(node, ast.Import) else ():
                yield from _files(root, alias.name)
            for _, (module, member) in import_targets(node, package) if isinstance(node, ast.ImportFrom) else ():
                yield from _files(root, f"{module}.{member}")


def _files(root: Path, dotted: str) -> Iterator[Path]:
    """Yields the files that importing ``dotted`` runs, of those under ``root``; its last name may be no module."""
    folder = root
    for part in dotted.split("."):
        for file in (folder / f"{part}.py", folder / part / "__init__.py"):
            if file.is_file():
                yield file
        folder = folder / part
