"""Is a file that arrives complete?"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.scheduler.core.readiness import Look, Ready, Seen, Settling, Track, Unchanged, Vanished, decide

NOW = 1_000.0
SETTLE = 2.0


def look(size: int = 5, at: float = NOW, inode: int = 1) -> Look:
    return Look(size=size, mtime_ns=int(at * 1e9), ctime_ns=int(at * 1e9), inode=inode)


def test_a_new_file_settles() -> None:
    """A file seen for the first time is told, and due after the settling time."""
    assert Seen(Track(look=look(), since=NOW), NOW + SETTLE) == decide(None, look(), now=NOW, settle_seconds=SETTLE)


def test_a_still_file_is_ready_when_due() -> None:
    """At the due instant and not before, a file that stood still is ready."""
    track = Track(look=look(), since=NOW)

    assert (Settling, Ready) == (
        type(decide(track, look(), now=NOW + 1.999, settle_seconds=SETTLE)),
        type(decide(track, look(), now=NOW + 2.0, settle_seconds=SETTLE)),
    )


@pytest.mark.parametrize(
    "changed",
    [
        look(size=6),
        look(at=NOW + 1),
        look(inode=2),
        replace(look(), ctime_ns=int((NOW + 1) * 1e9)),
    ],
    ids=["size", "mtime", "inode", "ctime"],
)
def test_any_change_settles_anew(changed: Look) -> None:
    """A file that looks different waits the whole time again, also when a writer set its mtime back."""
    verdict = decide(Track(look=look(), since=NOW), changed, now=NOW + 9, settle_seconds=SETTLE)

    assert Settling(Track(look=changed, since=NOW + 9), NOW + 9 + SETTLE) == verdict


def test_a_rename_is_ready_at_once() -> None:
    """Nobody renames a half-written file into place; also when it was seen before the event came."""
    tracks = (None, Track(look=look(), since=NOW), Track(look=look(inode=7), since=0.0, is_ready=True))

    assert {Ready(Track(look=look(), since=NOW, is_ready=True))} == {
        decide(track, look(), now=NOW, settle_seconds=SETTLE, was_renamed=True) for track in tracks
    }


def test_an_empty_file_settles_though_renamed() -> None:
    """An empty file is often a promise of a full one."""
    assert isinstance(decide(None, look(size=0), now=NOW, settle_seconds=SETTLE, was_renamed=True), Seen)


@pytest.mark.parametrize(
    ("mtime", "ctime", "kind"),
    [(0, NOW - 2, Ready), (0, NOW - 1, Seen), (NOW + 99, NOW - 9, Seen), (NOW - 2, 0, Ready)],
)
def test_files_that_lay_there_are_told_by_their_times(mtime: float, ctime: float, kind: type) -> None:
    """At the first listing an old file is ready at once; an old mtime with a new ctime is still being written."""
    found = Look(size=1, mtime_ns=int(mtime * 1e9), ctime_ns=int(ctime * 1e9), inode=1)

    assert kind is type(decide(None, found, now=NOW, settle_seconds=SETTLE, was_there=True))


def test_later_a_files_own_times_do_not_count() -> None:
    """A file server whose clock lags must not make a growing file look old."""
    assert isinstance(decide(None, look(at=0), now=NOW, settle_seconds=SETTLE), Seen)


def test_ready_is_told_once_until_the_content_changes() -> None:
    """A new ctime alone is no news, new content is told as seen again."""
    track = Track(look=look(), since=0.0, is_ready=True)

    assert (Unchanged, Seen) == (
        type(decide(track, replace(look(), ctime_ns=5), now=NOW, settle_seconds=SETTLE)),
        type(decide(track, look(size=6), now=NOW, settle_seconds=SETTLE)),
    )


def test_a_file_that_is_gone_vanished_if_it_was_there() -> None:
    """What was never seen can not vanish."""
    assert (Vanished(), Unchanged()) == (
        decide(Track(look=look(), since=0.0), None, now=NOW, settle_seconds=SETTLE),
        decide(None, None, now=NOW, settle_seconds=SETTLE),
    )


def test_a_clock_set_back_delays_by_the_settling_time_only() -> None:
    """An instant in the future counts as now."""
    verdict = decide(Track(look=look(), since=NOW + 3600), look(), now=NOW, settle_seconds=SETTLE)

    assert Settling(Track(look=look(), since=NOW), NOW + SETTLE) == verdict


@dataclass(frozen=True)
class Move:
    """What happens to the one file after ``wait`` seconds, and whether it is looked at then."""

    wait: float
    act: str
    looks: bool


MOVES = st.lists(
    st.builds(
        Move,
        wait=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, 1.5]),
        act=st.sampled_from(["write", "rename", "write_keeping_mtime", "nothing", "remove"]),
        looks=st.booleans(),
    ),
    max_size=30,
)


@given(moves=MOVES, settle=st.sampled_from([0.0, 0.5, 1.0]))
def test_never_ready_while_it_changes_and_always_when_it_stops(moves: list[Move], settle: float) -> None:
    """Safety: ready means that it stood still for the settling time, or was renamed in and not written since.
    Liveness: when it stops changing, looks at the due instants make it ready. And ready is told once a content."""
    now, changed_at, inode = NOW, 0.0, 0
    found: Look | None = None
    track: Track | None = None
    was_renamed = False
    told: list[str] = []
    due: float | None = None

    def see() -> None:
        nonlocal track, due, was_renamed
        match decide(track, found, now=now, settle_seconds=settle, was_renamed=was_renamed):
            case Seen(track, due) | Settling(track, due):
                assert due > now
            case Ready(track):
                assert found is not None
                assert now - changed_at >= settle or was_renamed
                told.append(found.fingerprint)
                due = None
            case Vanished():
                track, due = None, None
            case Unchanged():
                pass
        was_renamed = False

    for move in moves:
        now += move.wait
        if move.act in ("write", "write_keeping_mtime", "rename"):
            inode += move.act == "rename" or found is None
            size = (found.size if found else 0) + 1
            mtime_ns = found.mtime_ns if found and move.act == "write_keeping_mtime" else int(now * 1e9)
            found = Look(size=size, mtime_ns=mtime_ns, ctime_ns=int(now * 1e9), inode=inode)
            changed_at, was_renamed = now, move.act == "rename"
        elif move.act == "remove":
            found, was_renamed = None, False
        if move.looks:
            see()
    see()
    for _ in range(2):
        if due is not None:
            now = due
            see()

    assert found is None or told[-1] == found.fingerprint
    assert len(told) == len(set(told))
