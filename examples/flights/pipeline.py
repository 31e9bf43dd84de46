"""Flights from New York: which reports follow from the files that the airlines deliver, and who may read them?

Two files a day: the flights, open to everyone, and in a file of their own the tail numbers, which name aircraft and so
the people who own and fly them. Whatever uses the tail numbers is as closed as they are; nothing below says so again.
"""

import pyarrow as pa
import pyarrow.compute as pc

from riparian import (
    ALL,
    CheckResult,
    Context,
    Daily,
    FileDrop,
    Policy,
    asset,
    branch,
    check,
    on_cron,
    on_update,
    source,
    task,
    workflow,
)

DAYS = Daily("day", start="2013-01-01")
OPEN = Policy(readers=ALL)
AIRPORTS = ["EWR", "JFK", "LGA"]
STORM = 0.05
"""The share of cancelled flights from which on a day is a storm."""

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


@check(flights, blocking=True)
def all_airports(flights: pa.Table) -> bool:
    """A file that lacks one of the three airports was cut off: nobody shall see such a day."""
    return set(flights["origin"].to_pylist()) == set(AIRPORTS)


@check(flights)
def some_cancelled(flights: pa.Table) -> CheckResult:
    """Hardly a day passes without a cancelled flight: where there is none they may have been left out."""
    cancelled = pc.sum(flights["cancelled"]).as_py()
    return CheckResult(cancelled > 0, {"flights": len(flights), "cancelled": cancelled})


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
    return measured(with_sky(flights, weather).group_by("sky").aggregate(MEASURES), ["sky"]).sort_by("sky")


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


@asset("air.bulletin", trigger=on_update() & on_cron("* * * * *"))
def bulletin(summary: dict) -> str:
    """The summary in one line, for the screens: at most once a minute, however often the summary changes."""
    return (
        f"{summary['cancelled']} of {summary['flights']} flights cancelled; worst was {summary['worst day']} "
        f"with {summary['cancelled on it']}"
    )


@asset("air.month", trigger=on_update("air.delays") & on_cron("0 6 1 * *", timezone="America/New_York"))
def month(delays: pa.Table) -> dict:
    """The letter of the first of the month, six in the morning in New York: who is late and who is not."""
    by_lateness = delays.sort_by("arr_delay")["name"]
    return {
        "flights": pc.sum(delays["flights"]).as_py(),
        "cancelled": pc.sum(delays["cancelled"]).as_py(),
        "most punctual": by_lateness[0].as_py(),
        "latest": by_lateness[-1].as_py(),
    }


@task
def observed(flights: pa.Table, weather: pa.Table) -> pa.Table:
    """Each flight of the day with the weather it was to leave in: what all the following tasks look at."""
    return with_sky(flights, weather).sort_by([(name, "ascending") for name in FLIGHT])


@task
def counted(seen: pa.Table) -> dict:
    """The day in three figures."""
    cancelled = pc.sum(seen["cancelled"]).as_py()
    return {"flights": len(seen), "cancelled": cancelled, "share": round(cancelled / len(seen), 3)}


@task
def road(facts: dict) -> str:
    return "storm" if facts["share"] > STORM else "calm"


@task
def at_airport(airport: str, seen: pa.Table) -> dict:
    """How the day went at one airport."""
    there = seen.filter(pc.field("origin") == airport)
    fair = there.filter(pc.field("sky") == "fair")
    cancelled = pc.sum(there["cancelled"]).as_py()
    return {"airport": airport, "flights": len(there), "cancelled": cancelled, "in fair weather": len(fair)}


@task
def storm_report(facts: dict, airports: list[dict]) -> dict:
    return {"road": "storm", **facts, "airports": airports}


@task
def calm_report(facts: dict) -> dict:
    return {"road": "calm", **facts}


@task
def stranded(seen: pa.Table) -> pa.Table:
    """The flights whose passengers need another one."""
    return seen.filter(pc.field("cancelled")).select(WATCHED)


@task
def late(seen: pa.Table) -> pa.Table:
    """The flights whose passengers may have missed the next one: an hour late and more."""
    return seen.filter(pc.field("arr_delay") >= 60).select(WATCHED)


@workflow("air.daily_report", consumes=[flights, weather], produces=["air.report", "air.watchlist"], partitions=DAYS)
def daily_report(flights: pa.Table, weather: pa.Table) -> dict:
    """What kind of day it was, and which flights somebody has to look after: one story, so both change together."""
    seen = observed(flights, weather)
    facts = counted(seen)
    which = road(facts)
    return {
        "air.report": branch(
            which,
            {
                "storm": lambda: storm_report(facts, at_airport.map(AIRPORTS, seen=seen)),
                "calm": lambda: calm_report(facts),
            },
        ),
        "air.watchlist": branch(which, {"storm": lambda: stranded(seen), "calm": lambda: late(seen)}),
    }


WATCHED = [*FLIGHT, "dest", "sky", "arr_delay"]
MEASURES = [("cancelled", "count"), ("cancelled", "sum"), ("dep_delay", "mean"), ("arr_delay", "mean")]


def measured(table: pa.Table, keys: list[str]) -> pa.Table:
    """The keys of a grouped table and the four figures: flights, cancelled, mean minutes late at departure, arrival."""
    late = [pc.round(table[name], 1) for name in ("dep_delay_mean", "arr_delay_mean")]
    columns = [*(table[key] for key in keys), table["cancelled_count"], table["cancelled_sum"], *late]
    return pa.table(columns, names=[*keys, "flights", "cancelled", "dep_delay", "arr_delay"])


def with_sky(flights: pa.Table, weather: pa.Table) -> pa.Table:
    """The flights with ``sky``, the weather at the airport in the hour of departure."""
    kinds = pc.case_when(
        pc.make_struct(
            pc.greater(weather["precip"], 0), pc.less(weather["visib"], 3), pc.greater(weather["wind_speed"], 20)
        ),
        *(pa.scalar(kind) for kind in ("rain or snow", "poor sight", "strong wind", "fair")),
    )
    hours = pa.table({"origin": weather["origin"], "time_hour": weather["time_hour"], "sky": kinds})
    found = flights.join(hours.cast(hours.schema.set(1, flights.schema.field("time_hour"))), ["origin", "time_hour"])
    return found.set_column(found.column_names.index("sky"), "sky", pc.fill_null(found["sky"], "not recorded"))
