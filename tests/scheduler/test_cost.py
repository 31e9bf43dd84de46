"""What happens often is answered by indexes, however much there is."""

from sqlalchemy import event, text

from riparian.assets.partitions import ByDimension, ByKey, Last, Offset, Overlapping, Product, Static
from riparian.assets.triggers import fresher_than, on_update

from .test_partitions import DAY, HOUR, MONTH, declare

REGION = Static("region", ["eu", "us"])

LARGE = (
    "head",
    "version",
    "consumed",
    "attempted",
    "reason",
    "run",
    "step",
    "attempt",
    "lineage",
    "file",
    "hold",
    "origins",
    "dynamic_key",
)


PARTIAL = {"uq_run_unfinished", "ix_step_open", "ix_step_ready"}
"""Indexes of what is under way: what is over, which is nearly all, must cost nothing."""


def test_no_statement_of_the_hot_path_reads_a_whole_table(plant):
    """Updates, runs, failures and requests over many partitions: every statement finds its rows by an index."""
    timed = on_update().debounce("1m") | fresher_than("1h").not_more_often_than("1h")
    plant.apply(
        {"b": ["a", "w"], "c": ["b"], "sum": ["c"], "late": ["c", "a"], "total": ["c"]},
        daily=("a", "b", "c", "late"),
        triggers={"late": timed, "total": timed},
    )
    plant.drop("w", "x")

    def work():
        for day in range(1, 6):
            plant.drop("a", f"d{day}", f"2020-01-0{day}")
        plant.settle()
        plant.drop("w", "y")
        (ingest,) = plant.take()
        plant.ask(plant.done(ingest))
        leases = plant.take(8)
        plant.ask(*[plant.failed(x) for x in leases[:2]], *[plant.done(x) for x in leases[2:]])
        plant.settle()

    seen = dict(_statements(plant, work))
    scans, used = _explained(plant, seen.items())
    assert [] == scans
    assert PARTIAL == used
    assert len(seen) > 40


def test_an_hour_among_a_million_costs_what_its_day_is(plant):
    """With years of hours, days and months, an update of one hour makes just as many statements as among a few, finds
    rows by an index, and reads no more heads than its own day and month have parts."""
    cuts = {"h": HOUR, "d": DAY, "m": MONTH, "x": HOUR, "last": None, "sum": None, "s": DAY}
    edges = {"d": ["h"], "m": ["d"], "x": ["h"], "last": ["h"], "s": ["d"]}
    mappings = {
        ("d", "h"): Overlapping(at_least=1),
        ("m", "d"): Overlapping(at_least=1),
        ("last", "h"): Last(),
        ("s", "d"): Offset(-1, 0),
    }
    declare(plant, edges, {k: c for k, c in cuts.items() if c}, mappings)
    plant.drop("h", "one", "2024-02-03T05Z")
    plant.settle()
    few = _statements(plant, lambda: (plant.drop("h", "two", "2024-02-03T05Z"), plant.settle()))
    for day in range(1, 29):
        for hour in range(0, 24, 6):
            plant.drop("h", "x", f"2024-01-{day:02}T{hour:02}Z")
    plant.settle()
    many = _statements(plant, lambda: (plant.drop("h", "three", "2024-02-03T05Z"), plant.settle()))

    assert [] == _explained(plant, many)[0]
    asked = [[s for s, _ in seen if s.startswith("SELECT")] for seen in (few, many)]
    assert sorted(asked[0]) == sorted(asked[1])
    assert 60 < len(asked[0])


def test_one_key_among_a_thousand_costs_what_it_touches(plant):
    """Of a product of days and a thousand regions, an update of one partition, one day or one region makes the
    statements that its own needs: as many of them where those are all as among many others."""
    regions = Static("region", [f"r{n:03}" for n in range(1000)])
    sales = Product(DAY, regions)
    cuts = {"a": sales, "r": regions, "b": sales, "c": Product(regions, DAY), "day": DAY, "of": regions, "own": sales}
    edges = {"b": ["a", "r"], "c": ["b"], "day": ["b"], "of": ["b"], "own": ["b", "own"]}
    declare(plant, edges, cuts, {("own", "own"): ByDimension(day=Offset(-1))})
    for region in ("r007", "r008"):
        plant.drop("r", "one", region)
    for n in (3, 4):
        plant.drop("a", "one", f"2024-02-{n:02},r007")
    plant.settle()

    def news(content):
        for source, partition in (("a", "2024-02-03,r007"), ("r", "r007")):
            plant.drop(source, content, partition)
            plant.settle()

    few = _statements(plant, lambda: news("two"))
    for n in range(8):
        plant.drop("r", "one", f"r{100 + n}")
        plant.drop("a", "one", f"2024-02-03,r{100 + n}")
        plant.drop("a", "one", f"2024-02-{1 + n % 2:02},r{300 + n}")
        plant.drop("a", "one", f"2024-02-04,r{500 + n}")
    plant.settle()
    many = _statements(plant, lambda: news("three"))

    assert [] == _explained(plant, many)[0]
    asked = [len([s for s, _ in seen if s.startswith("SELECT")]) for seen in (few, many)]
    # A leap or two for a day on which only others have anything, and for what lies between.
    assert asked[1] - asked[0] < 10
    assert 100 < asked[0]


def test_a_table_of_many_keys_is_read_once(plant):
    """What a table calls for is found by what there is of the input, not by a look for each key of the table."""
    shops, areas = Static("shop", [f"s{n:03}" for n in range(200)]), Static("area", ["north", "south"])
    table = ByDimension(area=("shop", ByKey({s: ["south" if s == "s199" else "north"] for s in shops.keys})))
    declare(plant, {"b": ["a", "w"]}, {"a": Product(DAY, areas), "b": Product(shops, DAY)}, {("b", "a"): table})
    for day in range(1, 11):
        plant.drop("a", "x", f"2024-01-{day:02},south")
    plant.settle()
    plant.drop("w", "x")
    ran = []
    seen = _statements(plant, lambda: ran.extend(plant.settle()))

    assert ["w", *(f"b[s199,2024-01-{day:02}]" for day in range(1, 11))] == ran
    assert 30 > len([s for s, _ in seen if s.startswith("SELECT head.partition")])


def test_what_waits_for_time_costs_one_look_for_many_keys(make_plant):
    """A region is told day by day where the day comes first; when they came is asked of all of them together."""
    counts = []
    for days in (5, 25):
        plant = make_plant()
        cuts = {"a": Product(DAY, REGION), "r": REGION}
        declare(plant, {"r": ["a"]}, cuts, triggers={"r": on_update().debounce("1m")})
        for day in range(1, days + 1):
            plant.drop("a", "x", f"2024-01-{day:02},us")
        plant.settle()
        plant.now += 60_000_000
        plant.plane.look()
        assert ["r[us]"] == plant.settle()
        plant.drop("a", "y", "2024-01-03,us")
        (ingest,) = plant.take()
        seen = _statements(plant, lambda plant=plant, ingest=ingest: plant.ask(plant.done(ingest)))
        counts.append(len([s for s, _ in seen if "version.head_seq" in s]))
    assert counts[0] == counts[1]
    assert [] == _explained(plant, seen)[0]


def _statements(plant, act):
    """Every statement that the writer performs meanwhile, with its parameters."""
    seen = []

    def note(conn, cursor, statement, parameters, context, executemany):
        seen.append((statement, parameters[0] if executemany else parameters))

    event.listen(plant.plane.db._writer, "before_cursor_execute", note)
    act()
    event.remove(plant.plane.db._writer, "before_cursor_execute", note)
    return seen


def _explained(plant, seen):
    """What reads a whole large table, and which of the partial indexes were used."""
    scans, used = [], set()

    def explain(tx):
        for statement, parameters in dict(seen).items():
            if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
                plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                scans.extend(
                    (row[3], statement) for row in plan if row[3].startswith("SCAN") and row[3].split()[1] in LARGE
                )
                used.update(index for row in plan for index in PARTIAL if index in row[3])

    plant.plane.db.write(explain)
    return scans, used


def test_an_idle_tick_is_two_looks(plant):
    """With nothing dirty and nothing due, the daemon's round reads two tables and writes nothing."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.settle()
    statements = []

    def note(conn, cursor, statement, parameters, context, executemany):
        statements.append(" ".join(statement.split()))

    def changes(tx):
        return tx.conn.execute(text("SELECT total_changes()")).scalar()

    before = plant.plane.db.write(changes)
    event.listen(plant.plane.db._writer, "before_cursor_execute", note)
    plant.plane.db.write(plant.plane._plan)
    event.remove(plant.plane.db._writer, "before_cursor_execute", note)

    assert before == plant.plane.db.write(changes)
    tables = [s for s in statements if " FROM " in s and "definition" not in s]
    assert ["timer", "dirty", "timer"] == [s.split(" FROM ")[1].split()[0] for s in tables]
    assert len(tables) + 1 == len([s for s in statements if " FROM " in s])


def test_what_does_not_run_costs_no_statements_of_its_own(make_plant):
    """A chain that waits for its first input is decided on together, however many steps lie below one another."""
    counts = []
    for length in (10, 100):
        plant = make_plant()
        statements = []
        event.listen(plant.plane.db._writer, "before_cursor_execute", lambda *seen, to=statements: to.append(seen[2]))
        plant.apply({f"b{n}": [f"b{n - 1}" if n else "a"] for n in range(length)})
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_what_lies_below_a_planned_run_is_looked_at_after_it(plant):
    """Marks of several depths that are decided on together leave the same runs as one depth after the other would."""
    plant.apply({"b": ["a"], "c": ["b"], "d": ["c", "a"]})
    plant.drop("a", "one")
    plant.settle()
    plant.drop("a", "two")
    plant.ask(plant.done(*plant.take()))
    # ``d`` was marked by the same update as ``b``, and waits for what that sets going.
    assert plant.why("d") == "waiting_for"
    assert ["b", "c", "d"] == plant.settle()


def test_what_waits_for_time_costs_one_look_each(make_plant):
    """An update that many partitions wait out costs a look at the last run of each of them, and all else once."""
    counts = []
    for days in (5, 25):
        plant = make_plant()
        timed = on_update().debounce("1m") | fresher_than("1h").not_more_often_than("1h")
        plant.apply({"late": ["a", "w"]}, daily=("a", "late"), triggers={"late": timed})
        plant.drop("w", "x")
        for day in range(1, days + 1):
            plant.drop("a", f"d{day}", f"2020-01-{day:02}")
        plant.settle()
        plant.now += 60_000_000
        plant.plane.look()
        assert days == len([run for run in plant.settle() if run.startswith("late")])
        plant.drop("w", "y")
        (ingest,) = plant.take()
        seen = _statements(plant, lambda plant=plant, ingest=ingest: plant.ask(plant.done(ingest)))
        counts.append(len([s for s, _ in seen if s.startswith("SELECT")]))
    assert 20 == counts[1] - counts[0]
