"""Who sees what of a restricted source and of all that was made from it, at every door of a running control plane."""

from __future__ import annotations

import json
import re

import pytest

PIPELINE = """
    from riparian import FileDrop, Policy, asset, source

    salaries = source("hr.salaries", arrives=FileDrop("drop/salaries.json"),
                      policy=Policy(readers={"ops"}, tags={"pii"}))
    flights = source("air.flights", arrives=FileDrop("drop/flights.json"), policy=Policy())
    tides = source("sea.tides", arrives=FileDrop("drop/tides.json"), policy=Policy())
    winds = source("sky.winds", arrives=FileDrop("drop/winds.json"), policy=Policy(readers={"ops"}))

    @asset("hr.total")
    def total(salaries: dict) -> dict:
        print("the sum of", salaries)
        return {"total": sum(salaries.values())}

    @asset("hr.broken")
    def broken(salaries: dict) -> dict:
        raise ValueError(f"can not work with {salaries}")

    @asset("fly.seats")
    def seats(flights: dict) -> dict:
        return flights

    @asset("air.cost")
    def cost(flights: dict, total: dict) -> dict:
        return {**flights, **total}

    @asset("sea.levels")
    def levels(tides: dict) -> dict:
        print("levels of", tides)
        return tides

    @asset("sea.chart")
    def chart(levels: dict) -> dict:
        return levels
"""
HIDDEN = ("hr.salaries", "hr.total", "hr.broken", "air.cost")


@pytest.fixture(scope="module")
def site(make_site):
    """A site where everything is made, with tokens of ana (in ops, cleared for pii), cleo (in ops) and bob."""
    site = make_site(PIPELINE)
    site.worker(slots=2)
    site.ana = site.token("ana", groups=["ops"], clear=["pii"])["token"]
    site.cleo = site.token("cleo", groups=["ops"])["token"]
    site.bob = site.token("bob")["token"]
    for name, content in {
        "salaries": {"eve": 4711},
        "flights": {"n": 7},
        "tides": {"high": 3},
        "winds": {"knots": 9},
    }.items():
        site.drop(f"{name}.json", content)
    site.until(lambda: site.value("air.cost", token=site.ana) == {"n": 7, "total": 4711}, "the last asset is made")
    site.until(lambda: site.value("sea.chart"), "the chart is made")
    site.until(lambda: site.value("sky.winds", token=site.ana), "the winds are in")
    site.run_ended(site.new_run("hr.broken")["id"])
    return site


def ask(site, token, path, **params):
    return site.client(token).get(f"/api/v1/{path}", params=params)


def set_overlay(site, key, policy):
    headers = {"Content-Type": "application/json"}
    answer = site.client().put(f"/api/v1/assets/{key}/policy", content=json.dumps(policy), headers=headers)
    assert 200 == answer.status_code, answer.text


DOORS = {
    "asset": "assets/{key}",
    "versions": "assets/{key}/versions",
    "data": "assets/{key}/data",
    "download": "assets/{key}/data/download",
    "lineage": "assets/{key}/lineage",
    "lineage of versions": "assets/{key}/lineage?level=version",
    "why": "assets/{key}/why",
    "policy": "assets/{key}/policy",
    "runs of an asset": "runs?asset={key}",
    "files": "files?source={key}",
}


@pytest.mark.parametrize("door", DOORS)
def test_what_is_not_yours_is_answered_like_what_is_not_there(site, door):
    """Bob gets 404 for a restricted source and all that was made from it, in the words for a name that nobody gave;
    so does cleo, who lacks the clearance. Ana is let in."""
    for key in HIDDEN:
        missing = "q" * len(key)
        for token in (site.bob, site.cleo):
            hidden = site.client(token).get("/api/v1/" + DOORS[door].format(key=key))
            absent = site.client(token).get("/api/v1/" + DOORS[door].format(key=missing))

            assert (404, 404) == (hidden.status_code, absent.status_code), key
            assert absent.text.replace(missing, key) == hidden.text
            assert sorted(absent.headers) == sorted(hidden.headers)
        if key != "hr.broken" or door not in ("data", "download"):
            let_in = site.client(site.ana).get("/api/v1/" + DOORS[door].format(key=key))
            assert 200 == let_in.status_code, let_in.text


def test_ids_of_hidden_things_open_nothing(site):
    """The id of a run or version that bob may not see gets the same answer as an id that does not exist."""
    for key in ("hr.salaries", "hr.total", "hr.broken", "air.cost"):
        ids = {"runs": [r["id"] for r in ask(site, site.ana, "runs", asset=key).json()["items"]]}
        ids["versions"] = [v["id"] for v in ask(site, site.ana, f"assets/{key}/versions").json()["items"]]
        assert ids["runs"]
        for kind, found in ids.items():
            doors = ("", "/logs") if kind == "runs" else ("", "/lineage")
            for one in found:
                for door in doors:
                    missing = "0" * len(one)
                    hidden, absent = (ask(site, site.bob, f"{kind}/{i}{door}") for i in (one, missing))

                    assert (404, 404) == (hidden.status_code, absent.status_code)
                    assert absent.text.replace(missing, one) == hidden.text
                    assert 200 == ask(site, site.ana, f"{kind}/{one}{door}").status_code


@pytest.mark.parametrize("path", ["assets", "runs", "files", "definitions", "assets/air.flights"])
def test_lists_hold_nothing_hidden(site, path):
    """No list and no neighbour names what bob may not see, nor what lies in it."""
    said = ask(site, site.bob, path)

    assert 200 == said.status_code
    assert not [word for word in ("hr.", "air.cost", "salar", "4711", "winds") if word in said.text]
    whole = ask(site, site.ana, path).text
    assert path == "definitions" or "hr." in whole or "air.cost" in whole


@pytest.mark.parametrize("level", ["asset", "version"])
def test_lineage_shows_that_there_is_something_and_not_what(site, level):
    """What bob may not see keeps its place in the lineage of an open asset and loses its name; the stand-in is another
    one for everybody who asks, and always the same for one."""
    path = "assets/air.flights/lineage"
    bobs, again, cleos, anas = (
        ask(site, token, path, level=level, down=5) for token in (site.bob, site.bob, site.cleo, site.ana)
    )
    (hidden,) = [n for n in bobs.json()["nodes"] if n["restricted"]]

    assert {"id", "restricted"} == set(hidden)
    assert bobs.text == again.text
    assert "cost" not in bobs.text
    assert hidden["id"] not in cleos.text
    assert [n["key"] for n in anas.json()["nodes"]].count("air.cost") == 1
    assert len(anas.json()["edges"]) == len(bobs.json()["edges"])


def test_owner_without_clearance_sees_names_and_no_data(site):
    """Who owns an asset without being admitted sees that it is there and how its runs went; data, errors and logs are
    refused, with the chain of who says so."""
    run = site.runs("hr.broken")[0]
    data = ask(site, None, "assets/hr.total/data")
    logs = ask(site, None, f"runs/{run['id']}/logs")

    assert ("failed", None) == (run["state"], run["error"])
    assert [403, 403] == [data.status_code, logs.status_code]
    assert "hr.salaries: only ops may read; needs clearance for pii" in data.json()["detail"]
    assert "4711" not in json.dumps([site.get("runs"), site.get("files"), site.get("assets"), run])
    assert "4711" in ask(site, site.ana, f"runs/{run['id']}").json()["error"]


def test_tightening_a_source_closes_everything_made_of_it_with_the_next_request(site):
    """An overlay on a source binds what was made of it before, at once: asset, data, why, runs and logs; taking it away
    opens them again."""
    runs = [
        r["id"] for key in ("sea.levels", "sea.chart") for r in ask(site, site.bob, "runs", asset=key).json()["items"]
    ]
    versions = [v["id"] for v in ask(site, site.bob, "assets/sea.chart/versions").json()["items"]]
    doors = [
        *(d.format(key=k) for d in DOORS.values() for k in ("sea.tides", "sea.levels", "sea.chart")),
        *(f"runs/{r}{rest}" for r in runs for rest in ("", "/logs")),
        *(f"versions/{v}{rest}" for v in versions for rest in ("", "/lineage")),
    ]

    def statuses():
        return {site.client(site.bob).get(f"/api/v1/{d}").status_code for d in doors}

    assert {200} == statuses()
    set_overlay(site, "sea.tides", {"readers": [], "tags": ["pii"]})
    assert {404} == statuses()
    assert "levels of" in ask(site, site.ana, f"runs/{runs[0]}/logs").text
    set_overlay(site, "sea.tides", None)
    assert {200} == statuses()


def test_looser_declaration_waits_for_the_owner(site):
    """Code that admits more people than before lands pending: nothing opens until the owner approves."""
    loosened = PIPELINE.replace(
        '"drop/winds.json"), policy=Policy(readers={"ops"})', '"drop/winds.json"), policy=Policy()'
    )
    assert loosened != PIPELINE
    site.save("pipeline.py", loosened)
    applied = site.apply()
    before = ask(site, site.bob, "assets/sky.winds/data").status_code
    approval = site.client(site.cleo).post("/api/v1/assets/sky.winds/policy/approve").status_code
    site.post("assets/sky.winds/policy/approve", None)

    assert ["sky.winds"] == applied["pending"]
    assert (404, 403) == (before, approval)
    assert 200 == ask(site, site.bob, "assets/sky.winds/data").status_code


def test_nobody_is_let_in_without_a_token_that_is_valid_now(site):
    """Every route but health wants a token: none, an unknown, an expired, a revoked one and a worker's session all get
    401; a worker's token is refused, and a person's token opens no worker's session."""
    paths = site.client("").get("/openapi.json").json()["paths"]
    routes = [
        (method, re.sub(r"{\w+}", "air.flights", path))
        for path, methods in paths.items()
        for method in methods
        if path != "/api/v1/health"
    ]
    short, gone = site.token("dora", expires_seconds=0.2), site.token("emil")
    assert 200 == ask(site, gone["token"], "assets").status_code
    site.client().delete(f"/api/v1/tokens/{gone['id']}")
    site.until(lambda: ask(site, short["token"], "assets").status_code == 401, "the short-lived token has expired")
    hand = site.hand()

    assert len(routes) > 15
    for method, path in routes:
        for token in ("", "rip_nobody", short["token"], gone["token"], hand.session.secret):
            assert 401 == site.client(token).request(method, path).status_code, (method, path)
        assert 403 == site.client(site.worker_token).request(method, path).status_code
    assert 401 == hand.call("POST", "sessions", site.ana, hand.opening).status_code
    assert 401 == hand.call("POST", "exchange", site.worker_token, hand.message).status_code
    assert 200 == site.client("").get("/api/v1/health").status_code
