"""How are objects kept in what fsspec opens: memory, object stores, servers?"""

from __future__ import annotations

import contextlib
import io
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs

from riparian.storage.objects.errors import ObjectChanged, ObjectExists, ObjectMissing

# In this order: a version id names one write, an etag of some stores only the bytes.
_IDENTITIES = ("VersionId", "version_id", "versionId", "generation", "ETag", "etag", "content_md5", "md5Hash")


class RemotePlace:
    """A URL of fsspec."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        # An own instance without listing caches: a cached listing hides what another process just wrote.
        caches = {"skip_instance_cache": True, "use_listings_cache": False}
        self._fs, root = url_to_fs(url, **{**options, **caches})
        self._url = url
        self._root = root.rstrip("/")
        self.in_memory = "memory" in _protocols(self._fs)

    def create(self, name: str) -> RemoteSink:
        # Asked first, because not every store refuses a second writer by itself (gcs does not, when streaming).
        if self.exists(name):
            raise self.taken(name)
        return RemoteSink(self, name)

    def open(self, name: str) -> tuple[BinaryIO, str, int]:
        identity, size = self.stat(name)
        try:
            if self.in_memory:
                # fsspec hands every reader the same file with the same position.
                return io.BytesIO(self._fs.cat_file(self.path(name))), identity, size
            file = cast(BinaryIO, self._fs.open(self.path(name), "rb"))
        except FileNotFoundError as exc:
            raise self._missing(name) from exc
        if self.stat(name) != (identity, size):
            file.close()
            raise ObjectChanged(f"{name} was rewritten while it was being opened; find out who writes to {self._url}")
        return file, identity, size

    def stat(self, name: str) -> tuple[str, int]:
        try:
            status = self._fs.info(self.path(name))
        except FileNotFoundError as exc:
            raise self._missing(name) from exc
        if status["type"] != "file":
            raise self._missing(name)
        return _identity(status), int(status["size"])

    def exists(self, name: str) -> bool:
        return bool(self._fs.isfile(self.path(name)))

    def list(self, directory: str) -> list[str]:
        top = self.path(directory) if directory else self._root
        if not self._fs.isdir(top):
            return []
        prefix = f"{self._root}/" if self._root else ""
        return [str(found).removeprefix(prefix).lstrip("/") for found in self._fs.find(top)]

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self.path(name), recursive=True)

    def path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def start(self, name: str) -> Any:
        return io.BytesIO() if self.in_memory else self._fs.open(self.path(name), "xb")

    def store(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(self.path(name), data, mode="create")

    def taken(self, name: str) -> ObjectExists:
        return ObjectExists(f"{name} exists already in {self._url}; names are never used twice")

    def _missing(self, name: str) -> ObjectMissing:
        return ObjectMissing(
            f"{name} is not in {self._url}; it was deleted or never written: "
            "restore the store, or materialize the asset again"
        )


class RemoteSink:
    """A new object; object stores show nothing of it before it is sealed."""

    def __init__(self, place: RemotePlace, name: str) -> None:
        self._place = place
        self._name = name
        self._sealed = False
        try:
            self._file = place.start(name)
        except FileExistsError as exc:
            raise place.taken(name) from exc

    def write(self, data: memoryview) -> None:
        # fsspec's buffered files keep what they are given; the producer may reuse its memory.
        self._file.write(bytes(data))

    def seal(self) -> str:
        try:
            if self._place.in_memory:
                self._place.store(self._name, self._file.getvalue())
            else:
                self._file.close()
        except OSError as exc:
            # Some stores refuse a second writer with a plain OSError.
            if isinstance(exc, FileExistsError) or "PreconditionFailed" in str(exc):
                raise self._place.taken(self._name) from exc
            raise
        self._sealed = True
        return self._place.stat(self._name)[0]

    def discard(self) -> None:
        if self._sealed:
            self._place.delete(self._name)
            self._sealed = False
        elif not self._file.closed:
            if hasattr(self._file, "discard"):
                self._file.discard()
            # Closing would upload; fsspec lets a file be declared closed instead.
            if self._place.in_memory:
                self._file.close()
            else:
                self._file.closed = True


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _identity(status: dict[str, Any]) -> str:
    for field in _IDENTITIES:
        value = status.get(field)
        if value not in (None, "", "null"):
            return f"{field.lower().replace('_', '')}:{value}"
    # The last resort says when: memory has `created`, servers have `mtime` or `LastModified`.
    when = next((status[f] for f in ("created", "LastModified", "mtime", "modified") if status.get(f)), "")
    return f"written:{when}:{status['size']}"
