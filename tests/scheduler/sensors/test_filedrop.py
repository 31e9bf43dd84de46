"""Which files arrived, changed or went in the folders that sources wait for?"""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from riparian.assets.files import fingerprint
from riparian.scheduler.sensors.filedrop import FileDropSensor

if TYPE_CHECKING:
    from conftest import Bench

MARK = "drop/f_2019-12-31.csv"
DAY = "drop/f_2013-01-02.csv"
LONG = 600.0
"""A settling time that no test waits for."""


def wait_for_problem(sensor: FileDropSensor) -> None:
    deadline = time.monotonic() + 20
    while not sensor.problems() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_renamed_in_from_outside_is_ready_at_once(bench: "Bench") -> None:
    """A rename into the folder is ready without settling, with all that the ledger needs."""
    bench.start(bench.watch(settle=LONG))
    bench.settled()
    (bench.outside / "x").write_text("hello")
    (bench.outside / "x").rename(bench.root / DAY)

    seen = bench.ledger.wait_for(DAY, "ready")
    found = (bench.root / DAY).stat()
    assert ("air.flights", "2013-01-02", fingerprint(5, found.st_mtime_ns, found.st_ino), 5, "") == (
        seen.source,
        seen.partition,
        seen.fingerprint,
        seen.size,
        seen.reason,
    )
    assert ["ready"] == bench.ledger.states(DAY)


@pytest.mark.parametrize("name", ["f_2013-01-02.csv.part", ".hidden", "f.tmp", "f.csv~", "upload"])
def test_renamed_inside_is_ready_at_once(bench: "Bench", name: str) -> None:
    """A writer's unfinished name is never told, and the rename to the final one is ready without settling."""
    bench.start(bench.watch(settle=LONG))
    bench.settled()
    (bench.drop / name).write_text("hello")
    (bench.drop / name).rename(bench.root / DAY)

    bench.ledger.wait_for(DAY, "ready")
    assert [(DAY, "ready")] == [(f.path, f.state) for f in bench.ledger.seen if f.path != MARK]


def test_folder_renamed_in_brings_its_files_at_once(bench: "Bench") -> None:
    """All files of a folder that was renamed into place are ready without waiting until they settled."""
    bench.start(bench.watch("drop/{day:%Y/%m-%d}.csv", settle=LONG))
    (bench.outside / "2013").mkdir()
    for day in range(1, 10):
        (bench.outside / f"2013/01-0{day}.csv").write_text("x")
    (bench.outside / "2013").rename(bench.drop / "2013")

    bench.ledger.wait(lambda ledger: len(ledger.known()) == 9)


def test_renamed_over_is_a_new_version_at_once(bench: "Bench") -> None:
    """A file that replaces another of the same name is told with its own fingerprint."""
    bench.start(bench.watch(settle=LONG))
    for content in ("one", "two"):
        (bench.outside / "x").write_text(content)
        (bench.outside / "x").rename(bench.root / DAY)
        bench.ledger.wait(lambda ledger: bool(ledger.of(DAY, "ready")))

    bench.ledger.wait_for(DAY, "ready", times=2)
    first, second = bench.ledger.of(DAY, "ready")
    assert first.fingerprint != second.fingerprint


def test_slow_writer_is_ready_only_when_it_stands_still(bench: "Bench") -> None:
    """While a writer appends, the file is settling; afterwards it is told once, whole."""
    bench.start(bench.watch(settle=0.3))
    with (bench.root / DAY).open("w") as file:
        for _ in range(10):
            file.write("line\n")
            file.flush()
            time.sleep(0.06)  # the writer's pace: twice the settling time in all
        written_at = time.time()

    seen = bench.ledger.wait_for(DAY, "ready")
    assert ["settling", "ready"] == bench.ledger.states(DAY)
    assert seen.size == 50
    assert bench.ledger.told_at[DAY, "ready"] - written_at >= 0.23


def test_writer_that_keeps_an_old_time_is_not_taken_early(bench: "Bench") -> None:
    """A file with an mtime of long ago that was just made waits like any other, also at the first listing."""
    bench.drop.mkdir()
    (bench.root / DAY).write_text("x")
    os.utime(bench.root / DAY, (0, 0))
    bench.start(bench.watch(settle=LONG))
    (bench.drop / "f_2013-01-03.csv").write_text("x")
    os.utime(bench.drop / "f_2013-01-03.csv", (0, 0))

    bench.ledger.wait(lambda ledger: len(ledger.seen) >= 2)
    assert {(DAY, "settling"), ("drop/f_2013-01-03.csv", "settling")} == {(f.path, f.state) for f in bench.ledger.seen}


def test_hard_link_and_copy_settle(bench: "Bench") -> None:
    """Only a rename says that a file is whole: a copy and a link wait, a link because its other name may be written."""
    bench.start()
    (bench.outside / "x").write_text("x")
    (bench.drop / "f_2013-01-03.csv").hardlink_to(bench.outside / "x")
    shutil.copy2(bench.outside / "x", bench.root / DAY)

    bench.ledger.wait_for(DAY, "ready")
    bench.ledger.wait_for("drop/f_2013-01-03.csv", "ready")
    assert ["settling", "ready"] == bench.ledger.states("drop/f_2013-01-03.csv") == bench.ledger.states(DAY)


def test_written_in_a_new_folder_settles(bench: "Bench") -> None:
    """A file in a folder made a moment ago gives the same events as one renamed in, and is none."""
    bench.start(bench.watch("drop/{day:%Y/%m/%d}.csv"))
    (bench.drop / "2013/01").mkdir(parents=True)
    (bench.drop / "2013/01/02.csv").write_text("x")

    bench.ledger.wait_for("drop/2013/01/02.csv", "ready")
    assert ["settling", "ready"] == bench.ledger.states("drop/2013/01/02.csv")


def test_empty_file_renamed_in_settles(bench: "Bench") -> None:
    """An empty file is ready after the settling time and not at once."""
    bench.start()
    (bench.outside / "x").touch()
    (bench.outside / "x").rename(bench.root / DAY)

    bench.ledger.wait_for(DAY, "ready")
    assert ["settling", "ready"] == bench.ledger.states(DAY)


def test_two_thousand_files_at_once(bench: "Bench") -> None:
    """Of many files by several writers none is lost and none told twice."""
    bench.start(bench.watch("drop/f_{day:%Y%j}.csv"), poll=0.5)

    def write(year: int) -> None:
        for n in range(1, 366):
            (bench.drop / f"f_{year}{n:03}.csv").write_text("x")

    threads = [threading.Thread(target=write, args=(year,)) for year in range(2013, 2019)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    bench.ledger.wait(lambda ledger: sum(f.state == "ready" for f in ledger.seen) >= 6 * 365)
    ready = [f.partition for f in bench.ledger.seen if f.state == "ready"]
    assert 6 * 365 == len(ready) == len(set(ready))


def test_lost_events_are_made_up_for_by_a_listing(bench: "Bench") -> None:
    """When the library says that events were lost, the folder is listed, long before the next poll."""
    sensor = bench.start()
    bench.settled()
    sensor._watching._observer.unschedule_all()  # from here on the kernel tells nothing
    (bench.root / DAY).write_text("x")
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; events were lost")

    bench.ledger.wait_for(DAY, "ready")


def test_polling_finds_files_where_events_can_not_be_had(bench: "Bench") -> None:
    """A system without room for watches is told as a problem, and the files are found all the same."""

    def full() -> Any:
        raise OSError(24, "inotify instance limit reached")

    sensor = bench.start(poll=0.1, observe=full)
    (bench.root / DAY).write_text("x")

    bench.ledger.wait_for(DAY, "ready")
    assert "inotify instance limit reached" in sensor.problems()[0]


@pytest.mark.parametrize("how", ["remove", "rename"])
def test_folder_made_anew_is_watched_again(bench: "Bench", how: str) -> None:
    """A folder that is removed or renamed and made again works as before; what lay in it has vanished."""
    sensor = bench.start(bench.watch(settle=LONG), poll=0.1)
    (bench.outside / "x").write_text("x")
    (bench.outside / "x").rename(bench.root / DAY)
    bench.ledger.wait_for(DAY, "ready")
    shutil.rmtree(bench.drop) if how == "remove" else bench.drop.rename(bench.root / "old")
    wait_for_problem(sensor)
    assert "make or mount it" in sensor.problems()[0]
    bench.drop.mkdir()

    bench.ledger.wait_for(DAY, "vanished")
    (bench.outside / "x").write_text("xx")
    (bench.outside / "x").rename(bench.root / DAY)
    # Ready by the event of the rename, which only a live watch gives: settling takes longer than any test.
    bench.ledger.wait_for(DAY, "ready", times=2)
    assert () == sensor.problems()


def test_missing_folder_is_a_problem_until_it_is_there(bench: "Bench") -> None:
    """A folder that does not exist is not made; it is told as a problem, and works once somebody makes it."""
    sensor = bench.start(poll=0.1, make_folders=False)
    assert "make or mount it" in sensor.problems()[0]
    assert not bench.drop.exists()
    bench.drop.mkdir()
    (bench.root / DAY).write_text("x")

    bench.ledger.wait_for(DAY, "ready")
    assert () == sensor.problems()


def test_files_there_at_the_first_start_are_drops(bench: "Bench") -> None:
    """What lies there at the first start arrives, and at once when it has not changed for the settling time."""
    bench.drop.mkdir()
    (bench.root / DAY).write_text("x")
    time.sleep(0.2)  # the age that the file must have
    bench.start(bench.watch(settle=0.1))

    bench.ledger.wait_for(DAY, "ready")
    assert ["ready"] == bench.ledger.states(DAY)


def test_restart_tells_only_what_is_new(bench: "Bench") -> None:
    """Files that the ledger holds are not told again; those that changed or went while nobody looked are."""
    first = bench.start()
    for day in (2, 3, 4):
        (bench.drop / f"f_2013-01-0{day}.csv").write_text("x")
    bench.ledger.wait(lambda ledger: len(ledger.known()) == 3)
    first.stop()
    (bench.drop / "f_2013-01-03.csv").write_text("longer")
    (bench.drop / "f_2013-01-04.csv").unlink()
    told = len(bench.ledger.seen)
    bench.start(known=bench.ledger.known)

    bench.ledger.wait_for("drop/f_2013-01-03.csv", "ready", times=2)
    gone = bench.ledger.wait_for("drop/f_2013-01-04.csv", "vanished")
    bench.settled()
    news = {f.path for f in bench.ledger.seen[told:]} - {MARK}
    assert ({"drop/f_2013-01-03.csv", "drop/f_2013-01-04.csv"}, "2013-01-04", 1) == (news, gone.partition, gone.size)


def test_restart_after_a_failed_load_of_the_ledger(bench: "Bench") -> None:
    """As long as the ledger can not be read nothing is told, and then all is."""
    calls = 0

    def known() -> list[tuple[str, str, str]]:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise OSError("the database is away")
        return []

    bench.drop.mkdir()
    (bench.root / DAY).write_text("x")
    bench.start(poll=0.05, known=known)

    bench.ledger.wait_for(DAY, "ready")
    assert calls == 3


def test_changed_content_is_told_again(bench: "Bench") -> None:
    """A file that is written after it was ready goes through all of it again."""
    bench.start()
    (bench.root / DAY).write_text("one")
    bench.ledger.wait_for(DAY, "ready")
    with (bench.root / DAY).open("a") as file:
        file.write(" two")

    assert bench.ledger.wait_for(DAY, "ready", times=2).size == 7
    assert ["settling", "ready", "settling", "ready"] == bench.ledger.states(DAY)


def test_chmod_is_no_news(bench: "Bench") -> None:
    """A change of rights is no new content, nor is a look at it."""
    bench.start()
    (bench.root / DAY).write_text("one")
    bench.ledger.wait_for(DAY, "ready")
    (bench.root / DAY).chmod(0o600)
    (bench.root / DAY).read_text()
    bench.settled()

    assert ["settling", "ready"] == bench.ledger.states(DAY)


def test_unmatched_is_told_once_with_its_reason(bench: "Bench") -> None:
    """A name that fits no pattern, and one that fits but is no day, are told to a person once."""
    sensor = bench.start(bench.watch(source="b.x"), bench.watch("drop/g_{day}.csv", source="a.x"), poll=0.1)
    (bench.drop / "notes.txt").write_text("x")
    (bench.drop / "f_2013-02-31.csv").write_text("x")
    (bench.drop / "f_2012-02-03.csv").write_text("x")
    bench.ledger.wait(lambda ledger: len(ledger.seen) == 3)
    (bench.drop / "notes.txt").write_text("xx")
    sensor.look_now()
    bench.settled()

    assert {
        ("a.x", "drop/notes.txt", "its name matches no pattern of this folder (drop/f_{day}.csv, drop/g_{day}.csv)"),
        ("b.x", "drop/f_2013-02-31.csv", "'2013-02-31' is not a day written %Y-%m-%d"),
        ("b.x", "drop/f_2012-02-03.csv", "partition '2012-02-03' lies outside 2013-01-01 to 2019-12-31"),
    } == {(f.source, f.path, f.reason) for f in bench.ledger.seen if f.state == "unmatched"}
    assert ["unmatched"] == bench.ledger.states("drop/notes.txt")


def test_links_and_pipes_are_unmatched(bench: "Bench") -> None:
    """A symbolic link is not followed and a pipe not opened, whatever their names."""
    bench.start()
    (bench.outside / "secret").write_text("x")
    (bench.root / DAY).symlink_to(bench.outside / "secret")
    os.mkfifo(bench.drop / "f_2013-01-03.csv")

    assert "symbolic link" in bench.ledger.wait_for(DAY, "unmatched").reason
    assert "not a regular file" in bench.ledger.wait_for("drop/f_2013-01-03.csv", "unmatched").reason
    assert {"unmatched"} == {f.state for f in bench.ledger.seen}


def test_name_that_is_no_text_is_unmatched(bench: "Bench") -> None:
    """Bytes that no database can hold are escaped and told."""
    bench.start()
    (bench.drop / os.fsdecode(b"f_\xff.csv")).write_text("x")

    assert "its name is not valid UTF-8" == bench.ledger.wait_for("drop/f_\\udcff.csv", "unmatched").reason


def test_one_file_for_two_sources(bench: "Bench") -> None:
    """Each source that a file fits is told, one ahead of the other when it settles sooner."""
    bench.start(bench.watch(source="a.x", settle=0.4), bench.watch(source="b.x", settle=0.05))
    (bench.root / DAY).write_text("x")

    bench.ledger.wait_for(DAY, "ready", times=2)
    assert ["b.x", "a.x"] == [f.source for f in bench.ledger.of(DAY, "ready")]


def test_nested_folders_speak_for_their_own_files(bench: "Bench") -> None:
    """A folder inside a watched one: a file that fits there is told there only, one that fits nowhere once."""
    bench.start(bench.watch("drop/{day:%Y/%m-%d}.csv", source="a.x"), bench.watch("drop/2013/{day}.csv", source="b.x"))
    (bench.drop / "2013/2013-01-02.csv").write_text("x")
    (bench.drop / "2013/01-02.csv").write_text("x")
    (bench.drop / "2013/notes.txt").write_text("x")
    bench.ledger.wait(lambda ledger: sum(f.state in ("ready", "unmatched") for f in ledger.seen) == 3)
    bench.sensors[0].stop()

    assert {
        ("b.x", "drop/2013/2013-01-02.csv", "ready"),
        ("a.x", "drop/2013/01-02.csv", "ready"),
        ("b.x", "drop/2013/notes.txt", "unmatched"),
    } == {(f.source, f.path, f.state) for f in bench.ledger.seen if f.state != "settling"}


def test_absolute_patterns_are_told_absolutely(bench: "Bench") -> None:
    """The path is written as the pattern is."""
    bench.start(bench.watch(f"{bench.outside}/{{day}}.csv"))
    (bench.outside / "2013-01-02.csv").write_text("x")

    bench.ledger.wait_for(f"{bench.outside}/2013-01-02.csv", "ready")


def test_watched_folder_may_be_a_link(bench: "Bench") -> None:
    """The folder itself is the declarer's word and is followed, events included."""
    bench.drop.symlink_to(bench.outside)
    bench.start()
    (bench.drop / "f_2013-01-02.csv").write_text("x")

    bench.ledger.wait_for(DAY, "ready")


def test_vanished_is_told(bench: "Bench") -> None:
    """A file that is removed or renamed away is told with the fingerprint that it had."""
    bench.start()
    (bench.root / DAY).write_text("x")
    ready = bench.ledger.wait_for(DAY, "ready")
    (bench.root / DAY).rename(bench.outside / "away")

    assert ready.fingerprint == bench.ledger.wait_for(DAY, "vanished").fingerprint


def test_reports_that_fail_are_kept(bench: "Bench") -> None:
    """While the ledger can not take it nothing is lost; afterwards the last state of each file is told."""
    sensor = bench.start(poll=0.1)
    bench.ledger.broken = True
    (bench.root / DAY).write_text("x")
    (bench.drop / "f_2013-01-03.csv").write_text("x")
    bench.ledger.wait(lambda ledger: ledger.refused >= 5)
    assert "could not be recorded" in sensor.problems()[0]
    bench.ledger.broken = False

    bench.ledger.wait_for(DAY, "ready")
    bench.ledger.wait_for("drop/f_2013-01-03.csv", "ready")
    bench.settled()
    assert () == sensor.problems()


def test_unreadable_folder_takes_nothing_away(bench: "Bench", monkeypatch: pytest.MonkeyPatch) -> None:
    """Files below a folder that can not be read any more are not told as vanished; the folder is a problem."""
    sensor = bench.start(bench.watch("drop/{day:%Y/%m-%d}.csv"), poll=0.05)
    (bench.drop / "2013").mkdir()
    (bench.drop / "2013/01-02.csv").write_text("x")
    bench.ledger.wait_for("drop/2013/01-02.csv", "ready")
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("2013"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    wait_for_problem(sensor)

    assert "drop/2013 can not be listed (Permission denied)" in sensor.problems()[0]
    assert [] == bench.ledger.of("drop/2013/01-02.csv", "vanished")


def test_stop_ends_the_threads(bench: "Bench") -> None:
    """After ``stop``, also a second one, no thread is left and nothing is told."""
    before = set(threading.enumerate())
    sensor = bench.start()
    bench.settled()
    sensor.stop()
    sensor.stop()
    (bench.root / DAY).write_text("x")

    assert set() == {t.name for t in set(threading.enumerate()) - before}
    assert [] == bench.ledger.states(DAY)


def test_importing_it_imports_no_watchdog() -> None:
    """A command that watches nothing does not pay for the library."""
    code = "import riparian.scheduler.sensors.filedrop, riparian.scheduler.alarm, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert [] == [m for m in loaded if m.partition(".")[0] in ("watchdog", "apscheduler", "sqlalchemy")]
