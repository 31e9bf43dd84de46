"""What do all commands have in common? Their options, where they find the project, and how they end."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riparian.assets.errors import DeclarationError, Problem, RiparianError

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client
    from riparian.api.settings import Settings

OK, FAILED, USAGE, INVALID, NOT_FOUND, CONFLICT = 0, 1, 2, 3, 4, 5
"""The exit codes. They are a promise to scripts."""

EXITS = {
    "invalid": USAGE,
    "invalid_declaration": INVALID,
    "not_found": NOT_FOUND,
    "conflict": CONFLICT,
    "refused": CONFLICT,
    "fenced": CONFLICT,
    "unauthenticated": CONFLICT,
}
"""How a command ends for each ``RiparianError.code``; FAILED for any other."""


class FailedWork(RiparianError):
    """What was asked for was tried and did not succeed."""

    code = "failed"


class InvalidDeclarations(DeclarationError):
    """Declarations with ``problems``, each of which is told by itself."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in the declarations")
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Cli:
    """One command on its way: what the common options said."""

    project: Path | None
    url: str | None
    on_behalf: str | None
    json: bool

    @cached_property
    def settings(self) -> Settings:
        from riparian.api import settings

        return settings.load(self.project or Path.cwd())

    @contextmanager
    def connect(self) -> Iterator[Client]:
        """Gives a client of the project's server, or of the same app in this process when none runs."""
        from riparian.api.cli import connection

        with connection.connect(self) as client:
            yield client

    def show(self, body: Any, lines: Callable[[], None]) -> None:
        """Prints the answer: as JSON when that was asked for, else as ``lines`` prints it."""
        from riparian.api.cli import output

        if self.json:
            output.print_json(body)
        else:
            lines()


_COMMON: dict[str, tuple[Any, Any]] = {
    "project": (
        Annotated[
            Path | None,
            typer.Option(
                "--project", envvar="RIPARIAN_PROJECT", help="The project's folder (default: this one or one above)."
            ),
        ],
        None,
    ),
    "url": (
        Annotated[str | None, typer.Option("--url", envvar="RIPARIAN_URL", help="The server to ask.")],
        None,
    ),
    "on_behalf": (
        Annotated[
            str | None, typer.Option("--as", help="Look as this person; only to read (owners, in dev; audited).")
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")], False),
}


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers ``function(cli, …)`` as a command that also takes the common options.

    A RiparianError ends the command with its message on stderr and the exit code of EXITS. Anything else is a bug
    and shows its traceback.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for n, (annotation, default) in _COMMON.items()
        ]

        def run(**values: Any) -> None:
            cli = Cli(**{n: values.pop(n) for n in _COMMON})
            try:
                function(cli, **values)
            except RiparianError as exc:
                tell(cli, exc)
                raise typer.Exit(EXITS.get(exc.code, FAILED)) from exc
            except KeyboardInterrupt:
                raise typer.Exit(130) from None
            except BrokenPipeError:
                # `riparian ls | head`: the reader has seen enough.
                sys.stderr.close()
                raise typer.Exit(OK) from None

        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        run.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined] # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in (*own, *common)}
        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        app.command(name)(run)
        return function

    return register


def tell(cli: Cli, exc: RiparianError) -> None:
    """Prints an error: as one JSON object on stdout with --json, else in words on stderr."""
    problems: tuple[Problem, ...] = tuple(getattr(exc, "problems", ()))
    from riparian.api.cli import output

    if cli.json:
        found = [
            {
                "code": p.code,
                "message": p.message,
                "remedy": p.remedy,
                "file": p.location.file if p.location else None,
                "line": p.location.line if p.location else None,
            }
            for p in problems
        ]
        output.print_json({"error": {"code": exc.code, "detail": str(exc), "problems": found}})
        return
    for found_problem in problems:
        output.print_note(output.plain(str(found_problem)))
    output.print_note(output.plain(f"error: {exc}"))
