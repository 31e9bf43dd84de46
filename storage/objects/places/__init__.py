"""Which kind of store does a URL name?"""

from __future__ import annotations

from typing import Any

from riparian.storage.objects.places.base import Place
from riparian.storage.objects.places.local import LocalPlace, local_root


def open_place(url: str, options: dict[str, Any]) -> Place:
    """Returns the place at ``url``; a path without a protocol and ``file://`` are local folders."""
    root = local_root(url)
    if root is not None:
        return LocalPlace(root)
    # Loaded only here: a local installation needs no fsspec at run time, and starts faster without it.
    from riparian.storage.objects.places.remote import RemotePlace

    return RemotePlace(url, options)
