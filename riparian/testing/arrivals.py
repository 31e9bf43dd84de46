"""How does a file arrive in a test? As one that is renamed into the folder that its source waits at.

The claim on its name, whether it is complete, and the ledger are those of a server; only the watching of folders is
left out, since the test says when to look. The folders lie in the test's own folder, also those of absolute patterns.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from riparian.assets.errors import Invalid
from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import WHOLE, dimensions_of
from riparian.scheduler.core.readiness import FileSeen
from riparian.scheduler.sensors.claims import Folders, Watch, watch_of
from riparian.scheduler.sensors.inventory import Inventory
from riparian.scheduler.sensors.listing import look_at
from riparian.testing.clock import Clock


class Arrivals:
    """The folders of a project's sources below ``root``."""

    def __init__(self, assets: Iterable[AssetSpec], root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._names = itertools.count(1)
        self._seen: list[FileSeen] = []
        self._watches = {a.key: _inside(watch_of(a, root)) for a in assets if a.arrives is not None}
        folders = Folders(self._watches.values())
        self._inventories = {path: Inventory(f, folders, self._seen.append) for path, f in folders.by_path.items()}

    def arrive(self, source: AssetSpec, content: bytes, partition: str, name: str | None) -> list[FileSeen]:
        """Puts the file there and returns what is seen of it; raises Invalid when the source does not take it."""
        watch = self._watches[source.key]
        path = name if name is not None else self._name(watch, partition)
        self._write(Path(watch.folder, path), content)
        self._look(watch, path)
        seen, self._seen[:] = self._seen[:], []
        own = [s for s in seen if s.source == source.key and s.state == "ready"]
        if not own:
            reason = next((s.reason for s in seen if s.reason), "files of such a name never arrive")
            raise Invalid(f"{path} is no file of {source.key}: {reason}")
        if partition not in (WHOLE, own[0].partition):
            raise Invalid(f"{path} stands for {own[0].partition!r}, not for {partition!r}; leave one of the two out")
        return seen

    def _name(self, watch: Watch, partition: str) -> str:
        if watch.partitions is None and partition != WHOLE:
            raise Invalid(f"{watch.source} is in one piece; leave partition={partition!r} out")
        if watch.partitions is not None and partition == WHOLE:
            raise Invalid(
                f"{watch.source} is partitioned by {watch.partitions.name}; say which: partition=…, or name=…"
            )
        dimensions = {d.name for d in dimensions_of(watch.partitions)}
        number = str(next(self._names))
        others = {p.name: number for p in watch.pattern.placeholders if p.name not in dimensions}
        wanted = partition if watch.partitions is None else watch.partitions.parse(partition)
        return watch.pattern.format(wanted, others, watch.partitions)

    def _write(self, file: Path, content: bytes) -> None:
        if not file.resolve().is_relative_to(self._root.resolve()):
            raise Invalid(f"{file.name} would lie outside of the source's folder; name a file in it")
        file.parent.mkdir(parents=True, exist_ok=True)
        # Of another inode than the file that may be there: a new delivery is another file, whatever its content.
        part = file.with_name(f".{file.name}.part")
        part.write_bytes(content)
        part.replace(file)

    def _look(self, watch: Watch, path: str) -> None:
        inventory = self._inventories[watch.folder]
        due: float | None = self._clock.now.timestamp()
        while due is not None:
            due = inventory.see(path, look_at(watch.folder, path), now=due, was_renamed=True, ledger={})


def encoded(source: AssetSpec, content: Any) -> bytes:
    """Returns a file's bytes: a text or bytes as they are, those of a path's file, a table or rows (a list of dicts) as
    CSV, Parquet or JSON, other values as JSON. Raises Invalid for what the source's format can not say."""
    if isinstance(content, Path):
        return content.read_bytes()
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    if isinstance(content, str):
        return content.encode()
    if source.format == "json":
        return _json(source, content)
    if source.format not in ("csv", "parquet"):
        raise Invalid(f"{source.key} is kept as {source.format}; give its bytes, a text, or a Path to a file")
    import pyarrow.csv
    import pyarrow.parquet

    table, out = _table(source, content), io.BytesIO()
    if source.format == "csv":
        pyarrow.csv.write_csv(table, out)
    else:
        pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def _json(source: AssetSpec, content: Any) -> bytes:
    if type(content).__module__.partition(".")[0] in ("pyarrow", "pandas", "polars"):
        content = _table(source, content).to_pylist()
    try:
        return json.dumps(content, allow_nan=False).encode()
    except (TypeError, ValueError) as exc:
        raise Invalid(f"what is dropped for {source.key} is no JSON: {exc}") from exc


def _table(source: AssetSpec, content: Any) -> Any:
    import pyarrow as pa

    if isinstance(content, pa.Table):
        return content
    if type(content).__module__.startswith("polars"):
        return content.to_arrow()
    if type(content).__module__.startswith("pandas"):
        return pa.Table.from_pandas(content, preserve_index=False)
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return pa.Table.from_pylist(content)
    raise Invalid(
        f"{source.key} is kept as {source.format}, which can not say a {type(content).__name__}; give a text, a table, "
        "a list of rows such as [{'day': '2013-01-31'}], or a Path to a file"
    )


def _inside(watch: Watch) -> Watch:
    """Returns the watch with its folder below the root: a test must not write where deliveries arrive."""
    parts = [part for part in PurePosixPath(watch.pattern.folder).parts if part not in ("/", "..")]
    return replace(watch, pattern=replace(watch.pattern, folder="/".join(parts) or "."))
