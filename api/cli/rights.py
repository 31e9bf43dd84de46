"""Commands about who may do what: ``policy show|set|approve``, ``token create|revoke``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from riparian.api.cli import output
from riparian.api.cli.arguments import Key
from riparian.api.cli.command import Cli, command
from riparian.assets.errors import Invalid

_NAMES = "1 to 200 letters, digits and . _ - @ : /"
_WHO = "lower-case letters, digits and _ . -, a letter first"

POLICY = {
    "readers": f"--reader is no group and no user:NAME; write {_NAMES}",
    "tags": f"--tag is no tag; write {_NAMES}",
    "expires": "--expires is no time; write it as ISO 8601 with its offset, such as 2030-01-31T00:00:00Z",
    "isolation": "--isolation is no level; write 0, 1 or 2",
}
TOKEN = {
    "name": f"NAME can not be a name; write {_WHO}",
    "groups": f"--group is no name of a group; write {_WHO}",
    "clear": f"--clear is no tag; write {_WHO}",
    "kind": "--kind is none that there is; write user or worker",
    "expires_seconds": "--expires-seconds is no time from now; write a number above 0, of at most 100 years",
}
"""What to write instead, for each field of a body that the server can not use."""

_FIELD = re.compile(r"body\.(\w+)")


def install(app: typer.Typer) -> None:
    policy = typer.Typer(no_args_is_help=True, help="Who may read an asset: show, set or approve.")
    command(policy, "show", looks=True)(policy_show)
    command(policy, "set")(policy_set)
    command(policy, "approve")(policy_approve)
    app.add_typer(policy, name="policy", rich_help_panel="Rights")
    token = typer.Typer(no_args_is_help=True, help="Who may ask: create and revoke tokens.")
    command(token, "create")(token_create)
    command(token, "revoke")(token_revoke)
    app.add_typer(token, name="token", rich_help_panel="Rights")


@contextmanager
def _in_words(fields: Mapping[str, str]) -> Iterator[None]:
    """Says by the options' names what the server can not use."""
    try:
        yield
    except Invalid as exc:
        wrong = dict.fromkeys(f for f in _FIELD.findall(str(exc)) if f in fields)
        if not wrong:
            raise
        raise Invalid("; ".join(fields[f] for f in wrong)) from exc


def policy_show(cli: Cli, key: Key) -> None:
    """Show who may read an asset, and which assets say so."""
    with cli.connect() as client:
        body = client.get(f"assets/{key}/policy")
    cli.show(body, lambda: print_policy(body))


def policy_set(
    cli: Cli,
    key: Key,
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
    with cli.connect() as client, _in_words(POLICY):
        answer = client.put(f"assets/{key}/policy", None if clear else body)
    cli.show(answer, lambda: print_policy(answer))


def policy_approve(cli: Cli, key: Key) -> None:
    """Let a loosened declaration of an asset you own come into force."""
    with cli.connect() as client:
        answer = client.post(f"assets/{key}/policy/approve")
    cli.show(answer, lambda: print_policy(answer))


def print_policy(body: dict[str, Any]) -> None:
    """Prints who may read an asset, and which origins say so."""
    output.print_line(f"{body['asset']}: {body['words']}")
    output.print_fields((name, body[name]) for name in ("owner", "readers"))
    said = {name: body[name] for name in ("declared", "overlay", "effective")}
    output.print_fields((name, _words(policy)) for name, policy in said.items())
    if body["pending"]:
        output.print_line(f"pending: {_words(body['pending']['policy']) or 'no policy'}")
    output.print_rows(
        ("origin", "admits you", "policy", "why not"),
        ((o["origin"], o["admits_you"], _words(o["policy"]), "; ".join(o["why"])) for o in body["origins"]),
    )


def _words(policy: dict[str, Any] | None) -> str:
    """A policy as a person reads it."""
    if policy is None:
        return ""
    clauses = [" or ".join(clause) or "nobody" for clause in policy["readers"]]
    told = [" and ".join(f"({c})" if " or " in c and len(clauses) > 1 else c for c in clauses) or "everybody"]
    if policy["tags"]:
        told.append(f"cleared for {' and '.join(policy['tags'])}")
    if policy["expires"]:
        told.append(f"until {policy['expires']}")
    if policy["isolation"]:
        told.append(f"isolation {policy['isolation']}")
    return ", ".join(told)


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
    with cli.connect() as client, _in_words(TOKEN):
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
