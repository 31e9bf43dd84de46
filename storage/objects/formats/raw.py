"""How are plain bytes kept? As they are."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

from riparian.storage.objects.digest import digest_bytes
from riparian.storage.objects.errors import WrongValue
from riparian.storage.objects.formats.base import PATH, Draft, Preview, Source, Target
from riparian.storage.objects.formats.tables import wrong_type

_SHOWN = 1024
_CHUNK = 1 << 20


class Raw:
    """Bytes in, the same bytes out; also those of a file, whose name is not kept."""

    name = "bytes"
    object_name = "value.bin"
    writes = frozenset({"bytes", PATH})
    reads = frozenset({"bytes"})

    def write(self, value: Any, target: Target) -> Draft:
        if not isinstance(value, Path if target.type == PATH else bytes):
            raise wrong_type(value, target)
        if isinstance(value, Path):
            return _copied(value, target)
        with target.create() as out:
            out.write(value)
        return Draft(digest=digest_bytes(value), objects=(out.stored,))

    def read(self, source: Source, type_name: str) -> bytes:
        return source.read()

    def preview(self, source: Source, rows: int) -> Preview:
        """Returns one row: the first 1,024 bytes in base64."""
        with source.open() as file:
            shown = base64.b64encode(file.read(_SHOWN)).decode()
        return Preview(columns=["bytes"], types=["base64"], rows=[[shown]][:rows])


def _copied(path: Path, target: Target) -> Draft:
    if path.is_dir():
        raise WrongValue(
            f"{target.where}: {path} is a folder, and one file is kept; return an archive of it "
            "(shutil.make_archive makes one), or declare an asset for each of its files"
        )
    # Asked first: to open a pipe would wait for its writer for ever.
    if not path.is_file():
        raise WrongValue(f"{target.where}: there is no file {path}; write it before returning its path")
    with path.open("rb") as file, target.create() as out:
        shutil.copyfileobj(file, out, _CHUNK)
    return Draft(digest=out.stored.sha256, objects=(out.stored,))


FORMAT = Raw()
