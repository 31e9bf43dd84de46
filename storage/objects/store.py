"""How do bytes reach the store and come back as they were committed?

A name is written once and never renamed. What was committed is pinned by the object's identity (locally inode, size
and ctime; elsewhere version id, generation or etag), so that rewriting it afterwards is detected, not believed.
``_Place`` says what a kind of store must do; local folders (places/local.py) keep the strongest promises.
"""

from __future__ import annotations

import hashlib
import os
from types import TracebackType
from typing import Any, BinaryIO

from riparian.scheduler.core.protocol import StoredObject
from riparian.storage.objects.errors import ObjectChanged, ObjectCorrupt
from riparian.storage.objects.layout import check_name
from riparian.storage.objects.places.base import Place, Sink


class ObjectWriter:
    """Writes one new object, hashing and counting on the way; made by ``Objects.create``.

    A file for everything that writes bytes (``pyarrow.PythonFile`` included) and a context manager. ``close`` makes
    the object durable and sets ``stored``. An exception inside the ``with`` block discards it, also when something
    inside the block had closed it already.
    """

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self._sink = sink
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._stored: StoredObject | None = None
        self.closed = False

    @property
    def stored(self) -> StoredObject:
        """What was written; raises ValueError before a clean close."""
        if self._stored is None:
            raise ValueError(f"{self.name} is not stored: it was not closed, or it was discarded")
        return self._stored

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError(f"{self.name} is closed")
        view = memoryview(data).cast("B")
        self._sink.write(view)
        self._sha256.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Does nothing: only ``close`` makes bytes durable."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Makes the object durable and visible, once. When the store raises, it is discarded."""
        if self.closed:
            return
        self.closed = True
        try:
            identity = self._sink.seal()
        except BaseException:
            self._sink.discard()
            raise
        self._stored = StoredObject(name=self.name, size=self._size, sha256=self._sha256.hexdigest(), identity=identity)

    def discard(self) -> None:
        """Leaves no object, where the store allows."""
        self.closed = True
        self._stored = None
        self._sink.discard()

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


class Objects:
    """The store at ``url``: a local folder (a path or ``file://``), ``memory://`` or any URL that fsspec opens.

    ``storage_options`` go to the file system. Nothing is opened before it is used and everything is opened again after
    a fork, so a value made in a parent process works in its children. Every name is checked: none escapes the root.
    """

    def __init__(self, url: str, **storage_options: Any) -> None:
        from riparian.storage.objects.places.local import local_root

        root = local_root(url)
        self.url = url if root is None else root
        self._options = storage_options
        self._opened: tuple[int, Place] | None = None

    @property
    def _place(self) -> Place:
        from riparian.storage.objects.places import open_place

        # Connections of a parent process must not be shared: two processes would read each other's answers.
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), open_place(self.url, self._options))
        return self._opened[1]

    def create(self, name: str) -> ObjectWriter:
        """Begins the new object ``name``; raises ObjectExists when the name is taken (in some stores at ``close``)."""
        return ObjectWriter(name, self._place.create(check_name(name)))

    def put(self, name: str, data: bytes) -> StoredObject:
        """Stores ``data`` as ``name``; raises ObjectExists when the name is taken."""
        with self.create(name) as out:
            out.write(data)
        return out.stored

    def open(self, obj: StoredObject) -> BinaryIO:
        """Opens what was committed; raises ObjectMissing, or ObjectChanged when it is not the committed object."""
        file, identity, size = self._place.open(check_name(obj.name))
        try:
            _compare(obj, identity, size)
        except ObjectChanged:
            file.close()
            raise
        return file

    def read(self, obj: StoredObject) -> bytes:
        """Returns the committed bytes; raises as ``open`` does, and ObjectCorrupt when their sha256 differs."""
        with self.open(obj) as file:
            data = file.read()
        check_sha256(obj, hashlib.sha256(data).hexdigest())
        return data

    def verify(self, obj: StoredObject) -> None:
        """Raises ObjectMissing or ObjectChanged as ``open`` does, reading nothing."""
        _compare(obj, *self._place.stat(check_name(obj.name)))

    def get(self, name: str) -> bytes:
        """Returns the bytes, unverified: for what is addressed by its own digest. Raises ObjectMissing."""
        file, _, _ = self._place.open(check_name(name))
        with file:
            return file.read()

    def exists(self, name: str) -> bool:
        """Whether an object, not a directory, lies under ``name``."""
        return self._place.exists(check_name(name))

    def list(self, prefix: str = "") -> list[str]:
        """Returns the names of all objects below the directory ``prefix`` (empty: the whole store), sorted."""
        return sorted(self._place.list(check_name(prefix) if prefix else ""))

    def delete(self, name_or_directory: str) -> None:
        """Removes the object, or the directory with everything below it. What is not there is no error."""
        self._place.delete(check_name(name_or_directory))


def check_sha256(obj: StoredObject, found: str) -> None:
    """Raises ObjectCorrupt unless the bytes that were read have the committed sha256."""
    if found != obj.sha256:
        raise ObjectCorrupt(
            f"{obj.name}: its bytes have sha256 {found}, committed were {obj.sha256}; the storage or the way to it "
            "damaged them: restore the object, or materialize the asset again"
        )


def _compare(obj: StoredObject, identity: str, size: int) -> None:
    if (identity, size) != (obj.identity, obj.size):
        raise ObjectChanged(
            f"{obj.name} was rewritten after it was committed: expected identity {obj.identity} with {obj.size} bytes, "
            f"found {identity} with {size}; materialize the asset again, and find out who writes to the store"
        )
