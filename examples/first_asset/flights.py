import pyarrow as pa
import pyarrow.compute as pc

from riparian import FileDrop, Policy, asset, source

flights_csv = source("air.flights_csv", arrives=FileDrop("drop/flights.csv"), policy=Policy(readers={"ops"}))


@asset("air.late")
def late(flights_csv: pa.Table) -> pa.Table:
    return flights_csv.filter(pc.field("dep_delay") > 15)


@asset("air.late_by_carrier")
def late_by_carrier(late: pa.Table) -> dict:
    counts = late.group_by("carrier").aggregate([("dep_delay", "count")])
    return dict(zip(counts["carrier"].to_pylist(), counts["dep_delay_count"].to_pylist(), strict=True))
