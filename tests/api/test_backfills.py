"""A backfill through both doors: what it would make, how far it is, and who may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from riparian.api.cli import backfills
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, Manifest
from riparian.assets.partitions import Identity, Static
from riparian.assets.policy import Policy
from riparian.assets.triggers import Manual
from tests.api.test_acts import answer, cli

if TYPE_CHECKING:
    from tests.api.conftest import Doors

SHOPS = Static("shop", ["east", "north", "south", "west"])
NO_RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def shops(doors: Doors) -> Manifest:
    """``demo.sales`` of each shop, made of what its till reports; only when somebody asks."""
    policy = Policy(readers={"ops", "owners"})
    source = AssetSpec(key=AssetKey("demo.till"), kind="source", format="json", partitions=SHOPS, policy=policy)
    asset, workflow = doors.made("demo.sales", "demo.till")
    inputs = tuple(replace(i, mapping=Identity()) for i in workflow.inputs)
    made = (replace(asset, partitions=SHOPS), replace(workflow, partitions=SHOPS, inputs=inputs, trigger=Manual()))
    found = doors.manifest(made)
    return replace(found, assets=(source, *found.assets))


@pytest.fixture
def sold(doors: Doors) -> Doors:
    """Three of the four shops have reported."""
    doors.apply(shops(doors))
    for shop in SHOPS.keys[:3]:
        doors.ask("POST", "assets/demo.till/events", json={"partition": shop, "value": {"n": 1}})
    return doors


def test_a_backfill_over_rest(sold: Doors) -> None:
    """Previewed, begun, shown, paused, resumed and done; each answers with how far it is."""
    body = {"asset": "demo.sales", "from": "east", "to": "north"}
    told = sold.ask("POST", "plan/backfill", json=body).json()
    begun = sold.ask("POST", "backfills", json=body)
    where = f"backfills/{begun.json()['id']}"
    acts = [sold.ask("POST", f"{where}/{act}") for act in ("pause", "pause", "resume", "resume")]
    sold.work({"one": 1})
    sold.work({"one": 1})
    done = sold.ask("GET", where).json()

    assert (2, 0, None, 0) == tuple(told[n] for n in ("makes", "skips", "seconds", "of_runs"))
    assert [{"state": "missing", "made": True, "count": 2, "first": "east", "last": "north"}] == told["states"]
    assert (201, "east", "north", 2) == (begun.status_code, *(begun.json()[n] for n in ("from", "to", "queued")))
    assert [(200, "paused", 2), (200, "paused", 2), (200, "running", 0), (200, "running", 0)] == [
        (a.status_code, a.json()["state"], a.json()["left"]) for a in acts
    ]
    assert ("done", 2, []) == (done["state"], done["made"], done["failures"])
    assert [done["id"]] == [b["id"] for b in sold.ask("GET", "backfills").json()["items"]]
    assert 409 == sold.ask("POST", f"{where}/cancel").status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"asset": "demo.till"}, 409),
        ({"asset": "demo.nothing"}, 404),
        ({"asset": "demo.sales", "from": "nrth"}, 422),
        ({"asset": "demo.sales", "from": "west", "to": "east"}, 422),
        ({"asset": "demo.sales", "only": "some"}, 422),
        ({"asset": "demo.sales", "until": "east"}, 422),
    ],
)
def test_what_can_not_be_backfilled(sold: Doors, body: dict[str, str], status: int) -> None:
    """A source, what is not there, partitions that there are not; a preview and a start say the same."""
    assert [status] * 2 == [sold.ask("POST", p, json=body).status_code for p in ("backfills", "plan/backfill")]


def test_who_may(sold: Doors) -> None:
    """The owner; a reader may look; to a stranger there is nothing there."""
    which = sold.ask("POST", "backfills", json={"asset": "demo.sales"}).json()["id"]
    ana, bob = sold.token_of("ana", "ops"), sold.token_of("bob", "sales")

    for token, status, seen in ((ana, 403, 200), (bob, 404, 404)):
        acts = [f"backfills/{which}/{act}" for act in ("pause", "resume", "cancel")]
        assert [status] * 3 == [sold.ask("POST", act, token=token).status_code for act in acts]
        assert status == sold.ask("POST", "backfills", token=token, json={"asset": "demo.sales"}).status_code
        body = {"asset": "demo.sales"}
        assert seen == sold.ask("POST", "plan/backfill", token=token, json=body).status_code
        assert seen == sold.ask("GET", f"backfills/{which}", token=token).status_code
    assert [1, 0] == [len(sold.ask("GET", "backfills", token=t).json()["items"]) for t in (ana, bob)]


def test_a_backfill_at_the_command_line(sold: Doors) -> None:
    """What it would make is said with its reasons; it begins, and is listed, shown, paused, resumed and cancelled."""
    told = cli(sold, "backfill", "demo.sales", "--dry-run")
    which = cli(sold, "backfill", "demo.sales", "--to", "north").stdout.strip()
    acts = [cli(sold, "backfill", act, which).stdout for act in ("pause", "resume", "cancel")]
    listed = cli(sold, "backfills").stdout
    shown = cli(sold, "backfills", which).stdout

    assert "3\teast\tsouth\tyes\tnever made\n" == told.stdout
    assert "3 runs, 0 skipped; no run has succeeded yet that could say how long that takes\n" == told.stderr
    assert [f"{which}\t{state}\n" for state in ("paused", "running", "cancelled")] == acts
    assert [which, "demo.sales", "cancelled"] == listed.split("\t")[:3]
    assert {"only: missing", "state: cancelled", "to: north", "left: 2"} <= {*shown.splitlines()}
    assert which == answer(sold, "backfills")[0]["id"]


def test_the_estimate_at_the_command_line(sold: Doors) -> None:
    """By what the last runs took."""
    cli(sold, "run", "demo.sales", "-p", "east")
    sold.work({"one": 1})
    told = cli(sold, "backfill", "demo.sales", "--only", "all", "--dry-run")

    assert "by the median of the 1 last run, " in told.stderr
    assert ["1\teast\teast\tyes\tmade from what is there", "2\tnorth\tsouth\tyes\tnever made"] == sorted(
        told.stdout.splitlines()
    )


def test_a_wrong_call(sold: Doors) -> None:
    """Ends with 2 where it is mistyped, with 4 where there is no such backfill."""
    mistyped = cli(sold, "backfill", "demo.sales", "--only", "some")
    unknown = cli(sold, "backfill", "pause", NO_RUN)

    assert (2, True) == (mistyped.exit_code, "missing, stale, all" in mistyped.stderr)
    assert (4, True) == (unknown.exit_code, "there is no backfill" in unknown.stderr)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7_200, "2 h"), (90_061, "1 d 1 h")]
)
def test_a_time_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    """As a person says it."""
    assert said == backfills._long(seconds)
