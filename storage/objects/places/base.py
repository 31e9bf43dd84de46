"""What must a kind of store be able to do?

Names arrive checked (layout.check_name) and relative to the root. An *identity* is a text that changes whenever the
bytes under a name are written again.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Sink(Protocol):
    """One object that is being written."""

    def write(self, data: memoryview) -> None:
        """Takes all of ``data``."""

    def seal(self) -> str:
        """Makes the object durable and returns its identity; raises ObjectExists where the name was taken meanwhile."""

    def discard(self) -> None:
        """Removes what was written, sealed or not, as far as the store allows; harmless when repeated.

        Never removes what another writer stored under the name.
        """


class Place(Protocol):
    """One kind of store, opened at its root."""

    def create(self, name: str) -> Sink:
        """Begins a new object, exclusively; raises ObjectExists when it can tell already that the name is taken."""

    def open(self, name: str) -> tuple[BinaryIO, str, int]:
        """Returns an independent open file, its identity and size; raises ObjectMissing."""

    def stat(self, name: str) -> tuple[str, int]:
        """Returns identity and size; raises ObjectMissing."""

    def exists(self, name: str) -> bool:
        """Whether an object lies under ``name``."""

    def list(self, directory: str) -> list[str]:
        """Returns the names of all objects below ``directory``, in any order; empty when there are none."""

    def delete(self, name: str) -> None:
        """Removes an object or a whole directory, if there is one."""
