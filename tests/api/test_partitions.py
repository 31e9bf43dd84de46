"""Keys of partitions through both doors: who may see them, add them and take them out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from riparian.api.cli import app
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, Manifest
from riparian.assets.partitions import Dynamic, Identity
from riparian.assets.policy import Policy
from tests.api.test_acts import answer, cli

if TYPE_CHECKING:
    from tests.api.conftest import Doors

CUSTOMER = Dynamic("customer")


def sales(doors: Doors, project: str = "demo", key: str = "demo.sales") -> Manifest:
    """``demo.sales`` of each customer, made of what its till reports."""
    policy = Policy(readers={"ops", "owners"})
    source = AssetSpec(key=AssetKey(f"{key}_till"), kind="source", format="json", partitions=CUSTOMER, policy=policy)
    asset, workflow = doors.made(key, f"{key}_till")
    inputs = tuple(replace(i, mapping=Identity()) for i in workflow.inputs)
    made = (replace(asset, partitions=CUSTOMER), replace(workflow, partitions=CUSTOMER, inputs=inputs))
    found = doors.manifest(made)
    return replace(found, project=project, assets=(source, *found.assets))


@pytest.fixture
def sold(doors: Doors) -> Doors:
    doors.apply(sales(doors))
    return doors


def names(found: Any) -> list[str]:
    return [item["key"] for item in found.json()["items"]]


def test_keys_over_rest(sold: Doors) -> None:
    """Added, listed, taken out and added again; each answer says what has changed, and who did it."""
    added = sold.ask("POST", "partitions/customer", json={"keys": ["best", "acme", "acme"]})
    again = sold.ask("POST", "partitions/customer", json={"keys": ["acme", "core"]})
    out = sold.ask("POST", "partitions/customer/remove", json={"keys": ["core", "never"]})
    sold.ask("POST", "assets/demo.sales_till/events", json={"partition": "acme", "value": 1})
    ran = sold.work({"one": 1})

    assert {"name": "customer", "project": "demo", "keys": ["acme", "best"]} == added.json()
    assert [["core"], ["core"]] == [again.json()["keys"], out.json()["keys"]]
    assert ["acme", "best"] == names(sold.ask("GET", "partitions/customer"))
    listed = sold.ask("GET", "partitions/customer?removed=true&limit=2").json()
    (last,) = sold.ask("GET", f"partitions/customer?removed=true&cursor={listed['next']}").json()["items"]
    assert ("core", True, last["added_by"]) == (last["key"], last["removed_at"] is not None, last["removed_by"])
    (told,) = sold.ask("GET", "partitions").json()["items"]
    assert {"name": "customer", "project": "demo", "keys": 2, "assets": ["demo.sales", "demo.sales_till"]} == told
    assert "acme" == ran.partition


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("partitions/customer", {"keys": ["a/b"]}, 422),
        ("partitions/customer", {"keys": [1]}, 422),
        ("partitions/customer", {"keys": "acme"}, 422),
        ("partitions/customer", {"keys": ["acme"], "by": "me"}, 422),
        ("partitions/customer", {"keys": ["k"] * 10_001}, 422),
        ("partitions/client", {"keys": ["acme"]}, 404),
        ("partitions/customer?project=other", {"keys": ["acme"]}, 404),
        ("partitions/customer/remove", {"keys": ["a/b"]}, 422),
        ("partitions/client/remove", {"keys": ["acme"]}, 404),
    ],
)
def test_what_can_not_be_changed(sold: Doors, path: str, body: dict[str, Any], status: int) -> None:
    """What is no key, too many, and dimensions that there are not."""
    assert status == sold.ask("POST", path, json=body).status_code
    assert [] == names(sold.ask("GET", "partitions/customer"))


def test_who_may(sold: Doors) -> None:
    """Owners add; readers look; to a stranger there is no such dimension, with the words for one that there is not."""
    sold.ask("POST", "partitions/customer", json={"keys": ["acme"]})
    ana, bob = sold.token_of("ana", "ops"), sold.token_of("bob", "sales")

    for token, acts, seen in ((ana, 403, ["acme"]), (bob, 404, None)):
        for path in ("partitions/customer", "partitions/customer/remove"):
            assert acts == sold.ask("POST", path, token=token, json={"keys": ["acme"]}).status_code
        found = sold.ask("GET", "partitions/customer", token=token)
        assert seen == (names(found) if found.status_code == 200 else None)
    hidden, none = (sold.ask("GET", f"partitions/{name}", token=bob).json() for name in ("customer", "client"))
    assert hidden["detail"].replace("customer", "client") == none["detail"]
    assert [1, 0] == [len(sold.ask("GET", "partitions", token=t).json()["items"]) for t in (ana, bob)]


def test_acts_on_a_partition(sold: Doors) -> None:
    """To run, report, backfill or ask why of a key that is not there is the same mistake, with its remedy."""
    sold.ask("POST", "partitions/customer", json={"keys": ["acme"]})
    sold.ask("POST", "assets/demo.sales_till/events", json={"partition": "acme", "value": 1})
    sold.work({"one": 1})
    for key, status in (("acme", (202, 200, 201)), ("nobody", (422, 422, 422))):
        asked = (
            sold.ask("POST", "assets/demo.sales/materialize", json={"partition": key}),
            sold.ask("GET", f"assets/demo.sales/why?partition={key}"),
            sold.ask("POST", "backfills", json={"asset": "demo.sales", "from": key, "to": key}),
        )
        assert [s == a.status_code for s, a in zip(status, asked, strict=True)] == [True] * 3, [a.text for a in asked]
    assert "`riparian partitions add customer nobody`" in asked[0].json()["detail"]


def test_keys_at_the_command_line(sold: Doors) -> None:
    """Added by name or from stdin, listed, taken out."""
    added = cli(sold, "partitions", "add", "customer", "acme", "best")
    words = ["partitions", "add", "customer", "-", "--project", str(sold.state.parent.parent / "no project")]
    environ = {"RIPARIAN_URL": sold.url, "RIPARIAN_TOKEN": sold.token}
    again = CliRunner().invoke(app, words, env=environ, input="best\ncore\n\n")
    out = cli(sold, "partitions", "remove", "customer", "best")

    assert ("acme\nbest\n", "2 keys added\n") == (added.stdout, added.stderr)
    assert ("core\n", "1 key added, 1 as before\n") == (again.stdout, again.stderr)
    assert ("best\n", "1 key removed\n") == (out.stdout, out.stderr)
    listed = cli(sold, "partitions", "list", "customer").stdout.splitlines()
    assert ["acme", "core"] == [line.split("\t")[0] for line in listed]
    assert ["acme", "best", "core"] == [k["key"] for k in answer(sold, "partitions", "list", "customer", "--removed")]
    assert "customer\tdemo\t2\tdemo.sales, demo.sales_till\n" == cli(sold, "partitions", "list").stdout
    assert ["acme"] == [k["key"] for k in answer(sold, "partitions", "list", "customer", "-n", "1")]
    assert ["core"] == answer(sold, "partitions", "remove", "customer", "core", "--of", "demo")["keys"]


def test_a_key_that_can_be_none_at_the_command_line(sold: Doors) -> None:
    """The mistake is told by the key, and nothing is added."""
    told = cli(sold, "partitions", "add", "customer", "acme", "a/b")

    assert (2, True) == (told.exit_code, "'a/b' can not be a key; write at most 200 letters" in told.stderr)
    assert "" == cli(sold, "partitions", "list", "customer").stdout


def test_two_projects_at_the_command_line(sold: Doors) -> None:
    """Where both have the dimension it is said which is meant."""
    sold.apply(sales(sold, "other", "other.sales"))
    told = cli(sold, "partitions", "add", "customer", "zoe")

    assert (2, True) == (told.exit_code, "several projects have partitions by customer: demo, other" in told.stderr)
    assert ["zoe"] == answer(sold, "partitions", "add", "customer", "zoe", "--of", "other")["keys"]
    assert [0, 1] == [d["keys"] for d in answer(sold, "partitions", "list")]
