"""What is remembered of the files in one folder, and what is news?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from riparian.assets.files import parse_fingerprint
from riparian.scheduler.core.readiness import (
    FileSeen,
    Look,
    Ready,
    Seen,
    Settling,
    State,
    Track,
    Unchanged,
    Vanished,
    decide,
)
from riparian.scheduler.sensors.claims import Claim, Folder, Folders, Watch
from riparian.scheduler.sensors.listing import Entry, Listing

Ledger = dict[str, dict[str, str]]
"""Source → path → fingerprint of what was recorded before this process began."""


@dataclass(slots=True)
class _File:
    """One file: for whom it is, and by source what it looked like. ``refused`` as in ``Entry``."""

    claims: tuple[Claim, ...]
    refused: str
    tracks: dict[str, Track] = field(default_factory=dict)


class Inventory:
    """Compares looks at one folder's files with what is remembered of them, and tells what is new."""

    def __init__(self, folder: Folder, folders: Folders, tell: Callable[[FileSeen], None]) -> None:
        self.folder = folder
        self._folders = folders
        self._tell = tell
        self._files: dict[str, _File] = {}
        self._was_listed = False

    def list(
        self, listing: Listing, *, now: float, was_renamed: Callable[[str], bool], ledger: Ledger
    ) -> Iterable[tuple[float, str]]:
        """Takes in all files. Returns when (seconds) to look again at which path."""
        gone = [p for p in self._files if p not in listing.entries and listing.covers(p)]
        dues = [
            (due, path)
            for path, entry in (*listing.entries.items(), *((p, None) for p in gone))
            if (due := self.see(path, entry, now=now, was_renamed=was_renamed(path), ledger=ledger)) is not None
        ]
        if not self._was_listed:
            self._tell_gone_since(ledger, listing)
        self._was_listed = True
        return dues

    def see(self, path: str, entry: Entry | None, *, now: float, was_renamed: bool, ledger: Ledger) -> float | None:
        """Takes in one file, which is not there if ``entry`` is None. Returns when to look at it again."""
        file = self._files.get(path)
        if entry is None:
            if file is not None:
                self._tell_vanished(self._files.pop(path), path)
            return None
        if file is None or file.refused != entry.refused:
            claims = self._folders.claims(self.folder, path, entry.refused)
            file = self._files[path] = _File(claims, entry.refused)
        dues = [self._decide(file, claim, path, entry.look, now, was_renamed, ledger) for claim in file.claims]
        return min((due for due in dues if due is not None), default=None)

    def _decide(
        self, file: _File, claim: Claim, path: str, look: Look, now: float, was_renamed: bool, ledger: Ledger
    ) -> float | None:
        source = claim.watch.source
        track = file.tracks.get(source)
        if track is None and not claim.reason and _take(ledger, claim.watch, path) == look.fingerprint:
            file.tracks[source] = Track(look=look, since=now, is_ready=True)
            return None
        if claim.reason and track is not None and track.is_ready:
            return None  # said once: a log that grows in the folder is no news
        verdict = decide(
            track,
            look,
            now=now,
            settle_seconds=claim.watch.settle_seconds,
            was_renamed=was_renamed,
            was_there=not self._was_listed,
        )
        match verdict:
            case Seen(fresh, due):
                file.tracks[source] = fresh
                if not claim.reason:
                    self._tell(_seen(claim, path, look, "settling"))
                return due
            case Settling(fresh, due):
                file.tracks[source] = fresh
                return due
            case Ready(fresh):
                # A name that fits nothing is told when the file stands still too: it may be on its way to another.
                file.tracks[source] = fresh
                self._tell(_seen(claim, path, look, "unmatched" if claim.reason else "ready"))
            case Unchanged() | Vanished():
                pass
        return None

    def _tell_vanished(self, file: _File, path: str) -> None:
        for claim in file.claims:
            track = file.tracks.get(claim.watch.source)
            if track is not None and (track.is_ready or not claim.reason):
                self._tell(_seen(claim, path, track.look, "vanished"))

    def _tell_gone_since(self, ledger: Ledger, listing: Listing) -> None:
        """Tells what the ledger holds and the first listing does not show."""
        for watch in self.folder.watches:
            recorded = ledger.get(watch.source, {})
            for path in [p for p in recorded if listing.covers(watch.relative_path(p))]:
                relative = watch.relative_path(path)
                size, mtime_ns, inode = parse_fingerprint(recorded.pop(path))
                partition = watch.pattern.match(relative, watch.partitions)
                claim = Claim(watch, partition if isinstance(partition, str) else "")
                look = Look(size=size, mtime_ns=mtime_ns, ctime_ns=mtime_ns, inode=inode)
                self._tell(_seen(claim, relative, look, "vanished"))


def _take(ledger: Ledger, watch: Watch, path: str) -> str | None:
    """Returns what was recorded of the file, once: afterwards its track knows better."""
    return ledger.get(watch.source, {}).pop(watch.path(path), None)


def _seen(claim: Claim, path: str, look: Look, state: State) -> FileSeen:
    return FileSeen(
        source=claim.watch.source,
        path=claim.watch.path(path),
        partition=claim.partition,
        fingerprint=look.fingerprint,
        size=look.size,
        mtime_ns=look.mtime_ns,
        inode=look.inode,
        state=state,
        reason=claim.reason,
    )
