"""Which sources is a file for?"""

from pathlib import Path

import pytest

from riparian.assets.errors import DeclarationError
from riparian.assets.keys import parse_key
from riparian.assets.manifest import AssetSpec, FileDrop
from riparian.assets.partitions import Daily
from riparian.scheduler.sensors.claims import Watch, ensure_folders, watch_of


def watch(pattern: str, root: Path = Path("/project")) -> Watch:
    arrives = FileDrop(pattern=pattern, settle_seconds=2.0)
    days = Daily("day", start="2013-01-01")
    spec = AssetSpec(key=parse_key("air.x"), kind="source", format="csv", partitions=days, arrives=arrives)
    return watch_of(spec, root)


@pytest.mark.parametrize(
    ("pattern", "folder", "depth", "path"),
    [
        ("drop/f_{day}.csv", "/project/drop", 0, "drop/a.csv"),
        ("{day:%Y/%m/%d}.csv", "/project", 2, "a.csv"),
        ("../in/{day}/x.csv", "/in", 1, "../in/a.csv"),
        ("/in/{day}.csv", "/in", 0, "/in/a.csv"),
    ],
)
def test_watch_of_a_source(pattern: str, folder: str, depth: int, path: str) -> None:
    """Folder and depth follow from the pattern; paths are written as the pattern is, and can be read back."""
    found = watch(pattern)

    assert (folder, depth, path, 2.0) == (found.folder, found.depth, found.path("a.csv"), found.settle_seconds)
    assert found.relative_path(path) == "a.csv"


def test_watch_of_a_bad_pattern_is_refused() -> None:
    """A pattern that does not name the partition can not be waited for."""
    with pytest.raises(DeclarationError, match="does not say which 'day'"):
        watch("drop/x.csv")


def test_only_relative_folders_are_made(tmp_path: Path) -> None:
    """Missing folders of relative patterns are made and told; an absolute one may be a disk that comes later."""
    watches = [watch("a/b/{day}.csv", tmp_path), watch("a/b/x_{day}.csv", tmp_path), watch(f"{tmp_path}/c/{{day}}.csv")]

    assert [str(tmp_path / "a/b")] == ensure_folders(watches)
    assert [] == ensure_folders(watches)
    assert ["a"] == [p.name for p in tmp_path.iterdir()]
