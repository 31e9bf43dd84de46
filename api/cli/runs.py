"""Commands that make something happen now: ``run``, ``rerun``, ``cancel`` and ``event``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riparian.api.cli import output
from riparian.api.cli.arguments import Key, Run, SourceKey
from riparian.api.cli.command import Cli, FailedWork, command
from riparian.api.events import FINISHED, last_line
from riparian.assets.errors import Conflict, Invalid

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client

FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.05, 1.0

Wait = Annotated[bool, typer.Option("--wait", "-w", help="Stay until the run has ended.")]


def install(app: typer.Typer) -> None:
    for name, function in (("run", run), ("rerun", rerun), ("cancel", cancel), ("event", event)):
        command(app, name, "Do")(function)


def run(
    cli: Cli,
    key: Key,
    partition: Annotated[str, typer.Option("--partition", "-p", help="Which partition.")] = "",
    param: Annotated[
        list[str] | None, typer.Option("--param", help="A parameter, name=value; the value is JSON, or else a text.")
    ] = None,
    wait: Wait = False,
) -> None:
    """Materialize an asset now, whatever its trigger says."""
    body = {"partition": partition, "params": dict(_param(text) for text in param or ())}
    _ask(cli, f"assets/{key}/materialize", body, lambda _: {"asset": key, "partition": partition}, wait=wait)


def rerun(
    cli: Cli,
    run: Run,
    from_failed: Annotated[
        bool, typer.Option("--from-failed", help="With its own inputs and code; what succeeded is not done again.")
    ] = False,
    wait: Wait = False,
) -> None:
    """Run once more what a run did: the same partition and parameters, with today's inputs and code."""
    query = "?from_failed=true" if from_failed else ""
    _ask(cli, f"runs/{run}/rerun{query}", None, lambda client: _like(client, run), wait=wait)


def _like(client: Client, run: str) -> dict[str, str]:
    """Returns what to list to see the runs of the same workflow partition."""
    told = client.get(f"runs/{run}")
    return {"workflow": told["workflow"], "partition": told["partition"]}


def _ask(
    cli: Cli, path: str, body: dict[str, Any] | None, among: Callable[[Client], dict[str, str]], *, wait: bool
) -> None:
    """Asks for a run, which will be the newest ``among`` those; with ``wait``, stays until it has ended and raises
    FailedWork unless it succeeded."""
    with cli.connect() as client:
        of = among(client) if wait and client.in_process else None
        known = _newest(client, of) if of else ""
        asked = client.post(path, body)
        if not wait:
            cli.show(asked, lambda: output.print_line(asked["run"] or output.plain(asked["words"])))
            if client.in_process:
                output.print_note("the run is planned; it starts when `riparian dev` or `riparian serve` runs")
            return
        if asked["run"] is None and of is None:
            raise Conflict(f"there is no run to wait for yet: {asked['words']}")
        with _worker(cli, client):
            ended = follow(client, asked["run"] or _planned_after(client, of or {}, known), quiet=cli.json)
    cli.show(ended, lambda: output.print_line(f"{ended['id']}\t{ended['state']}"))
    if ended["state"] != "succeeded":
        raise FailedWork(f"{ended['workflow']} ended as {ended['state']}: {last_line(ended['error'], ended['id'])}")


def _newest(client: Client, of: dict[str, str]) -> str:
    """Returns the newest of these runs, "" when there is none yet."""
    found = client.get("runs", **of, limit=1)["items"]
    return str(found[0]["id"]) if found else ""


def _planned_after(client: Client, of: dict[str, str], known: str) -> str:
    """Returns the one of these runs that was planned since; here it waits for one that our own worker does first."""
    while (newest := _newest(client, of)) == known:
        time.sleep(FIRST_POLL_SECONDS)
    return newest


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


def cancel(cli: Cli, run: Run) -> None:
    """End a run before its time. What its workers still report is refused; it is not planned again."""
    with cli.connect() as client:
        ended = client.post(f"runs/{run}/cancel")
    cli.show(ended, lambda: output.print_line(f"{ended['id']}\t{ended['state']}"))


def event(
    cli: Cli,
    key: SourceKey,
    value: Annotated[str | None, typer.Option("--value", help="What is new, as JSON.")] = None,
    partition: Annotated[str, typer.Option("--partition", "-p", help="Which partition.")] = "",
    event_id: Annotated[
        str | None, typer.Option("--id", help="A name of the update: told again, it changes nothing.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--digest", help="Stands for content that lies elsewhere: the same is no news.")
    ] = None,
) -> None:
    """Report that a source was updated elsewhere: what depends on it follows."""
    if value is None and digest is None:
        raise Invalid("say what is new: --value JSON, or --digest TEXT for content that lies elsewhere")
    news = None if value is None else _json(value)
    said = {"id": event_id, "digest": digest}
    body = {"partition": partition, "value": news, **{k: v for k, v in said.items() if v is not None}}
    with cli.connect() as client:
        answer = client.post(f"assets/{key}/events", body)
    known = " (it was known, nothing moved)" if answer["repeated"] else ""
    cli.show(answer, lambda: output.print_line(f"version {answer['version']} of {key}{known}"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise Invalid(
            f"--value {text!r} is not JSON ({exc}); a text is written with quotes: '\"{text[:20]}\"'"
        ) from exc


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Invalid(f"--param {text!r} is not name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
