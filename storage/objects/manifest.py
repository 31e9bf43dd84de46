"""What did an attempt write? The last object in its directory says so, without the metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from riparian.scheduler.core.protocol import StoredObject, Written
from riparian.storage.objects.errors import ObjectCorrupt
from riparian.storage.objects.layout import MANIFEST
from riparian.storage.objects.store import Objects

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One object of the attempt. ``name`` is relative to the store's root."""

    asset: str
    format: str
    digest: str
    name: str
    size: int
    sha256: str
    cipher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptManifest:
    """Everything that an attempt left in its directory."""

    version: int
    objects: tuple[Listed, ...] = ()


def write_manifest(objects: Objects, directory: str, written: Sequence[Written]) -> StoredObject:
    """Writes the manifest of what was ``written`` into ``directory``; to be called last."""
    listed = tuple(
        Listed(
            asset=w.asset,
            format=w.format,
            digest=w.digest,
            name=o.name,
            size=o.size,
            sha256=o.sha256,
            cipher=o.cipher,
        )
        for w in written
        for o in w.objects
    )
    body = msgspec.to_builtins(AttemptManifest(version=VERSION, objects=listed))
    return objects.put(f"{directory}/{MANIFEST}", json.dumps(body, sort_keys=True, indent=1).encode())


def read_manifest(objects: Objects, directory: str) -> AttemptManifest:
    """Returns the manifest in ``directory``; raises ObjectMissing, or ObjectCorrupt when it can not be read."""
    name = f"{directory}/{MANIFEST}"
    try:
        manifest = msgspec.json.decode(objects.get(name), type=AttemptManifest)
    except (msgspec.ValidationError, msgspec.DecodeError) as exc:
        raise ObjectCorrupt(f"{name} is not a manifest: {exc}; restore the object") from exc
    if manifest.version != VERSION:
        raise ObjectCorrupt(f"{name} has version {manifest.version}, this is for {VERSION}; use a newer riparian")
    return manifest
