"""Commands that change something: ``run``, ``policy set|approve``, ``token create|revoke``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riparian.api.cli import output
from riparian.api.cli.command import Cli, FailedWork, command
from riparian.api.events import last_line
from riparian.assets.errors import Conflict, Invalid

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client

FINISHED = frozenset({"succeeded", "failed", "superseded", "cancelled"})
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.05, 1.0


def install(app: typer.Typer) -> None:
    command(app, "run")(run)
    policy = typer.Typer(no_args_is_help=True, help="Who may read an asset: show, set or approve.")
    command(policy, "show")(policy_show)
    command(policy, "set")(policy_set)
    command(policy, "approve")(policy_approve)
    app.add_typer(policy, name="policy")
    token = typer.Typer(no_args_is_help=True, help="Who may ask: create and revoke tokens.")
    command(token, "create")(token_create)
    command(token, "revoke")(token_revoke)
    app.add_typer(token, name="token")


def run(
    cli: Cli,
    key: Annotated[str, typer.Argument(help="The asset to materialize.")],
    partition: Annotated[str, typer.Option("--partition", "-p", help="Which partition.")] = "",
    param: Annotated[
        list[str] | None, typer.Option("--param", help="A parameter, name=value; the value is JSON, or else a text.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until the run has ended.")] = False,
) -> None:
    """Materialize an asset now, whatever its trigger says."""
    body = {"partition": partition, "params": dict(_param(text) for text in param or ())}
    with cli.connect() as client:
        asked = client.post(f"assets/{key}/materialize", body)
        if not wait:
            cli.show(asked, lambda: output.print_line(asked["run"] or asked["words"]))
            if client.in_process:
                output.print_note("the run is planned; it starts when `riparian dev` or `riparian serve` runs")
            return
        if asked["run"] is None:
            raise Conflict(f"there is no run to wait for yet: {asked['words']}")
        with _worker(cli, client):
            ended = follow(client, asked["run"], quiet=cli.json)
    cli.show(ended, lambda: output.print_line(f"{ended['id']}\t{ended['state']}"))
    if ended["state"] != "succeeded":
        raise FailedWork(f"{key} ended as {ended['state']}: {last_line(ended['error'], ended['id'])}")


@contextmanager
def _worker(cli: Cli, client: Client) -> Iterator[None]:
    """Has a worker for as long as it takes, when no server is there that has one."""
    if not client.in_process:
        yield
        return
    from riparian.api.keeper import Keeper

    keeper = Keeper.of(cli.settings, client.url)
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


def follow(client: Client, run_id: str, *, quiet: bool) -> dict[str, Any]:
    """Returns the run once it has ended; tells each change of its state until then."""
    told = ""
    pause = FIRST_POLL_SECONDS
    while True:
        seen: dict[str, Any] = client.get(f"runs/{run_id}")
        if seen["state"] in FINISHED:
            return seen
        if seen["state"] != told and not quiet:
            output.print_note(f"{run_id} is {seen['state']}")
            told = seen["state"]
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_POLL_SECONDS)


def policy_show(cli: Cli, key: Annotated[str, typer.Argument(help="The asset.")]) -> None:
    """Show who may read an asset, and which assets say so."""
    with cli.connect() as client:
        body = client.get(f"assets/{key}/policy")
    cli.show(body, lambda: _print_policy(body))


def policy_set(
    cli: Cli,
    key: Annotated[str, typer.Argument(help="The asset.")],
    reader: Annotated[
        list[str] | None, typer.Option("--reader", help="A group (or user:NAME) that may read; may be repeated.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody may read.")] = False,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A clearance that a reader needs; repeatable.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="After this ISO 8601 time nobody reads.")] = None,
    isolation: Annotated[int, typer.Option("--isolation", help="The least isolation of a worker: 0, 1 or 2.")] = 0,
    clear: Annotated[bool, typer.Option("--clear", help="Take away what was set here; the declaration stays.")] = False,
) -> None:
    """Restrict an asset beyond what its declaration says. It acts at once, also on everything derived from it."""
    said = bool(reader or nobody or tag or expires or isolation)
    if clear == said:
        raise Invalid("say either what to set (--reader, --nobody, --tag, --expires, --isolation) or --clear")
    if nobody and reader:
        raise Invalid("--nobody and --reader contradict each other; say one of them")
    clauses: list[list[str]] = [[]] if nobody else [sorted(set(reader))] if reader else []
    body = {"readers": clauses, "tags": sorted(set(tag or ())), "expires": expires, "isolation": isolation}
    with cli.connect() as client:
        answer = client.put(f"assets/{key}/policy", None if clear else body)
    cli.show(answer, lambda: _print_policy(answer))


def policy_approve(cli: Cli, key: Annotated[str, typer.Argument(help="The asset.")]) -> None:
    """Let a loosened declaration of an asset you own come into force."""
    with cli.connect() as client:
        answer = client.post(f"assets/{key}/policy/approve")
    cli.show(answer, lambda: _print_policy(answer))


def _print_policy(body: dict[str, Any]) -> None:
    output.print_line(f"{body['asset']}: {body['words']}")
    own = ("owner", "declared", "overlay", "pending", "effective", "readers")
    output.print_fields((name, body[name]) for name in own)
    output.print_rows(
        ("origin", "policy", "admits you", "why not"),
        ((o["origin"], o["policy"], o["admits_you"], "; ".join(o["why"])) for o in body["origins"]),
    )


def token_create(
    cli: Cli,
    name: Annotated[str, typer.Argument(help="Whose token it is.")],
    group: Annotated[list[str] | None, typer.Option("--group", help="A group they are in; repeatable.")] = None,
    clear: Annotated[list[str] | None, typer.Option("--clear", help="A tag they are cleared for; repeatable.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="user or worker.")] = "user",
    expires_seconds: Annotated[float | None, typer.Option("--expires-seconds", help="How long it is valid.")] = None,
) -> None:
    """Make a token. It is shown once and kept nowhere."""
    body = {
        "name": name,
        "groups": sorted(set(group or ())),
        "clear": sorted(set(clear or ())),
        "kind": kind,
        "expires_seconds": expires_seconds,
    }
    with cli.connect() as client:
        answer = client.post("tokens", body)
    cli.show(answer, lambda: _print_token(answer))


def _print_token(answer: dict[str, Any]) -> None:
    output.print_line(answer["token"])
    output.print_note(f"of {answer['name']}; shown this once. `riparian token revoke {answer['id']}` ends it")


def token_revoke(cli: Cli, token_id: Annotated[str, typer.Argument(help="The token's id.")]) -> None:
    """Make a token worthless at once."""
    with cli.connect() as client:
        client.delete(f"tokens/{token_id}")
    cli.show({"revoked": token_id}, lambda: output.print_line(f"revoked {token_id}"))


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Invalid(f"--param {text!r} is not name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
