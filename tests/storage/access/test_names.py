"""No sentence names what its reader may not know of: an asset, a workflow or a partition, of today or of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert

from riparian.assets.policy import Policy, Principal
from riparian.storage.metadata import schema

if TYPE_CHECKING:
    from conftest import World

BOB = Principal(name="bob")
CLOSED = Policy(readers={"hr"})
HIDDEN = ("air.flights", "hr.pay", "hr.pay.net", "hr.gone", "hr.payroll_flow", "hr.left_flow")


def redact(world: World, words: str) -> str:
    return world.db.read(lambda tx: world.access.judge(tx, BOB).redact(words))


@pytest.fixture
def closed(world: World) -> World:
    """air.open and air.flights_csv are for all, the rest is not; hr.gone and two workflows are declared no more."""
    world.declare(
        *(world.source(key, Policy()) for key in ("air.open", "air.flights_csv", "hr.pay.list")),
        *(world.source(key, CLOSED) for key in ("air.flights", "hr.pay", "hr.pay.net", "hr.gone")),
    )
    world.withdraw("hr.gone")
    row = {"project": "air", "adopted_seq": 0, "first_partition": ""}
    keys = ("hr.payroll_flow", "hr.left_flow")
    world.db.write(lambda tx: tx.conn.execute(insert(schema.workflow), [{**row, "key": k} for k in keys]))
    return world


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("air.open and air.flights were updated", "air.open and a restricted asset were updated"),
        ("waiting for hr.payroll_flow", "waiting for a restricted asset"),
        ("waiting for hr.left_flow[alice-fired].", "waiting for a restricted asset."),
        ("hr.gone, hr.pay has no version", "a restricted asset, a restricted asset has no version"),
        ("air.flights_csv and air.flightsx", "air.flights_csv and air.flightsx"),
        ("hr.pay.net, hr.pay.list, hr.pay", "a restricted asset, hr.pay.list, a restricted asset"),
        ("the file in/hr.pay.2024.csv arrived", "the file in/a restricted asset.2024.csv arrived"),
        ("the file hr.pay.csv arrived", "the file a restricted asset arrived"),
        ("air.open[2024-01-01] failed", "air.open[2024-01-01] failed"),
        ("runs only when somebody asks", "runs only when somebody asks"),
    ],
)
def test_hidden_names_are_not_said(closed: World, words: str, told: str) -> None:
    """Whole, with what hangs on them; a name that another begins with leaves nothing behind."""
    assert told == redact(closed, words)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*HIDDEN, "air.open", "air.flights_csv", "was", "and"]), max_size=6), st.data())
def test_whatever_is_said_no_hidden_name_is_left(closed: World, said: list[str], data: st.DataObject) -> None:
    """In any order, and with any mark between them."""
    marks = data.draw(
        st.lists(st.sampled_from([" ", ", ", "[x] ", "[all], ", ". ", "/", "(", ":"]), min_size=len(said))
    )
    words = "".join(f"{word}{mark}" for word, mark in zip(said, marks, strict=False))
    told = redact(closed, words)

    assert [] == [h for h in HIDDEN if h in told.replace("air.flights_csv", "")]
    assert said.count("air.open") == told.count("air.open")


def test_names_are_asked_for_once(closed: World) -> None:
    """However many texts hold them, once they were listened to."""
    texts = [f"waiting for {key} and air.open" for key in HIDDEN]
    asked: list[str] = []

    def look(tx):
        judge = closed.access.judge(tx, BOB)
        judge.listen(texts)
        event.listen(tx.conn.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        return [judge.redact(t) for t in texts]

    assert ["waiting for a restricted asset and air.open"] * len(HIDDEN) == closed.db.read(look)
    assert [] == asked
