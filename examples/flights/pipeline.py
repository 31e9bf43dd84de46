"""Flights from New York: which reports follow from the files that the airlines deliver, and who may read them?

Two files a day: the flights, open to everyone, and in a file of their own the tail numbers, which name aircraft and so
the people who own and fly them. Whatever uses the tail numbers is as closed as they are; nothing below says so again.
"""

import pyarrow as pa
import pyarrow.compute as pc

from riparian import ALL, Context, Daily, FileDrop, Policy, asset, source

DAYS = Daily("day", start="2013-01-01")
OPEN = Policy(readers=ALL)
FLIGHT = ["carrier", "flight", "origin", "sched_dep_time"]
"""What tells the flights of one day apart."""

flights_csv = source(
    "air.flights_csv",
    arrives=FileDrop("drop/flights_{day:%Y-%m-%d}.csv"),
    partitions=DAYS,
    policy=OPEN,
    description="The day's flights, as delivered",
)
tails_csv = source(
    "air.tails_csv",
    arrives=FileDrop("drop/tails_{day:%Y-%m-%d}.csv"),
    partitions=DAYS,
    policy=Policy(readers={"ops"}, tags={"pii"}),
    description="The tail numbers of the day's flights, as delivered",
)
airlines = source("air.airlines", arrives=FileDrop("reference/airlines.csv"), policy=OPEN)
airports = source("air.airports", arrives=FileDrop("reference/airports.csv"), policy=OPEN)
planes = source("air.planes", arrives=FileDrop("reference/planes.csv"), policy=OPEN)
weather = source("air.weather", arrives=FileDrop("reference/weather.csv"), policy=OPEN)

TYPES = {
    "day": pa.date32(),
    "carrier": pa.string(),
    "flight": pa.int32(),
    "origin": pa.string(),
    "dest": pa.string(),
    "time_hour": pa.timestamp("s", "UTC"),
    "sched_dep_time": pa.int16(),
    "dep_delay": pa.int16(),
    "arr_delay": pa.int16(),
    "distance": pa.int32(),
    "cancelled": pa.bool_(),
}


@asset("air.flights", partitions=DAYS)
def flights(flights_csv: pa.Table, ctx: Context) -> pa.Table:
    """The day's flights: typed, each once, the cancelled ones marked."""
    day = pa.array([ctx.partition] * len(flights_csv)).cast(pa.date32())
    marked = flights_csv.set_column(flights_csv.column_names.index("day"), "day", day)
    marked = marked.append_column("cancelled", pc.is_null(flights_csv["dep_time"]))
    typed = marked.select(list(TYPES)).cast(pa.schema(TYPES))
    return typed.group_by(list(TYPES)).aggregate([]).sort_by([(name, "ascending") for name in FLIGHT])


@asset("air.delays")
def delays(flights: pa.Table, airlines: pa.Table) -> pa.Table:
    """How late each airline was, over all days."""
    found = flights.group_by("carrier").aggregate(MEASURES).join(airlines, "carrier")
    return measured(found, ["carrier", "name"]).sort_by("carrier")


@asset("air.destinations")
def destinations(flights: pa.Table, airports: pa.Table) -> pa.Table:
    """How late flights were by where they went, over all days."""
    named = airports.select(["faa", "name"]).rename_columns(["dest", "name"])
    found = flights.group_by("dest").aggregate(MEASURES).join(named, "dest")
    return measured(found, ["dest", "name"]).sort_by([("flights", "descending"), ("dest", "ascending")])


@asset("air.weather_delays")
def weather_delays(flights: pa.Table, weather: pa.Table) -> pa.Table:
    """How late flights were by the weather at the airport in the hour of departure."""
    kinds = pc.case_when(
        pc.make_struct(
            pc.greater(weather["precip"], 0), pc.less(weather["visib"], 3), pc.greater(weather["wind_speed"], 20)
        ),
        *(pa.scalar(kind) for kind in ("rain or snow", "poor sight", "strong wind", "fair")),
    )
    hours = pa.table({"origin": weather["origin"], "time_hour": weather["time_hour"], "sky": kinds})
    found = flights.join(hours.cast(hours.schema.set(1, flights.schema.field("time_hour"))), ["origin", "time_hour"])
    known = found.set_column(found.column_names.index("sky"), "sky", pc.fill_null(found["sky"], "not recorded"))
    return measured(known.group_by("sky").aggregate(MEASURES), ["sky"]).sort_by("sky")


@asset("air.fleet")
def fleet(flights: pa.Table, tails_csv: pa.Table, planes: pa.Table) -> pa.Table:
    """How late flights were by who built the aircraft: made with the tail numbers, so as closed as they are."""
    tails = tails_csv.select([*FLIGHT, "time_hour", "tailnum"])
    keys = [*FLIGHT, "time_hour"]
    tails = tails.cast(pa.schema([flights.schema.field(key) for key in keys] + [pa.field("tailnum", pa.string())]))
    found = flights.join(tails, keys).join(planes.select(["tailnum", "manufacturer"]), "tailnum", join_type="inner")
    counted = found.group_by("manufacturer").aggregate([*MEASURES, ("tailnum", "count_distinct")])
    counted = counted.rename_columns({"tailnum_count_distinct": "aircraft"})
    return measured(counted, ["manufacturer", "aircraft"]).sort_by(
        [("flights", "descending"), ("manufacturer", "ascending")]
    )


@asset("air.spot_check")
def spot_check(flights: pa.Table, ctx: Context) -> pa.Table:
    """Twenty flights to look at by hand. The seed comes from what is computed: the same flights, the same twenty."""
    return flights.take(sorted(ctx.rng.sample(range(len(flights)), min(20, len(flights)))))


@asset("air.summary")
def summary(delays: pa.Table, weather_delays: pa.Table, flights: pa.Table) -> dict:
    """The report that is read at breakfast."""
    days = flights.group_by("day").aggregate([("cancelled", "sum")]).sort_by([("cancelled_sum", "descending")])
    worst = delays.sort_by([("arr_delay", "descending")])
    return {
        "days": len(days),
        "flights": pc.sum(delays["flights"]).as_py(),
        "cancelled": pc.sum(delays["cancelled"]).as_py(),
        "worst day": str(days["day"][0]),
        "cancelled on it": days["cancelled_sum"][0].as_py(),
        "latest airline": worst["name"][0].as_py(),
        "minutes late by weather": dict(
            zip(weather_delays["sky"].to_pylist(), weather_delays["arr_delay"].to_pylist(), strict=True)
        ),
    }


MEASURES = [("cancelled", "count"), ("cancelled", "sum"), ("dep_delay", "mean"), ("arr_delay", "mean")]


def measured(table: pa.Table, keys: list[str]) -> pa.Table:
    """The keys of a grouped table and the four figures: flights, cancelled, mean minutes late at departure, arrival."""
    late = [pc.round(table[name], 1) for name in ("dep_delay_mean", "arr_delay_mean")]
    columns = [*(table[key] for key in keys), table["cancelled_count"], table["cancelled_sum"], *late]
    return pa.table(columns, names=[*keys, "flights", "cancelled", "dep_delay", "arr_delay"])
