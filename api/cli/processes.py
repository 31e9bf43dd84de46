"""Commands that stay: ``dev``, ``serve`` and ``worker``."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Annotated

import typer

from riparian.api.cli import output
from riparian.api.cli.command import Cli, command


def install(app: typer.Typer) -> None:
    command(app, "dev", "Begin")(dev)
    command(app, "serve", "Begin")(serve)
    app.command(
        "worker", rich_help_panel="Begin", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
    )(worker)


Host = Annotated[str | None, typer.Option("--host", help="The address to listen on (default: 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")]


def dev(cli: Cli, port: Port = None) -> None:
    """Serve the project with a worker, and apply its declarations whenever they are saved."""
    from riparian.api import dev as development

    settings = cli.settings if port is None else replace(cli.settings, port=port)
    development.run(replace(settings, host="127.0.0.1"), as_json=cli.json)


def serve(
    cli: Cli,
    host: Host = None,
    port: Port = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen on an address that other machines reach.")
    ] = False,
) -> None:
    """Serve the control plane until SIGINT or SIGTERM. Workers are started beside it (`riparian worker`)."""
    from riparian.api import server, state

    settings = cli.settings
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)

    def listening(url: str) -> None:
        cli.show(
            {"url": url, "pid": os.getpid()},
            lambda: output.print_line(
                f"riparian listens on {url} (project {settings.name}, token in {settings.state / state.TOKEN})"
            ),
        )

    server.serve(settings, allow_remote=allow_remote, listening=listening)


def worker(context: typer.Context) -> None:
    """Run a worker: becomes `python -m riparian.scheduler.worker`, which takes all further options."""
    os.execv(sys.executable, [sys.executable, "-m", "riparian.scheduler.worker", *context.args])  # noqa: S606 - no shell
