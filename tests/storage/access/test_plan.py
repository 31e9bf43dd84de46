"""What is about to happen, to who may know of it, in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from riparian.assets.policy import Policy, Principal
from riparian.storage.metadata import schema, staleness

if TYPE_CHECKING:
    from conftest import World

    from riparian.storage.access import Page

OWNER = Principal(name="olga")
OPS = Principal(name="ana", groups=frozenset({"ops"}), clearances=frozenset({"pii"}))
BOB = Principal(name="bob")


@pytest.fixture
def busy(river: World) -> World:
    """air.flights is queued, air.report is held by it, and air.open, which all may see, waits for its source."""
    river.declare(river.source("air.far", Policy()), river.made("air.open"), air__open=["air.far"])
    reasons = [
        (("air.report", ""), "waiting_for", "waiting for air.flights"),
        (("air.open", ""), "waiting_for_input", "waiting for a first version of air.far"),
        (("air.flights", ""), "run", "runs because air.drop was updated"),
    ]
    hold = {"workflow": "air.report", "partition": "", "blocker": "air.flights", "blocker_partition": "", "ask": ""}

    def write(tx):
        tx.conn.execute(update(schema.run).where(schema.run.c.id == "r0002").values(state="queued"))
        tx.conn.execute(insert(schema.hold), [hold, {**hold, "ask": "{}"}])
        staleness.note_reasons(tx, reasons)

    river.db.write(write)
    return river


def told(page: Page) -> list[tuple[str, str]]:
    return [(i["workflow"], i["state"]) for i in page.items]


def test_queued_then_held_then_waiting(busy: World) -> None:
    """Each once, with the planner's words; a queued run with its id and its cause."""
    found = busy.view(OPS).plan()
    queued, held, waiting = found.items

    assert [("air.flights", "queued"), ("air.report", "held"), ("air.open", "waiting")] == told(found)
    assert ("r0002", "air.drop was updated") == (queued["run"], queued["cause"])
    assert ("waiting_for", "waiting for air.flights", None) == (held["code"], held["words"], held["run"])
    assert ("waiting_for_input", "waiting for a first version of air.far") == (waiting["code"], waiting["words"])


def test_it_is_read_in_pieces(busy: World) -> None:
    """A cursor goes on in the same place, from one kind to the next."""
    view, pages, cursor = busy.view(OPS), [], None
    while True:
        pages.append(view.plan(cursor, 1))
        cursor = pages[-1].next
        if cursor is None:
            break

    assert [[("air.flights", "queued")], [("air.report", "held")], [("air.open", "waiting")]] == [
        told(p) for p in pages
    ]


def test_what_may_not_be_known_is_not_listed(busy: World) -> None:
    """Not even as a further piece of the list."""
    found = busy.view(BOB).plan(None, 1)

    assert ([("air.open", "waiting")], None) == (told(found), found.next)


def test_hidden_names_are_left_out_of_the_words(busy: World) -> None:
    """An owner of what waits does not learn what it waits for."""
    busy.overlay("air.flights", Policy(readers={"finance"}))
    give = update(schema.asset).where(schema.asset.c.key == "air.flights").values(owner="user:fay")
    busy.db.write(lambda tx: tx.conn.execute(give))
    busy.overlay("air.report", None)

    [held, _] = busy.view(OWNER).plan().items
    assert "waiting for a restricted asset" == held["words"]
