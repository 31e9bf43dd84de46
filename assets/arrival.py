"""How do the files of a source arrive?"""

from __future__ import annotations

from dataclasses import dataclass, field

from riparian.assets.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class FileDrop:
    """Files that arrive in a folder.

    ``pattern`` is a path (relative to the project's folder, or absolute) whose last segments may hold placeholders
    ``{dimension:strftime}`` that name the partition, such as ``drop/flights_{day:%Y-%m-%d}.csv``.
    A file is complete when size and time stood still for ``settle_seconds``, or at once when it was renamed in.
    """

    pattern: str
    settle_seconds: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.pattern, str) or not self.pattern:
            raise DeclarationError(f"FileDrop({self.pattern!r}) names no file; write a path such as 'drop/flights.csv'")
        if self.settle_seconds < 0:
            raise DeclarationError(f"settle_seconds={self.settle_seconds!r} is negative; write 0 or more")
