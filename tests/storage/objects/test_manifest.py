"""An attempt's directory says itself what was written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from riparian.storage.objects import ObjectCorrupt, ObjectMissing, Objects, read_manifest, write_manifest, write_value
from riparian.storage.objects.manifest import AttemptManifest, Listed

DIRECTORY = "v/aa/x"


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path))


def test_it_lists_every_object(store: Objects) -> None:
    """Each object with its size, sha256 and cipher; a value that travelled in the report has none."""
    small = write_value(store, DIRECTORY, "a.small", "int", 1)
    raw = write_value(store, DIRECTORY, "a.raw", "bytes", b"abc")
    stored = write_manifest(store, DIRECTORY, [small, raw])

    assert stored.name == "v/aa/x/_manifest.json"
    listed = Listed(
        asset="a.raw",
        format="bytes",
        digest=raw.digest,
        name="v/aa/x/value.bin",
        size=3,
        sha256=raw.objects[0].sha256,
        cipher="none",
    )
    assert read_manifest(store, DIRECTORY) == AttemptManifest(version=1, objects=(listed,))


def test_a_missing_manifest(store: Objects) -> None:
    """A directory without a manifest was not finished."""
    with pytest.raises(ObjectMissing):
        read_manifest(store, DIRECTORY)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"version": 2, "objects": []}', b'{"version": 1, "objects": [{}]}'])
def test_what_is_no_manifest(store: Objects, text: bytes) -> None:
    """Anything else under that name is named as what it is not."""
    store.put(f"{DIRECTORY}/_manifest.json", text)

    with pytest.raises(ObjectCorrupt, match=r"v/aa/x/_manifest\.json"):
        read_manifest(store, DIRECTORY)
