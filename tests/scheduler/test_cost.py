"""What happens often is answered by indexes, however much there is."""

from sqlalchemy import event, text

from riparian.assets.triggers import fresher_than, on_update

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
)


PARTIAL = {"uq_run_unfinished", "ix_step_open", "ix_step_ready"}
"""Indexes of what is under way: what is over, which is nearly all, must cost nothing."""


def test_no_statement_of_the_hot_path_reads_a_whole_table(plant):
    """Updates, runs, failures and requests over many partitions: every statement finds its rows by an index."""
    seen = {}

    def note(conn, cursor, statement, parameters, context, executemany):
        seen.setdefault(statement, parameters[0] if executemany else parameters)

    timed = on_update().debounce("1m") | fresher_than("1h").not_more_often_than("1h")
    plant.apply(
        {"b": ["a", "w"], "c": ["b"], "sum": ["c"], "late": ["c", "a"], "total": ["c"]},
        daily=("a", "b", "c", "late"),
        triggers={"late": timed, "total": timed},
    )
    plant.drop("w", "x")
    event.listen(plant.plane.db._writer, "before_cursor_execute", note)
    for day in range(1, 6):
        plant.drop("a", f"d{day}", f"2020-01-0{day}")
    plant.settle()
    plant.drop("w", "y")
    (ingest,) = plant.take()
    plant.ask(plant.done(ingest))
    leases = plant.take(8)
    plant.ask(*[plant.failed(x) for x in leases[:2]], *[plant.done(x) for x in leases[2:]])
    plant.settle()
    event.remove(plant.plane.db._writer, "before_cursor_execute", note)

    scans = []
    used = set()

    def explain(tx):
        for statement, parameters in seen.items():
            if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
                plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                scans.extend(
                    (row[3], statement) for row in plan if row[3].startswith("SCAN") and row[3].split()[1] in LARGE
                )
                used.update(index for row in plan for index in PARTIAL if index in row[3])

    plant.plane.db.write(explain)
    assert [] == scans
    assert PARTIAL == used
    assert len(seen) > 40


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
