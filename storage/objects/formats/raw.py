"""How are plain bytes kept? As they are."""

from __future__ import annotations

import base64
from typing import Any

from riparian.storage.objects.digest import digest_bytes
from riparian.storage.objects.formats.base import Draft, Preview, Source, Target
from riparian.storage.objects.formats.tables import wrong_type

_SHOWN = 1024


class Raw:
    """Bytes in, the same bytes out."""

    name = "bytes"
    object_name = "value.bin"
    writes = frozenset({"bytes"})
    reads = frozenset({"bytes"})

    def write(self, value: Any, target: Target) -> Draft:
        if not isinstance(value, bytes):
            raise wrong_type(value, target)
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


FORMAT = Raw()
