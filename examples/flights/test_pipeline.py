"""The reports, tested on a day of twenty flights in memory: deliveries arrive, policies change, months end."""

import pytest

from riparian import Policy
from riparian.testing import Instance, RunFailed

DAY = "2013-02-08"
AIRPORTS = ("EWR", "JFK", "LGA")
WEATHER = [{"origin": "EWR", "time_hour": f"{DAY}T11:00:00Z", "precip": 0.0, "visib": 10.0, "wind_speed": 5.0}]
AIRLINES = [{"carrier": "UA", "name": "United Air Lines Inc."}]


def flights(*, cancelled: int, late: int = 0) -> list[dict]:
    """A day's flights as delivered, twenty of them: so many never left, so many came in two hours late."""
    return [
        {
            "day": 8,
            "carrier": "UA",
            "flight": 1000 + n,
            "origin": AIRPORTS[n % 3],
            "dest": "BOS",
            "time_hour": f"{DAY}T11:00:00Z",
            "sched_dep_time": 600,
            "dep_time": None if n < cancelled else 602,
            "dep_delay": None if n < cancelled else 2,
            "arr_delay": None if n < cancelled else 120 if n < cancelled + late else 5,
            "distance": 200,
        }
        for n in range(20)
    ]


@pytest.fixture
def air(riparian_instance: Instance) -> Instance:
    """The project, with what is known of airlines and weather."""
    riparian_instance.clock.set("2013-02-08 09:00", timezone="America/New_York")
    riparian_instance.drop("air.weather", WEATHER)
    riparian_instance.drop("air.airlines", AIRLINES)
    return riparian_instance


def test_a_day_arrives_and_the_reports_follow(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=1), DAY)
    air.assert_plan({f"air.flights[{DAY}]": "air.flights_csv was updated"})
    ran = air.run()

    assert f"air.flights[{DAY}]" == ran[0]
    assert {"air.delays", "air.weather_delays", "air.summary", f"air.daily_report[{DAY}]"} < set(ran)
    assert {"days": 1, "flights": 20, "cancelled": 1} == {
        k: air.read("air.summary")[k] for k in ("days", "flights", "cancelled")
    }


def test_one_cancelled_flight_in_twenty_is_a_calm_day(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=1, late=3), DAY)
    air.run()

    assert {"road": "calm", "flights": 20, "cancelled": 1, "share": 0.05} == air.read("air.report", DAY)
    assert [120, 120, 120] == air.read("air.watchlist", DAY)["arr_delay"].to_pylist()


def test_two_are_a_storm_and_each_airport_is_looked_at(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=2), DAY)
    air.run()
    report, (run,) = air.read("air.report", DAY), air.runs("air.daily_report")

    assert ("storm", [7, 7, 6]) == (report["road"], [airport["flights"] for airport in report["airports"]])
    assert ("succeeded", "skipped") == (run.steps["storm_report"], run.steps["calm_report"])
    assert 2 == len(air.read("air.watchlist", DAY))


def test_a_corrected_delivery_changes_the_road(air: Instance):
    for cancelled in (2, 0):
        air.drop("air.flights_csv", flights(cancelled=cancelled), DAY)
        air.run()

    assert "calm" == air.read("air.report", DAY)["road"]
    assert 2 == len(air.runs("air.daily_report", DAY))


def test_a_day_that_was_cut_off_is_seen_by_nobody(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=1)[:2], DAY)
    with pytest.raises(RunFailed, match="all_airports"):
        air.run()

    air.assert_reason("air.report", "waiting_for_input", DAY)
    air.drop("air.flights_csv", flights(cancelled=1), DAY)
    air.run()
    assert "calm" == air.read("air.report", DAY)["road"]


def test_a_repeated_delivery_runs_nothing(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=1), DAY)
    air.run()
    air.drop("air.flights_csv", flights(cancelled=1), DAY)

    air.assert_plan([])
    assert [] == air.run()


def test_a_tightened_source_closes_every_report(air: Instance):
    air.person("ana", groups=["ops"])
    air.person("bob")
    air.drop("air.flights_csv", flights(cancelled=2), DAY)
    air.run()
    before = [air.may_read(who, "air.report") for who in ("ana", "bob")]
    air.set_policy("air.flights_csv", Policy(readers={"ops"}))

    assert [True, True] == before
    assert [True, False] == [air.may_read(who, "air.report") for who in ("ana", "bob")]
    assert [True, False] == [air.may_read(who, "air.summary") for who in ("ana", "bob")]
    assert [] == air.run()


def test_who_built_the_aircraft_is_as_closed_as_the_tail_numbers(air: Instance):
    keys = ("carrier", "flight", "origin", "sched_dep_time", "time_hour")
    tails = [{**{key: flight[key] for key in keys}, "tailnum": "N14228"} for flight in flights(cancelled=0)]
    air.drop("air.planes", [{"tailnum": "N14228", "manufacturer": "BOEING"}])
    air.drop("air.tails_csv", tails, DAY)
    air.drop("air.flights_csv", flights(cancelled=0), DAY)
    air.run()
    air.person("ana", groups=["ops"], clear=["pii"])
    air.person("eve", groups=["ops"])

    assert [("BOEING", 1, 20)] == [
        (r["manufacturer"], r["aircraft"], r["flights"]) for r in air.read("air.fleet").to_pylist()
    ]
    assert [True, False] == [air.may_read(who, "air.fleet") for who in ("ana", "eve")]


def test_the_letter_of_the_month_waits_for_the_first_of_it(air: Instance):
    air.drop("air.flights_csv", flights(cancelled=1), DAY)
    air.run()
    air.assert_reason("air.month", "waiting_for_tick")
    air.clock.set("2013-03-01 05:59", timezone="America/New_York")
    assert "air.month" not in air.run()
    air.clock.advance(minutes=1)

    assert "air.month" in air.run()
    assert "United Air Lines Inc." == air.read("air.month")["latest"]


def test_a_failed_report_is_made_when_its_day_comes_again(air: Instance):
    air.fail_next("counted", OSError("no space left on device"))
    air.drop("air.flights_csv", flights(cancelled=1), DAY)
    air.run()
    (failed,) = air.runs("air.daily_report")
    air.drop("air.flights_csv", flights(cancelled=2), DAY)
    air.run()

    assert ("failed", True) == (failed.state, "no space left" in str(failed.error))
    assert "storm" == air.read("air.report", DAY)["road"]
