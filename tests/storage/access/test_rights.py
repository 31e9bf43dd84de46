"""The right to read flows downstream with the data: at every door, at every instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from riparian.assets.errors import Invalid, NotFound, Refused
from riparian.assets.partitions import Daily
from riparian.assets.policy import ALL, Policy, Principal
from riparian.assets.triggers import on_update
from riparian.scheduler import principals
from riparian.storage.access import View

if TYPE_CHECKING:
    from conftest import World

ME = Principal(name="me", groups=frozenset({"owners"}))
OWNER = Principal(name="olga")
OPS = Principal(name="ana", groups=frozenset({"ops"}), clearances=frozenset({"pii"}))
STRANGER = Principal(name="bob")

DOORS: dict[str, Callable[[View, str], Any]] = {
    "asset": lambda v, key: v.asset(key),
    "versions": lambda v, key: v.versions(key),
    "lineage": lambda v, key: v.lineage(key),
    "version lineage": lambda v, key: v.lineage(key, level="version"),
    "policy": lambda v, key: v.policy(key),
    "why": lambda v, key: v.why(key),
    "runs of an asset": lambda v, key: v.runs(asset=key),
    "runs of a workflow": lambda v, key: v.runs(workflow=key),
    "files": lambda v, key: v.files(source=key),
    "preview": lambda v, key: v.preview(key),
    "download": lambda v, key: v.download(key),
}
BY_ID: dict[str, Callable[[View, str], Any]] = {
    "version": lambda v, n: v.version(f"v{n}"),
    "run": lambda v, n: v.run(f"r{n}"),
    "logs": lambda v, n: b"".join(v.logs(f"r{n}")),
    "lineage of a version": lambda v, n: v.lineage("air.open", version=f"v{n}", level="version"),
}


def answer(call: Callable[[], Any]) -> str:
    with pytest.raises(NotFound) as told:
        call()
    return str(told.value)


def keys(view: View) -> list[str]:
    return [a["key"] for a in view.assets().items]


@pytest.mark.parametrize("door", DOORS)
def test_hidden_and_missing_assets_get_the_same_words(river: World, door: str) -> None:
    """At no door can a stranger tell an asset that is hidden from one that does not exist."""
    river.declare(river.made("air.open"))
    hidden = answer(lambda: DOORS[door](river.view(STRANGER), "air.report"))
    river.declare(river.made("air.opens"))

    missing = answer(lambda: DOORS[door](river.view(STRANGER), "air.reporx"))

    assert hidden.replace("air.report", "X") == missing.replace("air.reporx", "X")


@pytest.mark.parametrize("door", BY_ID)
def test_hidden_and_missing_ids_get_the_same_words(river: World, door: str) -> None:
    """The id of a hidden run or version is as unknown as an invented one."""
    river.declare(river.made("air.open"))

    hidden = answer(lambda: BY_ID[door](river.view(STRANGER), "0003"))
    missing = answer(lambda: BY_ID[door](river.view(STRANGER), "9999"))

    assert hidden.replace("0003", "X") == missing.replace("9999", "X")


def test_lists_and_suggestions_hold_only_what_the_reader_may_see(river: World) -> None:
    """A list leaves hidden rows out, and "did you mean" never names one."""
    river.declare(river.made("air.open"))
    view = river.view(STRANGER)

    assert ["air.open"] == keys(view)
    assert [] == view.runs().items
    assert "did you mean" not in answer(lambda: view.asset("air.repor"))
    assert "did you mean 'air.open'" in answer(lambda: view.asset("air.opem"))


def test_a_reader_of_all_origins_reads_what_was_made_from_them(river: World) -> None:
    """Who is in the group and has the clearance reads data, logs and lineage downstream."""
    view = river.view(OPS)

    assert ["air.drop", "air.flights", "air.report"] == keys(view)
    assert b'{"n": 1}' == b"".join(view.download("air.report").chunks)
    assert b"report log" == b"".join(view.logs("r0003"))


@pytest.mark.parametrize("reader", [replace(OPS, clearances=frozenset()), replace(OPS, groups=frozenset())])
def test_every_dimension_of_an_origin_binds(river: World, reader: Principal) -> None:
    """Without the tag's clearance, or without the group, the derived data does not exist for the reader."""
    with pytest.raises(NotFound):
        river.view(reader).download("air.report")


def test_tightening_a_source_restricts_what_was_made_before_at_once(river: World) -> None:
    """The very next call at every door follows the source's new policy, though no row of the derived data changed."""
    view = river.view(OPS)
    assert "report log" == b"".join(view.logs("r0003")).decode()

    river.overlay("air.drop", Policy(readers={"legal"}))

    for door in (view.download, view.preview, view.asset, view.lineage):
        with pytest.raises(NotFound):
            door("air.report")
    for door in (view.run, view.logs):
        with pytest.raises(NotFound):
            door("r0003")
    assert [] == view.runs().items
    assert [] == keys(view)


def test_an_error_text_is_as_closed_as_the_data(river: World) -> None:
    """A failed run's error and parameters are for readers only; the owner of what it makes sees that it failed."""
    river.commit("air.report", inputs=[("air.flights", "", "")], carries=["air.drop"], error="bad row: Ana")

    as_reader = river.view(OPS).run("r0004")
    as_owner = river.view(OWNER).run("r0004")

    assert ("bad row: Ana", {"secret": 7}) == (as_reader["error"], as_reader["params"])
    assert ("failed", None, None) == (as_owner["state"], as_owner["error"], as_owner["params"])
    assert "bad row: Ana" == as_reader["steps"][0]["attempts"][0]["error"]
    assert None is as_owner["steps"][0]["attempts"][0]["error"]


def test_an_owner_without_the_right_to_read_sees_that_it_is_but_not_what_it_is(river: World) -> None:
    """Name, status, policy and runs; no data, preview, schema, digest or log."""
    view = river.view(OWNER)

    seen = view.asset("air.report")
    version = view.version("v0003")

    assert ("present", False, None, 0) == (seen["status"], seen["readable"], seen["schema"], seen["heads"])
    assert [None] * 4 == [version[k] for k in ("digest", "bytes", "rows", "schema")]
    for door in (view.preview, view.download):
        with pytest.raises(Refused, match=r"air\.report carries air\.drop: only ops may read; needs clearance for pii"):
            door("air.report")
    with pytest.raises(Refused, match="only ops may read"):
        view.logs("r0003")


def test_a_refusal_does_not_name_origins_that_are_hidden(river: World) -> None:
    """An owner of the result who may not know of the source hears that there is one, and no more."""
    river.db.write(lambda tx: tx.conn.exec_driver_sql("UPDATE asset SET owner = 'user:dora' WHERE key = 'air.report'"))
    river.overlay("air.report", None)

    with pytest.raises(Refused) as told:
        river.view(Principal(name="dora")).download("air.report")

    assert "an origin that is not yours to see does not admit you" in str(told.value)
    assert "air.drop" not in str(told.value)
    assert "ops" not in str(told.value)


def test_a_source_without_a_policy_is_its_owners(world: World) -> None:
    """Also what is made from it; an asset without a policy adds nothing."""
    world.declare(world.source("air.raw"), world.made("air.clean"), air__clean=["air.raw"])
    world.commit("air.raw")
    world.commit("air.clean", inputs=[("air.raw", "", "")])

    assert ["air.clean", "air.raw"] == keys(world.view(OWNER))
    assert 8 == world.view(OWNER).download("air.clean").size
    assert [] == keys(world.view(OPS))


def test_all_is_everyone_and_empty_is_nobody(world: World) -> None:
    """ALL admits every principal, the empty set none, not even the owner."""
    world.declare(world.source("air.all", Policy(readers=ALL)), world.source("air.none", Policy(readers=())))
    world.commit("air.all")
    world.commit("air.none")

    assert 8 == world.view(STRANGER).download("air.all").size
    with pytest.raises(Refused, match="nobody may read"):
        world.view(OWNER).download("air.none")
    assert ["air.all"] == keys(world.view(STRANGER))


def test_a_policy_expires_by_the_clock_alone(world: World) -> None:
    """At the instant named, and without any change of a row, nobody reads any more."""
    end = datetime.fromtimestamp(world.now / 1_000_000, UTC) + timedelta(hours=1)
    world.declare(world.source("air.raw", Policy(expires=end)), world.made("air.clean"), air__clean=["air.raw"])
    world.commit("air.raw")
    world.commit("air.clean", inputs=[("air.raw", "", "")])
    world.now += 3_600_000_000 - 1
    assert ["air.clean", "air.raw"] == keys(world.view(STRANGER))

    world.now += 1

    assert [] == keys(world.view(STRANGER))


def test_a_source_that_is_no_longer_declared_closes_to_its_owner(river: World) -> None:
    """Deleting a source restricts everything that came from it; declaring it again gives back what was."""
    spec = river.specs["air.drop"]
    river.withdraw("air.drop")

    with pytest.raises(NotFound):
        river.view(OPS).download("air.report")
    olga = replace(OPS, name="olga")
    assert 8 == river.view(olga).download("air.report").size

    river.declare(spec, air__flights=["air.drop"])

    assert 8 == river.view(OPS).download("air.report").size


def test_an_origin_that_nobody_knows_admits_nobody(world: World) -> None:
    """A version whose origin has no row is closed: what can not be judged is not open."""
    world.declare(world.made("air.x"))
    world.commit("air.x", carries=["air.lost"])

    with pytest.raises(Refused, match="does not admit"):
        world.view(OWNER).download("air.x")
    with pytest.raises(NotFound):
        world.view(STRANGER).download("air.x")


def test_versions_carry_the_right_and_not_their_names(river: World) -> None:
    """A rewired asset's new head is as open as what it is made of now; its old versions stay as closed as they were."""
    river.declare(river.source("air.free", Policy()), air__report=["air.free"])
    river.commit("air.free")
    river.commit("air.report", inputs=[("air.free", "", "")])
    view = river.view(STRANGER)

    assert 8 == view.download("air.report").size
    assert ["v0005"] == [v["id"] for v in view.versions("air.report").items]
    with pytest.raises(NotFound):
        view.version("v0003")
    with pytest.raises(NotFound):
        view.run("r0003")


def test_dropping_an_output_from_the_code_opens_no_old_log(world: World) -> None:
    """A run's logs stay as closed as what it was to make by the declarations of its own time."""
    world.declare(world.made("air.secret", Policy(readers={"ops"}), None), world.source("air.free", Policy()))
    world.links["air.secret"] = ("air.free",)
    world.apply("user:olga")
    world.commit("air.secret", inputs=[("air.free", "", "")], log=b"numbers")
    world.withdraw("air.secret")

    with pytest.raises(NotFound):
        world.view(STRANGER).logs("r0001")


def test_without_a_version_the_declared_ancestors_bound_who_sees_it(world: World) -> None:
    """Before the first run an asset is visible to who may read all that it will be made from, triggers included."""
    world.triggers["air.b"] = on_update("air.raw")
    world.declare(world.source("air.raw", Policy(readers={"ops"})), world.source("air.free", Policy()))
    world.declare(world.made("air.a"), world.made("air.b"), air__a=["air.raw"], air__b=["air.free"])

    assert ["air.a", "air.b", "air.free", "air.raw"] == keys(world.view(OPS))
    assert ["air.free"] == keys(world.view(STRANGER))


def test_opens_and_denials_of_data_are_written_down(river: World) -> None:
    """Who opened what, and who was refused what, for whom."""
    b"".join(river.view(OPS).download("air.report").chunks)
    with pytest.raises(NotFound):
        river.view(STRANGER).preview("air.report")

    assert [("ana", "open", "air.report", True), ("bob", "open", "air.report", False)] == river.audited()


def test_pages_do_not_tell_how_much_is_hidden(world: World) -> None:
    """The next cursor is there only when something visible follows, and names only what was shown."""
    closed = Policy(readers={"ops"})
    world.declare(*(world.source(f"air.s{n:03}", closed if n % 7 else Policy()) for n in range(300)))
    view = world.view(STRANGER)

    first = view.assets(limit=42)
    rest = view.assets(cursor=first.next, limit=42)
    whole = view.assets(limit=43)

    assert [f"air.s{n:03}" for n in range(0, 300, 7)] == [a["key"] for a in (*first.items, *rest.items)]
    assert (None, None) == (rest.next, whole.next)


def test_the_policy_of_an_asset_is_told_in_words(river: World) -> None:
    """Each origin with its policy, a verdict in words, and to the owner who passes."""
    for name, groups, clear in (("ana", ["ops"], ["pii"]), ("bob", [], [])):
        principals.create_token(river.db, name, groups=groups, clearances=clear, by=ME)

    as_owner = river.view(OWNER).policy("air.report")
    as_reader = river.view(OPS).policy("air.report")

    assert ["air.report", "air.drop", "air.flights"] == [o["origin"] for o in as_owner["origins"]]
    assert "you may not read it: air.drop: only ops may read; needs clearance for pii" == as_owner["words"]
    assert ["ana"] == as_owner["readers"]
    assert ("you may read it: every origin admits you", None) == (as_reader["words"], as_reader["readers"])


def test_files_of_hidden_sources_are_hidden_and_reasons_are_for_readers(world: World) -> None:
    """The ledger shows an owner the file, and its contents as quoted in the reason only to readers."""
    world.declare(world.source("air.raw", Policy(readers={"ops"})))
    world.add_file("air.raw", "drop/a.json", 1)

    assert [] == world.view(STRANGER).files().items
    assert [("drop/a.json", "")] == [(f["path"], f["reason"]) for f in world.view(OWNER).files().items]
    assert ["line 3 says 'Ana'"] == [f["reason"] for f in world.view(OPS).files().items]


def test_definitions_are_listed_where_something_of_them_is_visible(river: World) -> None:
    """A project of which all is hidden is not named."""
    assert ["air"] == [d["project"] for d in river.view(OPS).definitions()]
    assert [] == river.view(STRANGER).definitions()


def test_a_run_tells_its_cause_pins_and_outputs(river: World) -> None:
    """Cause in words, the exact version behind each pin, and what came out."""
    run = river.view(OPS).run("r0003")

    assert ("air.flights was updated", 1.5) == (run["cause"], run["seconds"])
    assert [("air.flights", "v0002")] == [(p["asset"], p["version"]) for p in run["pins"]]
    assert ["v0003"] == [v["id"] for v in run["outputs"]]


def test_logs_are_read_from_an_offset(river: World) -> None:
    """Reading on from where the last answer ended gives the rest."""
    assert b"log" == b"".join(river.view(OPS).logs("r0003", offset=7))
    assert b"" == b"".join(river.view(OPS).logs("r0003", offset=10))


def test_why_says_what_the_planner_says_and_names_nothing_hidden(world: World) -> None:
    """A reader hears which input is missing; an owner who may not know of that input hears that there is one."""
    world.declare(world.source("air.raw", Policy(readers={"ops"})), owner="user:rita")
    world.declare(world.made("air.clean"), air__clean=["air.raw"])

    as_reader = world.view(OPS).why("air.clean")
    as_owner = world.view(OWNER).why("air.clean")

    assert "waiting for a first version of air.raw" == as_reader["words"]
    assert "waiting for a first version of a restricted asset" == as_owner["words"]
    assert "source" == world.view(OPS).why("air.raw")["code"]


def test_a_neighbour_that_is_hidden_has_no_name(world: World) -> None:
    """The owner of an asset does not learn the names of what it is made from through the asset's page."""
    world.declare(world.source("air.raw", Policy(readers={"ops"})), owner="user:rita")
    world.declare(world.made("air.clean"), air__clean=["air.raw"])

    seen = world.view(OWNER).asset("air.clean")

    assert [True] == [n["restricted"] for n in seen["consumes"]]
    assert "air.raw" not in str(seen)


def test_each_partition_is_judged_by_its_own_origins(world: World) -> None:
    """One day may be open and the next closed: the asset shows, the closed day's data does not."""
    days = Daily("day", "2024-01-01")
    world.declare(world.source("air.day", Policy(), days), world.source("air.extra", Policy(readers={"ops"})))
    world.commit("air.day", "2024-01-01")
    world.commit("air.day", "2024-01-02", carries=["air.extra"])
    view = world.view(STRANGER)

    assert 1 == view.asset("air.day")["heads"]
    assert ["2024-01-01"] == [v["partition"] for v in view.versions("air.day").items]
    assert "air.day-2024-01-01.json" == view.download("air.day", "2024-01-01").filename
    with pytest.raises(Refused, match=r"air\.day carries an origin that is not yours to see"):
        view.preview("air.day", "2024-01-02")
    with pytest.raises(NotFound, match="has no version yet"):
        view.preview("air.day", "2024-01-03")


def test_a_clause_is_added_by_each_origin(world: World) -> None:
    """{ops} joined with {finance} admits who is in both, and nobody else."""
    world.declare(world.source("air.o", Policy(readers={"ops"})), world.source("air.f", Policy(readers={"finance"})))
    world.declare(world.made("air.x"), air__x=["air.o", "air.f"])
    for key in ("air.o", "air.f"):
        world.commit(key)
    world.commit("air.x", inputs=[("air.o", "", ""), ("air.f", "", "")])

    assert ["air.o"] == keys(world.view(replace(OPS)))
    assert ["air.f", "air.o", "air.x"] == keys(world.view(replace(OPS, groups=frozenset({"ops", "finance"}))))


@pytest.mark.parametrize("cursor", ["nonsense", "", "bnVsbA", "WzFd", "W10"])
def test_a_cursor_that_is_not_ours_is_named(river: World, cursor: str) -> None:
    """Invented cursors are refused in words, never a bug."""
    with pytest.raises(Invalid, match="is not a cursor"):
        river.view(OPS).assets(cursor=cursor)


@pytest.mark.parametrize("door", ["assets", "runs", "files"])
def test_a_page_has_a_size(river: World, door: str) -> None:
    """A limit out of range is refused."""
    with pytest.raises(Invalid, match="limit"):
        getattr(river.view(OPS), door)(limit=0)


def test_pages_of_runs_and_files_go_on_where_they_ended(river: World) -> None:
    """Following the cursors gives every item once, newest first."""
    for n in range(5):
        river.add_file("air.drop", f"drop/{n}.json", n)
    view = river.view(OPS)

    def follow(ask: Callable[..., Any]) -> list[dict[str, Any]]:
        page = ask(limit=2)
        found = list(page.items)
        while page.next:
            page = ask(limit=2, cursor=page.next)
            found += page.items
        return found

    assert ["r0003", "r0002", "r0001"] == [r["id"] for r in follow(view.runs)]
    assert [f"drop/{n}.json" for n in (4, 3, 2, 1, 0)] == [f["path"] for f in follow(view.files)]
