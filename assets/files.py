"""Which text stands for the content of a file, and which names are never a delivery?"""

from __future__ import annotations

import re

_FINGERPRINT = re.compile("([0-9]+)-(-?[0-9]+)-([0-9]+)")

UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", "~")
"""Names that writers, browsers and editors give to what they have not finished."""


def fingerprint(size: int, mtime_ns: int, inode: int) -> str:
    """Returns the text that changes whenever a file's content was written anew or the file was replaced."""
    return f"{size}-{mtime_ns}-{inode}"


def is_ignored(relative_path: str) -> bool:
    """Whether no delivery can have this name: a segment is hidden, or the last one says that it is unfinished."""
    if any(segment.startswith(".") for segment in relative_path.split("/")):
        return True
    return relative_path.endswith(UNFINISHED_SUFFIXES)


def parse_fingerprint(text: str) -> tuple[int, int, int]:
    """Returns size, mtime_ns and inode of what ``fingerprint`` wrote; raises ValueError for any other text."""
    found = _FINGERPRINT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a file's fingerprint")
    return int(found[1]), int(found[2]), int(found[3])
