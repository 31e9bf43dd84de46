"""What is a bundle? The files of one project's code, named by the digest of their paths and contents, sent as a zip."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePosixPath

from riparian.assets.errors import Invalid

LIMIT_BYTES = 512 * 1024 * 1024
"""Unpacked bytes above which a zip is taken for a mistake or an attack, not for source code."""
LIMIT_FILES = 20_000
CHUNK = 1024 * 1024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
"""The bit of a member's flags that says so."""

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OSError, OverflowError, ValueError),
)
"""What the standard library raises, beside its own error, for bytes that are no zip or a broken one."""


def bundle_digest(files: Mapping[str, bytes]) -> str:
    """Returns the hex sha256 over the sorted lines ``path:sha256(content)``; paths are relative, with ``/``."""
    lines = sorted(f"{path}:{sha256(content).hexdigest()}" for path, content in files.items())
    return sha256("\n".join(lines).encode()).hexdigest()


def read_zip(body: bytes, *, limit: int = LIMIT_BYTES) -> dict[str, bytes]:
    """Returns the files of a bundle, of at most ``limit`` bytes together.

    Raises Invalid, and nothing else, when it is no zip, holds an unsafe or ambiguous path, or is far too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if len(members) > LIMIT_FILES:
                raise _refused(f"holds {len(members)} files; {LIMIT_FILES} are allowed")
            files: dict[str, bytes] = {}
            left = limit
            for member in members:
                path = _path(member)
                if member.filename.endswith("/"):
                    continue
                if path in files:
                    raise _refused(f"holds the path {path!r} twice")
                files[path] = _content(archive, member, left)
                left -= len(files[path])
                if left < 0:
                    raise Invalid(
                        f"a bundle of more than {limit} bytes is refused; keep data out of the project's code"
                    )
    except _UNREADABLE as exc:
        raise Invalid(f"the bundle is not a zip that can be read ({exc}); build it by `riparian apply`") from exc
    if nested := next((p for path in files for p in PurePosixPath(path).parents if str(p) in files), None):
        raise _refused(f"holds {str(nested)!r} as a file and as a folder")
    return files


def _path(member: zipfile.ZipInfo) -> str:
    # The standard library cuts a name at its first NUL; only the original tells.
    name = member.orig_filename
    path = PurePosixPath(name)
    if "\0" in name or "\\" in name or path.is_absolute() or ".." in path.parts or not path.parts:
        raise _refused(f"holds the unsafe path {name!r}")
    return str(path)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Returns what the member holds, or just more than ``most`` bytes: what its header says of its size is a claim."""
    if member.flag_bits & ENCRYPTED:
        raise _refused(f"holds the encrypted file {member.filename!r}")
    if member.compress_type not in METHODS:
        raise _refused(f"holds {member.filename!r}, compressed by method {member.compress_type}; deflate is expected")
    content = bytearray()
    with archive.open(member) as file:
        while len(content) <= most and (chunk := file.read(min(CHUNK, most - len(content) + 1))):
            content += chunk
    return bytes(content)


def _refused(what: str) -> Invalid:
    return Invalid(f"the bundle {what}; build it by `riparian apply`")
