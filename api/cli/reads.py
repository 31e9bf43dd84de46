"""Commands that only read: ``ls``, ``runs``, ``why``, ``checks``, ``lineage``, ``files``, ``data`` and ``logs``."""

from __future__ import annotations

import json
import re
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from riparian.api.cli import completion, output, steps, tree
from riparian.api.cli.arguments import Key, Limit, Partition, Run, one_of
from riparian.api.cli.command import Cli, command
from riparian.assets.errors import Invalid
from riparian.scheduler.core.lifecycle import FILE, RUN

RUN_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""No key looks like this: keys are lower-case."""

LEVELS = ("asset", "version")


def install(app: typer.Typer) -> None:
    for name, function in (
        ("ls", ls),
        ("runs", runs),
        ("why", why),
        ("checks", checks),
        ("lineage", lineage),
        ("files", files),
        ("data", data),
        ("logs", logs),
    ):
        command(app, name, "Look", looks=True)(function)


def ls(cli: Cli) -> None:
    """List the assets you may know of."""
    with cli.connect() as client:
        found = list(client.pages("assets", limit=500))
    cli.show(
        found,
        lambda: output.print_rows(
            ("asset", "kind", "format", "partitions", "made by", "owner"),
            (
                (a["key"], a["kind"], a["format"], describe_partitions(a["partitions"]), a["producer"], a["owner"])
                for a in found
            ),
            spare=("made by", "format"),
        ),
    )


def runs(
    cli: Cli,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY|RUN",
            help="Only runs that make this asset; or one run, with its steps.",
            autocompletion=completion.assets_and_runs,
        ),
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only runs in this state.", autocompletion=one_of(*RUN))
    ] = None,
    limit: Limit = 20,
) -> None:
    """List runs, the newest first; or show one, with its steps."""
    if which and RUN_ID.fullmatch(which):
        with cli.connect() as client:
            run = client.get(f"runs/{which}")
        cli.show(run, lambda: steps.print_run(run))
        return
    with cli.connect() as client:
        found = list(islice(client.pages("runs", asset=which, state=state, limit=min(limit, 500)), limit))
    cli.show(
        found,
        lambda: output.print_rows(
            ("run", "workflow", "partition", "state", "created", "ended", "cause"),
            spare=("ended",),
            spare_too=("created",),
            rows=(
                (
                    r["id"],
                    r["workflow"],
                    r["partition"],
                    r["state"],
                    r["created_at"],
                    r["ended_at"],
                    r["cause"],
                )
                for r in found
            ),
        ),
    )


def why(cli: Cli, key: Key, partition: Partition = None) -> None:
    """Say why an asset was made, or why not."""
    with cli.connect() as client:
        body = client.get(f"assets/{key}/why", partition=partition)
    cli.show(body, lambda: _print_why(body))


def checks(cli: Cli, key: Key, partition: Partition = None) -> None:
    """Show an asset's checks and what each found last."""
    with cli.connect() as client:
        body = client.get(f"assets/{key}/checks", partition=partition)
    cli.show(
        body,
        lambda: output.print_rows(
            ("check", "blocks", "found", "partition", "version", "checked", "what"),
            (_check(c, c["result"] or {}) for c in body["checks"]),
            spare=("version",),
            spare_too=("checked",),
        ),
    )


def lineage(
    cli: Cli,
    key: Key,
    partition: Partition = None,
    up: Annotated[int, typer.Option("--up", min=0, max=50, help="So many assets upstream.")] = 2,
    down: Annotated[int, typer.Option("--down", min=0, max=50, help="So many assets downstream.")] = 2,
    level: Annotated[
        str | None, typer.Option("--level", help="asset or version.", autocompletion=one_of(*LEVELS))
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Begin at this version.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As it was then: an ISO 8601 time, or a change's number.")
    ] = None,
) -> None:
    """Show what an asset was made from, and what is made from it."""
    if level not in (None, *LEVELS):
        raise Invalid(f"--level {level!r} is not known; write asset or version")
    with cli.connect() as client:
        body = client.get(
            f"assets/{key}/lineage",
            partition=partition,
            direction="both",
            up=up,
            down=down,
            level=level,
            version=version,
            as_of=as_of,
        )
    cli.show(body, lambda: tree.print_lineage(body, key, past=as_of is not None))


def files(
    cli: Cli,
    source: Annotated[
        str | None, typer.Argument(help="Only files of this source.", autocompletion=completion.sources)
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only files in this state.", autocompletion=one_of(*FILE))
    ] = None,
    limit: Limit = 50,
) -> None:
    """List the files that arrived, and what became of each."""
    with cli.connect() as client:
        found = list(islice(client.pages("files", source=source, state=state, limit=min(limit, 500)), limit))
    cli.show(
        found,
        lambda: output.print_rows(
            ("source", "path", "partition", "state", "size", "seen", "reason"),
            ((f["source"], f["path"], f["partition"], f["state"], f["size"], f["seen_at"], f["reason"]) for f in found),
            spare=("size",),
            spare_too=("seen",),
        ),
    )


def data(
    cli: Cli,
    key: Key,
    partition: Partition = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=1000, help="So many rows of a table.")] = 20,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all of it to this file, as it is stored; - is stdout.")
    ] = None,
) -> None:
    """Look at an asset's data, or download it."""
    if cli.json and str(to) == "-":
        raise Invalid("-o - writes the data itself to stdout, and --json an answer; say one of them")
    with cli.connect() as client:
        if to is not None:
            with client.stream(f"assets/{key}/data/download", partition=partition) as (name, chunks):
                size = _download(chunks, to)
            if str(to) != "-":
                told = f"{size} bytes in {to}"
                cli.show({"file": str(to), "bytes": size}, lambda: output.print_note(told))
            if partition is None and not cli.json:
                # A file is named after the asset and, when there is one, its partition.
                _print_taken(name.removeprefix(f"{key}-").rpartition(".")[0] if name.startswith(f"{key}-") else "")
            return
        preview = client.get(f"assets/{key}/data", partition=partition, rows=rows)
    cli.show(preview, lambda: _print_preview(preview, partition))


def logs(
    cli: Cli,
    run: Run,
) -> None:
    """Print what a run wrote, and on stderr why it failed."""
    with cli.connect() as client:
        with client.stream(f"runs/{run}/logs") as (_, chunks):
            if cli.json:
                text = b"".join(chunks).decode("utf-8", "replace")
            else:
                for chunk in chunks:
                    sys.stdout.buffer.write(chunk)
        if cli.json:
            output.print_json({"run": run, "text": text, "error": client.get(f"runs/{run}")["error"]})
            return
        sys.stdout.buffer.flush()
        if error := client.get(f"runs/{run}")["error"]:
            output.print_note(output.plain(error))


def _check(check: dict[str, Any], found: dict[str, Any]) -> tuple[Any, ...]:
    said = [str(found.get("description") or check["description"])]
    said += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in found.get("metadata", {}).items()]
    verdict = {True: "passed", False: "not passed", None: "never ran"}[found.get("passed")]
    place = (found.get("partition"), found.get("version"), found.get("checked_at"))
    return (check["name"], "yes" if check["blocking"] else "no", verdict, *place, "; ".join(said))


def _print_why(body: dict[str, Any]) -> None:
    subject = body["asset"] + (f"[{body['partition']}]" if body["partition"] else "")
    output.print_line(f"{subject}: {body['words']} ({body['code']})")
    if body["noted"] and body["noted"] != body["words"]:
        output.print_line(f"decided {output.time(body['since'])}: {output.one_line(body['noted'])}")
    if body["trigger"]:
        _print_trigger(body["trigger"], "")
    output.print_rows(
        ("run", "state", "ended", "cause"), ((r["id"], r["state"], r["ended_at"], r["cause"]) for r in body["runs"])
    )


def _print_trigger(node: dict[str, Any], indent: str) -> None:
    """A line for each part of the trigger, those that it is made of below it."""
    since = f" since {output.time(node['since'])}" if node["since"] else ""
    since += f" until {output.time(node['until'])}" if node["until"] else ""
    name = f"{node['label']}: " if node["label"] else ""
    said = f"{'true' if node['holds'] else 'false'}{since}: {node['words']}"
    output.print_line(output.one_line(f"{indent}{name}{node['text']} is {said}"))
    for part in node["parts"]:
        _print_trigger(part, f"{indent}  ")


def _download(chunks: Any, to: Path) -> int:
    """Writes the chunks; a file appears under its name only when it is whole."""
    if str(to) == "-":
        return sum(sys.stdout.buffer.write(chunk) for chunk in chunks)
    part = to.with_name(f".{to.name}.part")
    size = 0
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return size


def _print_taken(partition: str) -> None:
    """Says which partition was taken when none was named."""
    if partition:
        output.print_note(f"of partition {output.one_line(partition)}, which moved last; -p names another")


def _print_preview(preview: dict[str, Any], named: str | None) -> None:
    output.print_rows(preview["columns"], preview["rows"], tells=False)
    shown, total = len(preview["rows"]), preview["total_rows"]
    if total is not None and shown < total:
        output.print_note(f"{shown} of {total} rows")
    if named is None:
        _print_taken(preview["partition"])


def describe_partitions(body: dict[str, Any] | None) -> str:
    """Returns in words how an asset is cut."""
    match body:
        case None:
            return ""
        case {"kind": kind, "name": name, "start": start}:
            rhythm = f" at {body['expression']!r}" if "expression" in body else ""
            clocks = f" ({body['timezone']})" if "timezone" in body else ""
            return f"{kind} {name}{rhythm} from {start}" + (f" to {body['end']}" if body.get("end") else "") + clocks
        case {"kind": "static", "name": name, "keys": keys}:
            return f"static {name} ({output.number(len(keys), 'key')})"
        case {"kind": "product", "dimensions": dimensions}:
            return ", by ".join(map(describe_partitions, dimensions))
        case _:  # of a server that knows more
            return " ".join(str(body[word]) for word in ("kind", "name") if word in body)
