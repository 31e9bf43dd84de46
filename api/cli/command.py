"""What do all commands have in common? Their options, where they find the project, and how they end."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from riparian.assets.errors import DeclarationError, Invalid, Problem, RiparianError

if TYPE_CHECKING:
    from riparian.api.cli.connection import Client
    from riparian.api.settings import Settings

OK, FAILED, USAGE, INVALID, NOT_FOUND, CONFLICT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
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

        if self.project is not None and not self.project.is_dir():
            raise Invalid(f"--project {str(self.project)!r} is no folder; name the one that the project lies in")
        return settings.load(self.project or Path.cwd())

    @contextmanager
    def connect(self, *, new: bool = False) -> Iterator[Client]:
        """Gives a client of the project's server, or of the same app in this process when none runs. ``new``: what is
        no project yet becomes one; else NotFound is raised."""
        from riparian.api.cli import connection

        with connection.connect(self, new=new) as client:
            yield client

    def show(self, body: Any, lines: Callable[[], None]) -> None:
        """Prints the answer: as JSON when that was asked for, else as ``lines`` prints it."""
        from riparian.api.cli import output

        if self.json:
            output.print_json(body)
        else:
            lines()


COMMON: dict[str, tuple[Any, Any]] = {
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
        Annotated[str | None, typer.Option("--as", help="Look as this person (owners, in dev; audited).")],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")], False),
}
"""The options of every command: how each is declared, and its default. ``LOOKS`` only of those that look."""

LOOKS = "on_behalf"


class Root(TyperGroup):
    """The command line itself. What typer finds wrong with a call is told as JSON too when that was asked for."""

    # The other arguments go through as they are.
    def main(self, args: Sequence[str] | None = None, **more: Any) -> Any:  # type: ignore[override]
        if "--json" not in (sys.argv[1:] if args is None else args):
            return super().main(args, **more)
        try:
            code = super().main(args, **{**more, "standalone_mode": False})
        except typer.TyperException as exc:
            tell(Invalid(exc.format_message()), as_json=True)
            code = exc.exit_code
        sys.exit(code)


def command(
    app: typer.Typer, name: str, panel: str | None = None, *, looks: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers ``function(cli, …)`` as a command that also takes the common options; help lists it under ``panel``.
    One that ``looks`` asks a server and changes nothing: it can look as somebody else.

    A RiparianError ends the command with its message on stderr and the exit code of EXITS. Anything else is a bug
    and shows its traceback.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for n, (annotation, default) in COMMON.items()
            if looks or n != LOOKS
        ]

        def run(**values: Any) -> None:
            cli = Cli(**{n: values.pop(n, None) for n in COMMON})
            try:
                function(cli, **values)
                sys.stdout.flush()
            except RiparianError as exc:
                tell(exc, as_json=cli.json)
                raise typer.Exit(EXITS.get(exc.code, FAILED)) from exc
            except KeyboardInterrupt:
                typer.echo("interrupted", err=True)
                raise typer.Exit(INTERRUPTED) from None
            except BrokenPipeError:
                # `riparian ls | head`: the reader has seen enough. Without this the end of the process would try to
                # write what is left once more, and complain.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(OK) from None

        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        run.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined] # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in (*own, *common)}
        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        app.command(name, rich_help_panel=panel)(run)
        return function

    return register


def tell(exc: RiparianError, *, as_json: bool) -> None:
    """Prints an error on stderr: in words, or as one JSON object. What is on stdout is an answer, always."""
    from riparian.api.cli import output

    problems: tuple[Problem, ...] = tuple(getattr(exc, "problems", ()))
    if as_json:
        error = {"code": exc.code, "detail": str(exc), "problems": [p.to_json() for p in problems]}
        output.print_json({"error": error}, err=True)
        return
    for problem in problems:
        output.print_note(output.plain(str(problem)))
    output.print_note(output.plain(f"error: {exc}"))
