"""Lineage at both levels: as of when things were pinned, honest about its limits, and silent about hidden names."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from riparian.assets.errors import Invalid, NotFound
from riparian.assets.partitions import Daily
from riparian.assets.policy import Policy, Principal
from riparian.storage.access.pages import iso

if TYPE_CHECKING:
    from conftest import World

OWNER = Principal(name="olga")
OPS = Principal(name="ana", groups=frozenset({"ops"}), clearances=frozenset({"pii"}))
BOB = Principal(name="bob")
EVE = Principal(name="eve")
ALL = "\U0010ffff"
START = 1_700_000_000_000_000


def edges(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {(e["from"], e["to"]) for e in answer["edges"]}


def names(answer: dict[str, Any]) -> set[str]:
    return {n["id"] for n in answer["nodes"]}


@pytest.fixture
def month(world: World) -> World:
    """air.day (daily, open) rolled up into air.month."""
    days = Daily("day", "2024-01-01")
    world.declare(world.source("air.day", Policy(), days), world.made("air.month"), air__month=["air.day"])
    return world


def test_the_declared_graph_in_both_directions(river: World) -> None:
    """Edges run with the data, from upstream to downstream."""
    answer = river.view(OPS).lineage("air.flights")

    assert {("air.drop", "air.flights"), ("air.flights", "air.report")} == edges(answer)
    assert (["air.flights"], False, 0) == (answer["roots"], answer["truncated"], answer["left_out"])


@pytest.mark.parametrize(
    ("direction", "depth", "expected"),
    [
        ("up", None, {"air.report", "air.flights", "air.drop"}),
        ("up", 1, {"air.report", "air.flights"}),
        ("up", 0, {"air.report"}),
        ("down", None, {"air.report"}),
    ],
)
def test_direction_and_depth_bound_the_walk(
    river: World, direction: str, depth: int | None, expected: set[str]
) -> None:
    """Depth counts steps from the root; None goes to the end."""
    assert expected == names(river.view(OPS).lineage("air.report", direction=direction, up=depth, down=depth))


def test_versions_name_run_file_and_what_they_were_made_from(river: World) -> None:
    """From the report back to the file that was dropped, version by version."""
    answer = river.view(OPS).lineage("air.report", level="version")

    assert {("v0001", "v0002"), ("v0002", "v0003")} == edges(answer)
    drop = next(n for n in answer["nodes"] if n["id"] == "v0001")
    assert ("air.drop", "r0001", "drop/a.json") == (drop["key"], drop["run"], drop["file"])


def test_lineage_is_as_of_the_pin_and_not_of_today(river: World) -> None:
    """A newer version of an input does not appear above what was made before it, nor the other way round."""
    river.commit("air.flights", inputs=[("air.drop", "", "")])

    view = river.view(OPS)

    assert {"v0001", "v0002", "v0003"} == names(view.lineage("air.report", level="version"))
    assert {"v0001", "v0004"} == names(view.lineage("air.flights", level="version"))
    assert {"v0001", "v0002", "v0003"} == names(view.lineage("air.flights", version="v0002"))


def test_a_roll_up_is_one_row_and_expands_to_the_heads_of_its_time(month: World) -> None:
    """Of each partition the newest version at the pin, replaced and later ones left out."""
    old = month.commit("air.day", "2024-01-01")
    first = month.commit("air.day", "2024-01-01")
    second = month.commit("air.day", "2024-01-02")
    month.commit("air.month", inputs=[("air.day", "", ALL)])
    later = month.commit("air.day", "2024-01-03")
    view = month.view(BOB)

    assert {first, second, "v0004"} == names(view.lineage("air.month", level="version"))
    assert {second, "v0004"} == names(view.lineage("air.day", "2024-01-02", level="version"))
    assert {old} == names(view.lineage("air.day", version=old, level="version"))
    assert {later} == names(view.lineage("air.day", "2024-01-03", level="version"))


def test_a_version_without_a_head_is_no_member_of_a_set(month: World) -> None:
    """What was superseded before it could become head was never an input."""
    month.commit("air.day", "2024-01-01")
    month.commit("air.day", "2024-01-01", state="superseded")
    month.commit("air.month", inputs=[("air.day", "", ALL)])

    assert {"v0001", "v0003"} == names(month.view(BOB).lineage("air.month", level="version"))


@pytest.mark.parametrize("limit", [1, 5, 12])
def test_a_limit_is_admitted_with_what_it_left_out(month: World, limit: int) -> None:
    """The answer says that it is cut, and how many neighbours it left out."""
    for day in range(1, 12):
        month.commit("air.day", f"2024-01-{day:02}")
    month.commit("air.month", inputs=[("air.day", "", ALL)])

    answer = month.view(BOB).lineage("air.month", level="version", limit=limit)

    assert (limit, limit < 12, 12 - limit) == (len(answer["nodes"]), answer["truncated"], answer["left_out"])


def test_more_edges_than_are_fetched_are_counted_by_the_database(month: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that has more edges than an answer may hold is cut there, and its nodes are still counted."""
    from riparian.storage.access import lineage

    monkeypatch.setattr(lineage, "EDGES_FOR_EACH_NODE", 1)
    for day in range(1, 10):
        month.commit("air.day", f"2024-01-{day:02}")
    month.commit("air.month", inputs=[("air.day", "", ALL)])

    answer = month.view(BOB).lineage("air.month", level="version", limit=4)

    assert (4, True, 6) == (len(answer["nodes"]), answer["truncated"], answer["left_out"])


def test_hidden_nodes_keep_their_place_and_lose_their_name(river: World) -> None:
    """In both levels a reader of the source alone sees that something follows, and nothing of it."""
    river.overlay("air.flights", Policy(readers={"legal"}))
    view = river.view(OPS)

    for level, root in (("asset", "air.drop"), ("version", "v0001")):
        answer = view.lineage("air.drop", level=level)
        hidden = [n for n in answer["nodes"] if n["restricted"]]

        assert [{"id", "restricted"}] * 2 == [set(n) for n in hidden]
        assert {(root, hidden[0]["id"]), (hidden[0]["id"], hidden[1]["id"])} == edges(answer)
        assert "flights" not in str(answer)


def test_a_tightened_asset_loses_its_name_on_the_next_call(river: World) -> None:
    """The first answer names it, the next one does not."""
    view = river.view(OPS)
    assert "air.report" in names(view.lineage("air.drop"))

    river.overlay("air.report", Policy(readers={"legal"}))

    assert "air.report" not in names(view.lineage("air.drop"))


def test_ids_of_hidden_nodes_are_stable_and_of_one_reader(world: World) -> None:
    """The same to one reader in every answer; two readers can not compare theirs."""
    world.declare(
        world.source("air.free", Policy()), world.made("air.closed", Policy(readers={"ops"})), air__closed=["air.free"]
    )

    def hidden(reader: Principal) -> str:
        answer = world.view(reader).lineage("air.free")
        return next(n["id"] for n in answer["nodes"] if n["restricted"])

    assert hidden(BOB) == hidden(BOB)
    assert hidden(BOB) != hidden(EVE)


def test_a_version_of_another_asset_is_not_found(river: World) -> None:
    """The version must be the asset's own."""
    with pytest.raises(NotFound):
        river.view(OPS).lineage("air.report", version="v0001", level="version")


@pytest.mark.parametrize("wrong", [{"direction": "left"}, {"level": "column"}, {"limit": 0}, {"up": -1}])
def test_what_can_not_be_asked_is_said(river: World, wrong: dict[str, Any]) -> None:
    """A wrong value is named."""
    with pytest.raises(Invalid, match=next(iter(wrong))):
        river.view(OPS).lineage("air.report", **wrong)


def test_an_owner_sees_the_shape_without_content(river: World) -> None:
    """Who owns all and may read nothing sees names and runs, no digest and no file."""
    answer = river.view(OWNER).lineage("air.report", level="version")

    assert [(None, None)] * 3 == [(n["digest"], n["file"]) for n in answer["nodes"]]


@pytest.fixture
def twice(world: World) -> World:
    """air.a → air.b → air.c, each made twice, a minute apart: a1 b1 c1 a2 b2 c2 with the seqs 1 to 6."""
    world.declare(
        world.source("air.a", Policy()), world.made("air.b"), world.made("air.c"), air__b=["air.a"], air__c=["air.b"]
    )
    for _ in range(2):
        for key, made_from in (("air.a", None), ("air.b", "air.a"), ("air.c", "air.b")):
            world.commit(key, inputs=[(made_from, "", "")] if made_from else [], carries=["air.a"])
            world.now += 60_000_000
    return world


def instant(world: World, minutes: float) -> str:
    """So many minutes after the first commit; each is there a second and a half after its run began."""
    return iso(START + int(minutes * 60_000_000)) or ""


@pytest.mark.parametrize(
    ("key", "as_of", "expected"),
    [
        ("air.b", "2", {("v0001", "v0002")}),
        ("air.b", "3", {("v0001", "v0002"), ("v0002", "v0003")}),
        ("air.b", "4", {("v0001", "v0002"), ("v0002", "v0003")}),
        ("air.b", "5", {("v0004", "v0005")}),
        ("air.b", "6", {("v0004", "v0005"), ("v0005", "v0006")}),
        ("air.a", "1", set()),
    ],
)
def test_versions_as_of_a_seq(twice: World, key: str, as_of: str, expected: set[tuple[str, str]]) -> None:
    """The head of that time, what it was made from, and what had been made from it by then."""
    answer = twice.view(BOB).lineage(key, as_of=as_of)

    assert expected == edges(answer)
    assert "version" == answer["level"]


@pytest.mark.parametrize(
    ("minutes", "roots", "expected"),
    [
        (0.5, [], set()),
        (1.5, ["v0002"], {("v0001", "v0002")}),
        (2.5, ["v0002"], {("v0001", "v0002"), ("v0002", "v0003")}),
        (3.5, ["v0002"], {("v0001", "v0002"), ("v0002", "v0003")}),
        (4.5, ["v0005"], {("v0004", "v0005")}),
    ],
)
def test_versions_as_of_a_time(twice: World, minutes: float, roots: list[str], expected: set[tuple[str, str]]) -> None:
    """A version is there from the end of its run on."""
    answer = twice.view(BOB).lineage("air.b", as_of=instant(twice, minutes))

    assert (roots, expected) == (answer["roots"], edges(answer))


def test_one_version_as_of_a_moment(twice: World) -> None:
    """What had been made from it by then; before it was there, nothing."""
    view = twice.view(BOB)

    assert {("v0001", "v0002")} == edges(view.lineage("air.b", version="v0002", as_of="2"))
    assert [] == view.lineage("air.b", version="v0002", as_of="1")["nodes"]
    assert [] == view.lineage("air.b", version="v0002", as_of=instant(twice, 0.5))["nodes"]


def test_a_time_says_its_offset(twice: World) -> None:
    """Two ways to write one instant are one question."""
    local = f"{datetime.fromtimestamp(START / 1e6 + 90, timezone(timedelta(hours=2))):%Y-%m-%dT%H:%M:%S+02:00}"

    assert edges(twice.view(BOB).lineage("air.b", as_of=instant(twice, 1.5))) == edges(
        twice.view(BOB).lineage("air.b", as_of=local)
    )


@pytest.mark.parametrize(
    "as_of",
    ["", "yesterday", "2026-11-22", "2023-11-14T22:00:00", "-1", "1.5", "٣", "9" * 19, "9" * 5000],
)
def test_what_is_no_moment_is_refused(twice: World, as_of: str) -> None:
    """With what is expected."""
    with pytest.raises(Invalid, match="write a time with its offset"):
        twice.view(BOB).lineage("air.b", as_of=as_of)


def test_the_past_is_judged_by_todays_policies(twice: World) -> None:
    """Who may not read the asset now may not read how it stood; tightening closes its past too."""
    twice.overlay("air.a", Policy(readers={"ops"}))

    assert {("v0001", "v0002")} == edges(twice.view(OPS).lineage("air.b", as_of="2"))
    with pytest.raises(NotFound):
        twice.view(BOB).lineage("air.b", as_of="2")


@pytest.mark.parametrize("as_of", ["6", "7", "9" * 18, "2999-01-01T00:00:00Z"])
def test_what_lies_ahead_is_now(twice: World, as_of: str) -> None:
    """The counter of all changes is nobody's to find by asking when it refuses."""
    now = twice.view(BOB).lineage("air.b", level="version")

    assert now == twice.view(BOB).lineage("air.b", as_of=as_of)


@pytest.mark.parametrize("as_of", ["0", "6", "7", "nonsense", "2999-01-01T00:00:00Z"])
def test_a_moment_of_what_is_hidden_is_not_even_read(twice: World, as_of: str) -> None:
    """Every moment of an asset that is hidden, or that there is not, gets the same answer."""
    twice.overlay("air.a", Policy(readers={"ops"}))

    for key in ("air.b", "air.x"):
        with pytest.raises(NotFound, match=f"there is no asset '{key}'"):
            twice.view(BOB).lineage(key, as_of=as_of)


def test_the_past_has_no_declarations(twice: World) -> None:
    """Who asks for both gets neither in place of the other; who says no level gets versions."""
    with pytest.raises(Invalid, match="leave one of them out"):
        twice.view(BOB).lineage("air.b", as_of="2", level="asset")

    assert "asset" == twice.view(BOB).lineage("air.b")["level"]


def test_before_the_first_version_there_is_no_root(twice: World) -> None:
    """And so nothing around it."""
    answer = twice.view(BOB).lineage("air.b", as_of="1")

    assert ([], [], []) == (answer["roots"], answer["nodes"], answer["edges"])


@pytest.mark.parametrize("partition", ["2024-1-1", "2024-01-0", "2023-12-31", ""])
def test_a_partition_that_can_not_be_is_refused(month: World, partition: str) -> None:
    """At every door that asks for one; what was made under older declarations is still found."""
    month.commit("air.day", "2024-01-01")
    month.commit("air.day", "2020-02-02")
    view = month.view(BOB)

    for door in (view.lineage, view.why, view.preview, view.download):
        with pytest.raises(Invalid, match=r"air\.day"):
            door("air.day", partition)
    assert "2020-02-02" == view.why("air.day", "2020-02-02")["partition"]
    assert {"v0002"} == names(view.lineage("air.day", "2020-02-02", level="version"))
    assert "air.day-2020-02-02.json" == view.download("air.day", "2020-02-02").filename
