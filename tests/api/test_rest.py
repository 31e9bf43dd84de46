"""What each door answers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import Identity, Static
from riparian.assets.policy import Policy

if TYPE_CHECKING:
    from tests.api.conftest import Doors

ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


NULL: dict[str, Any] = {"content": b"null", "headers": {"Content-Type": "application/json"}}


def items(doors: Doors, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = doors.ask("GET", path, params=params)
    assert 200 == answer.status_code, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_assets_are_listed_by_key(demo: Doors) -> None:
    """Every asset that the caller may know of, with its newest version."""
    found = items(demo, "assets")

    assert ["demo.numbers", "demo.total"] == [a["key"] for a in found]
    assert [1, 1] == [a["heads"] for a in found]


def test_a_list_is_read_in_pieces(demo: Doors) -> None:
    """``next`` of one answer is the ``cursor`` of the following one; the last has none."""
    first = demo.ask("GET", "assets", params={"limit": 1}).json()
    second = demo.ask("GET", "assets", params={"limit": 1, "cursor": first["next"]}).json()

    assert ["demo.numbers", "demo.total"] == [a["key"] for a in first["items"] + second["items"]]
    assert None is second["next"]


@pytest.mark.parametrize("limit", [0, 501, "x"])
def test_a_limit_out_of_range_is_refused(demo: Doors, limit: object) -> None:
    """The problem names the parameter."""
    answer = demo.ask("GET", "assets", params={"limit": limit})

    assert (422, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "limit" in answer.json()["detail"]


def test_one_asset(demo: Doors) -> None:
    """Its neighbours and its trigger."""
    found = demo.ask("GET", "assets/demo.total").json()

    assert ["demo.numbers"] == [n["asset"] for n in found["consumes"]]
    assert "on_update" == found["trigger"]["kind"]


def test_an_unknown_asset_is_not_found_with_a_suggestion(demo: Doors) -> None:
    """RFC 9457, and what was probably meant."""
    answer = demo.ask("GET", "assets/demo.totl")

    assert (404, "not_found") == (answer.status_code, answer.json()["code"])
    assert "demo.total" in answer.json()["detail"]


def test_versions_and_their_lineage(demo: Doors) -> None:
    """A version knows the versions it was made from."""
    [total] = items(demo, "assets/demo.total/versions")
    [numbers] = items(demo, "assets/demo.numbers/versions")
    one = demo.ask("GET", f"versions/{total['id']}").json()
    lineage = demo.ask("GET", f"versions/{total['id']}/lineage", params={"direction": "up"}).json()

    assert total == {k: v for k, v in one.items() if k != "schema"}
    assert [{"from": numbers["id"], "to": total["id"]}] == lineage["edges"]


def test_lineage_of_an_asset(demo: Doors) -> None:
    """As declared, in the direction and depth that was asked for."""
    both = demo.ask("GET", "assets/demo.numbers/lineage").json()
    up = demo.ask("GET", "assets/demo.numbers/lineage", params={"direction": "up"}).json()

    assert [{"from": "demo.numbers", "to": "demo.total"}] == both["edges"]
    assert [] == up["edges"]


def test_why(demo: Doors) -> None:
    """In words, with the last runs."""
    found = demo.ask("GET", "assets/demo.total/why").json()

    assert ("demo.total", "") == (found["asset"], found["partition"])
    assert found["words"]
    assert ["succeeded"] == [r["state"] for r in found["runs"]]
    assert ("on_update", "on_update()", False, []) == (
        (tree := found["trigger"])["kind"],
        tree["text"],
        tree["holds"],
        tree["parts"],
    )
    assert "demo.numbers was not updated since the last run" == tree["words"]
    assert demo.ask("GET", f"runs/{found['runs'][0]['id']}").json()["ended_at"] == tree["since"]
    assert "only a request runs it" == demo.ask("GET", "assets/demo.numbers/why").json()["trigger"]["words"]


def test_preview_and_download(demo: Doors) -> None:
    """A look at the value, and its bytes as they are stored."""
    preview = demo.ask("GET", "assets/demo.total/data")
    download = demo.ask("GET", "assets/demo.total/data/download")

    assert (200, "json") == (preview.status_code, preview.json()["format"])
    assert b'{"total": 1}' == download.content
    assert str(len(download.content)) == download.headers["content-length"]
    assert "demo.total.json" in download.headers["content-disposition"]
    assert "application/json" == download.headers["content-type"]


def test_runs_and_their_logs(demo: Doors) -> None:
    """The newest first; the logs of one from an offset on."""
    total, numbers = items(demo, "runs")
    run = demo.ask("GET", f"runs/{numbers['id']}").json()
    logs = demo.ask("GET", f"runs/{numbers['id']}/logs", params={"offset": 5})

    assert ("demo.total", "demo.numbers") == (total["workflow"], numbers["workflow"])
    assert ["demo.numbers"] == [v["asset"] for v in run["outputs"]]
    assert "ing\n" == logs.text
    assert [numbers] == items(demo, "runs", asset="demo.numbers", state="succeeded")


def test_files_and_definitions(demo: Doors) -> None:
    """No file arrived; one project is in force."""
    assert [] == items(demo, "files")
    assert ["demo"] == [d["project"] for d in items(demo, "definitions")]


def test_a_reader_sees_what_its_groups_admit(demo: Doors) -> None:
    """The right to read flows downstream: total has no policy of its own, and is closed with what it was made from."""
    ana, bob = demo.token_of("ana", "ops"), demo.token_of("bob", "sales")

    assert 200 == demo.ask("GET", "assets/demo.total/data", token=ana).status_code
    assert 404 == demo.ask("GET", "assets/demo.total/data", token=bob).status_code
    assert [] == demo.ask("GET", "assets", token=bob).json()["items"]


def test_a_reader_may_not_act(demo: Doors) -> None:
    """Who may read may not run, set a policy or make tokens."""
    ana = demo.token_of("ana", "ops")

    assert [403, 403, 403] == [
        demo.ask("POST", "assets/demo.total/materialize", token=ana, json={}).status_code,
        demo.ask("PUT", "assets/demo.total/policy", token=ana, **NULL).status_code,
        demo.ask("POST", "tokens", token=ana, json={"name": "eve"}).status_code,
    ]


def test_a_policy_is_tightened_and_given_back(doors: Doors) -> None:
    """An overlay acts at once, on what was made before too; null takes it away."""
    doors.apply()
    ana = doors.token_of("ana", "ops")

    doors.ask("PUT", "assets/demo.numbers/policy", json={"readers": [["finance"]]})
    closed = doors.ask("GET", "assets/demo.total", token=ana)
    cleared = doors.ask("PUT", "assets/demo.numbers/policy", **NULL)
    opened = doors.ask("GET", "assets/demo.total", token=ana)

    assert [404, 200, 200] == [r.status_code for r in (closed, cleared, opened)]
    assert None is cleared.json()["overlay"]


def test_a_policy_that_can_not_be_read_is_refused(doors: Doors) -> None:
    """A misspelt dimension must not be taken for an open policy."""
    doors.apply()

    answer = doors.ask("PUT", "assets/demo.numbers/policy", json={"reader": [["finance"]]})

    assert 422 == answer.status_code
    assert None is doors.ask("GET", "assets/demo.numbers/policy").json()["overlay"]


def test_loosening_waits_for_the_owner(doors: Doors) -> None:
    """An apply that widens lands pending; approving puts it in force, a second time there is nothing to approve."""
    made, manifest = doors.made, doors.manifest
    doors.apply()
    wide = manifest(made("demo.numbers", policy=Policy()), made("demo.total", "demo.numbers"))
    applied = doors.apply(wide).json()
    before = doors.ask("GET", "assets/demo.numbers/policy").json()
    after = doors.ask("POST", "assets/demo.numbers/policy/approve").json()

    assert ["demo.numbers"] == applied["pending"]
    assert ([["ops", "owners"]], []) == (before["declared"]["readers"], after["declared"]["readers"])
    assert 409 == doors.ask("POST", "assets/demo.numbers/policy/approve").status_code


def test_materialize_answers_with_the_run(doors: Doors) -> None:
    """202 and the planned run; it runs whatever the trigger says."""
    doors.apply()

    answer = doors.ask("POST", "assets/demo.numbers/materialize", json={"params": {"n": 1}})
    run = answer.json()["run"]

    assert 202 == answer.status_code
    assert ID.fullmatch(run)
    assert {"n": 1} == doors.ask("GET", f"runs/{run}").json()["params"]


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("demo.numbers", {"partition": "2020-01-01"}, 422),
        ("demo.numbers", {"partitions": ""}, 422),
        ("demo.nothing", {}, 404),
        ("demo.total", {}, 409),
    ],
)
def test_what_can_not_run_is_told(doors: Doors, key: str, body: dict[str, Any], status: int) -> None:
    """A partition of what has none, a misspelt field, an unknown asset, an input that is missing."""
    doors.apply()

    assert status == doors.ask("POST", f"assets/{key}/materialize", json=body).status_code


def test_an_apply_that_does_not_fit_changes_nothing(doors: Doors) -> None:
    """A manifest with problems is refused with each of them."""
    made, manifest = doors.made, doors.manifest
    answer = doors.apply(manifest(made("demo.total", "demo.gone")))

    assert 422 == answer.status_code
    assert answer.json()["problems"]
    assert [] == items(doors, "assets")


def test_what_is_no_manifest_is_refused(doors: Doors) -> None:
    """In words, not as an internal error."""
    answer = doors.ask("POST", "definitions", json={"manifest": "{}", "bundle": ""})

    assert (422, "invalid_declaration") == (answer.status_code, answer.json()["code"])


def test_a_token_is_made_and_revoked(doors: Doors) -> None:
    """Afterwards it opens nothing."""
    made_now = doors.ask("POST", "tokens", json={"name": "ana", "groups": ["ops"]}).json()

    assert 200 == doors.ask("GET", "assets", token=made_now["token"]).status_code
    assert 204 == doors.ask("DELETE", f"tokens/{made_now['id']}").status_code
    assert 401 == doors.ask("GET", "assets", token=made_now["token"]).status_code
    assert 404 == doors.ask("DELETE", f"tokens/{made_now['id']}").status_code


FEED = AssetSpec(key=AssetKey("demo.feed"), kind="source", format="json", policy=Policy(readers={"ops", "owners"}))


@pytest.fixture
def fed(doors: Doors) -> Doors:
    """``demo.seen`` is made from the source ``demo.feed``, which only ops and the owners may read."""
    declared = doors.manifest(doors.made("demo.seen", "demo.feed"))
    assert 200 == doors.apply(replace(declared, assets=(FEED, *declared.assets))).status_code
    return doors


def test_an_event_is_created_once(fed: Doors) -> None:
    """201 the first time, 200 for the same again, 409 for something else under the same id."""
    answers = [
        fed.ask("POST", "assets/demo.feed/events", json=body)
        for body in ({"id": "7", "value": [1, None]}, {"id": "7", "value": [1, None]}, {"id": "7", "value": 2})
    ]
    first, again, other = (a.json() for a in answers)

    assert [201, 200, 409] == [a.status_code for a in answers]
    assert {**first, "repeated": True} == again
    assert "conflict" == other["code"]
    assert [1, None] == fed.ask("GET", "assets/demo.feed/data/download").json()
    assert "event" == fed.ask("GET", f"runs/{first['run']}").json()["kind"]
    assert "demo.seen" == fed.work({"n": 1}).workflow


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("demo.seen", {}, 409),
        ("demo.nothing", {}, 404),
        ("demo.feed", {"partition": "2020-01-01"}, 422),
        ("demo.feed", {"id": "x" * 201}, 422),
        ("demo.feed", {"value": "x" * 17_000}, 422),
        ("demo.feed", {"values": 1}, 422),
    ],
)
def test_an_event_that_can_not_be_taken_is_told(fed: Doors, key: str, body: dict[str, Any], status: int) -> None:
    """What is made here, what is not there, what has no such partition, what is too large or misspelt."""
    assert status == fed.ask("POST", f"assets/{key}/events", json=body).status_code


def test_a_run_is_cancelled_and_run_again(fed: Doors) -> None:
    """Cancelling answers with the run as it is now, and does nothing the second time; running it again is a request."""
    fed.ask("POST", "assets/demo.feed/events", json={"value": 1})
    [run] = items(fed, "runs", workflow="demo.seen")
    cancelled = fed.ask("POST", f"runs/{run['id']}/cancel")
    again = fed.ask("POST", f"runs/{run['id']}/cancel")
    rerun = fed.ask("POST", f"runs/{run['id']}/rerun")
    fed.work({"n": 1})
    late = fed.ask("POST", f"runs/{rerun.json()['run']}/cancel")

    assert [200, 200, 202, 409] == [a.status_code for a in (cancelled, again, rerun, late)]
    assert ("cancelled", cancelled.json()) == (cancelled.json()["state"], again.json())
    assert f"(as {run['id']})" in items(fed, "runs", workflow="demo.seen")[0]["cause"]
    assert "succeeded" in late.json()["detail"]


def test_a_plan_says_what_is_about_to_happen(fed: Doors) -> None:
    """What waits for its input, then what waits for a worker."""
    before = items(fed, "plan")
    fed.ask("POST", "assets/demo.feed/events", json={"value": 1})
    after = items(fed, "plan")

    assert [("demo.seen", "waiting", "waiting_for_input")] == [(i["workflow"], i["state"], i["code"]) for i in before]
    assert [("demo.seen", "queued", "demo.feed was updated")] == [
        (i["workflow"], i["state"], i["cause"]) for i in after
    ]


def test_a_plan_says_what_an_apply_would_do(fed: Doors) -> None:
    """And an apply afterwards does it; a manifest with problems is answered with them."""
    declared = fed.manifest(fed.made("demo.other", "demo.gone"))
    body = {"manifest": fed.manifest(fed.made("demo.new")).to_json()}
    told = fed.ask("POST", "plan", json=body)
    wrong = fed.ask("POST", "plan", json={"manifest": declared.to_json()})
    applied = fed.apply(fed.manifest(fed.made("demo.new"))).json()

    assert (200, ["demo.new"], ["demo.seen"]) == (told.status_code, told.json()["added"], told.json()["removed"])
    assert (applied["added"], applied["removed"]) == (told.json()["added"], told.json()["removed"])
    assert 200 == wrong.status_code
    assert wrong.json()["problems"]
    assert [] == wrong.json()["added"]


def test_lineage_of_the_past(fed: Doors) -> None:
    """As of a change_seq or a time; what lies ahead is now, and what is neither is told."""
    for value in (1, 2):
        fed.ask("POST", "assets/demo.feed/events", json={"value": value})
        fed.work({"n": value})
    new, old = items(fed, "assets/demo.seen/versions")
    now, then = (
        fed.ask("GET", "assets/demo.seen/lineage", params=p).json()["roots"]
        for p in ({"level": "version"}, {"as_of": old["committed_at"]})
    )

    assert ([new["id"]], [old["id"]]) == (now, then)
    for as_of, status in (("soon", 422), ("999999", 200), ("2999-01-01T00:00:00Z", 200)):
        answers = (
            fed.ask("GET", "assets/demo.seen/lineage", params={"as_of": as_of}),
            fed.ask("GET", f"versions/{new['id']}/lineage", params={"as_of": as_of}),
        )
        assert [status] * 2 == [a.status_code for a in answers]
    never = fed.ask("GET", "assets/demo.seen/lineage", params={"as_of": "0"})
    both = fed.ask("GET", "assets/demo.seen/lineage", params={"as_of": "1", "level": "asset"})
    assert ([], 422) == (never.json()["roots"], both.status_code)


def test_a_partition_that_can_not_be_is_told_at_every_door(doors: Doors) -> None:
    """As a mistake in what was asked, with what was probably meant."""
    source = AssetSpec(key=AssetKey("demo.area"), kind="source", format="json", policy=Policy())
    source = replace(source, partitions=Static("area", ["north", "south"]))
    asset, workflow = doors.made("demo.map", "demo.area")
    asset, workflow = (replace(part, partitions=source.partitions) for part in (asset, workflow))
    workflow = replace(workflow, inputs=tuple(replace(i, mapping=Identity()) for i in workflow.inputs))
    declared = replace(doors.manifest((asset, workflow)), assets=(source, asset))
    assert 200 == doors.apply(declared).status_code
    asked = {"params": {"partition": "nrth"}}
    answers = [doors.ask("GET", f"assets/demo.map/{d}", **asked) for d in ("why", "lineage", "data", "data/download")]
    answers += [doors.ask("POST", "assets/demo.map/materialize", json={"partition": "nrth"})]
    answers += [doors.ask("POST", "assets/demo.area/events", json={"partition": "nrth", "value": 1})]

    assert [(422, "invalid")] * 6 == [(a.status_code, a.json()["code"]) for a in answers]
    assert [] == [a.text for a in answers if "did you mean 'north'?" not in a.json()["detail"]]


def test_an_events_id_is_of_its_partition(doors: Doors) -> None:
    """The same id in another partition is another update."""
    source = AssetSpec(key=AssetKey("demo.area"), kind="source", format="json", policy=Policy())
    source = replace(source, partitions=Static("area", ["north", "south"]))
    doors.apply(replace(doors.manifest(), assets=(source,)))
    told = [
        doors.ask("POST", "assets/demo.area/events", json={"id": "one", "partition": p, "value": 1}).json()["repeated"]
        for p in ("north", "south", "north")
    ]

    assert [False, False, True] == told


def test_who_may_act(fed: Doors) -> None:
    """The owner; a reader is refused; to a stranger there is nothing there."""
    fed.ask("POST", "assets/demo.feed/events", json={"value": 1})
    [run] = items(fed, "runs", workflow="demo.seen")
    ana, bob = fed.token_of("ana", "ops"), fed.token_of("bob", "sales")
    acts = [f"runs/{run['id']}/rerun", f"runs/{run['id']}/cancel", "assets/demo.feed/events"]
    body = {"manifest": fed.manifest(fed.made("demo.new")).to_json()}

    for token, status in ((ana, 403), (bob, 404)):
        assert [status] * 3 == [fed.ask("POST", act, token=token, json={}).status_code for act in acts]
        # Who may not apply hears nothing of what is declared, whoever they are.
        assert 403 == fed.ask("POST", "plan", token=token, json=body).status_code
    assert [["demo.seen"], []] == [
        [i["workflow"] for i in fed.ask("GET", "plan", token=token).json()["items"]] for token in (ana, bob)
    ]
    assert [200, 404] == [
        fed.ask("GET", "assets/demo.seen/lineage", token=token, params={"as_of": "1"}).status_code
        for token in (ana, bob)
    ]


def test_a_method_that_a_door_has_not_names_those_it_has(demo: Doors) -> None:
    """All of them, also where two routes share a path."""
    answer = demo.ask("DELETE", "plan")

    assert (405, "GET, POST") == (answer.status_code, answer.headers["allow"])
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_body_that_is_no_text_is_refused(demo: Doors) -> None:
    """As a problem like any other."""
    json_type = {"Content-Type": "application/json"}
    answer = demo.ask("POST", "tokens", content=b"\xff\xfe", headers=json_type)

    assert (422, "invalid") == (answer.status_code, answer.json()["code"])
