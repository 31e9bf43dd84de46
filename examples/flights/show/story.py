"""What is told? One winter's fortnight, step by step; every step checks that what it tells is so."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from show.asking import FINISHED, People, Person, until_done
from show.deliveries import REFERENCE, Airline, by_carrier
from show.screen import Justify, Row, Screen
from show.server import Failed, Running

DAILY = ("air.flights_csv", "air.tails_csv", "air.flights", "air.daily_report")
REPORTS = ("air.delays", "air.fleet", "air.summary")
MORE_REPORTS = ("air.weather_delays", "air.destinations", "air.spot_check")
ALL_REPORTS = (*REPORTS, *MORE_REPORTS)
OF_A_DAY = ("air.report", "air.watchlist")
"""What air.daily_report makes."""

OPEN_REPORTS = (*(key for key in ALL_REPORTS if key != "air.fleet"), *OF_A_DAY)
BY_CLOCK = ("air.bulletin",)
"""What may run at any moment of the story, whatever is told."""

SOURCES = tuple(f"air.{name}" for name in REFERENCE)
STRAY = "flights_feb_14.csv"


@dataclass(slots=True)
class Story:
    """The story over one running server. ``days`` lists what was delivered so far, ``seconds`` how long a delivered
    day took until the last report that follows from it was there; ``since`` is when the story began."""

    screen: Screen
    airline: Airline
    server: Running
    people: People
    days: list[date] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    since: float = field(default_factory=time.time)

    # Deliveries.

    def backlog(self, days: Sequence[date], since: float) -> None:
        """The files that lay there before the start."""
        awaited = {(key, str(day)) for day in days for key in DAILY} | {(key, "") for key in (*SOURCES, *ALL_REPORTS)}
        runs = self._follow("", awaited)
        self.days.extend(days)
        made = [asset for run in runs if run["state"] == "succeeded" for asset in run["makes"]]
        self.screen.say(
            f"`riparian dev` found {2 * len(days) + len(SOURCES)} files waiting, took them in and made ",
            (f"{len(made)} versions of {len(set(made))} assets", "bold"),
            f" in {time.monotonic() - since:.1f} s, its own start included.",
        )

    def fortnight(self, days: Sequence[date], *, incomplete: date, repeated: date) -> None:
        """The days that come one by one, then a correction, a repetition and a stray file, on one board."""
        shown = (*DAILY, *REPORTS, *MORE_REPORTS) if self.screen.is_wide else (*DAILY, *REPORTS)
        with self.screen.board(shown) as board:
            for day in days:
                is_short = day == incomplete
                row = board.add(f"{short(day)}{', incomplete' if is_short else ''}")
                before = self.people.ana.last_run()
                dropped = time.time()
                self.airline.deliver(day, without_cancelled=is_short)
                self._day(row, before, dropped, day, board.refresh)
                board.done(row)
                self.days.append(day)

            row = board.add(f"{short(incomplete)}, corrected")
            before, dropped = self.people.ana.last_run(), time.time()
            self.airline.deliver(incomplete)
            self._day(row, before, dropped, incomplete, board.refresh)
            board.done(row)

            row = board.add(f"{short(repeated)}, once more")
            before, dropped = self.people.ana.last_run(), time.time()
            self.airline.deliver_flights(repeated, self.airline.flights_of(repeated))
            self._repetition(row, before, dropped, repeated, shown)
            board.done(row)

            row = board.add(STRAY)
            before = self.people.ana.last_run()
            self.airline.put(STRAY, self.airline.flights_of(repeated))
            reason = self._stray()
            self._expect_runs(before, set(), "the stray file")
            row.cells = dict.fromkeys(shown, "–") | {"air.flights_csv": "?"}
            board.done(row)
        self._told(incomplete, repeated, reason)

    def _day(self, row: Row, before: str, dropped: float, day: date, refresh: Any) -> None:
        awaited = {(key, str(day)) for key in DAILY} | {(key, "") for key in ALL_REPORTS}
        runs = self._follow(before, awaited, row, dropped, refresh)
        self.seconds.append(max(_after(r, dropped) for r in runs if r["workflow"] in (*DAILY, *ALL_REPORTS)))

    def _repetition(self, row: Row, before: str, dropped: float, day: date, shown: Iterable[str]) -> None:
        self._follow(before, {("air.flights_csv", str(day))})
        self._expect_runs(before, {"air.flights_csv"}, "an unchanged file")
        newest, older = self.people.ana.get("assets/air.flights_csv/versions", partition=str(day), limit=2)["items"]
        expect(newest["digest"] == older["digest"], "the repeated file has another digest", self.server)
        row.cells = dict.fromkeys(shown, "–") | {"air.flights_csv": "same"}

    def _expect_runs(self, before: str, expected: set[str], what: str) -> None:
        started = {run["workflow"] for run in self.people.ana.runs_since(before)} - set(BY_CLOCK)
        expect(started == expected, f"{what} made {sorted(started)} run", self.server)

    def _stray(self) -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for file in self.people.ana.get("files", state="unmatched")["items"]:
                if file["path"].endswith(STRAY):
                    return str(file["reason"])
            time.sleep(0.05)
        raise Failed(f"{STRAY} was not told as unmatched within 20 s; see {self.server.log}")

    def _follow(
        self,
        before: str,
        awaited: set[tuple[str, str]],
        row: Row | None = None,
        dropped: float = 0.0,
        refresh: Any = None,
    ) -> list[dict[str, Any]]:
        """Returns the runs that followed, once all are done; fills the row's cells meanwhile."""
        runs: list[dict[str, Any]] = []
        for runs in until_done(self.people.ana, before, awaited, self.server.log):
            if row is None:
                continue
            for run in reversed(runs):  # the newest comes first, and is what a cell shows
                if run["state"] == "succeeded":
                    row.cells[run["workflow"]] = f"{_after(run, dropped):.2f}"
                elif run["state"] not in FINISHED:
                    row.cells[run["workflow"]] = "…"
            refresh()
        return runs

    def _told(self, incomplete: date, repeated: date, reason: str) -> None:
        rows = [
            v["rows"]
            for v in self.people.bob.get("assets/air.flights/versions", partition=str(incomplete), limit=5)["items"]
        ]
        flights = self.airline.flights_of(incomplete)
        expect(
            rows == [len(flights), flights["dep_time"].drop_null().length()],
            f"air.flights has {rows} rows",
            self.server,
        )
        why = self.people.bob.get("assets/air.flights/why", partition=str(repeated))
        self.screen.say("Seconds from the drop to the new version; – stands for nothing to do.")
        self.screen.notes(
            [
                (
                    f"{short(incomplete)}, corrected",
                    f"The first file had left out what the snow cancelled. The second replaced it: {rows[1]} flights "
                    f"became {rows[0]}, and what had followed from the first was made anew.",
                ),
                (
                    f"{short(repeated)}, once more",
                    f"A new version of the source, and nothing starts. Noted for air.flights: {why['noted']}.",
                ),
                (STRAY, f"Not lost in silence: {reason}."),
            ]
        )

    # Questions.

    def report(self) -> None:
        """The report, asked for by bob, beside what the raw data says."""
        rows = self.people.bob.table("air.delays")
        expected = by_carrier(self.airline.flights, self.days)
        found = {row["carrier"]: (row["flights"], row["cancelled"]) for row in rows}
        expect(found == expected, f"air.delays says {found}, the raw data {expected}", self.server)
        columns: list[tuple[str, Justify]] = [("", "left"), ("airline", "left"), ("flights", "right")]
        self.screen.table(
            [*columns, ("cancelled", "right"), ("leaving", "right"), ("arriving", "right")],
            [
                (r["carrier"], r["name"], f"{r['flights']:,}", str(r["cancelled"]), *_minutes(r))
                for r in sorted(rows, key=lambda r: -r["flights"])
            ],
        )
        days = f"{short(self.days[0])} to {short(self.days[-1])}"
        self.screen.say(
            f"The last two: mean minutes late, {days} 2013. Counted once more in the raw data, outside Riparian: the "
            "same flights and cancellations for every airline."
        )

    def lineage(self, day: date) -> None:
        """The report's versions, down to the files."""
        body = self.people.bob.get("assets/air.summary/lineage", level="version", direction="up", up=10, limit=500)
        nodes = {n["id"]: n for n in body["nodes"]}
        expect(
            not body["truncated"] and len(body["roots"]) == 1, "the lineage of air.summary is cut short", self.server
        )
        deliveries = self.people.bob.get("assets/air.flights_csv/versions", partition=str(day))["items"]
        used = [n["id"] for n in nodes.values() if (n["key"], n["partition"]) == ("air.flights_csv", str(day))]
        first, file = deliveries[-1]["id"], f"drop/flights_{day}.csv"
        expect(
            len(used) == 1 and used != [first] and nodes[used[0]]["file"] == file,
            f"the lineage of air.summary names {used} and not the corrected file of {day}",
            self.server,
        )
        tree = Tree(_node(nodes[body["roots"][0]]), guide_style="dim")
        parents: dict[str, list[dict[str, Any]]] = {}
        for edge in body["edges"]:
            parents.setdefault(edge["to"], []).append(nodes[edge["from"]])
        _grow(tree, body["roots"][0], parents, str(day), set())
        self.screen.tree(tree)
        self.screen.say(
            f"{used[0][-6:]} is the corrected file of {short(day)}. The first one, {first[-6:]}, is kept; this report "
            "rests on it no more."
        )

    def rights(self) -> None:
        """Who may read what and why."""
        ana, bob = self.people.ana, self.people.bob
        rows: list[Sequence[str | Text]] = []
        for key in ("air.flights_csv", "air.tails_csv", "air.flights", *OF_A_DAY, *ALL_REPORTS):
            said = ana.get(f"assets/{key}/policy")
            to_bob = bob.ask(f"assets/{key}/policy")
            restricting = [o["origin"] for o in said["origins"] if o["policy"]["readers"] or o["policy"]["tags"]]
            may = [said["readable"], to_bob.status == 200 and to_bob.body["readable"]]
            expect(may == [True, not restricting], f"{key} is readable to ana, bob: {may}", self.server)
            rows.append((key, *(_mark(yes) for yes in may), _because(key, restricting, said["effective"])))
        self.screen.table([("", "left"), ("ana", "center"), ("bob", "center"), ("because", "left")], rows)

    def refusal(self) -> None:
        """The same question, three answers."""
        question = "GET /api/v1/assets/air.fleet/data"
        fleet = self.people.ana.data("air.fleet")
        expect(fleet.status == 200, f"ana may not read air.fleet: {fleet.detail}", self.server)
        first = dict(zip(fleet.body["columns"], fleet.body["rows"][0], strict=True))
        cited = ", ".join(f"{name} {value}" for name, value in first.items())
        self.screen.exchange("ana", question, 200, f"{fleet.body['total_rows']} rows; the first: {cited}")
        for person, status, name in ((self.people.me, 403, "me"), (self.people.bob, 404, "bob")):
            refused = person.data("air.fleet")
            expect(refused.status == status, f"{name} got {refused.status} for air.fleet", self.server)
            self.screen.exchange(name, question, refused.status, refused.detail)
        nodes = self.people.bob.get("assets/air.planes/lineage", direction="down")["nodes"]
        hidden = [node["id"] for node in nodes if node["restricted"]]
        named = [node["id"] for node in nodes if not node["restricted"]]
        expect((len(hidden), named) == (1, ["air.planes"]), f"bob sees {nodes} below air.planes", self.server)
        self.screen.say(
            "me owns the pipeline and still may not read: owning is not reading. To bob, what is closed and what "
            f"does not exist are the same; in the lineage of air.planes he sees that something follows, as {hidden[0]}."
        )

    def tightening(self) -> None:
        """A source is closed: what was made from it is closed on the very next request, and open again after."""
        me, bob, ana = self.people.me, self.people.bob, self.people.ana
        path, question = "assets/air.flights_csv/policy", "GET /api/v1/assets/air.delays/data"
        before = ana.last_run()
        run = "runs/" + ana.get("runs", workflow="air.daily_report", limit=1)["items"][0]["id"]
        expect(bob.ask(run).status == 200, f"bob may not see {run}", self.server)
        self._bob_reads(bob, question)
        me.put(path, {"readers": [["ops"]]})
        refused = bob.data("air.delays")
        expect(refused.status == 404, f"after the tightening bob got {refused.status} for air.delays", self.server)
        self.screen.exchange(
            "me", 'PUT /api/v1/assets/air.flights_csv/policy  {"readers": [["ops"]]}', 200, "restricted"
        )
        self.screen.exchange("bob", f"{question}  (the very next request)", refused.status, refused.detail)
        closed = [key for key in OPEN_REPORTS if bob.data(key).status == 404]
        expect(closed == list(OPEN_REPORTS), f"only {closed} were closed to bob", self.server)
        expect(bob.ask(run).status == 404, f"{run} was not closed to bob", self.server)
        expect(ana.data("air.delays").status == 200, "ana may not read air.delays any more", self.server)
        me.put(path, None)
        self.screen.exchange("me", "PUT /api/v1/assets/air.flights_csv/policy  null", 200, "as declared again")
        self._bob_reads(bob, question)
        self._expect_runs(before, set(), "a change of a policy")
        self.screen.say(
            f"In between all {len(OPEN_REPORTS)} open reports were closed to bob and open to ana, and so were the runs "
            "with what their steps had said. No run was started and no data rewritten: who may read is resolved from "
            "the sources' policies when somebody asks."
        )

    def _bob_reads(self, bob: Person, question: str) -> None:
        answer = bob.data("air.delays")
        expect(answer.status == 200, f"bob may not read air.delays: {answer.detail}", self.server)
        words = f"{answer.body['total_rows']} rows, in {answer.milliseconds:.0f} ms"
        self.screen.exchange("bob", question, answer.status, words)

    def timing(self, total: float) -> None:
        self.screen.say(
            f"From the drop of a day to the last of its {len(ALL_REPORTS) + len(OF_A_DAY)} reports: ",
            (f"{statistics.median(self.seconds):.2f} s", "bold"),
            f" (median of {len(self.seconds)}; {min(self.seconds):.2f} to {max(self.seconds):.2f}). "
            f"The whole demonstration: {total:.0f} s.",
        )


def expect(holds: bool, otherwise: str, server: Running) -> None:
    """Raises Failed unless what is told is so."""
    if not holds:
        raise Failed(f"{otherwise}; see {server.log}")


def _after(run: dict[str, Any], dropped: float) -> float:
    return datetime.fromisoformat(run["ended_at"]).timestamp() - dropped


def short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _minutes(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{row[name]:.1f}" for name in ("dep_delay", "arr_delay"))


def _mark(may: bool) -> Text:
    return Text("reads", style="green") if may else Text("–", style="red")


def _because(key: str, restricting: list[str], effective: dict[str, Any]) -> str:
    if not restricting:
        return "everything it was made from is open"
    groups = ", ".join(group for clause in effective["readers"] for group in clause)
    rule = f"only {groups}, cleared for {', '.join(effective['tags'])}"
    return rule if restricting == [key] else f"made from {', '.join(restricting)}: {rule}"


def _node(node: dict[str, Any]) -> Text:
    name = node["key"] + (f"[{node['partition']}]" if node["partition"] else "")
    file = (f" ← {node['file']}", "bold") if node["file"] else ""
    return Text.assemble(name, (f" {node['version'][-6:]}", "dim"), file)


def _grow(tree: Tree, node: str, parents: dict[str, list[dict[str, Any]]], day: str, shown: set[str]) -> None:
    """Adds what the node was made from. Of many days one is followed to its file; what stands above is not repeated."""
    above = sorted(parents.get(node, ()), key=lambda n: (bool(n["partition"]), n["key"]))
    days = [n for n in above if n["partition"]]
    for parent in above:
        if parent in days and len(days) > 1 and parent["partition"] != day:
            continue
        again = parent["id"] in shown
        shown.add(parent["id"])
        others = f" and {len(days) - 1} other days" if parent in days and len(days) > 1 else ""
        branch = tree.add(_node(parent).append(others, style="dim").append(" (above)" if again else "", style="dim"))
        if not again:
            _grow(branch, parent["id"], parents, day, shown)
