"""`make demo`: a fortnight of real flights, live. Files arrive, reports follow, and so does the right to read them.

Makes a project in a folder that stays, runs `riparian dev` in it, delivers files as an airline would, and asks
through REST. Exit code 0: all that it tells was seen to happen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from datetime import date
from pathlib import Path

from show import clock, roads
from show.asking import people
from show.deliveries import Airline, DataMissing, all_flights
from show.screen import Screen
from show.server import Failed, make_project, serving
from show.story import Story

BACKLOG = [date(2013, 2, day) for day in range(1, 8)]
LIVE = [date(2013, 2, day) for day in range(8, 15)]
CALM, STORM, REPEATED, LATER = date(2013, 2, 7), date(2013, 2, 8), date(2013, 2, 13), date(2013, 2, 15)

PATIENCE = 4
"""Seconds for which the tick of a minute is worth waiting."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Riparian, shown with a fortnight of real flights.")
    parser.add_argument("--folder", type=Path, default=Path("flights-demo"), help="where to make the project")
    parser.add_argument("--tick", action="store_true", help="wait for the tick of the minute, should none have come")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that what was started ends too
    try:
        show(Screen(), options.folder.absolute(), patience=60 if options.tick else PATIENCE)
    except (Failed, DataMissing) as exc:
        print(f"\nThe demonstration failed: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has ended.", file=sys.stderr)
        return 130
    return 0


def show(screen: Screen, folder: Path, patience: float) -> None:
    """Tells the whole story; raises Failed where something did not happen."""
    began = time.monotonic()
    flights = all_flights()
    before = make_project(folder)
    airline = Airline(flights, folder)
    screen.title("Riparian: the right to read a dataset flows downstream with the data")
    screen.say(
        "Each day brings two files: the flights of New York's airports, open to everyone, and the tail numbers of the "
        "aircraft, which only ",
        ("ops", "bold"),
        " may read, and of them who is cleared for ",
        ("pii", "bold"),
        ". ana is in ops and cleared; bob is in no group. "
        "The data is real: February 2013, with the blizzard of the 8th.",
    )
    screen.say((f"Project: {folder}", "dim"))
    if before is not None:
        screen.say((f"The one of the demonstration before is now {before}", "dim"))

    screen.chapter(1, "A week of files lies there before anybody starts")
    airline.deliver_reference()
    for day in BACKLOG:
        airline.deliver(day)
    airline.deliver(LATER, folder="later")
    started = time.monotonic()
    with serving(folder) as server, people(server) as asked:
        story = Story(screen, airline, server, asked)
        story.backlog(BACKLOG, started)
        screen.chapter(2, "Then the days come one by one, and are not all well-behaved")
        story.fortnight(LIVE, incomplete=STORM, repeated=REPEATED)
        screen.chapter(3, "The report, as bob reads it: air.delays")
        story.report()
        screen.chapter(4, "What kind of day was it? air.daily_report takes the storm road or the calm one")
        roads.tell(story, storm=STORM, calm=CALM)
        screen.chapter(5, "Where a report comes from: air.summary, version by version, down to the files")
        story.lineage(STORM)
        screen.chapter(6, "Who may read what: said of the sources alone, and so of all that follows")
        story.rights()
        screen.chapter(7, "The same question, three answers")
        story.refusal()
        screen.chapter(8, "A source is closed, and what was made from it closes with it")
        story.tightening()
        screen.chapter(9, "Not by data alone: what waits for the clock too")
        clock.tell(story, patience)
        screen.chapter(10, "How long it took")
        story.timing(time.monotonic() - began)
    screen.title("The project is yours to go on with: `dev` in one terminal, the rest in another")
    farewell(screen, folder)


def farewell(screen: Screen, folder: Path) -> None:
    beside = Path(sys.executable).with_name("riparian")
    riparian = "riparian" if shutil.which("riparian") else min(str(beside), os.path.relpath(beside, folder), key=len)
    screen.commands(
        [
            (f"cd {os.path.relpath(folder)}", ""),
            (f"{riparian} dev", "stays in this terminal"),
            (f"mv later/*_{LATER}.csv drop/", f"{LATER.day} Feb arrives"),
            (f"{riparian} data air.summary", ""),
            (f"{riparian} runs air.report", "and, of one of them, its steps"),
            (f"{riparian} why air.month", ""),
            (f"{riparian} data air.fleet --as ana", "and --as bob"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
