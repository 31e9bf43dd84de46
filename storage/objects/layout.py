"""Under which names do objects lie? Pure: names go in and come out, nothing is opened."""

from __future__ import annotations

import re

from riparian.storage.objects.errors import InvalidName

MANIFEST = "_manifest.json"
"""Written last into an attempt's directory: what the attempt wrote."""

MAX_LENGTH = 1000

# No colon, backslash, space or percent sign: a name means the same to every store, shell and URL.
_SEGMENT = re.compile(r"[A-Za-z0-9._=-]{1,200}")
_HEX = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_name(name: str) -> str:
    """Returns ``name`` when it is relative and stays below the root, whoever made it; raises InvalidName otherwise."""
    good = isinstance(name, str) and len(name) <= MAX_LENGTH
    if not good or not all(_SEGMENT.fullmatch(s) and s not in {".", ".."} for s in name.split("/")):
        raise InvalidName(
            f"{name!r} is not an object's name; expected segments of letters, digits and . _ = - joined by '/', "
            f"relative to the store's root, without '..' and empty segments, at most {MAX_LENGTH} characters"
        )
    return name


def attempt_directory(nonce: str) -> str:
    """Returns the directory of one attempt; ``nonce`` is 32 random hexadecimal digits, never used twice."""
    return f"v/{_nonce(nonce)[:2]}/{nonce}"


def bundle_name(digest: str) -> str:
    """Returns the name of the bundle with that sha256 (64 hexadecimal digits)."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidName(f"{digest!r} is not a digest; expected 64 hexadecimal digits")
    return f"b/{digest}.zip"


def log_name(nonce: str, offset: int) -> str:
    """Returns the name of the part of an attempt's log that begins at byte ``offset``; parts sort by name."""
    if offset < 0:
        raise InvalidName(f"{offset} is not an offset; expected a count of bytes")
    return f"l/{_nonce(nonce)[:2]}/{nonce}/{offset:016d}"


def _nonce(nonce: str) -> str:
    if not _HEX.fullmatch(nonce):
        raise InvalidName(f"{nonce!r} is not an attempt's nonce; expected 32 hexadecimal digits")
    return nonce
