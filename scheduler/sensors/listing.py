"""Which files lie in a folder?"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from riparian.assets.files import is_ignored
from riparian.scheduler.core.readiness import Look

NOT_FOLLOWED = "it is a symbolic link, which is not followed; drop the file itself"
NOT_A_FILE = "it is not a regular file"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the folder. ``refused`` says why it can not be a delivery whatever its name, else it is empty."""

    look: Look
    refused: str = ""


@dataclass(slots=True)
class Listing:
    """Entries by path relative to the folder. Nothing is known of what lies below ``unreadable``."""

    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def covers(self, relative_path: str) -> bool:
        """Whether a file that is not listed is not there."""
        return not any(relative_path.startswith(f"{folder}/") for folder in self.unreadable)


def walk(folder: str, depth: int) -> Listing:
    """Lists ``folder`` and ``depth`` levels of folders below it; raises OSError when it can not be read itself."""
    listing = Listing()
    _walk(folder, "", depth, listing)
    return listing


def look_at(folder: str, relative_path: str) -> Entry | None:
    """Returns the one entry, or None when it is not there, is a folder or has a name that is never a delivery."""
    if is_ignored(relative_path):
        return None
    try:
        return _entry(os.lstat(f"{folder}/{relative_path}"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _walk(folder: str, prefix: str, depth: int, listing: Listing) -> None:
    with os.scandir(folder) as found:
        for item in found:
            path = prefix + item.name
            if is_ignored(path):
                continue
            try:
                if not item.is_dir(follow_symlinks=False):
                    entry = _entry(item.stat(follow_symlinks=False))
                    if entry is not None:
                        listing.entries[path] = entry
                elif depth > 0:
                    _walk(item.path, f"{path}/", depth - 1, listing)
            except FileNotFoundError:
                continue  # gone since it was listed
            except OSError as exc:
                listing.unreadable[path] = exc.strerror or str(exc)


def _entry(found: os.stat_result) -> Entry | None:
    if stat.S_ISDIR(found.st_mode):
        return None
    look = Look(size=found.st_size, mtime_ns=found.st_mtime_ns, ctime_ns=found.st_ctime_ns, inode=found.st_ino)
    if stat.S_ISLNK(found.st_mode):
        return Entry(look, NOT_FOLLOWED)
    return Entry(look, "" if stat.S_ISREG(found.st_mode) else NOT_A_FILE)
