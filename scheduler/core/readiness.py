"""Is a file that arrives complete?

A listing says what is there, and an event only that it is worth looking. A file is ready when it stood still for
``settle_seconds``, or at once when it was renamed into place, which nobody does with a half-written file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from riparian.assets.files import fingerprint

State = Literal["settling", "ready", "vanished", "unmatched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """One thing learned about one file, for one source: what the ledger is told.

    ``path`` is relative to the project's folder, or absolute when the source's pattern is. ``reason`` is set for
    ``unmatched``. A slow writer gives one ``settling``, whose fingerprint is of the first look, and one ``ready``.
    """

    source: str
    path: str
    partition: str
    fingerprint: str
    size: int
    mtime_ns: int
    inode: int
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One file as a listing shows it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.size, self.mtime_ns, self.inode)

    @property
    def changed_at(self) -> float:
        """Seconds since the epoch. ctime counts too: ``cp -p`` and writers that set mtime back can not move it."""
        return max(self.mtime_ns, self.ctime_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is remembered of one file: it has looked like ``look`` since ``since`` (seconds)."""

    look: Look
    since: float
    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """New, or changed after it was ready: not complete before ``due`` (seconds)."""

    track: Track
    due: float


@dataclass(frozen=True, slots=True)
class Settling:
    """Already told as seen, still not complete: look again at ``due`` (seconds)."""

    track: Track
    due: float


@dataclass(frozen=True, slots=True)
class Ready:
    """Complete, and not told before."""

    track: Track


@dataclass(frozen=True, slots=True)
class Vanished:
    """It was there and is not any more."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing that was not told before."""


Verdict = Seen | Settling | Ready | Vanished | Unchanged


def decide(
    track: Track | None,
    look: Look | None,
    *,
    now: float,
    settle_seconds: float,
    was_renamed: bool = False,
    was_there: bool = False,
) -> Verdict:
    """Returns what one look says about a file, given what was remembered.

    ``look`` is None when the file is not there. ``was_renamed``: an event said so and none said that it was written
    afterwards. ``was_there``: the folder is looked at for the first time, so the file's own times tell how long it
    stood still; later they do not count, because a file server's clock may lag behind ours.
    """
    if look is None:
        return Vanished() if track is not None else Unchanged()
    if track is not None and track.is_ready and track.look.fingerprint == look.fingerprint:
        return Unchanged()  # a new ctime alone is a chmod or a link, not new content
    since = _still_since(track, look, now=now, was_there=was_there)
    due = since + settle_seconds
    if now >= due or (was_renamed and look.size > 0):
        return Ready(Track(look=look, since=since, is_ready=True))
    next_track = Track(look=look, since=since)
    return Seen(next_track, due) if track is None or track.is_ready else Settling(next_track, due)


def _still_since(track: Track | None, look: Look, *, now: float, was_there: bool) -> float:
    if track is None:
        return min(now, look.changed_at) if was_there else now
    if track.is_ready or track.look != look:
        return now
    return min(now, track.since)  # a clock that was set back must not make a file wait for hours
