"""What each door answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

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
